from __future__ import annotations

import sys

import pytest

from crossnet.components.errors import SettingsError, TrainingError
from crossnet.components.networks.models import build_network
from crossnet.components.networks.tfrs_cross import MODULE, tfrs_cross_class, tfrs_problem
from crossnet.components.params.networks import MODEL_KINDS, CrossLayerParams
from crossnet.pipeline.config import load_config
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.store import Store

SENTENCE = (
    "The model `tfrs_cross` needs the package tensorflow-recommenders, which is not installed. Install it with "
    "`pip install tensorflow-recommenders`, or take `tfrs_cross` out of `models`."
)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is not found; a whole run where it is not installed: tests/walks/test_without_tfrs.py."""
    monkeypatch.setitem(sys.modules, MODULE, None)


def test_reference_is_the_layer_of_its_library() -> None:
    tfrs = pytest.importorskip(MODULE)
    assert tfrs_cross_class() is tfrs.layers.dcn.Cross
    assert tfrs_problem(MODEL_KINDS) == ""


@pytest.mark.usefixtures("absent")
def test_reference_that_is_not_installed_is_a_problem_only_where_it_is_asked_for() -> None:
    assert tfrs_problem(MODEL_KINDS) == SENTENCE
    assert tfrs_problem(["cross_layer", "dense"]) == ""


@pytest.mark.usefixtures("absent")
def test_network_of_the_reference_is_refused_in_words_where_it_is_not_installed() -> None:
    with pytest.raises(TrainingError, match=SENTENCE):
        build_network("tfrs_cross", CrossLayerParams(), num_numbers=3)
    assert build_network("cross_layer", CrossLayerParams(), num_numbers=3).count_params() == 16


@pytest.mark.usefixtures("absent")
def test_plan_with_the_reference_is_refused_before_any_step(tmp_path) -> None:
    with pytest.raises(SettingsError, match=SENTENCE):
        make_plan(load_config(), Store(tmp_path / "root"))
    plan = make_plan(load_config(None, ['models=["cross_layer", "dense"]']), Store(tmp_path / "root"))
    assert [name for name in plan if name.startswith("trainer")] == ["trainer_cross_layer", "trainer_dense"]


def test_version_of_the_reference_is_part_of_its_own_trainer_alone(tmp_path) -> None:
    pytest.importorskip(MODULE)
    plan = make_plan(load_config(), Store(tmp_path / "root"))
    recorded = [name for name, step in plan.items() if "tensorflow-recommenders" in step.parts["versions"]]
    assert recorded == ["trainer_tfrs_cross"]
