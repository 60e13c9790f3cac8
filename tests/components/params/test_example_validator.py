import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.pipeline.config import Config, load_config


def test_the_section_of_the_config_is_this_dataclass():
    assert Config().example_validator == ExampleValidatorParams()


def test_a_value_out_of_range_is_refused_in_words():
    with pytest.raises(
        SettingsError, match=r"`example_validator\.max_skew` must be a finite number .*at most 1.*Received 1.5"
    ):
        load_config(None, ["example_validator.max_skew=1.5"])
