"""Rows of a file go through a model, and come back in their order with its outputs."""

from __future__ import annotations

import gzip
import io
import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

import crossnet.serving.rows.streams
from crossnet.serving.predict import PredictSummary
from crossnet.serving.protocol.tensors import read_tensor
from crossnet.serving.status import InvalidRequestError, UsageError
from support.fake_server import FLOAT, INT64, RIDES, STRING, FakeServer, signature_definition
from support.predict_rows import predict_file
from support.row_files import table_bytes

OUTPUT = {"prediction": (FLOAT, [-1])}


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


def test_answers_that_are_not_finite_are_counted(rows, server, target, tmp_path):
    server.model = lambda arrays: {"prediction": np.where(arrays["x0"] > 1, np.nan, arrays["x0"]).astype(np.float32)}
    path = rows("in.csv", "x0,x1,x2\n1,2,3\n2,2,3\n3,2,3\n")
    assert predict_file(rows=path, output=tmp_path / "out.csv", target=target).not_finite == 2


def test_csv_without_rows_gives_a_header(rows, target, tmp_path):
    out = tmp_path / "out.csv"
    assert predict_file(rows=rows("in.csv", "x0,x1,x2\n"), output=out, target=target).rows == 0
    assert out.read_text() == "x0,x1,x2,prediction\n"


def test_file_without_rows_gives_a_file_without_rows(rows, target, tmp_path):
    out = tmp_path / "out.jsonl"
    summary = predict_file(rows=rows("in.jsonl", ""), output=out, target=target)
    assert isinstance(summary, PredictSummary)
    assert (summary.rows, summary.versions, out.read_bytes()) == (0, (), b"")


def test_csv_goes_through_a_keras_model_whose_inputs_and_outputs_are_columns(rows, tmp_path):
    server = FakeServer({"x0": (FLOAT, [-1, 1]), "x1": (INT64, [-1, 1])}, lambda arrays: {"prediction": arrays["x0"]})
    path = rows("rows.csv", "x0,x1\n1.5,1\n-2,2\n")
    with server.running() as target:
        predict_file(path, tmp_path / "out.csv", target=target)
    assert (tmp_path / "out.csv").read_text() == "x0,x1,prediction\n1.5,1,1.5\n-2,2,-2.0\n"
    assert [dim.size for dim in server.requests[0].inputs["x1"].tensor_shape.dim] == [2, 1]


@pytest.mark.parametrize(("kind", "to"), [("parquet", "parquet"), ("arrow", "feather"), ("parquet", "jsonl")])
def test_tables_in_and_out(target, tmp_path, kind, to):
    path, out = tmp_path / f"in.{kind}", tmp_path / f"out.{to}"
    table = pa.table({"x2": pa.array([1, 2, 3], pa.int8()), "x0": [0.5, 1.5, 2.5], "x1": [True, False, True]})
    path.write_bytes(table_bytes(table, kind))
    summary = predict_file(rows=path, output=out, target=target, batch_size=2)
    assert summary.rows == 3
    if to == "jsonl":
        found = pa.Table.from_pylist([json.loads(line) for line in out.read_text().splitlines()])
    else:
        found = pq.read_table(out) if to == "parquet" else feather.read_table(out)
        assert found.schema.names == ["x2", "x0", "x1", "prediction"]
        assert found.drop_columns("prediction") == table
    assert found.column("prediction").to_pylist() == [0.5, 1.5, 2.5]


def test_a_table_that_does_not_fit_names_its_file_and_row(target, tmp_path):
    path, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    path.write_bytes(table_bytes(pa.table({"x0": [0.5], "x1": [1.5], "zone": ["a"]}), "parquet"))
    with pytest.raises(InvalidRequestError, match=r"in.parquet does not fit model .*Missing: `x2`. Extra: `zone`"):
        predict_file(rows=path, output=out, target=target)
    path.write_bytes(table_bytes(pa.table({"x0": [0.5] * 3, "x1": [1.5] * 3, "x2": ["1", "2", "three"]}), "parquet"))
    with pytest.raises(InvalidRequestError, match=r"`x2` holds 'three' at .*in.parquet row 2; expected float32"):
        predict_file(rows=path, output=out, target=target)
    assert [file.name for file in tmp_path.iterdir()] == ["in.parquet"]


def test_times_of_a_table_without_a_unit_are_said(target, tmp_path):
    path = tmp_path / "in.parquet"
    table = pa.table({"x0": pa.array([1500], pa.timestamp("ms")), "x1": [1.0], "x2": [1.0]})
    path.write_bytes(table_bytes(table, "parquet"))
    summary = predict_file(rows=path, output=tmp_path / "out.parquet", target=target)
    assert summary.unstated == ("x0",)
    assert pq.read_table(tmp_path / "out.parquet").column("prediction").to_pylist() == [1.0]


def test_a_header_that_stands_again_is_left_out_and_its_place_is_in_the_summary(rows, target, tmp_path):
    again = rows("again.csv", b"x0,x1,x2\n1,2,3\nX0,X1,X2\n4,5,6\n")
    once = rows("once.csv", b"x0,x1,x2\n1,2,3\n4,5,6\n")
    summary = predict_file(rows=again, output=tmp_path / "out.csv", target=target)
    plain = predict_file(rows=once, output=tmp_path / "plain.csv", target=target)
    assert (summary.rows, summary.repeats) == (2, (f"{again}:3",))
    assert plain.repeats == ()
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_a_table_is_not_compressed_as_a_whole(target, tmp_path):
    with pytest.raises(UsageError, match="A file of Parquet is not compressed as a whole; rename `.*out.parquet.gz`"):
        predict_file(rows=tmp_path / "in.parquet", output=tmp_path / "out.parquet.gz", target=target)
