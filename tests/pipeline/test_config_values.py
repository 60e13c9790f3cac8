from pathlib import Path

from crossnet.pipeline.config import Config
from crossnet.pipeline.config_values import place_values, sections_of


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
