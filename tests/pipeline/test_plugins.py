import os
import py_compile
import re
import sys
from pathlib import Path

import pytest

from crossnet.components.artifacts.model import Model
from crossnet.components.errors import SettingsError
from crossnet.components.params.networks import DenseParams
from crossnet.pipeline.config import as_values, load_config, load_recorded, make_config, setting_names, to_toml
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.source_code import forget
from crossnet.pipeline.store import Store
from support.own_project import KINDS, STEPS, own_project

PLUGINS = 'plugins = ["shop.kinds", "shop.steps"]\nmodels = ["residual", "dense"]\n'


@pytest.fixture
def shop(tmp_path):
    with own_project(tmp_path) as package:
        yield package


@pytest.fixture
def mine(shop):
    file = shop.parent / "mine.toml"
    file.write_text(PLUGINS + "[residual]\nnum_blocks = 3\n[row_count]\nleast = 9\n")
    return file


def test_a_config_has_the_sections_of_the_plugins_that_it_names(mine):
    config = load_config(mine, ["residual.num_blocks=4"])
    assert config.models == ("residual", "dense")
    assert (config.residual.num_blocks, config.row_count.least) == (4, 9)
    assert config.plugins_folder == str(mine.parent)
    assert {"residual.num_blocks", "row_count.least", "trainer.epochs"} <= {*setting_names(type(config))}


def test_a_config_with_plugins_written_out_reads_back_equal(mine, tmp_path):
    config = load_config(mine)
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "elsewhere" / "config.toml"
    file.write_text(to_toml(config))
    assert as_values(load_config(file)) == as_values(config)
    assert as_values(make_config(as_values(config))) == as_values(config)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("residual.num_blocks=0", r"`residual\.num_blocks` must be a finite number at least 1\. Received 0\."),
        ("residual.num_block=2", r"Unknown setting `residual\.num_block`\. Did you mean `residual\.num_blocks`\?"),
        ('models=["residua"]', r"`models` must be one of .*dense, residual\. Received 'residua'\. Did you mean 'resid"),
    ],
)
def test_settings_of_plugins_are_checked_as_ours_are(mine, override, sentence):
    with pytest.raises(SettingsError, match=sentence):
        load_config(mine, [override])


def test_a_plugin_is_found_from_the_working_directory_with_set(shop, monkeypatch):
    monkeypatch.chdir(shop.parent)
    assert load_config(None, ['plugins=["shop.kinds"]', 'models=["residual"]']).residual.num_blocks == 2


def test_own_steps_stand_as_early_as_what_they_read_allows(mine):
    graph = {step.name: step for step in build_graph(load_config(mine))}
    assert [*graph] == [
        *("example_gen", "statistics_gen", "schema_gen", "example_validator", "row_count"),
        *("trainer_residual", "trainer_dense", "evaluator", "infra_validator", "card", "pusher"),
    ]
    assert graph["trainer_dense"].after == ("example_validator", "row_count")
    assert graph["pusher"].after == ("infra_validator", "card")
    assert graph["card"].inputs == {"evaluation": "evaluator", "row_count": "row_count"}
    assert graph["trainer_residual"].output is Model


def test_a_step_that_reads_the_push_comes_after_it_and_models_come_as_a_dict(tmp_path):
    steps = STEPS.replace(
        "evaluation: Evaluation, row_count: RowCount", "pushed: PushedModel, models: dict[str, Model]"
    )
    steps = "from crossnet.components.artifacts.pushed_model import PushedModel\n" + steps
    steps = "from crossnet.components.artifacts.model import Model\n" + steps
    with own_project(tmp_path, steps=steps):
        graph = build_graph(make_config({"plugins": ["shop.steps"], "models": ["dense"]}, folder=tmp_path))
    assert [step.name for step in graph][-2:] == ["pusher", "card"]
    assert graph[-1].inputs == {"pushed": "pusher", "models": ("trainer_dense",)}


def changed_by(mine, file, old, new):
    def fingerprints():
        plan = make_plan(load_config(mine), Store(mine.parent / "root"))
        return {name: planned.fingerprint for name, planned in plan.items()}

    before = fingerprints()
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    after = fingerprints()
    return [name for name in after if after[name] != before[name]]


FROM_RESIDUAL = ["trainer_residual", "evaluator", "infra_validator", "card", "pusher"]


@pytest.mark.parametrize(
    ("file", "old", "new", "steps"),
    [
        ("layers.py", '"relu"', '"elu"', FROM_RESIDUAL),
        ("kinds.py", "setting(2,", "setting(3,", FROM_RESIDUAL),
        ("kinds.py", "blocks, each", "blocks; each", []),
        ("steps.py", "} rows", "} lines", ["row_count", "card"]),
        ("layers.py", "import tf_keras", "# why\nimport tf_keras", []),
    ],
)
def test_an_edit_runs_the_steps_again_that_use_it_and_no_other(mine, file, old, new, steps):
    assert changed_by(mine, mine.parent / "shop" / file, old, new) == steps


def test_an_edited_module_is_imported_again_in_the_same_process(mine):
    load_config(mine)
    file = mine.parent / "shop" / "kinds.py"
    file.write_text(KINDS.replace("least=1", "least=5"))
    with pytest.raises(SettingsError, match=r"`residual\.num_blocks` must be a finite number at least 5"):
        load_config(mine)


def test_bytecode_of_another_source_of_the_same_length_and_second_is_not_taken(mine):
    load_config(mine)
    file = mine.parent / "shop" / "kinds.py"
    kept = Path(py_compile.compile(str(file)))
    second = file.stat().st_mtime_ns // 10**9 * 10**9  # Python looks no closer than this
    file.write_text(KINDS.replace("least=1", "least=5"))
    os.utime(file, ns=(second, second))
    os.utime(kept, ns=(second, second))
    for name in [name for name in sys.modules if name.startswith("shop")]:  # as in another process
        del sys.modules[name]
    forget(ours=False)
    with pytest.raises(SettingsError, match=r"`residual\.num_blocks` must be a finite number at least 5"):
        load_config(mine)
    assert load_config(mine, ["residual.num_blocks=7"]).residual.num_blocks == 7


def test_a_module_that_is_imported_late_and_does_not_parse_is_named(mine):
    (mine.parent / "shop" / "layers.py").write_text("import tf_keras\nx = (\n")
    with pytest.raises(SettingsError, match=r"does not import: SyntaxError: .* \(.*layers\.py, line 2\)\. Mend it"):
        load_config(mine)


def test_a_module_of_the_same_name_in_another_folder_is_another(mine, tmp_path):
    load_config(mine)
    other = tmp_path / "other" / "shop"
    other.mkdir(parents=True)
    (other / "kinds.py").write_text(KINDS.replace("num_blocks", "depth"))
    file = tmp_path / "other" / "mine.toml"
    file.write_text('plugins = ["shop.kinds"]\nmodels = ["residual"]\n[residual]\ndepth = 3\n')
    assert load_config(file).residual.depth == 3
    assert load_config(mine).residual.num_blocks == 3


def test_a_recorded_config_is_read_without_its_plugins_code(mine, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(to_toml(load_config(mine)))
    for name in [name for name in sys.modules if name.startswith("shop")]:
        del sys.modules[name]
    config = load_recorded(file)
    assert not [name for name in sys.modules if name.startswith("shop")]
    assert config.residual.num_blocks == 3
    assert "trainer_residual" in [step.name for step in build_graph(config)]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, r"names `shop\.kinds`, and the module `shop\.kinds` is not there: neither in `.*` nor where Python"),
        ("x = (\n", r"does not import: SyntaxError: .* \(.*kinds\.py, line 1\)\. Mend it"),
        ("x = 1\nimport nothing_like_it\n", r"ModuleNotFoundError: No module named 'nothing_like_it' \(.*py, line 2\)"),
        ("x = 1\n\n1 / 0\n", r"does not import: ZeroDivisionError: division by zero \(.*kinds\.py, line 3\)"),
        ("x = 1\n", r"has neither MODEL_KINDS nor COMPONENTS \(.*kinds\.py\)\. It must say what it adds"),
        ("\nMODEL_KINDS = [1]\n", r"MODEL_KINDS must be a dict by name\. Received list \(.*kinds\.py, line 2\)"),
        (KINDS.replace('{"resid', '{"Resid'), r"must be lower-case letters.* Received 'Residual' \(.*py, line 23\)"),
        (KINDS.replace('{"residual', '{"dense'), r"MODEL_KINDS has `dense`, a name that is taken"),
        (KINDS.replace('{"residual', '{"trainer_x'), r"MODEL_KINDS has `trainer_x`, a name that is taken"),
    ],
)
def test_a_module_that_cannot_be_used_is_one_sentence_with_file_and_line(mine, source, sentence):
    file = mine.parent / "shop" / "kinds.py"
    file.unlink()
    if source is not None:
        file.write_text(source)
    with pytest.raises(SettingsError, match=sentence) as caught:
        load_config(mine)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_plugins_that_are_not_a_list_of_names_are_refused_as_a_setting():
    with pytest.raises(SettingsError, match=re.escape("`plugins` must be a list (text each). Received 'shop.kinds'.")):
        make_config({"plugins": "shop.kinds"})


def test_a_config_without_plugins_has_the_same_class_and_sections_as_ever():
    config = make_config({})
    assert type(config).__name__ == "Config"
    assert not config.plugins_loaded
    assert isinstance(config.dense, DenseParams)
