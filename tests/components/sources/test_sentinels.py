from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.sources.sentinels import Extremes, add_numbers, sentinel_doubt
from support.example_gen_fixtures import make, make_csv

PLAIN = [float(n % 40) for n in range(200)]


def found(values: list[float], parts: int = 1) -> dict[float, float]:
    """Returns what is found in `values`, which is the same by batches of rows and by distinct values."""
    whole, joined = Extremes(), Extremes()
    distinct, counts = np.unique(values, return_counts=True)
    whole.add_values(distinct, counts)
    for part in np.array_split(values, parts):
        extremes = Extremes()
        extremes.add(pa.array(part, pa.float32()))
        extremes.add(pa.array([None, None], pa.int64()))
        joined.merge(extremes)
    assert joined.found().keys() == {np.float32(value) for value in whole.found()}
    return whole.found()


@pytest.mark.parametrize("value", [-999.0, -9999.0, 9999.0, 99999.0, 1e20, -1e30, -(2.0**31), -888.0, 99.0])
@pytest.mark.parametrize("parts", [1, 7])
def test_a_number_apart_that_is_repeated_is_found_with_its_share(value: float, parts: int) -> None:
    values = [*PLAIN, *[value] * 50]
    random.Random(1).shuffle(values)
    assert found(values, parts) == {value: 0.2}


def test_two_such_numbers_are_found() -> None:
    assert found([*PLAIN, *[-999.0] * 20, *[-9999.0] * 30], 3) == {-999.0: 0.08, -9999.0: 0.12}


@pytest.mark.parametrize(
    "values",
    [
        [*PLAIN, -999.0],  # not repeated
        [*PLAIN, *[50.0] * 9, *[-1.0] * 9, *[0.0] * 9],  # not written so
        [*(float(n) for n in range(900)), *[999.0] * 9],  # not apart
        [*PLAIN, *[100.0] * 9, *[1000.0] * 9],
        [*(float(n * 30) for n in range(40)), *[-99.0] * 4],
        [7.0] * 50 + [999.0] * 5,  # the others are one number
        [1.0, 2.0, 999.0, 999.0],  # too few others
        [1e15 + n for n in range(400)] * 2,  # long identifiers
        [float("nan"), float("inf"), 1.0],
        [],
    ],
)
def test_ordinary_numbers_are_not(values: list[float]) -> None:
    finite = Extremes()
    finite.add_values(*np.unique(np.array(values, np.float64), return_counts=True))
    finite.add(pa.array(values, pa.float64()))
    assert finite.found() == {} or values.count(-999.0) == 1  # it was added twice
    assert found([value for value in values if np.isfinite(value)], 2) == {}


def test_whole_numbers_at_the_end_of_int64_are_no_fault() -> None:
    extremes = Extremes()
    extremes.add(pa.array([2**63 - 1, -(2**63), 5, None, *range(40)], pa.int64()))
    assert (extremes.others, extremes.least, extremes.most) == (41, 0.0, 39.0)


def test_a_run_says_the_number_its_share_and_the_setting(tmp_path: Path) -> None:
    rows = [f"{-999 if n % 10 == 0 else n % 7},{n % 5 / 4},{n}\n" for n in range(100)]
    text = "a,b,y\n" + "".join(rows)
    (doubt,) = make_csv(tmp_path, text).properties["doubts"]
    assert doubt == {
        "column": "a",
        "text": "holds -999 in 10 % of the rows, far from the others (0 to 6): is that a missing value?",
        "setting": 'null_values = ["", "-999", "-999.0"]',
    }
    assert make_csv(tmp_path, text, null_values=("", "-999")).properties["doubts"] == []
    assert make_csv(tmp_path, text.replace("-999", "NA"), null_values=("", "NA")).properties["doubts"] == []


@pytest.mark.parametrize(
    ("day", "text"), [("9999-12-31", "9999-12-31"), ("1900-01-01", "1900-01-01"), ("0001-01-01", "0001-01-01")]
)
@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("part", ["", ".250"])
def test_a_day_far_from_the_others_is_said(tmp_path: Path, day: str, text: str, form: str, part: str) -> None:
    days = [f"2024-01-{n % 28 + 1:02} 10:00:00{part}" for n in range(60)] + [f"{day} 00:00:00"] * 20
    random.Random(1).shuffle(days)
    if form == "csv":
        (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{one},{n % 7}\n" for n, one in enumerate(days)))
    else:
        moments = pa.array(days).cast(pa.timestamp("ms"))
        pq.write_table(pa.table({"a": moments, "y": [n % 7 for n in range(80)]}), tmp_path / "t.parquet")
    said = [
        doubt["text"] for doubt in make(tmp_path, source=form, input=str(tmp_path / f"t.{form}")).properties["doubts"]
    ]
    advice = "name it in `null_values` as its cells have it" if form == "csv" else "write null"
    wanted = f"holds {text} in 25 % of the rows, far from the others; if that is a missing value, {advice}"
    assert [text for text in said if "far from" in text] == [wanted]


def test_days_that_are_not_apart_or_not_repeated_are_not_said(tmp_path: Path) -> None:
    years = [f"{1890 + n}-01-01" for n in range(60)] * 2
    for days in (years, [*(f"2024-01-{n % 28 + 1:02}" for n in range(60)), "9999-12-31"]):
        assert make_csv(tmp_path, "a,y\n" + "".join(f"{d},1.5\n" for d in days)).properties["doubts"] == []


def test_words_of_other_files_and_times(tmp_path: Path) -> None:
    values = [-9999.0 if n % 10 == 0 else n / 4 for n in range(100)]
    given: dict[str, Any] = {"source": "parquet", "input": str(tmp_path / "a.parquet"), "label": "y"}
    times = pa.array([99 if n % 10 else 253402300799 for n in range(100)], pa.timestamp("s"))
    pq.write_table(pa.table({"a": values, "t": times, "y": range(100)}), tmp_path / "a.parquet")
    (doubt,) = make(tmp_path, **given).properties["doubts"]
    assert (doubt["column"], doubt["setting"]) == ("a", "")
    assert doubt["text"].endswith("(0.25 to 24.75); if that is a missing value, write null")


def test_known_words_stay_in_the_setting() -> None:
    extremes = Extremes()
    extremes.add_values(np.array([*range(20), 1e20]), np.full(21, 5))
    doubt = sentinel_doubt("a", extremes, "csv", ("", "NA"))
    assert doubt is not None
    assert doubt.setting == 'null_values = ["", "NA", "1e+20", "1e20", "100000000000000000000"]'


def test_columns_together_give_what_each_gives_alone() -> None:
    columns = {
        "plain": [1.5, 2.5, -3.0, 0.0],
        "known": [1.0, -999.0, 2.0, 99.0],
        "huge": [1e15, 1.0, 2.0, -1e20],
        "nan": [math.nan, 1.0, 2.0, -999.0],
        "all nan": [math.nan] * 4,
        "infinite": [math.inf, 1.0, 2.0, -999.0],
        "holes": [None, 1.0, -999.0, 4.0],
    }
    arrays = {name: pa.array(values, pa.float32()) for name, values in columns.items()}
    arrays["whole"] = pa.array([1, 2, 99, None])
    together: dict[str, Extremes] = {}
    for _ in range(2):
        add_numbers(together, pa.RecordBatch.from_pydict(arrays))
    add_numbers(together, pa.RecordBatch.from_pydict(arrays).slice(0, 0))
    for name, array in arrays.items():
        alone = Extremes()
        alone.add(array)
        alone.add(array)
        assert together[name] == alone
    assert together["plain"] == Extremes(Counter(), 8, -3.0, 2.5)
