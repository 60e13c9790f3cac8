import json
import random
import tomllib
from pathlib import Path

import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.files import is_folder_name, json_value
from crossnet.pipeline.config import load_config
from crossnet.pipeline.config_schema import SCHEMA_FILE, config_schema
from crossnet.pipeline.init.config_text import config_text, model_name, table_name, write_config
from crossnet.pipeline.init.propose import list_columns, propose
from crossnet.pipeline.init.tables import find_table, resolve_label
from support.limits import files_of_at_most


def written(file, output, label="y"):
    table = find_table(file)
    proposal = propose(table, resolve_label(table, label, list(list_columns(table))))
    text = config_text(table, proposal, output)
    write_config(text, output)
    return text


@pytest.fixture
def rides(tmp_path):
    file = tmp_path / "rides of May.csv"
    draw = random.Random(0)
    lines = ["ride id,zone,miles,passengers,fare"]
    lines += [f"{i},{'ab'[i % 2]},{i / 7},{i % 3},{draw.randint(0, 9)}.5" for i in range(300)]
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_schema_that_the_first_line_names_stands_beside_the_config(rides, tmp_path):
    (tmp_path / SCHEMA_FILE).write_text("of an older version")
    text = written(rides, tmp_path / "rides.toml", "fare")
    assert text.startswith("#:schema ./crossnet.schema.json\n# Made by `crossnet init`")
    assert json.loads((tmp_path / "crossnet.schema.json").read_text()) == json_value(config_schema())


def test_init_writes_a_config_that_loads_and_says_what_it_saw(rides, tmp_path):
    text = written(rides, tmp_path / "rides.toml", "fare")
    config = load_config(tmp_path / "rides.toml")
    assert config.models == ("cross_layer", "dense")
    assert config.example_gen.input == str(rides)
    assert (config.example_gen.label, config.example_gen.exclude) == ("fare", ("ride_id",))
    assert config.evaluator.max_rmse is None
    assert config.pusher.model_name == "rides_of_May"
    assert "#   zone: text\n" in text
    assert "#   passengers: whole number\n" in text  # preset "table" sees its few values as categories too
    assert "few distinct" not in text
    assert "# The label's standard deviation is 2.98: " in text
    assert 'input = "rides of May.csv"' in text


def test_init_tells_truths_and_times_from_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("sold,at,garden,y\n2026-01-01,2026-01-01T10:00Z,true,1\n2026-01-02,,false,2\n")
    text = written(tmp_path / "a.csv", tmp_path / "a.toml")
    assert "#   sold: date or time\n" in text
    assert "#   at: time with its zone; 1 of 2 empty\n" in text
    assert "#   garden: true or false\n" in text


@pytest.mark.parametrize("label", ["y", " y"])
def test_init_names_columns_as_their_features_and_takes_the_label_in_either_spelling(tmp_path, label):
    file = tmp_path / "a.csv"
    file.write_text(',trip miles, zone,"n\nm", y\n' + "".join(f"{i}, {i / 2}, a, {i % 9}, {i}\n" for i in range(30)))
    text = written(file, tmp_path / "a.toml", label)
    config = load_config(tmp_path / "a.toml").example_gen
    assert (config.label, config.exclude) == ("y", ("column_1", "zone"))
    assert all(f"#   {name}: " in text for name in ("column_1", "trip_miles", "zone", "n_m"))


def test_a_name_from_outside_cannot_leave_its_comment(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('"x\n[pusher]",z\x1b[31m,y\n' + "".join(f"{i % 7},{i % 5},{i}\n" for i in range(90)))
    text = written(file, tmp_path / "a.toml")
    assert text.count("\n[pusher]") == 1
    assert "\x1b" not in text
    assert tomllib.loads(text)["pusher"] == {"model_name": "a"}


def test_a_doubt_that_asks_has_one_mark(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("size,x,y\n" + "".join(f"{n * n + 5 * n},{n % 7 / 3},{n * n}\n" for n in range(60)))
    assert 'but the label follows it: is it a key? To change that: exclude = ["size"]\n' in written(
        file, tmp_path / "a.toml"
    )


def test_a_wide_table_is_described_in_part(tmp_path):
    file = tmp_path / "a.csv"
    names = ",".join(f"c{n}" for n in range(100))
    rows = "".join(",".join(f"{(n * i * 7919) % 9973 / 7}" for n in range(1, 102)) + "\n" for i in range(50))
    file.write_text(f"{names},y\n{rows}")
    text = written(file, tmp_path / "a.toml")
    assert "#   c39: number" in text
    assert "#   c41: number" not in text
    assert "more columns without a doubt" in text


def test_init_does_not_overwrite(rides, tmp_path):
    (tmp_path / "rides.toml").write_text("mine")
    with pytest.raises(SettingsError, match=r"exists already\. Name another file with --output"):
        written(rides, tmp_path / "rides.toml", "fare")
    assert (tmp_path / "rides.toml").read_text() == "mine"


def test_init_names_a_folder_that_is_not_there(tmp_path):
    sentence = r"Cannot write `.*/none/x\.toml`: No such file or directory\. Create its folder, or name another file"
    with pytest.raises(SettingsError, match=sentence):
        write_config("", tmp_path / "none" / "x.toml")


def test_init_leaves_no_half_of_a_config_where_the_disk_is_full(tmp_path):
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        write_config("x" * 1000, tmp_path / "new.toml")
    assert not list(tmp_path.glob("*new.toml*"))


@pytest.mark.parametrize(
    ("file", "name"),
    [("_fahrpreise größer.csv", "fahrpreise_gr__er"), ("_.csv", "model"), ("n" * 200 + ".csv", "n" * 100)],
)
def test_init_names_the_model_as_the_pusher_takes_it(file, name):
    assert model_name(Path(file)) == name
    assert is_folder_name(name)


def test_a_glob_is_named_after_its_folder():
    assert table_name(Path("data/rides/*.csv")) == "rides"
    assert table_name(Path("data/rides/**/*.csv")) == "rides"
    assert table_name(Path("rides/year=*/*.csv")) == "rides"
    assert table_name(Path("*.csv")) == "table"
    assert table_name(Path("rides/2026.csv.gz")) == "2026"
