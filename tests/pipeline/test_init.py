from pathlib import Path

import pytest

from crossnet.components.errors import DataError, SettingsError
from crossnet.components.files import is_folder_name
from crossnet.pipeline.config import load_config
from crossnet.pipeline.init import _model_name, profile_csv, write_config
from support.limits import files_of_at_most


@pytest.fixture
def rides(tmp_path):
    file = tmp_path / "rides of May.csv"
    lines = ["ride id,zone,miles,passengers,fare"]
    lines += [f"{i},{'ab'[i % 2]},{i / 7},{i % 3},{i % 10}.5" for i in range(100)]
    file.write_text("\n".join(lines) + "\n")
    return file


def test_init_writes_a_config_that_loads_and_says_what_it_saw(rides, tmp_path):
    output = tmp_path / "rides.toml"
    text = write_config(rides, profile_csv(rides, "fare"), output)
    config = load_config(output)
    assert config.example_gen.input == str(rides)
    assert (config.example_gen.label, config.example_gen.exclude) == ("fare", ("ride_id",))
    assert config.evaluator.max_rmse == pytest.approx(1.4)  # half of the standard deviation of 0.5 … 9.5, 2.87
    assert config.pusher.model_name == "rides_of_May"
    assert "#   zone: text" in text
    assert "few distinct values in passengers" in text
    assert 'input = "rides of May.csv"' in text


def test_init_tells_truths_and_times_from_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("sold,at,garden,y\n2026-01-01,2026-01-01T10:00Z,true,1\n2026-01-02,,false,2\n")
    text = write_config(tmp_path / "a.csv", profile_csv(tmp_path / "a.csv", "y"), tmp_path / "a.toml")
    assert "#   sold: date or time, learned as seconds since 1970 (UTC)\n" in text
    assert "#   at: time with its zone, learned as seconds since 1970\n" in text
    assert "#   garden: true or false, learned as 1 and 0\n" in text
    assert "few distinct" not in text


@pytest.mark.parametrize("label", ["y", " y"])
def test_init_names_columns_as_their_features_and_takes_the_label_in_either_spelling(tmp_path, label):
    file = tmp_path / "a.csv"
    file.write_text(',trip miles, zone,"n\nm", y\n' + "".join(f"{i}, {i / 2}, a, 1, {i}\n" for i in range(30)))
    text = write_config(file, profile_csv(file, label), tmp_path / "a.toml")
    config = load_config(tmp_path / "a.toml").example_gen
    assert (config.label, config.exclude) == ("y", ("column_1",))
    assert "#   column_1: whole number\n#   trip_miles: number\n#   zone: text\n#   n_m: whole number\n" in text


def test_init_names_the_nearest_column_when_the_label_is_not_there(rides):
    with pytest.raises(
        SettingsError, match=r"has no column `far`\. Did you mean `fare`\? Its columns are: `ride id`, `zone`,"
    ):
        profile_csv(rides, "far")


def test_init_does_not_overwrite(rides, tmp_path):
    (tmp_path / "rides.toml").write_text("mine")
    with pytest.raises(SettingsError, match=r"exists already\. Name another file with --output"):
        write_config(rides, profile_csv(rides, "fare"), tmp_path / "rides.toml")
    assert (tmp_path / "rides.toml").read_text() == "mine"


def test_init_leaves_labels_that_are_not_finite_out_of_the_spread(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,1.0\n2,nan\n3,inf\n4,3.0\n")
    assert profile_csv(tmp_path / "a.csv", "y").label_std == 1.0


def test_init_names_a_folder_that_is_not_there(rides, tmp_path):
    sentence = r"Cannot write `.*/none/x\.toml`: No such file or directory\. Create its folder, or name another file"
    with pytest.raises(SettingsError, match=sentence):
        write_config(rides, profile_csv(rides, "fare"), tmp_path / "none" / "x.toml")


def test_init_leaves_no_half_of_a_config_where_the_disk_is_full(rides, tmp_path):
    profile = profile_csv(rides, "fare")
    with files_of_at_most(100), pytest.raises(OSError, match="File too large"):
        write_config(rides, profile, tmp_path / "new.toml")
    assert not list(tmp_path.glob("*new.toml*"))


def test_init_says_when_there_is_no_file(tmp_path):
    with pytest.raises(SettingsError, match="There is no file `.*missing.csv`"):
        profile_csv(tmp_path / "missing.csv", "fare")


@pytest.mark.parametrize(
    ("file", "name"),
    [("_fahrpreise größer.csv", "fahrpreise_gr__er"), ("_.csv", "model"), ("n" * 200 + ".csv", "n" * 100)],
)
def test_init_names_the_model_as_the_pusher_takes_it(file, name):
    assert _model_name(Path(file)) == name
    assert is_folder_name(name)


def test_init_says_when_a_table_has_no_rows(tmp_path):
    (tmp_path / "rides.csv").write_text("miles,fare\n")
    with pytest.raises(DataError, match="`rides.csv` has a header and no rows. Expected at least two."):
        profile_csv(tmp_path / "rides.csv", "fare")
