from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.base import meanings
from crossnet.components.sources.plan import plan_source
from crossnet.pipeline.init.findings import Proposal
from crossnet.pipeline.init.propose import propose
from crossnet.pipeline.init.tables import find_table
from support.init_tables import noise, proposed, table_of

START = datetime.datetime(2024, 1, 31, 8, 30)
ROWS = 120


def of(folder: Path, values: Sequence[Any], name: str = "t") -> Proposal:
    draw = noise()
    return proposed(folder, table_of(f"{name},x,y", [(value, draw(), draw()) for value in values]))


def moments(form: str, hours: int) -> list[str]:
    return [(START + datetime.timedelta(hours=hours * (n * 7 % ROWS))).strftime(form) for n in range(ROWS)]


@pytest.mark.parametrize(("form", "hours"), [("%Y%m%d", 31), ("%Y%m%d%H%M", 7), ("%Y%m%d%H%M%S", 7)])
def test_whole_numbers_that_are_days_or_times_are_read_as_such(tmp_path: Path, form: str, hours: int) -> None:
    values = moments(form, hours)
    proposal = of(tmp_path, values)
    assert (proposal.settings["date_format"], proposal.excluded) == ({"t": form}, {})
    table = find_table(tmp_path / "rides.csv")
    source = plan_source(table.files, table.params("y", proposal.settings))
    read = [value for batch in source.read(0, 1) for value in batch.rows.column("t").to_pylist()]
    given = [datetime.datetime.strptime(value, form).replace(tzinfo=datetime.UTC) for value in values]
    assert read == [int(moment.timestamp()) for moment in given]


@pytest.mark.parametrize(
    "values",
    [
        [20240131083000 + n for n in range(31)] + [20240131083061] * 89,
        [202401312400 + n % 10 for n in range(ROWS)],
        [20241301 + n % 20 for n in range(ROWS)],
        [20240101 + n % 4 for n in range(ROWS)],  # too few to be sure
        [f"{20240101 + n % 20}.0" for n in range(ROWS)],
        [1001 + n % 20 for n in range(ROWS)],
    ],
)
def test_other_whole_numbers_are_not_read_as_times(tmp_path: Path, values: list[Any]) -> None:
    assert "date_format" not in of(tmp_path, values).settings


def test_numbers_that_are_days_in_a_file_with_types_are_said_without_a_setting_of_csv(tmp_path: Path) -> None:
    draw = noise()
    days = [20240101 + n % 20 for n in range(ROWS)]
    pq.write_table(pa.table({"t": days, "y": [draw() for _ in days]}), tmp_path / "a.parquet")
    proposal = propose(find_table(tmp_path / "a.parquet"), "y")
    (doubt,) = proposal.columns[0].doubts
    assert doubt[1:] == ("each may be a day, such as 20240101; write the column as dates to use it as such", "")


SECONDS: Callable[[int], int] = lambda n: 1_700_000_000 + 3601 * n  # noqa: E731


def test_sorted_seconds_since_1970_are_said_though_they_are_left_out_as_a_key(tmp_path: Path) -> None:
    proposal = of(tmp_path, [SECONDS(n) for n in range(ROWS)])
    assert proposal.excluded == {"t": "no value occurs twice"}
    (doubt,) = proposal.columns[0].doubts
    assert doubt.text == "each may be a time, seconds since 1970, such as 1700000000 (2023-11-14 22:13)"
    assert doubt.setting == 'no "t" in `exclude`'


@pytest.mark.parametrize(
    ("size", "unit", "words"), [(1, "s", "seconds"), (10**3, "ms", "milliseconds"), (10**6, "us", "microseconds")]
)
@pytest.mark.parametrize("repeats", [1, 2])
def test_numbers_since_1970_whose_name_says_so_are_read_as_times(
    tmp_path: Path, size: int, unit: str, words: str, repeats: int
) -> None:
    values = [SECONDS(n * 7 % ROWS) * size for n in range(ROWS)] * repeats
    proposal = of(tmp_path, values, "pickup_time")
    assert (proposal.excluded, proposal.settings["time_unit"]) == ({}, {"pickup_time": unit})
    assert proposal.columns[0].decided == f"time, {words} since 1970"
    assert proposal.columns[0].doubts == []
    table = find_table(tmp_path / "rides.csv")
    source = plan_source(table.files, table.params("y", proposal.settings))
    assert [value for batch in source.read(0, 1) for value in batch.rows["pickup_time"].to_pylist()] == values
    assert meanings(source) == {"pickup_time": "time" if unit == "s" else f"time:{unit}"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("t", lambda n: 1_700_000_000 + n),  # the numbers of rows
        ("t", lambda n: SECONDS(n * 7 % ROWS)),  # neither sorted nor named so
        ("time_id", SECONDS),
        ("time", lambda n: 7_000_000_000 + 3601 * n),
    ],
)
def test_other_numbers_of_which_none_occurs_twice_are_keys(
    tmp_path: Path, name: str, value: Callable[[int], int]
) -> None:
    proposal = of(tmp_path, [value(n) for n in range(ROWS)], name)
    assert proposal.excluded == {name: "no value occurs twice"}
    assert proposal.columns[0].doubts == []


def test_times_of_day_with_seconds_are_said_where_they_do_not_fill_the_hours(tmp_path: Path) -> None:
    times = [n % 24 * 10_000 + n * 7 % 30 * 100 + n * 11 % 60 for n in range(ROWS)]
    (doubt,) = of(tmp_path, [*times, *times]).columns[0].doubts
    assert doubt.text.startswith("each may be a time of day, such as 23")
    assert doubt.setting == 'clock_seconds = ["t"]'


@pytest.mark.parametrize("step", [5000, 1000, 101, 1])
def test_other_whole_numbers_are_not_taken_for_times_of_day(tmp_path: Path, step: int) -> None:
    numbers = [step * (n % 47 + 1) for n in range(ROWS)]
    assert of(tmp_path, [*numbers, *numbers]).columns[0].doubts == []
