"""Mutated settings, files and requests get an answer or an error in words: no other exception, no run-away."""

from __future__ import annotations

import functools
import gzip
import io
import json
import random
import resource
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.mutations import mutated
from support.torture import cases

MAX_SECONDS = 5.0  # of processor time, for one input
MAX_GROWTH_MIB = 700  # of the process over one case
MAX_MESSAGE = 5000  # characters of one error

CONFIG = b"""\
models = ["cross_layer", "dense"]
[example_gen]
source = "csv"
input = "rides/*.csv"
label = "fare"
exclude = ["ride_id"]
split = "hash"
eval_fraction = 0.1
seed = 42
[trainer]
epochs = 5
learning_rate = 1e-3
[dense]
units = [8, 4]
[evaluator]
max_rmse = 2.5
max_mean_ratio = "none"
max_linear_ratio = "none"
slices = [["zone"], ["zone", "day"]]
[pusher]
serving_dir = "~/models"
model_name = "rides"
"""
SETTINGS = (
    b"trainer.epochs=20", b'example_gen.input="a/*.csv"', b"dense.units=[3, 3]", b"evaluator.max_rmse=none",
    b'models=["dense"]', b"pusher.serving_dir=~/x", b"evaluator.slices=[['a'], ['b', 'c']]",
    b"trainer.learning_rate=0.1",
)  # fmt: skip
TABLE = (
    b"zone,miles,day,at,y\n"
    + b"".join(b'"n, %d",%d.5,%d,2026-11-%02d,%d\n' % (n % 3, n, n, n % 28 + 1, n) for n in range(40)),
    b"\xef\xbb\xbfa,y\r\n1,2\r\n,3\r\ntrue,4\r\n",
    b'a,y\r1,2\r"x ""y""\r\nz",3\r',
    b"a,b,y\n" + b"1,2.5,3\n" * 200,
)
LINES = (
    b'{"x0": 1, "x1": 2.5, "zone": "n"}\n{"x0": -3, "x1": null, "zone": "\\u00fc"}\n' * 5,
    b'{"x1": "2026-11-29", "x0": true, "zone": "", "more": {"a": [1]}}\n',
)


def spec(name: str) -> Any:
    from crossnet.serving.protocol.messages import DATA_TYPES
    from crossnet.serving.protocol.signature import TensorSpec

    return TensorSpec(DATA_TYPES[name], (None,))


# ---- Targets: each takes a source of random values and a folder, and handles one mutated input ----


def settings_file(draw: random.Random, folder: Path) -> Iterator[bytes]:
    from crossnet.pipeline.config import load_config, to_toml

    content = mutated(draw, [CONFIG])
    file = folder / "mine.toml"
    file.write_bytes(content)
    yield content
    config = load_config(file)
    (folder / "again.toml").write_text(to_toml(config), encoding="utf-8")
    assert load_config(folder / "again.toml") == config


def settings_override(draw: random.Random, folder: Path) -> Iterator[bytes]:
    from crossnet.pipeline.config import load_config, to_toml

    overrides = [mutated(draw, SETTINGS, 3) for _ in range(draw.randint(1, 3))]
    yield b" ".join(overrides)
    config = load_config(None, [override.decode(errors="surrogateescape") for override in overrides])
    (folder / "again.toml").write_text(to_toml(config), encoding="utf-8")
    assert load_config(folder / "again.toml") == config


def training_csv(draw: random.Random, folder: Path) -> Iterator[bytes]:
    content = mutated(draw, TABLE)
    packed = draw.random() < 0.2
    yield content
    file = folder / ("rows.csv.gz" if packed else "rows.csv")
    file.write_bytes(_packed(draw, content) if packed else content)
    _generate(folder, draw, source="csv", input=str(file))


def training_tfrecord(draw: random.Random, folder: Path) -> Iterator[bytes]:
    from crossnet.serving.protocol.tfrecord import write_frame

    if draw.random() < 0.5:  # whole frames around records, a few of which are broken
        share = draw.choice([0.05, 0.5])
        made = [mutated(draw, records(), 2) if draw.random() < share else draw.choice(records()) for _ in range(20)]
        content = b"".join(map(write_frame, made[: draw.randint(1, 20)]))
    else:
        content = mutated(draw, [b"".join(map(write_frame, records() * 5))])
    yield content
    file = folder / "rows.tfrecord"
    file.write_bytes(_packed(draw, content) if draw.random() < 0.3 else content)
    _generate(folder, draw, source="tfrecord", input=str(file))


def training_parquet(draw: random.Random, folder: Path) -> Iterator[bytes]:
    content = mutated(draw, [_parquet()], 3)
    yield content
    (folder / "rows.parquet").write_bytes(content)
    _generate(folder, draw, source="parquet", input=str(folder / "rows.parquet"))


def new_config(draw: random.Random, folder: Path) -> Iterator[bytes]:
    from crossnet.pipeline.config import load_config
    from crossnet.pipeline.init.config_text import config_text, write_config
    from crossnet.pipeline.init.propose import propose
    from crossnet.pipeline.init.tables import column_names, find_table, resolve_label

    content = mutated(draw, TABLE, 4)
    yield content
    file = folder / "rows.csv"
    file.write_bytes(content)
    (folder / "rows.toml").unlink(missing_ok=True)
    table = find_table(file)
    proposal = propose(table, resolve_label(table, "y", column_names(table)))
    write_config(config_text(table, proposal, folder / "rows.toml"), folder / "rows.toml")
    load_config(folder / "rows.toml")


def rows_csv(draw: random.Random, folder: Path) -> Iterator[bytes]:
    yield (content := mutated(draw, TABLE))
    _requests(content, "csv", {"zone": spec("DT_STRING"), "miles": spec("DT_FLOAT"), "day": spec("DT_INT64")})


def rows_json(draw: random.Random, folder: Path) -> Iterator[bytes]:
    yield (content := mutated(draw, LINES))
    _requests(content, "jsonl", {"x0": spec("DT_INT64"), "x1": spec("DT_FLOAT"), "zone": spec("DT_STRING")})


def rows_tfrecord(draw: random.Random, folder: Path) -> Iterator[bytes]:
    from crossnet.serving.protocol.tfrecord import write_frame

    if draw.random() < 0.5:
        content = b"".join(write_frame(mutated(draw, records(), 2)) for _ in range(draw.randint(1, 9)))
    else:
        content = mutated(draw, [b"".join(map(write_frame, records() * 3))])
    yield content
    _requests(content, "tfrecord", {"examples": spec("DT_STRING")})


def example_bytes(draw: random.Random, folder: Path) -> Iterator[bytes]:
    """The parser agrees with protobuf about what an Example is and holds."""
    from google.protobuf.message import DecodeError

    from crossnet.components.errors import DataError
    from crossnet.components.records.parser import MalformedExampleError, parse_example
    from crossnet.serving.protocol import messages

    yield (record := mutated(draw, records(), 3))
    try:
        features = parse_example(record)
    except MalformedExampleError as error:
        raise DataError(str(error)) from None
    try:
        expected = messages.Example.FromString(record).features.feature
    except DecodeError:
        return  # protobuf is stricter in fields that are not ours
    for name, feature in features.items():
        if name not in expected:  # an entry with unknown fields, which protobuf keeps as unknown as a whole
            continue
        values = expected[name]
        kind = {"bytes_list": "BYTES", "float_list": "FLOAT", "int64_list": "INT", None: ""}[values.WhichOneof("kind")]
        assert feature.kind == kind
        if kind in ("BYTES", "INT"):
            assert feature.values == list((values.bytes_list if kind == "BYTES" else values.int64_list).value)


def rest_json(draw: random.Random, folder: Path) -> Iterator[bytes]:
    from crossnet.serving.embedded.json_input import read_body, read_inputs
    from crossnet.serving.protocol.dtypes import tensorflow_numpy_type
    from crossnet.serving.protocol.session import GraphSignature

    yield (body := mutated(draw, BODIES))
    inputs = {"x0": ("x0:0", 1), "x1": ("x1:0", 9), "s": ("s:0", 7), "b": ("b:0", 10)}
    types = tuple(tensorflow_numpy_type(number) for _, number in inputs.values())
    read_inputs(read_body(body), GraphSignature("serving_default", inputs, types, {}, None))


TARGETS: dict[str, tuple[Callable[..., Any], int]] = {  # with the number of inputs of a short case
    "settings file": (settings_file, 120),
    "settings override": (settings_override, 150),
    "training csv": (training_csv, 100),
    "training tfrecord": (training_tfrecord, 100),
    "training parquet": (training_parquet, 100),
    "init": (new_config, 80),
    "rows csv": (rows_csv, 300),
    "rows json": (rows_json, 300),
    "rows tfrecord": (rows_tfrecord, 300),
    "example": (example_bytes, 2000),
    "rest json": (rest_json, 1000),
}
BODIES = [
    json.dumps(
        {"instances": [{"x0": 1.5, "x1": 2, "s": "a", "b": True}, {"x0": 1, "x1": 3, "s": "b", "b": False}]}
    ).encode(),
    json.dumps({"inputs": {"x0": [1.0], "x1": [2], "s": [{"b64": "YQ=="}], "b": [True]}}).encode(),
    json.dumps({"signature_name": "serving_default", "inputs": {"x0": 1.0, "x1": [[2]], "s": "a", "b": []}}).encode(),
]


def _packed(draw: random.Random, content: bytes) -> bytes:
    half = len(content) // 2
    packed = gzip.compress(content[:half]) + gzip.compress(content[half:])
    return mutated(draw, [packed], 2) if draw.random() < 0.5 else packed


@functools.cache
def records() -> list[bytes]:
    """Examples as they come: text, several values, none, numbers of all lengths."""
    from crossnet.serving.protocol import messages

    made = [b""]
    for row in ({"zone": [b"n"], "miles": [1.5], "y": [3.0]},
                {"zone": [b"s", b""], "miles": [], "speeds": [2.0, -1.0], "y": [2.0]},
                {"count": [1, -1, 300, 1 << 62], "y": [0.0]}):  # fmt: skip
        example = messages.Example()
        for name, values in row.items():
            feature = example.features.feature[name]
            kind = {bytes: feature.bytes_list, int: feature.int64_list}.get(type(values[0]) if values else float)
            (kind or feature.float_list).value.extend(values)
        made.append(example.SerializeToString(deterministic=True))
    return made


@functools.cache
def _parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "zone": pa.array([f"z{n % 5}" for n in range(300)]).dictionary_encode(),
        "miles": pa.array([n / 7 for n in range(300)]),
        "tags": pa.array([["a"] * (n % 3) for n in range(300)]),
        "y": pa.array(range(300)),
    })  # fmt: skip
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=100, data_page_size=512)
    return stream.getvalue()


def _generate(folder: Path, draw: random.Random, **params: Any) -> None:
    """Runs ExampleGen and reads back what it wrote."""
    import shutil

    from crossnet.components.example_gen import generate_examples
    from crossnet.components.params.example_gen import ExampleGenParams
    from crossnet.components.records.dataset import read_columns

    output = folder / "examples"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    chosen = ExampleGenParams(split=draw.choice(("order", "hash", "random")), **params)
    examples = generate_examples(output_dir=output, params=chosen)
    for split, rows in examples.counts.items():
        assert rows == sum(
            len(column.values if column.lengths is None else column.lengths)
            for batch in read_columns(examples, split, batch_size=64)
            for column in list(batch.values())[:1]
        )


def _requests(content: bytes, kind: str, inputs: dict[str, Any]) -> None:
    """Reads rows as `predict` does, makes a request of them and writes them with an answer."""
    import numpy as np

    from crossnet.serving.protocol.signature import Signature
    from crossnet.serving.rows.columns import InputBuilder
    from crossnet.serving.rows.formats import make_reader

    table = make_reader(io.BytesIO(content), kind, "rows")
    rows = list(table.rows())
    outputs = {"p": np.zeros(len(rows), np.float32)}
    if rows:  # without, `predict` asks nothing and writes no batch
        table.writer(io.BytesIO()).write(rows, outputs)
        InputBuilder(table, Signature("s", "m", inputs, {"p": spec("DT_FLOAT")}), "`m`", True).build(rows)


@cases(
    "fuzz",
    [f"{target} {number}" for target in TARGETS for number in range(3)],
    short=[f"{target} 0" for target in TARGETS],
    says="mutated settings, tables, records and bodies are read, or refused in a short sentence",
)
def test_mutated_input_is_read_or_refused_in_words(case, tmp_path):
    from crossnet.components.errors import PipelineError
    from crossnet.serving.status import ServingError

    target, count = TARGETS[case.name.rpartition(" ")[0]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = refused = 0
    for number in range(count * (20 if case.full else 1)):
        draw = random.Random(f"{case.seed}/{case.name}/{number}")
        steps = target(draw, tmp_path)
        given, message = next(steps), ""
        began = time.process_time()
        try:
            for _ in steps:
                pass
            read += 1
        except (PipelineError, ServingError) as error:
            refused, message = refused + 1, str(error)
        except Exception:
            raise AssertionError(f"{case.name} input {number}, {given[:2000]!r}: {traceback.format_exc()}") from None
        seconds = time.process_time() - began
        assert len(message) < MAX_MESSAGE, f"{case.name} input {number}, {given[:2000]!r}: {message[:300]}"
        assert seconds < MAX_SECONDS, f"{case.name} input {number} took {seconds:.1f} s: {given[:2000]!r}"
        case.note_most(milliseconds_for_one_input=1000 * seconds)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    case.count(inputs=read + refused, refused=refused)
    assert read, "each input was refused: the seeds are wrong"
    assert refused, "no input was refused: the changes are too small"
    assert grown < MAX_GROWTH_MIB
