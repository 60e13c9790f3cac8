"""A time is the same number in training and in a request, whatever the unit and the format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.serving.predict import ModelAddress, RowFiles, predict_rows
from crossnet.serving.protocol.column_rules import COLUMNS_FILE, ColumnRules
from support.example_gen_fixtures import make, rows_of
from support.fake_server import INT64, FakeServer

TEXTS = {
    "s": ["2026-11-23T08:45:00", "1969-12-31 23:59:59", "2026-11-23", "2000-02-29T00:00:01"],
    "ms": ["2026-11-23T08:45:00.5", "1969-12-31 23:59:59.999", "2026-11-23", "2000-02-29T00:00:01"],
    "us": ["2026-11-23T08:45:00.123456", "1969-12-31 23:59:59.999999", "2026-11-23", "2000-02-29T00:00:01"],
    "ns": ["2026-11-23T08:45:00.123456789", "1969-12-31 23:59:59.999999999", "2026-11-23", "2000-02-29T00:00:01"],
}


def written(folder: Path, source: str, texts: list[str], unit: str) -> Path:
    """Writes the times with a label, as text in CSV and JSON lines, as times of a unit elsewhere."""
    path = folder / f"rides.{source}"
    if source == "csv":
        path.write_text("Picked Up,y\n" + "".join(f"{text},{n}\n" for n, text in enumerate(texts)))
    elif source == "jsonl":
        path.write_text("".join(json.dumps({"Picked Up": text, "y": n}) + "\n" for n, text in enumerate(texts)))
    else:
        moments = pa.array([np.datetime64(text.replace(" ", "T"), "ns") for text in texts]).cast(pa.timestamp(unit))
        table = pa.table({"Picked Up": moments, "y": [float(n) for n in range(len(texts))]})
        if source == "parquet":
            pq.write_table(table, path)
        else:
            feather.write_feather(table, path)
    return path


def stored(examples: Examples) -> list[int]:
    return [row["at"] for split in ("train", "eval") for row in rows_of(examples, split)]


def sent(
    folder: Path, form: str, texts: list[str], rules: ColumnRules | None, pushed: Path | None = None
) -> tuple[list[int], Any]:
    """Returns the numbers that `predict` sends for a file of the times as text, and its summary."""
    rows, numbers = written(folder, form, texts, "ns"), []

    def model(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        numbers.extend(arrays["at"].tolist())
        return {"prediction": np.zeros(len(arrays["at"]), np.float32)}

    with FakeServer({"at": (INT64, [-1])}, model).running() as target:
        files = RowFiles(rows, folder / f"out.{form}", rules=rules)
        summary = predict_rows(files, ModelAddress(target=target, pushed=pushed), ignore_extra=True)
    return numbers, summary


@pytest.mark.parametrize(
    ("source", "unit"),
    [(source, unit) for source in ("csv", "jsonl") for unit in ("s", "ms", "us")]
    + [(source, unit) for source in ("parquet", "arrow") for unit in TEXTS],
)
def test_predict_sends_the_number_that_was_trained_on(source: str, unit: str, tmp_path: Path) -> None:
    texts = TEXTS[unit]
    path = written(tmp_path, source, texts, unit)
    examples = make(tmp_path, source=source, input=str(path), rename={"Picked Up": "at"})
    numbers = [
        int(np.datetime64(text.replace(" ", "T"), "ns").astype(f"datetime64[{unit}]").astype(int)) for text in texts
    ]
    assert stored(examples) == numbers
    assert examples.column_rules.time_units == {"at": unit}
    for form in ("csv", "jsonl"):
        assert sent(tmp_path, form, texts, examples.column_rules)[0] == numbers


def test_a_unit_that_is_not_stated_is_taken_for_seconds_and_said(tmp_path: Path) -> None:
    rename = ColumnRules({"Picked Up": "at"})
    numbers, summary = sent(tmp_path, "csv", TEXTS["ms"], rename)
    assert (numbers[:2], summary.unstated) == ([1795423500, -1], ("at",))
    numbers, summary = sent(tmp_path, "jsonl", TEXTS["ms"], ColumnRules(rename.rename, {"Picked Up": "ms"}))
    assert (numbers[:2], summary.unstated) == ([1795423500500, -1], ())


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_unit_that_the_served_version_records_is_sent_without_a_doubt(form: str, tmp_path: Path) -> None:
    version = tmp_path / "crossnet" / "7"  # as the server's
    (version / "assets.extra").mkdir(parents=True)
    (version / "saved_model.pb").touch()
    recorded = ColumnRules({"Picked Up": "at"}, {"at": "ms"})
    (version / COLUMNS_FILE).write_text(recorded.to_json())
    numbers, summary = sent(tmp_path, form, TEXTS["ms"], None, version.parent)
    assert (numbers[:2], summary.unstated) == ([1795423500500, -1], ())
    numbers, _ = sent(tmp_path, form, TEXTS["ms"], ColumnRules(time_units={"at": "s"}), version.parent)
    assert numbers[:2] == [1795423500, -1]  # what the caller states counts for more


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet", "arrow"])
def test_a_unit_of_the_settings_holds_for_all_times(source: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"source": source, "rename": {"Picked Up": "at"}}
    settings["input"] = str(written(tmp_path, source, TEXTS["ms"], "ms"))
    coarse = make(tmp_path, **settings, time_unit={"at": "s"})
    assert stored(coarse) == [1795423500, -1, 1795392000, 951782401]
    assert (coarse.column_rules.time_units, coarse.properties["doubts"]) == ({"at": "s"}, [])
    fine = make(tmp_path, **settings, time_unit={"Picked Up": "us"})
    assert stored(fine)[:2] == [1795423500500000, -1000]
    assert fine.column_rules.time_units == {"at": "us"}
