import re
import sys

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import make_config
from crossnet.pipeline.plugin_contract import ContractError, check_kind, check_step, place
from support.own_project import KINDS, STEPS, own_project


def broken(tmp_path, module, source):
    """Returns the sentence for a module of a project."""
    with own_project(tmp_path, **{module: source}) as package, pytest.raises(SettingsError) as caught:
        make_config({"plugins": [f"shop.{module}"]}, folder=package.parent)
    assert caught.value.exit_code == 2
    assert f"{package / module}.py, line " in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "(self, x, dtype)",
            "(self, x)",
            r"`network` of the kind `residual` must take \(self, x, dtype\)\. Received \(s",
        ),
        ("def network", "def other", r"the kind `residual` has no method `network\(self, x, dtype\)`"),
        ("frozen=True, ", "", r"the kind `residual` must be a dataclass with frozen=True and kw_only=True"),
        (
            "@dataclass(frozen=True, kw_only=True)\n",
            "",
            r"`residual` must be a class under @dataclass\(frozen=True, kw_",
        ),
        ("num_blocks: int", "num_blocks: list[int]", r"`num_blocks` of .* must be int, float, .* Received list\[int\]"),
        ("num_blocks: int", "num_blocks: Blocks", r"annotations of the kind `residual` cannot be read: name 'Blocks'"),
    ],
)
def test_a_kind_that_breaks_the_contract_is_refused_with_file_and_line(tmp_path, old, new, sentence):
    assert old in KINDS
    assert re.search(
        sentence, broken(tmp_path, "kinds", "from __future__ import annotations\n" + KINDS.replace(old, new))
    )


def test_a_setting_without_its_meaning_is_refused(tmp_path):
    source = KINDS.replace('setting(2, "blocks, each `relu(W x + b) + x`", least=1)', "2")
    assert "`num_blocks` of the kind `residual` must be made by crossnet.setting" in broken(tmp_path, "kinds", source)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("-> RowCount:", "-> None:", r"the component `row_count` must return an artifact, and its annotation say so"),
        ("-> RowCount:", ":", r"the component `row_count` must return an artifact.* Received no annotation"),
        ("-> RowCount:", "-> Examples:", r"`row_count` returns Examples, which another step makes"),
        ("-> Card:", "-> RowCount:", r"`card` returns RowCount, which another step makes"),
        (
            "examples: Examples",
            "examples",
            r"`examples` of the component `row_count` must be annotated with what it rea",
        ),
        (
            "examples: Examples",
            "examples: int",
            r"one of Examples, Statistics, .* Mapping\[str, Model\]\. Received int",
        ),
        (
            "evaluation: Evaluation, row_count: RowCount, *, output_dir: Path",
            "evaluation: Evaluation",
            r"take `output_d",
        ),
        (
            "params: RowCountParams",
            "params: int",
            r"`params` of the component `row_count` must be a class under @datacl",
        ),
        ('"row_count": count_rows', '"row_count": lambda: 1', r"`row_count` must be a function at the top of a module"),
        (
            '"row_count": count_rows',
            '"row_count": 7',
            r"`row_count` must be a function at the top of a module\. Received",
        ),
        ('"row_count": count_rows', '"pusher": count_rows', r"COMPONENTS has `pusher`, a name that is taken"),
    ],
)
def test_a_component_that_breaks_the_contract_is_refused_with_file_and_line(tmp_path, old, new, sentence):
    assert old in STEPS
    assert re.search(sentence, broken(tmp_path, "steps", STEPS.replace(old, new)))


def test_what_fits_the_contract_passes(tmp_path):
    with own_project(tmp_path) as package:
        make_config({"plugins": ["shop.kinds", "shop.steps"]}, folder=package.parent)
        kinds, steps = sys.modules["shop.kinds"], sys.modules["shop.steps"]
        check_kind("residual", kinds.Residual)
        step = check_step("card", steps.write_card, {steps.RowCount: "row_count"})
        assert step.inputs == {"evaluation": "evaluator", "row_count": "row_count"}
        assert (step.function, step.output, step.params) == ("shop.steps:write_card", steps.Card, None)
        with pytest.raises(ContractError, match="RowCount"):
            check_step("card", steps.write_card, {})


def test_place_is_the_line_of_what_is_meant(tmp_path):
    with own_project(tmp_path) as package:
        make_config({"plugins": ["shop.kinds"]}, folder=package.parent)
        module = sys.modules["shop.kinds"]
        assert place(module, "MODEL_KINDS") == f"{package / 'kinds.py'}, line 23"
        assert place(module.Residual.network) == f"{package / 'kinds.py'}, line 13"
    assert place(7) == "no file"
