from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from crossnet.components.clock import ClockTimes
from crossnet.pipeline.init.propose import propose
from crossnet.pipeline.init.tables import find_table, plan_table
from support.init_tables import proposed, table_of

RANDOM = np.random.default_rng(3)
MINUTES = RANDOM.integers(0, 1440, 2000)
TIMES = MINUTES // 60 * 100 + MINUTES % 60
LABELS = RANDOM.normal(0, 1, 2000).round(3)


def found(*batches: NDArray[Any]) -> bool:
    times = ClockTimes()
    for batch in batches:
        times.add(np.asarray(batch, np.float64))
    return times.found


def test_times_of_day_are_found_whatever_the_batches() -> None:
    assert found(TIMES)
    assert found(*np.split(TIMES, 20))
    assert found(np.where(TIMES == 0, 2400, TIMES))
    quarters = RANDOM.choice([0, 15, 30, 45], 500) + 100 * RANDOM.integers(8, 16, 500)  # from 8:00 to 15:45
    assert found(quarters)


@pytest.mark.parametrize("other", [860, 2401, -5, 830.5, 99_999])
def test_one_other_number_is_enough_against_it(other: float) -> None:
    assert not found(TIMES, np.array([other]))
    assert not found(np.array([other]), TIMES)


OTHERS = {
    "ages": RANDOM.integers(0, 60, 5000),
    "scores": RANDOM.integers(0, 51, 5000),
    "whole numbers to 2400": RANDOM.integers(0, 2401, 5000),
    "multiples of 50": 50 * RANDOM.integers(0, 49, 5000),
    "multiples of 25 without the third": RANDOM.choice([0, 25, 50], 5000) + 100 * RANDOM.integers(0, 24, 5000),
    "prices that end in 49 and 9": RANDOM.choice([9, 49], 5000) + 100 * RANDOM.integers(0, 24, 5000),
    "half hours": RANDOM.choice([0, 30], 5000) + 100 * RANDOM.integers(0, 24, 5000),
    "rooms": RANDOM.integers(1, 31, 5000) + 100 * RANDOM.integers(1, 20, 5000),
    "years": RANDOM.integers(1900, 1960, 5000),
    "counts with a long tail": np.minimum(RANDOM.geometric(0.05, 5000), 59),
    "a few hours": RANDOM.integers(0, 60, 5000) + 100 * RANDOM.integers(9, 13, 5000),
    "constant": np.full(5000, 830),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_whole_numbers_are_not_times_of_day(name: str) -> None:
    assert not found(OTHERS[name])


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 3000),
    low=st.integers(0, 500),
    width=st.integers(1, 2400),
    step=st.sampled_from([1, 2, 3, 5, 10, 20, 25, 50, 100]),
    bent=st.floats(0.2, 5),
)
def test_random_whole_numbers_are_not_times_of_day(
    seed: int, size: int, low: int, width: int, step: int, bent: float
) -> None:
    drawn = np.random.default_rng(seed).random(size) ** bent
    values = np.minimum(low + (drawn * width).astype(int), 2400) // step * step
    assert not found(values)


def test_the_config_names_the_columns_and_says_why(tmp_path: Path) -> None:
    rows = [
        (time, f"{time:04}", f"{time}.0" if n % 9 else "", n % 60, label)
        for n, (time, label) in enumerate(zip(TIMES, LABELS, strict=True))
    ]
    proposal = proposed(tmp_path, table_of("dep,sched time,arr,age,y", rows))
    assert proposal.settings["clock"] == ["dep", "sched_time", "arr"]
    assert proposal.settings["integer"] == ["sched_time", "arr"]
    assert proposal.reasons["clock"] == "all their numbers are times of day, 0 to 2400, and none ends in 60 to 99"
    assert "text" not in proposal.settings
    assert proposal.settings.get("exclude", []) == []
    decided = {column.name: column.decided for column in proposal.columns}
    assert decided["dep"] == "time of day hhmm, learned as minutes since midnight"
    assert decided["age"] == ""


def test_a_column_with_other_cells_is_left_as_it_is(tmp_path: Path) -> None:
    rows = [(time if n % 500 else "noon", label) for n, (time, label) in enumerate(zip(TIMES, LABELS, strict=True))]
    assert "clock" not in proposed(tmp_path, table_of("dep,y", rows)).settings
    assert "clock" not in proposed(tmp_path, table_of("x,y", zip(LABELS, TIMES, strict=True))).settings  # the label


def test_missing_words_are_no_other_cells(tmp_path: Path) -> None:
    rows = [(time if n % 50 else "NA", label) for n, (time, label) in enumerate(zip(TIMES, LABELS, strict=True))]
    assert proposed(tmp_path, table_of("dep,y", rows)).settings["clock"] == ["dep"]


def test_parquet_of_pandas_has_them_as_floats(tmp_path: Path) -> None:
    times = [float(time) if n % 9 else None for n, time in enumerate(TIMES)]
    pq.write_table(pa.table({"dep": times, "arr": TIMES, "y": LABELS}), tmp_path / "a.parquet")
    given = propose(find_table(tmp_path / "a.parquet"), "y").settings
    assert (given["clock"], given["integer"]) == (["dep", "arr"], ["dep"])


def test_parquet_may_have_them_as_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"dep": [f"{time:04}" for time in TIMES], "y": LABELS}), tmp_path / "a.parquet")
    table = find_table(tmp_path / "a.parquet")
    given = propose(table, "y").settings
    assert (given["clock"], given["integer"]) == (["dep"], ["dep"])
    assert not {"text", "numeric"} & {*given}
    source = plan_table(table, "y", given)
    assert [n for batch in source.read(0, 1) for n in batch.rows.column("dep").to_pylist()] == TIMES.tolist()


def test_json_lines_have_them_as_whole_numbers_alone(tmp_path: Path) -> None:
    lines = [f'{{"dep": {time}, "arr": {time}.0, "y": {label}}}\n' for time, label in zip(TIMES, LABELS, strict=True)]
    given = proposed(tmp_path, "".join(lines), name="a.jsonl").settings
    assert given["clock"] == ["dep"]
    assert "integer" not in given


def test_times_of_day_with_seconds_are_proposed(tmp_path: Path) -> None:
    times = MINUTES // 60 * 10_000 + MINUTES % 60 * 100 + RANDOM.integers(0, 60, 2000)
    rows = [(time, f"{time:06}", label) for time, label in zip(times, LABELS, strict=True)]
    proposal = proposed(tmp_path, table_of("at,code,y", rows))
    given = proposal.settings
    assert ("clock" in given, given["clock_seconds"], given["integer"]) == (False, ["at", "code"], ["code"])
    assert proposal.columns[0].decided == "time of day hhmmss, learned as seconds since midnight"
    assert proposal.reasons["clock_seconds"].startswith("all their numbers are times of day, 0 to 240000, and")
