"""Files of rows through a server: what goes out, what is refused, and that nothing is left half-written."""

from __future__ import annotations

import gzip
import io
import json
import math
from pathlib import Path

import grpc
import numpy as np
import pytest

import crossnet.serving.rows.streams
from crossnet.serving.predict import PredictSummary
from crossnet.serving.protocol.tensors import read_tensor
from crossnet.serving.status import (
    InvalidRequestError,
    NotFoundError,
    RowsError,
    ServerError,
    ServingError,
    UnavailableError,
    UsageError,
)
from support.fake_server import FLOAT, INT64, RIDES, STRING, XS, FakeServer, signature_definition
from support.predict_rows import predict_file

OUTPUT = {"prediction": (FLOAT, [-1])}


@pytest.fixture
def server():
    return FakeServer(XS)


@pytest.fixture
def target(server):
    with server.running() as target:
        yield target


@pytest.fixture
def rows(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def columns(request):
    return {name: read_tensor(tensor).tolist() for name, tensor in request.inputs.items()}


def test_json_lines_in_and_out_in_order(rows, target, tmp_path):
    lines = "".join(json.dumps({"x0": i / 10, "x1": 1, "x2": 2}) + "\n" for i in range(25))
    out, seen = tmp_path / "out.jsonl", []
    summary = predict_file(rows=rows("in.jsonl", lines), output=out, target=target, batch_size=10, progress=seen.append)
    assert (summary.rows, summary.versions, seen) == (25, (7,), [10, 20, 25])
    assert summary.seconds > 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert answers[3] == {"x0": 0.3, "x1": 1, "x2": 2, "prediction": 0.3}
    assert [answer["prediction"] for answer in answers] == [i / 10 for i in range(25)]


def test_csv_in_and_out(rows, target, tmp_path):
    out = tmp_path / "out.csv"
    predict_file(rows=rows("in.csv", "x2,x0,x1\n1,0.5,2\n1,1e-3,2\n"), output=out, target=target)
    assert out.read_text() == "x2,x0,x1,prediction\n1,0.5,2,0.5\n1,1e-3,2,0.001\n"


def test_tfrecord_goes_through_serving_examples(rows, server, target, tmp_path):
    import tensorflow as tf

    def model(arrays):
        examples = [tf.train.Example.FromString(record) for record in arrays["examples"]]
        return {"prediction": np.array([e.features.feature["x0"].float_list.value[0] for e in examples], np.float32)}

    server.model = model
    server.signatures["serving_examples"] = signature_definition({"examples": (STRING, [-1])}, OUTPUT)
    path, out = tmp_path / "in.tfrecord.gz", tmp_path / "out.tfrecord.gz"
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for value in (0.5, 1.5):
            feature = tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
            writer.write(tf.train.Example(features=tf.train.Features(feature={"x0": feature})).SerializeToString())
    predict_file(rows=path, output=out, target=target)
    records = tf.data.TFRecordDataset(str(out), "GZIP").as_numpy_iterator()
    features = [tf.train.Example.FromString(record).features.feature for record in records]
    assert [f["prediction"].float_list.value[0] for f in features] == [0.5, 1.5]
    assert server.requests[0].model_spec.signature_name == "serving_examples"


def test_model_without_serving_examples_is_told(rows, target, tmp_path):
    with pytest.raises(InvalidRequestError, match="has no signature `serving_examples`. It has: `serving_default`"):
        predict_file(rows=rows("in.tfrecord", b""), output=tmp_path / "out.tfrecord", target=target)


def test_gzip_in_and_out(rows, target, tmp_path):
    out = tmp_path / "out.csv.gz"
    predict_file(rows=rows("in.csv.gz", gzip.compress(b"x0,x1,x2\n1,2,3\n")), output=out, target=target)
    assert gzip.decompress(out.read_bytes()) == b"x0,x1,x2,prediction\n1,2,3,1.0\n"


def test_standard_input_and_output(monkeypatch, capfdbinary, target):
    class Stdin:
        buffer = io.BytesIO(b'{"x0": 1, "x1": 2, "x2": 3}\n')

    monkeypatch.setattr(crossnet.serving.rows.streams.sys, "stdin", Stdin)
    predict_file(rows="-", target=target)
    assert capfdbinary.readouterr().out == b'{"x0": 1, "x1": 2, "x2": 3, "prediction": 1.0}\n'


def test_missing_values_are_nan_and_empty_text(rows, target, server, tmp_path):
    inputs = {"miles": (FLOAT, [-1]), "zone": (STRING, [-1])}
    server.signatures["serving_default"] = signature_definition(inputs, OUTPUT)
    out = tmp_path / "out.jsonl"
    predict_file(rows=rows("in.jsonl", '{"miles": null, "zone": null}'), output=out, target=target)
    assert json.loads(out.read_text()) == {"miles": None, "zone": None, "prediction": None}
    predict_file(rows=rows("in.csv", "zone,miles\n,\n"), output=tmp_path / "out.csv", target=target)
    for request in server.requests:
        sent = columns(request)
        assert math.isnan(sent["miles"][0])
        assert sent["zone"] == [b""]


def test_whole_numbers_have_no_missing_value(rows, target, server, tmp_path):
    server.signatures["serving_default"] = signature_definition({"age": (INT64, [-1])}, OUTPUT)
    for name, content in {"in.csv": 'age\n3\n""\n', "in.jsonl": '{"age": 3}\n{"age": null}\n'}.items():
        path = rows(name, content)
        with pytest.raises(InvalidRequestError, match=f"`age` holds None at {path}:[23]; expected int64"):
            predict_file(rows=path, output=tmp_path / "out", target=target)


def test_csv_numbers_take_every_form_of_number(rows, target, server, tmp_path):
    server.signatures["serving_default"] = signature_definition(RIDES, OUTPUT)
    content = "miles,age,zone\n1e3,3.0,007\n-inf,9007199254740993,nan\n"
    predict_file(rows=rows("in.csv", content), output=tmp_path / "out.csv", target=target)
    assert columns(server.requests[0]) == {
        "miles": [1000.0, -math.inf],
        "age": [3, 9007199254740993],
        "zone": [b"007", b"nan"],
    }


def test_truths_and_times_are_the_numbers_that_example_gen_makes_of_them(rows, target, server, tmp_path):
    inputs = {"garden": (FLOAT, [-1]), "sold": (INT64, [-1]), "city": (STRING, [-1])}
    server.signatures["serving_default"] = signature_definition(inputs, OUTPUT)
    csv = "garden,sold,city\ntrue,2026-11-23,true\nFALSE,2026-11-23T08:45:00.9+01:00,2026-11-23\n,5,\n"
    predict_file(rows=rows("in.csv", csv), output=tmp_path / "out.csv", target=target)
    lines = [
        {"garden": True, "sold": "2026-11-23", "city": "true"},
        {"garden": "False", "sold": "2026-11-23 08:45:00.9+01:00", "city": "2026-11-23"},
        {"garden": None, "sold": 5, "city": None},
    ]
    predict_file(rows=rows("in.jsonl", "\n".join(map(json.dumps, lines))), output=tmp_path / "out.jsonl", target=target)
    for request in server.requests:
        sent = columns(request)
        assert sent["garden"][:2] == [1.0, 0.0]
        assert math.isnan(sent["garden"][2])
        assert sent["sold"] == [1795392000, 1795419900, 5]
        assert sent["city"] == [b"true", b"2026-11-23", b""]
    assert len(server.requests) == 2


@pytest.mark.parametrize("cell", ["abc", "1_000", "0x10", "1,5", "yes", "2026-02-30", "23.11.2026"])
def test_cell_that_is_no_number_is_told_with_its_line(rows, target, tmp_path, cell):
    path = rows("in.csv", f'x0,x1,x2\n1,2,3\n1,"{cell}",3\n')
    with pytest.raises(InvalidRequestError, match=f"`x1` holds '{cell}' at {path}:3; expected float32"):
        predict_file(rows=path, output=tmp_path / "out.csv", target=target)
    assert [file.name for file in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("in.csv", "y,x0,x1,x2\nq,1,2,3\n", "y,x0,x1,x2,prediction\nq,1,2,3,1.0\n"),
        (
            "in.jsonl",
            '{"y": [1], "x0": 1, "x1": 2, "x2": 3}\n',
            '{"y": [1], "x0": 1, "x1": 2, "x2": 3, "prediction": 1.0}\n',
        ),
    ],
)
def test_columns_that_are_no_features_may_pass_and_come_out_again(rows, target, tmp_path, name, content, expected):
    out = tmp_path / "out"
    predict_file(rows=rows(name, content), output=out, target=target, ignore_extra=True)
    assert out.read_text() == expected


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rows": "in.txt"}, "The name of `in.txt` does not tell its format. Name one of: jsonl, csv, tfrecord."),
        ({"rows": "in.csv", "format": "xml"}, "Unknown format `xml`. Name one of: jsonl, csv, tfrecord."),
        ({"rows": "no/such.csv"}, "Cannot read `no/such.csv`: No such file or directory."),
        ({"rows": "in.csv", "batch_size": 0}, "`batch_size` must be at least 1; received 0."),
        (
            {"rows": "in.csv", "output": "out.jsonl"},
            "format of the input, csv; rename `out.jsonl` accordingly.",
        ),
    ],
)
def test_wrong_usage_is_told_with_exit_code_2(settings, sentence, tmp_path):
    output = Path(settings["output"]) if "output" in settings else None
    with pytest.raises(UsageError) as caught:
        predict_file(**(settings | {"output": output}))
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 2


def test_output_that_is_a_folder_is_told_before_any_row_is_sent(rows, server, target, tmp_path):
    with pytest.raises(UsageError, match="Cannot write `.*`: it is a folder. Name a file in it"):
        predict_file(rows=rows("in.csv", "x0,x1,x2\n1,2,3\n"), output=tmp_path, target=target)
    assert server.calls == []


def test_failure_that_is_not_the_rows_is_not_blamed_on_them(rows, target, tmp_path):
    def progress(done):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device"):
        predict_file(
            rows=rows("in.csv", "x0,x1,x2\n1,2,3\n"), output=tmp_path / "o.csv", target=target, progress=progress
        )


def test_server_that_goes_away_while_a_row_is_looked_for_does_not_hide_the_refusal(rows, server, target, tmp_path):
    def model(arrays):
        if len(arrays["x0"]) < 4:
            server.faults = [(grpc.StatusCode.INTERNAL, "out of order")] * 99
        raise ValueError("99 is out of range")

    server.model = model
    path = rows("in.csv", "x0,x1,x2\n" + "1,2,3\n" * 8)
    with pytest.raises(InvalidRequestError, match="99 is out of range"):
        predict_file(rows=path, output=tmp_path / "o.csv", target=target)


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [("stdin", "Cannot read standard input: it is closed"), ("stdout", "Cannot write standard output: it is closed")],
)
def test_standard_stream_that_is_closed_is_told(monkeypatch, target, stream, sentence):
    monkeypatch.setattr(crossnet.serving.rows.streams.sys, stream, None)
    with pytest.raises(UsageError, match=sentence):
        predict_file(rows="-", format="csv", target=target)


def test_rows_that_end_in_an_input_error_are_told(target):
    with pytest.raises(RowsError, match="/proc/self/mem cannot be read: Input/output error"):
        predict_file(rows="/proc/self/mem", format="csv", target=target)


@pytest.mark.parametrize("wrong", [0, 3, 9])
def test_row_that_the_server_refuses_is_named(rows, server, target, tmp_path, wrong):
    def model(arrays):
        if (arrays["x0"] == 99).any():
            raise ValueError("Index 0: 99 is out of range")
        return {"prediction": arrays["x0"]}

    server.model = model
    lines = "".join(f"{99 if i == wrong else i},1,2\n" for i in range(10))
    path = rows("in.csv", "x0,x1,x2\n" + lines)
    with pytest.raises(InvalidRequestError, match=f"^{path}:{wrong + 2}: .*99 is out of range"):
        predict_file(rows=path, output=tmp_path / "out.csv", target=target)
    assert not (tmp_path / "out.csv").exists()


def test_answers_that_are_not_finite_are_counted(rows, server, target, tmp_path):
    server.model = lambda arrays: {"prediction": np.where(arrays["x0"] > 1, np.nan, arrays["x0"]).astype(np.float32)}
    path = rows("in.csv", "x0,x1,x2\n1,2,3\n2,2,3\n3,2,3\n")
    assert predict_file(rows=path, output=tmp_path / "out.csv", target=target).not_finite == 2


def test_csv_without_rows_gives_a_header(rows, target, tmp_path):
    out = tmp_path / "out.csv"
    assert predict_file(rows=rows("in.csv", "x0,x1,x2\n"), output=out, target=target).rows == 0
    assert out.read_text() == "x0,x1,x2,prediction\n"


def test_first_line_that_is_no_header_is_asked_about(rows, target):
    with pytest.raises(InvalidRequestError, match="This line has none of the model's names: is it the header?"):
        predict_file(rows=rows("in.csv", "0.1,0.2,0.3\n"), target=target)


def test_offline_takes_no_version(rows, tmp_path):
    with pytest.raises(UsageError, match="`version` and `label` are for a server"):
        predict_file(rows=rows("in.csv", "x0\n1\n"), offline=tmp_path, version=3)


def test_bad_file_is_told_without_a_server(rows, tmp_path):
    with pytest.raises(RowsError, match="in.jsonl:1 is not JSON"):
        predict_file(rows=rows("in.jsonl", "{"), output=tmp_path / "out.jsonl", target="localhost:1")


def test_damaged_gzip_is_told(rows, target, tmp_path):
    content = gzip.compress(b"x0,x1,x2\n" + b"1,2,3\n" * 1000)[:-20]
    with pytest.raises(RowsError, match="in.csv.gz cannot be decompressed"):
        predict_file(rows=rows("in.csv.gz", content), output=tmp_path / "out.csv", target=target)
    with pytest.raises(RowsError, match="plain.csv.gz cannot be decompressed"):
        predict_file(rows=rows("plain.csv.gz", b"x0\n"), output=tmp_path / "out.csv", target=target)
    assert not list(tmp_path.glob("*out.csv*"))


def test_error_midway_leaves_the_old_output_as_it_was(rows, target, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    path = rows("in.jsonl", '{"x0": 1, "x1": 2, "x2": 3}\n' * 3 + '{"x0": "a", "x1": 2, "x2": 3}\n')
    with pytest.raises(ServingError, match=f"holds 'a' at {path}:4"):
        predict_file(rows=path, output=out, target=target, batch_size=2)
    assert out.read_text() == "old"
    assert {file.name for file in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}


def test_no_server_is_told_within_the_deadline(rows, tmp_path):
    with FakeServer(XS).running() as target:
        pass
    with pytest.raises(UnavailableError, match="Start one with `crossnet serve`"):
        predict_file(rows=rows("in.csv", "x0,x1,x2\n1,2,3\n"), target=target, timeout_seconds=0.3)


def test_output_with_another_number_of_rows_is_told(rows, target, server, tmp_path):
    server.model = lambda arrays: {"prediction": np.zeros(3, np.float32)}
    with pytest.raises(ServerError, match=r"`prediction` has shape \[3\] for 1 rows; expected one value per row"):
        predict_file(rows=rows("in.csv", "x0,x1,x2\n1,2,3\n"), output=tmp_path / "out.csv", target=target)


def test_file_without_rows_gives_a_file_without_rows(rows, target, tmp_path):
    out = tmp_path / "out.jsonl"
    summary = predict_file(rows=rows("in.jsonl", ""), output=out, target=target)
    assert isinstance(summary, PredictSummary)
    assert (summary.rows, summary.versions, out.read_bytes()) == (0, (), b"")


def test_offline_without_a_model_is_told_without_tensorflow(rows, tmp_path):
    with pytest.raises(NotFoundError, match="There is no SavedModel in `.*nothing`"):
        predict_file(rows=rows("in.csv", "x0\n1\n"), offline=tmp_path / "nothing")
