from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples, columns_path
from crossnet.components.errors import DataError
from crossnet.components.features import Feature
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.records.dataset import read_columns, read_dataset, read_file
from crossnet.components.statistics_gen import generate_statistics
from support.example_gen_fixtures import make, make_csv

FLOATS = [Feature(f"x{n}", "FLOAT") for n in range(3)]
LABEL = Feature("y", "FLOAT")


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return make(tmp_path_factory.mktemp("synthetic"), num_examples=5000, num_shards=3)


@pytest.mark.parametrize("batch_size", [1, 7, 1000, 4500, 10_000])
def test_read_columns_yields_batches_of_the_size_asked_for_in_order(synthetic: Examples, batch_size: int) -> None:
    batches = list(read_columns(synthetic, "train", batch_size=batch_size, columns=["y", "x1"]))
    assert [list(batch) for batch in batches] == [["y", "x1"]] * len(batches)
    sizes = [len(batch["y"].values) for batch in batches]
    assert sum(sizes) == 4500
    assert set(sizes[:-1]) <= {batch_size}
    levels = np.random.RandomState(42).randint(200, size=[5000, 3])[:4500, 1]
    np.testing.assert_array_equal(
        np.concatenate([batch["x1"].values for batch in batches]), (levels / 200).astype(np.float32)
    )


def test_equally_long_records_are_read_in_batches_that_grow_with_their_size(tmp_path: Path) -> None:
    header = ",".join(["y", *(f"c{column}" for column in range(400))])
    rows = "\n".join(",".join([str(row), *["0.5"] * 400]) for row in range(3000))
    examples = make_csv(tmp_path, f"{header}\n{rows}\n", label="y", eval_fraction=0.01)
    (shard,) = examples.shards("train")
    assert shard.stat().st_size > 2 * (4 << 20)  # several pieces of the file
    (batch,) = read_file(shard, "", dict(sorted(examples.column_types.items())))
    assert batch["y"].values.tolist() == list(range(2970))


def test_read_columns_refuses_a_column_and_a_split_that_are_not_there(synthetic: Examples) -> None:
    with pytest.raises(DataError, match=r"has no column `z`. Its columns: `x0`, `x1`, `x2`, `y`. Use the schema"):
        next(read_columns(synthetic, "train", batch_size=10, columns=["z"]))


def test_read_dataset_gives_holes_as_nan_and_empty_text(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "a,n,t,y\n1.5,7,u,1\n,,,2\n3,8,v,5\n4,9,w,4\n", eval_fraction=0.25)
    features = [Feature("a", "FLOAT", required=False), Feature("n", "INT", required=False), Feature("t", "BYTES")]
    ((inputs, label),) = read_dataset(examples, "train", features, LABEL, batch_size=10)
    np.testing.assert_array_equal(inputs["a"], np.array([1.5, np.nan, 3], np.float32))
    np.testing.assert_array_equal(inputs["n"], np.array([7, np.nan, 8], np.float32))
    assert inputs["t"].tolist() == [b"u", b"", b"v"]
    assert label is not None
    assert label.tolist() == [1, 2, 5]
    ((inputs, label),) = read_dataset(examples, "eval", [Feature("n", "INT")], None, batch_size=10)
    assert (inputs["n"].dtype, inputs["n"].tolist(), label) == (np.int64, [9], None)


def test_read_dataset_refuses_holes_the_schema_forbids_and_several_values(tmp_path: Path) -> None:
    examples = make_csv(tmp_path, "n,y\n1,1\n,2\n3,3\n")
    with pytest.raises(DataError, match="`n` is missing in 1 rows, but the schema requires it in every row. Let"):
        list(read_dataset(examples, "train", [Feature("n", "INT")], LABEL, batch_size=10))
    pq.write_table(pa.table({"v": [[1.0, 2.0], [3.0], [4.0]], "y": [1, 2, 3]}), tmp_path / "v.parquet")
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "v.parquet"))
    with pytest.raises(
        DataError,
        match="`v` has several values in some rows; a model takes one per row. Add it to `example_gen.exclude`",
    ):
        list(read_dataset(examples, "train", [Feature("v", "FLOAT")], LABEL, batch_size=10))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_read_columns_names_the_record_of_a_damaged_shard(tmp_path: Path, compression: str) -> None:
    import gzip

    examples = make(tmp_path, num_examples=2000, compression=compression)
    (path,) = examples.shards("train")
    columns_path(path).unlink()  # as in Examples of an older version
    data = bytearray(gzip.decompress(path.read_bytes()) if compression == "gzip" else path.read_bytes())
    size = len(data) // 1800
    data[1500 * size + 40] ^= 1
    path.write_bytes(gzip.compress(data) if compression == "gzip" else data)
    with pytest.raises(DataError, match=r"checksum \(CRC32C\) of the data of record 1,500 is wrong"):
        list(read_columns(examples, "train", batch_size=100))
    path.write_bytes(gzip.compress(data[: size + 7]) if compression == "gzip" else data[: size + 7])
    with pytest.raises(DataError, match="ends in the middle of record 1"):
        list(read_columns(examples, "train", batch_size=100))


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize(("found", "words"), [(90, "has 90 records"), (0, "has 0 records"), (110, "has more than 100")])
def test_a_shard_with_another_number_of_records_than_were_written_is_refused(
    tmp_path: Path, compression: str, found: int, words: str
) -> None:
    settings = {"num_shards": 1, "eval_fraction": 0.5, "compression": compression}
    examples, other = (
        make(tmp_path, num_examples=200, **settings),
        make(tmp_path, num_examples=2 * found or 2, **settings),
    )
    (shard,), (replacement,) = examples.shards("train"), other.shards("train")
    shard.write_bytes(replacement.read_bytes() if found else b"")  # whole records
    with pytest.raises(DataError, match=rf"Split `train` of `.*` {words}.*, expected 100: its shards were cut or"):
        list(read_columns(examples, "train", batch_size=1000))
    with pytest.raises(DataError, match=rf"Split `train` of `.*` {words}"):
        generate_statistics(examples, output_dir=tmp_path, params=StatisticsGenParams())


def test_data_steps_import_no_tensorflow(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from crossnet.components.records.dataset import read_columns
from crossnet.components.example_gen import generate_examples
from crossnet.components.params.example_gen import ExampleGenParams
root = Path(sys.argv[1])
(root / "a.csv").write_text("a,t,y\\n1,x,2\\n,y,3\\n4,,5\\n")
csv = {"source": "csv", "input": str(root / "a.csv"), "split": "hash", "eval_fraction": 0.6}
for number, settings in enumerate([{"num_examples": 100}, csv]):
    (root / str(number)).mkdir()
    examples = generate_examples(output_dir=root / str(number), params=ExampleGenParams(**settings))
    for split in ("train", "eval"):
        list(read_columns(examples, split, batch_size=10))
print(sorted(name for name in sys.modules if name.startswith(("tensorflow", "keras", "tf_keras"))))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
