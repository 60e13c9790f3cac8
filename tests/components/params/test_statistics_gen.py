import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.pipeline.config import Config, load_config


def test_the_section_of_the_config_is_this_dataclass():
    assert Config().statistics_gen == StatisticsGenParams()


def test_a_value_out_of_range_is_refused_in_words():
    with pytest.raises(
        SettingsError, match=r"`statistics_gen\.num_histogram_buckets` must be a finite number .*at least 2.*Received 1"
    ):
        load_config(None, ["statistics_gen.num_histogram_buckets=1"])
