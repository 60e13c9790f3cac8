from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossnet.components.errors import SettingsError
from crossnet.components.sources.time_split import BadTimeError, moment, newest_cuts, time_values


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.5]), min_size=1, max_size=60),
    st.floats(0.01, 0.99),
)
def test_newest_cut_is_the_newest_moment_that_keeps_the_share(
    tmp_path: Path, times: list[float], fraction: float
) -> None:
    batches = [pa.array(times[:3], pa.float64()), pa.array(times[3:], pa.float64())]
    (cut,) = newest_cuts(batches, [fraction], tmp_path / "times")
    wanted = math.ceil(len(times) * fraction)
    assert cut == sorted(times, reverse=True)[wanted - 1]


def test_time_values_read_numbers_and_times_with_and_without_zone() -> None:
    cells = ["1.5", "1970-01-01", "1970-01-01 00:00:01.25", "1970-01-01T01:00:00+01:00", "19700102"]
    assert time_values(pa.array([1, 2])).tolist() == [1.0, 2.0]
    assert time_values(pa.array([cells[0].encode()])).tolist() == [1.5]
    assert time_values(pa.array([cell.encode() for cell in cells[1:3]])).tolist() == [0.0, 1.25]
    assert time_values(pa.array([cell.encode() for cell in cells[1:4]])).tolist() == [0.0, 1.25, 0.0]


@pytest.mark.parametrize("bad", [None, b"soon", b"nan"])
def test_time_values_name_the_row_that_has_none(bad: bytes | None) -> None:
    with pytest.raises(BadTimeError) as caught:
        time_values(pa.array([b"2026-01-01", b"2026-01-02T00:00:00Z", bad, b"2026-01-01"]))
    assert caught.value.row == 2


def test_newest_cut_of_many_times_needs_no_sorting(tmp_path: Path) -> None:
    times = np.random.default_rng(3).normal(size=300_000)
    (cut,) = newest_cuts([pa.array(times)], [0.1], tmp_path / "times")
    assert (times >= cut).sum() == 30_000


def test_time_values_name_the_row_that_is_not_text() -> None:
    with pytest.raises(BadTimeError) as caught:
        time_values(pa.array([b"2026-01-01", b"\\x", b"20\xff"]))
    assert caught.value.args == (2, "20\\xff")


def test_times_in_a_form_of_their_own_are_read_in_it(tmp_path: Path) -> None:
    form = "%d.%m.%Y %H:%M"
    days = pa.array([b"02.01.1970 00:00", b" 01.02.1970 12:00", b"02.01.1970 00:00"])
    assert time_values(days, form).tolist() == [86_400.0, 31.5 * 86_400, 86_400.0]
    assert newest_cuts([days], [0.1], tmp_path / "times", form) == [31.5 * 86_400]
    assert moment("01.02.1970 12:00", form) == moment("1970-02-01T12:00:00", form) == 31.5 * 86_400
    with pytest.raises(BadTimeError) as raised:
        time_values(pa.array([b"02.01.1970 00:00", b"1970-01-02"]), form)
    assert (raised.value.row, raised.value.value) == (1, "1970-01-02")


def test_a_split_time_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="`example_gen.split_time` is 'soon'. Expected a number, or a date or time"):
        moment("soon", "%d.%m.%Y")
