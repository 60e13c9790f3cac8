from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.sources.number_times import are_days, epoch_unit, number_doubt
from support.example_gen_fixtures import all_rows, make, make_csv

START = datetime.datetime(2024, 1, 31, 8, 30)
MOMENTS = [START + datetime.timedelta(hours=7 * (n * 7 % 60), minutes=n) for n in range(60)]
SECONDS = [int(moment.replace(tzinfo=datetime.UTC).timestamp()) for moment in MOMENTS]


def written(form: str) -> list[int]:
    return [int(moment.strftime(form)) for moment in MOMENTS]


def csv_of(folder: Path, values: list[Any], name: str = "t", **settings: Any) -> Examples:
    return make_csv(folder, f"{name},y\n" + "".join(f"{value},{n}\n" for n, value in enumerate(values)), **settings)


def said(examples: Examples) -> list[tuple[str, str]]:
    return [(doubt["text"], doubt["setting"]) for doubt in examples.properties["doubts"]]


DAYTIMES = [n % 24 * 100 + n // 24 * 7 % 60 for n in range(240)]

SECONDS_OF_DAY = [100 * time + n * 11 % 60 for n, time in enumerate(DAYTIMES)]


@pytest.mark.parametrize(
    ("name", "values", "text", "setting"),
    [
        ("t", written("%Y%m%d"), "all of them are days, such as 20240131", 'date_format = { "t" = "%Y%m%d" }'),
        ("t", written("%Y%m%d%H%M"), "all of them are times, such as 2", 'date_format = { "t" = "%Y%m%d%H%M" }'),
        ("t", written("%Y%m%d%H%M%S"), "all of them are times, such as 2", 'date_format = { "t" = "%Y%m%d%H%M%S" }'),
        (
            "created_at",
            SECONDS,
            "seems to count seconds since 1970, such as 1706",
            'time_unit = { "created_at" = "s" }',
        ),
        (
            "ts",
            [1000 * n for n in SECONDS],
            "seems to count milliseconds since 1970, such as 1706",
            'time_unit = { "ts" = "ms" }',
        ),
        ("t", DAYTIMES, "all are times of day, such as 23", 'clock = ["t"]'),
        ("t", SECONDS_OF_DAY, "all are times of day, such as 23", 'clock_seconds = ["t"]'),
    ],
)
def test_a_run_says_which_whole_numbers_are_times_and_the_line_that_reads_them(
    tmp_path: Path, name: str, values: list[int], text: str, setting: str
) -> None:
    ((found, line),) = said(csv_of(tmp_path, values, name))
    assert found.startswith(f"is read as numbers, and {text}")
    assert line == setting


@pytest.mark.parametrize("settings", [{"numeric": ("t",)}, {"clock": ("t",)}, {"exclude": ("t",)}, {"text": ("t",)}])
def test_a_column_of_which_settings_say_what_it_is_has_no_doubt(tmp_path: Path, settings: dict[str, Any]) -> None:
    examples = make_csv(tmp_path, "t,x,y\n" + "".join(f"{n},{n / 7},{n}\n" for n in DAYTIMES), **settings)
    assert said(examples) == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("t", [20240131083000 + n for n in range(31)] + [20240131083061] * 29),
        ("t", [20240101 + n % 4 for n in range(60)]),  # too few to be sure
        ("t", [20241301 + n % 20 for n in range(60)]),
        ("t", SECONDS),  # not named so
        ("time", [7_000_000_000 + 3601 * n for n in range(60)]),
        ("time", range(60)),
        ("t", [100 * (n % 25) for n in range(60)]),
        ("zip", [10_001 + 97 * n for n in range(60)]),
    ],
)
def test_other_whole_numbers_are_not_doubted(tmp_path: Path, name: str, values: list[int]) -> None:
    assert said(csv_of(tmp_path, [*values], name)) == []


def test_numbers_of_a_file_with_types_are_said_too(tmp_path: Path) -> None:
    table = {"t": written("%Y%m%d"), "ts": SECONDS, "dep": DAYTIMES[:60], "y": [float(n) for n in range(60)]}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    examples = make(tmp_path, source="parquet", input=str(tmp_path / "a.parquet"))
    assert said(examples) == [
        (
            "is read as numbers, and all of them are days, such as 20240131; write the column with a type of times to "
            "use it as such",
            "",
        ),
        (
            f"is read as numbers, and seems to count seconds since 1970, such as {min(SECONDS)} (2024-01-31 08:30)",
            'time_unit = { "ts" = "s" }',
        ),
    ]


@pytest.mark.parametrize("source", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("unit", ["s", "ms"])
def test_time_unit_says_of_whole_numbers_that_they_are_times(tmp_path: Path, source: str, unit: str) -> None:
    values = [n * (1000 if unit == "ms" else 1) for n in SECONDS]
    path = tmp_path / f"rows.{source}"
    if source == "parquet":
        pq.write_table(pa.table({"t": values, "y": [float(n) for n in range(60)]}), path)
    else:
        row = "{},{}\n" if source == "csv" else '{{"t": {}, "y": {}}}\n'
        path.write_text("t,y\n" * (source == "csv") + "".join(row.format(t, n) for n, t in enumerate(values)))
    examples = make(tmp_path, source=source, input=str(path), time_unit={"t": unit})
    assert [row["t"] for row in all_rows(examples)] == values
    assert (examples.time_units, said(examples)) == ({"t": unit}, [])


def test_a_time_that_is_not_whole_stops_the_run_and_text_is_not_a_time(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rides.csv:62`: `t` is '1706690000.5', expected a whole number"):
        csv_of(tmp_path, [*SECONDS, 1706690000.5], time_unit={"t": "s"})
    with pytest.raises(SettingsError, match="names `t`, which does not hold times"):
        csv_of(tmp_path, ["north", "south"] * 9, time_unit={"t": "s"})


def test_days_and_units() -> None:
    assert are_days(np.array([20_240_229, 20_251_231]))
    assert not are_days(np.array([20_250_229]))  # no leap year
    assert not are_days(np.array([np.nan, 20_240_229]))
    assert not are_days(np.zeros(0))
    assert (epoch_unit(631_152_000, 2_208_988_799), epoch_unit(0, 5), epoch_unit(10**18, 2 * 10**18)) == ("s", "", "ns")
    assert number_doubt("t", np.zeros(0, np.int64), "csv") is None
