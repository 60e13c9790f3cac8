import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.pipeline.config import Config, load_config


def test_the_section_of_the_config_is_this_dataclass():
    assert Config().evaluator == EvaluatorParams()


def test_a_value_out_of_range_is_refused_in_words():
    with pytest.raises(SettingsError, match=r"`evaluator\.confidence` must be a finite number .*below 1.*Received 1"):
        load_config(None, ["evaluator.confidence=1"])


def test_a_rule_is_switched_off_by_none():
    params = load_config(None, ["evaluator.max_rmse=none", "evaluator.min_improvement=none"]).evaluator
    assert (params.max_rmse, params.min_improvement) == (None, None)


def test_slices_are_lists_of_cuts():
    params = load_config(None, ['evaluator.slices=[["zone"], ["zone", "x0:quartile"]]']).evaluator
    assert params.slices == (("zone",), ("zone", "x0:quartile"))
