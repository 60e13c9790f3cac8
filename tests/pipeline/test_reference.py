import pytest

from crossnet.pipeline import reference
from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import setting_names

PAGES = dict(reference.pages())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_committed_page_is_what_the_generator_writes(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], (
        f"docs/{path.name} is old: python -m crossnet.pipeline.reference"
    )


def test_settings_page_has_every_setting_and_section():
    text = reference.settings_page()
    tables = {}
    sections, _, presets = text.partition("\n## Presets\n")
    for section in sections.split("\n## ")[1:]:
        title, *lines = section.splitlines()
        for name in title.replace("`", "").replace("[", "").replace("]", "").split(" and "):
            tables[name] = {line.split("`")[1] for line in lines if line.startswith("| `")}
    found = tables["Top level"] | {name for name in tables if name != "Top level"}
    found |= {f"{name}.{key}" for name, keys in tables.items() if name != "Top level" for key in keys}
    assert found == set(setting_names())
    where = {"root", "engine", "engine_options", "num_workers", "plugins", "plugins_folder"}
    where |= {"tracking", "tracking_uri", "lineage"}
    assert tables["Top level"] == {"models", "reference"} | where
    assert '| `trainer.learning_rate` | `0.2` | `0.4` | `"auto"` |' in presets
    assert '| `dense.units` | `[3, 3, 3]` | `[3, 3, 3]` | `"auto"` |' in presets


@pytest.mark.parametrize(
    "row",
    [
        "| `eval_fraction` | `0.1` | number, above 0, below 1 | share of rows in eval |",
        '| `schedule` | `"cosine"` | `constant`, `cosine`, `exponential` | of the learning rate; cosine reaches zero |',
        '| `max_rmse` | `"none"` | number, above 0, or `"none"` | highest eval RMSE |',
        "| `use_bias` | `true` | true or false | add b |",
        '| `slices` | `[]` | list of lists of text | groups of rows, such as [["species"], ["x0:quartile"]] |',
        "| `shuffle` | `false` | true or false | a new order of rows in each epoch; off, as in the article: in order |",
    ],
)
def test_settings_page_states_default_range_and_meaning(row):
    assert row in reference.settings_page().splitlines()


def test_cli_page_has_every_option_of_every_command():
    pages = dict(part.split("\n", 1) for part in reference.cli_page().split("\n## crossnet ")[1:])
    assert set(pages) == set(cli.commands)
    for name, command in cli.commands.items():
        for parameter in command.params:
            shown = [option for option in parameter.opts if option.startswith("--")] or [parameter.human_readable_name]
            assert all(option in pages[name] for option in shown), f"{name}: {shown}"
        assert "-h, --help" in pages[name]


def test_cli_page_does_not_depend_on_the_terminal_or_the_environment(monkeypatch):
    before = reference.cli_page()
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("CROSSNET_ROOT", "elsewhere")
    assert reference.cli_page() == before
