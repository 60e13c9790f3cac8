import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.pipeline.cli.serving import predict
from crossnet.serving.protocol.tensors import read_tensor
from crossnet.serving.rows.formats import FORMATS
from support.fake_server import RIDES, XS, FakeServer

FLAGS = ["--delimiter", ";", "--quote", "'", "--comment", "#", "--skip-rows", "1"]


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "rows.csv").write_text("made by me\nx0|x1|x2\n#1\n1.5|'2'|3\n".replace("|", ";"), encoding="utf-16")
    return "rows.csv"


@pytest.fixture
def config(tmp_path):
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "csv"\ninput = "x.csv"\ndelimiter = ";"\nquote = "\'"\ncomment = "#"\n'
        'encoding = "utf-16"\nskip_rows = 1\n'
    )
    return "rides.toml"


def test_flags_say_how_a_csv_is_read_and_written(crossnet, rows, tmp_path):
    with FakeServer(XS).running() as target:
        done = crossnet(
            "predict", "--rows", rows, "--target", target, "--output", "o.csv", *FLAGS, "--encoding", "utf-16"
        )
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "o.csv").read_text(encoding="utf-16") == "x0;x1;x2;prediction\n1.5;2;3;1.5\n"


def test_a_config_says_it_and_a_flag_goes_before_it(crossnet, rows, config, tmp_path):
    with FakeServer(XS).running() as target:
        done = crossnet("predict", "--rows", rows, "--target", target, "--config", config, "--output", "o.csv")
        named = crossnet(
            *("predict", "--rows", rows, "--target", target, "--config", config, "--output", "p.csv"),
            *("--names", "x2, x1,x0"),
        )
    assert (done.exit_code, named.exit_code) == (0, 0), done.stderr + named.stderr
    assert (tmp_path / "o.csv").read_text(encoding="utf-16") == "x0;x1;x2;prediction\n1.5;2;3;1.5\n"
    assert (tmp_path / "p.csv").read_text(encoding="utf-16") == "x2;x1;x0;prediction\n1.5;2;3;3.0\n"


def test_a_model_in_a_folder_records_it_and_a_flag_goes_before_it(crossnet, tmp_path):
    record = tmp_path / "model" / "1" / "assets.extra" / "csv_format.json"
    record.parent.mkdir(parents=True)
    (record.parents[1] / "saved_model.pb").write_bytes(b"")
    record.write_text(json.dumps({"delimiter": "|"}))
    (tmp_path / "rows.csv").write_text("#|,\nx|y\n1\n")
    done = crossnet("predict", "--rows", "rows.csv", "--offline", "model")
    assert (done.exit_code, done.stderr[:43]) == (1, "rows.csv:3 has 1 cell, and the header has 2")
    flagged = crossnet("predict", "--rows", "rows.csv", "--offline", "model", "--comment", "#", "--delimiter", "x")
    assert flagged.stderr.startswith("rows.csv:3 has 1 cell, and the header has 2")
    commas = crossnet("predict", "--rows", "rows.csv", "--offline", "model", "--delimiter", ",")
    assert commas.stderr.startswith("rows.csv:2 has 1 cell, and the header has 2")
    record.write_text("[")
    broken = crossnet("predict", "--rows", "rows.csv", "--offline", "model")
    assert broken.exit_code == 1
    assert "csv_format.json` cannot be read" in broken.stderr


def test_dates_and_truths_are_read_as_flags_say(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x0,x1,x2\n02.01.1970,yes,3\n")
    with FakeServer(XS).running() as target:
        done = crossnet(
            *("predict", "--rows", "rows.csv", "--target", target),
            *("--date-format", "x0=%d.%m.%Y", "--boolean", "x1", "--boolean", "x2"),
        )
        assert "`x2` holds '3' at rows.csv:2" in done.stderr
        done = crossnet(
            *("predict", "--rows", "rows.csv", "--target", target, "--date-format", "x0=%d.%m.%Y", "--boolean", "x1")
        )
    assert done.stdout == "x0,x1,x2,prediction\n02.01.1970,yes,3,86400.0\n"
    for wrong, sentence in (("x0", "`--date-format` is 'x0'. Expected NAME=FORM"), ("x0=d", "has no directive")):
        done = crossnet("predict", "--rows", "rows.csv", "--date-format", wrong)
        assert (done.exit_code, sentence in done.stderr) == (2, True), done.stderr


def test_words_of_a_text_are_missing_as_flags_say(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("miles,age,zone\n1,2,NA\n")
    words = ("--null-values", "NA", "--null-text", "zone")
    server = FakeServer(RIDES)
    with server.running() as target:
        for flags in ((), words):
            assert crossnet("predict", "--rows", "rows.csv", "--target", target, *flags).exit_code == 0
    assert [read_tensor(request.inputs["zone"]).tolist() for request in server.requests] == [[b"NA"], [b""]]


def test_flags_of_csv_are_refused_for_other_rows(crossnet, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"x0": 1}\n')
    for rows, flag in (("rows.jsonl", "--decimal"), ("-", "--null-values"), ("rows.tfrecord.gz", "--encoding")):
        done = crossnet("predict", "--rows", rows, flag, ",")
        assert done.exit_code == 2
        assert done.stderr.startswith(f"`{flag}` is for CSV, and ")
        assert "Leave it out, or give `--format csv`." in done.stderr
    done = crossnet("predict", "--rows", "rows.jsonl", "--no-header")
    assert done.stderr.startswith("`--no-header` is for CSV, and `rows.jsonl` is read as JSON lines.")


def test_all_wrong_options_are_listed(crossnet, rows):
    done = crossnet("predict", "--rows", rows, "--delimiter", ";;", "--encoding", "cp125")
    assert done.exit_code == 2
    assert "`delimiter` must be one ASCII character. Received ';;'." in done.stderr
    assert "`encoding` must be an encoding that Python knows. Received 'cp125'. Did you mean 'cp125" in done.stderr


def test_flags_say_how_numbers_are_written(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x0;x1;x2\n1.000,5;NA;nan\n-;2;3\n")
    flags = ["--delimiter", ";", "--decimal", ",", "--thousands", ".", "--nan", "missing"]
    with FakeServer(XS).running() as target:
        done = crossnet(
            *("predict", "--rows", "rows.csv", "--target", target, "--output", "o.csv", *flags),
            *("--null-values", "NA", "--null-values", "-"),
        )
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "o.csv").read_text() == "x0;x1;x2;prediction\n1.000,5;NA;nan;1000,5\n-;2;3;nan\n"


def test_columns_are_renamed_by_flags_or_a_config(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("Trip Miles,b=c,x2\n1.5,2,3\n")
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "csv"\ninput = "x.csv"\nrename = { "Trip Miles" = "x0", "b=c" = "x1" }\n'
    )
    answer = "Trip Miles,b=c,x2,prediction\n1.5,2,3,1.5\n"
    with FakeServer(XS).running() as target:
        asked = ("predict", "--rows", "rows.csv", "--target", target)
        flagged = crossnet(*asked, "--rename", "Trip Miles=x0", "--rename", "b=c=x1")
        configured = crossnet(*asked, "--config", "rides.toml")
        plain = crossnet(*asked)
    assert (flagged.stdout, configured.stdout) == (answer, answer)
    assert "Missing: `x0`, `x1`" in plain.stderr
    wrong = crossnet(*asked, "--rename", "x0")
    assert (wrong.exit_code, wrong.stderr.startswith("`--rename` is 'x0'. Expected OLD=NEW")) == (2, True)
    bad = crossnet(*asked, "--rename", "a=b c")
    assert (bad.exit_code, "`rename` gives `a` the name 'b c'" in bad.stderr) == (2, True)


def test_columns_that_a_config_leaves_out_may_be_there(crossnet, tmp_path):
    (tmp_path / "rows.csv").write_text("x0,x1,x2,Trip $,id,w,rider\n1.5,2,3,a,b,c,d\n")
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "csv"\ninput = "x.csv"\nlabel = "fare"\nrename = { "Trip $" = "fare" }\n'
        'exclude = ["id"]\nweight = "w"\ngroup = "rider"\n'
    )
    (tmp_path / "other.toml").write_text('[example_gen]\nsource = "csv"\ninput = "x.csv"\nlabel = "fare"\n')
    with FakeServer(XS).running() as target:
        asked = ("predict", "--rows", "rows.csv", "--target", target, "--config")
        done, other = crossnet(*asked, "rides.toml"), crossnet(*asked, "other.toml")
    assert (done.exit_code, done.stdout) == (0, "x0,x1,x2,Trip $,id,w,rider,prediction\n1.5,2,3,a,b,c,d,1.5\n")
    assert other.exit_code == 1
    assert "Extra: `Trip $`, `id`, `w`, `rider`. Use `--ignore-extra` to ignore columns" in other.stderr


def test_a_config_names_the_model_and_the_format_of_rows_whose_name_does_not_tell_it(crossnet, tmp_path):
    (tmp_path / "rides.toml").write_text(
        '[example_gen]\nsource = "parquet"\ninput = "x.parquet"\n[pusher]\nmodel_name = "rides"\n'
    )
    pq.write_table(pa.table({"x0": [1.5], "x1": [2.0], "x2": [3.0]}), tmp_path / "part-0")
    server = FakeServer(XS)
    server.model_name = "rides"
    with server.running() as target:
        ask = ("predict", "--rows", "part-0", "--target", target, "--config", "rides.toml", "--output")
        done, named = crossnet(*ask, "o.parquet"), crossnet(*ask, "p.parquet", "--model", "other")
    assert done.exit_code == 0, done.stderr
    assert pq.read_table(tmp_path / "o.parquet").to_pylist() == [{"x0": 1.5, "x1": 2.0, "x2": 3.0, "prediction": 1.5}]
    assert named.exit_code == 1
    assert "other" in named.stderr


def test_formats_of_the_command_line_are_all_that_there_are():
    option = next(option for option in predict.params if option.name == "file_format")
    assert tuple(option.type.choices) == FORMATS
