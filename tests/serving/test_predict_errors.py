"""Files of rows that `predict` refuses: the message names the place, and no output is left."""

from __future__ import annotations

import gzip
from pathlib import Path

import grpc
import numpy as np
import pytest

import crossnet.serving.rows.streams
from crossnet.serving.status import (
    DeadlineError,
    InvalidRequestError,
    NotFoundError,
    RowsError,
    ServerError,
    ServingError,
    UnavailableError,
    UsageError,
)
from support.fake_server import FLOAT, INT64, XS, FakeServer, signature_definition
from support.predict_rows import predict_file

OUTPUT = {"prediction": (FLOAT, [-1])}


def test_model_without_serving_examples_is_told(rows, target, tmp_path):
    with pytest.raises(InvalidRequestError, match="has no signature `serving_examples`. It has: `serving_default`"):
        predict_file(rows=rows("in.tfrecord", b""), output=tmp_path / "out.tfrecord", target=target)


def test_whole_numbers_have_no_missing_value(rows, target, server, tmp_path):
    server.signatures["serving_default"] = signature_definition({"age": (INT64, [-1])}, OUTPUT)
    for name, content in {"in.csv": 'age\n3\n""\n', "in.jsonl": '{"age": 3}\n{"age": null}\n'}.items():
        path = rows(name, content)
        with pytest.raises(InvalidRequestError, match=f"`age` holds None at {path}:[23]; expected int64"):
            predict_file(rows=path, output=tmp_path / "out", target=target)


KNOWN = "jsonl, csv, parquet, arrow, tfrecord"


@pytest.mark.parametrize("cell", ["abc", "1_000", "0x10", "1,5", "yes", "2026-02-30", "23.11.2026"])
def test_cell_that_is_no_number_is_told_with_its_line(rows, target, tmp_path, cell):
    path = rows("in.csv", f'x0,x1,x2\n1,2,3\n1,"{cell}",3\n')
    with pytest.raises(InvalidRequestError, match=f"`x1` holds '{cell}' at {path}:3; expected float32"):
        predict_file(rows=path, output=tmp_path / "out.csv", target=target)
    assert [file.name for file in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rows": "in.txt"}, f"The name of `in.txt` does not tell its format. Name one of: {KNOWN}."),
        ({"rows": "in.csv", "format": "xml"}, f"Unknown format `xml`. Name one of: {KNOWN}."),
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


def test_offline_without_a_model_is_told_without_tensorflow(rows, tmp_path):
    with pytest.raises(NotFoundError, match="No SavedModel is in `.*nothing`"):
        predict_file(rows=rows("in.csv", "x0\n1\n"), offline=tmp_path / "nothing")


def test_batch_that_is_refused_though_each_row_alone_is_accepted_is_told_without_a_row(rows, server, target, tmp_path):
    def model(arrays):
        if len(arrays["x0"]) == 8:
            raise ValueError("too many rows")
        return {"prediction": arrays["x0"]}

    server.model = model
    with pytest.raises(InvalidRequestError, match="^The server at .* refused the inputs .*too many rows"):
        predict_file(rows=rows("in.csv", "x0,x1,x2\n" + "1,2,3\n" * 8), output=tmp_path / "o.csv", target=target)


def test_model_that_is_not_ready_in_time_is_told(rows, server, target):
    server.state = "LOADING"
    with pytest.raises(DeadlineError, match="was not available within 0.2 s: version 7 is LOADING"):
        predict_file(rows=rows("in.csv", "x0,x1,x2\n1,2,3\n"), target=target, wait_seconds=0.2)
    assert server.requests == []


def test_all_options_that_do_not_go_together_are_told_at_once(tmp_path):
    with pytest.raises(UsageError) as caught:
        predict_file(rows="in.csv", output=tmp_path / "out.jsonl", batch_size=0, offline=tmp_path, label="stable")
    assert "The output has the format of the input, csv" in str(caught.value)
    assert "`batch_size` must be at least 1; received 0." in str(caught.value)
    assert "`version` and `label` are for a server." in str(caught.value)
