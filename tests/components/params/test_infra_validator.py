import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.infra_validator import InfraValidatorParams
from crossnet.pipeline.config import Config, load_config


def test_the_section_of_the_config_is_this_dataclass():
    assert Config().infra_validator == InfraValidatorParams()


def test_a_value_out_of_range_is_refused_in_words():
    with pytest.raises(
        SettingsError, match=r"`infra_validator\.timeout_seconds` must be a finite number .*above 0.*Received 0"
    ):
        load_config(None, ["infra_validator.timeout_seconds=0"])
