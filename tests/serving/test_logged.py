"""A request log gives rows for the next training, and warm-up records."""

from __future__ import annotations

import csv
import datetime
import re

import numpy as np
import pytest
from tensorflow_serving.apis import prediction_log_pb2

from crossnet.serving.client import PredictionClient, RequestLog
from crossnet.serving.logged import logged_rows, main, read_log, write_rows, write_warmup
from crossnet.serving.protocol import messages
from crossnet.serving.protocol.request_log import RequestLog as Log
from crossnet.serving.protocol.tensors import write_tensor
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.status import RowsError
from support.fake_server import RIDES, FakeServer


def write_log(folder, *calls):
    """A log of calls, each given as its inputs and outputs, in one file."""
    with Log(folder) as log:
        for inputs, outputs in calls:
            request, response = messages.PredictRequest(), messages.PredictResponse()
            response.model_spec.name, response.model_spec.version.value = "rides", 7
            for message, arrays in ((request.inputs, inputs), (response.outputs, outputs)):
                for name, values in arrays.items():
                    message[name].MergeFromString(
                        write_tensor(np.asarray(values, getattr(values, "dtype", np.float32)))
                    )
            log.add("Predict", request.SerializeToString(), response.SerializeToString())
    return folder


def texts(*values):
    return np.array([value.encode() for value in values], object)


def test_client_logs_what_any_server_answers(tmp_path):
    server = FakeServer(RIDES)
    with (
        server.running() as target,
        RequestLog(tmp_path) as log,
        PredictionClient(target, log=log, max_rows_per_call=2) as client,
    ):
        client.predict({"miles": [1.5, 0.25, 3.5], "age": [1, 2, 3], "zone": ["north", "söuth", ""]})
        client.predict({"miles": np.float32([4.5]), "age": np.array([4]), "zone": ["east"]})
    rows = sorted(logged_rows(read_log(tmp_path)), key=lambda row: row["age"])
    assert [(row["miles"], row["age"], row["zone"]) for row in rows] == [
        (1.5, 1, "north"), (0.25, 2, "söuth"), (3.5, 3, ""), (4.5, 4, "east"),
    ]  # fmt: skip
    assert {(row["model"], row["version"]) for row in rows} == {("crossnet", 7)}
    assert (
        abs(datetime.datetime.fromisoformat(rows[0]["logged_at"]).timestamp() - datetime.datetime.now().timestamp())
        < 60
    )


def test_rows_are_a_table_with_the_columns_of_all_calls(tmp_path):
    log = write_log(
        tmp_path / "log",
        ({"miles": [1.5, float("nan")], "zone": texts("a,b", "c")}, {"prediction": [[0.1], [0.2]]}),
        ({"miles": [2.5], "age": np.array([3])}, {"prediction": [0.3], "miles": [9.0]}),
    )
    assert write_rows(log, tmp_path / "rows.csv") == 3
    with (tmp_path / "rows.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[1:] for row in rows] == [
        ["model", "version", "miles", "zone", "prediction", "age", "output_miles"],
        ["rides", "7", "1.5", "a,b", "0.1", "", ""],
        ["rides", "7", "", "c", "0.2", "", ""],
        ["rides", "7", "2.5", "", "0.3", "3", "9.0"],
    ]


def test_examples_give_their_features(tmp_path):
    example = messages.Example()
    example.features.feature["miles"].float_list.value.append(1.5)
    example.features.feature["zone"].bytes_list.value.append("söuth".encode())
    example.features.feature["age"].int64_list.value.extend([])
    examples = np.array([example.SerializeToString()], object)
    log = write_log(tmp_path, ({"examples": examples}, {"prediction": [0.5]}))
    (row,) = logged_rows(read_log(log))
    assert {name: row[name] for name in row if name not in ("logged_at", "model", "version")} == {
        "miles": 1.5, "zone": "söuth", "prediction": 0.5,
    }  # fmt: skip


def test_call_whose_values_are_not_one_per_row_is_told(tmp_path):
    log = write_log(tmp_path, ({"x": np.ones((2, 3), np.float32)}, {"prediction": [0.5, 0.5]}))
    with pytest.raises(RowsError, match=r"has `x` of shape \[2, 3\]; expected one value per row"):
        list(logged_rows(read_log(log)))


def test_warmup_takes_the_newest_calls_of_the_newest_files(tmp_path):
    for first in (0, 10):
        write_log(tmp_path / "log", *(({"x": [float(first + i)]}, {"y": [0.0]}) for i in range(3)))
    newest = sorted((tmp_path / "log").iterdir())
    newest[0].rename(tmp_path / "log" / "requests-1.tfrecord")
    newest[1].rename(tmp_path / "log" / "requests-2.tfrecord")
    first = {call.inputs["x"][0] for call in read_log(tmp_path / "log" / "requests-1.tfrecord")}
    assert write_warmup(tmp_path / "log", tmp_path / "warmup", 4) == 4
    kept = [call.inputs["x"][0] for call in read_log(tmp_path / "warmup")]
    assert kept[0] == max(first)
    assert len(set(kept[1:]) - first) == 3
    with pytest.raises(RowsError, match="from 1 to 1000 records; received 1001"):
        write_warmup(tmp_path / "log", tmp_path / "warmup", 1001)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.tfrecord", write_frame(b"\xff\xff"), "record 1 is not a PredictionLog. Name files of a request log"),
        ("a.tfrecord", write_frame(b"")[:-1], "record 1 is damaged or cut short"),
        (".tmp-requests-a.tfrecord", b"", "does not hold a closed file of a request log"),
    ],
)
def test_what_is_not_a_log_is_told(tmp_path, capsys, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    assert main([str(tmp_path), "--rows", str(tmp_path / "rows.csv")]) == 1
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "rows.csv").exists()


def test_calls_of_other_methods_are_left_out(tmp_path):
    log = prediction_log_pb2.PredictionLog()
    log.regress_log.request.model_spec.name = "rides"
    (tmp_path / "a.tfrecord").write_bytes(write_frame(log.SerializeToString()))
    assert list(read_log(tmp_path)) == []


def test_command_writes_rows_and_warmup_records(tmp_path, capsys):
    log = write_log(tmp_path / "log", ({"x": [1.5, 2.5]}, {"y": [0.0, 1.0]}))
    assert main([str(log), "--rows", str(tmp_path / "r.csv"), "--warmup", str(tmp_path / "w"), "--records=5"]) == 0
    assert capsys.readouterr().out == f"2 rows in {tmp_path}/r.csv\n1 warm-up records in {tmp_path}/w\n"
    with pytest.raises(SystemExit):
        main([str(log)])
    assert re.search("--rows FILE, --warmup FILE, or both", capsys.readouterr().err)
