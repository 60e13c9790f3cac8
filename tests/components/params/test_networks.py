import pytest

from crossnet.components.params.networks import MODEL_KINDS, CrossLayerParams, DenseParams
from crossnet.pipeline.config import Config


def test_every_model_kind_has_a_section():
    config = Config()
    assert [type(getattr(config, kind)) for kind in MODEL_KINDS] == [CrossLayerParams, CrossLayerParams, DenseParams]
    assert config.models == MODEL_KINDS


@pytest.mark.parametrize("settings", [{}, {"structure": "stacked", "deep_units": (8,)}])
def test_a_structure_and_its_deep_tower_fit_together(settings):
    assert CrossLayerParams(**settings).problems() == []


@pytest.mark.parametrize("settings", [{"structure": "parallel"}, {"deep_units": (8, 4)}])
def test_a_structure_without_its_deep_tower_is_refused(settings):
    (problem,) = CrossLayerParams(**settings).problems()
    params = CrossLayerParams(**settings)
    assert problem.startswith("`structure` and `deep_units` disagree: ")
    assert problem.endswith(f"Received structure '{params.structure}' with deep_units {list(params.deep_units)}.")
