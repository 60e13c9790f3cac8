import pytest

from crossnet.components.params.networks import ARCHITECTURES, CrossLayerParams, CrossMixParams
from crossnet.pipeline.config import Config


def test_every_model_kind_has_a_section_of_its_architecture():
    config = Config()
    assert {kind: type(getattr(config, kind)) for kind in ARCHITECTURES} == ARCHITECTURES


def test_a_config_that_names_no_models_trains_the_articles():
    assert Config().models == ("cross_layer", "tfrs_cross", "dense")


@pytest.mark.parametrize("settings", [{}, {"structure": "stacked", "deep_units": (8,)}])
@pytest.mark.parametrize("kind", [CrossLayerParams, CrossMixParams])
def test_a_structure_and_its_deep_tower_fit_together(kind, settings):
    assert kind(**settings).problems() == []


@pytest.mark.parametrize("settings", [{"structure": "parallel"}, {"deep_units": (8, 4)}])
@pytest.mark.parametrize("kind", [CrossLayerParams, CrossMixParams])
def test_a_structure_without_its_deep_tower_is_refused(kind, settings):
    params = kind(**settings)
    (problem,) = params.problems()
    assert problem.startswith("`structure` and `deep_units` disagree: ")
    assert problem.endswith(f"Received structure '{params.structure}' with deep_units {list(params.deep_units)}.")
