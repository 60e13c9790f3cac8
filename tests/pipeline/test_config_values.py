from pathlib import Path

from crossnet.pipeline.config import Config
from crossnet.pipeline.config_values import make_relative, place_values, sections_of


def test_paths_of_values_begin_in_the_folder_and_those_of_overrides_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problems: list[str] = []
    values = {"example_gen": {"input": "a.csv"}, "plugins": ["mine"]}
    found = place_values(values, ["schema_gen.schema_file=b.pbtxt"], Path("/there"), problems, Config)
    assert found["example_gen"]["input"] == "/there/a.csv"
    assert found["schema_gen"]["schema_file"] == str(tmp_path / "b.pbtxt")
    assert found["plugins_folder"] == "/there"
    assert problems == []
    assert values["example_gen"] == {"input": "a.csv"}  # untouched


def test_plugins_that_an_override_names_are_looked_for_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place_values({}, ['plugins=["mine"]'], Path("/there"), [], Config)["plugins_folder"] == str(tmp_path)


def test_sections_are_the_settings_that_have_settings():
    assert {"trainer", "dense", "pusher"} <= sections_of(Config).keys()
    assert "models" not in sections_of(Config)


def test_paths_below_a_files_folder_are_written_relative_to_it(tmp_path):
    values = {
        "plugins": ["mine"],
        "plugins_folder": str(tmp_path),
        "example_gen": {"input": str(tmp_path / "rows" / "a.csv"), "query_folder": str(tmp_path), "label": "y"},
        "schema_gen": {"schema_file": "/elsewhere/schema.pbtxt"},
    }
    make_relative(values, tmp_path, Config)
    assert values == {
        "plugins": ["mine"],
        "example_gen": {"input": "rows/a.csv", "label": "y"},
        "schema_gen": {"schema_file": "/elsewhere/schema.pbtxt"},
    }
