from __future__ import annotations

import csv
import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.errors import MissingArtifactError
from crossnet.pipeline.api.calls import run
from crossnet.pipeline.api.loaded_run import LoadedRun

START = datetime.date(2024, 1, 1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a header that is not a feature's name, texts with holes, dates and rows without a label."""
    file = tmp_path_factory.mktemp("table") / "rides.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["miles driven", "zone", "day", "fare"])
        for i in range(400):
            fare = "" if i % 40 == 7 else round(i % 17 + (i % 3) * 0.5, 3)
            writer.writerow([i % 17, ["north", "söuth", ""][i % 3], START + datetime.timedelta(days=i % 60), fare])
    return file


@pytest.fixture(scope="module")
def made(table: Path, tmp_path_factory: pytest.TempPathFactory) -> LoadedRun:
    settings = {
        "models": ["dense"],
        "example_gen.source": "csv",
        "example_gen.input": table,
        "example_gen.label": "fare",
        "trainer.epochs": 2,
        "trainer.batch_size": 50,
        "evaluator.max_rmse": 1e-6,
        "evaluator.min_improvement": None,
        "evaluator.max_mean_ratio": None,
        "evaluator.max_linear_ratio": None,
    }
    return run(settings=settings, root=tmp_path_factory.mktemp("root"), quiet=True)


def test_a_closed_gate_is_a_result_with_its_reasons(made: LoadedRun) -> None:
    assert (made.verdict, made.champion, made.pushed_version, made.error) == ("NOT_BLESSED", None, None, None)
    assert any("above max_rmse" in reason for reason in made.reasons)
    assert repr(made) == f"<Run {made.name}: NOT BLESSED, {made.folder}>"


def test_models_have_what_was_measured_of_them(made: LoadedRun) -> None:
    assert list(made.models) == ["dense"]
    model = made.models["dense"]
    assert (model.path / "saved_model.pb").is_file()
    assert model.num_parameters == made.metrics["dense"]["num_parameters"] > 0
    assert model.eval_rmse == made.metrics["dense"]["eval_rmse"]
    assert len(model.history["train"]) == 2
    assert {"linear", "mean_predictor"} <= made.metrics.keys()


def test_rows_have_the_names_and_types_of_the_table(made: LoadedRun, table: Path) -> None:
    rows = made.examples("eval")
    arrow, frame = rows.to_arrow(), rows.to_pandas()
    assert arrow.schema.names == ["miles driven", "zone", "day", "fare"]
    assert [arrow.schema.field(name).type for name in ("zone", "day")] == [pa.large_string(), pa.timestamp("s")]
    assert len(rows) == arrow.num_rows == len(frame) == made.record.steps["example_gen"].counts["eval"]
    lines = table.read_text().splitlines()
    for place in (0, len(rows) - 1):
        file, _, line = rows.place(place).partition(":")
        assert file == "rides.csv"
        miles, zone, day, fare = lines[int(line) - 1].split(",")
        row = frame.iloc[place]
        assert (row["miles driven"], row["zone"] or "", str(row["day"].date())) == (float(miles), zone, day)
        assert row["fare"] == pytest.approx(float(fare))
    with pytest.raises(MissingArtifactError, match=r"^No split `test` in `.*`\. There are: train, eval\.$"):
        made.examples("test")
    with pytest.raises(IndexError):
        rows.place(len(rows))


def test_predictions_stand_beside_their_rows(made: LoadedRun, table: Path) -> None:
    predicted = made.predictions("dense")
    frame, rows = predicted.to_pandas(), made.examples("eval").to_pandas()
    assert list(frame.columns) == ["row", "source_row", "label", "prediction", "error"]
    np.testing.assert_allclose(frame["label"], rows["fare"])
    np.testing.assert_array_equal(frame["error"], frame["prediction"] - frame["label"])
    rmse = float(np.sqrt(np.square(frame["error"]).mean()))
    assert rmse == pytest.approx(made.models["dense"].eval_rmse, rel=1e-5)
    lines = table.read_text().splitlines()
    for place in (0, 5, len(frame) - 1):
        line = lines[int(frame["source_row"][place]) + 1]
        assert float(line.rpartition(",")[2]) == pytest.approx(frame["label"][place])
        assert predicted.place(place) == f"rides.csv:{frame['source_row'][place] + 2}"
    assert made.predictions().to_arrow().equals(predicted.to_arrow())  # the only model
    sentence = r"has no predictions of `dens`\. Did you mean `dense`\? There are: dense\.$"
    with pytest.raises(MissingArtifactError, match=sentence):
        made.predictions("dens")


def test_the_card_is_markdown_with_the_users_names_and_dates(made: LoadedRun) -> None:
    card = made.card()
    assert card.startswith(f"# Model card: dense of run {made.name}, which was not pushed\n")
    assert "`day` goes from 2024-01-01 to 2024-02-29 in train" in card
    assert "| miles driven | `miles_driven` | whole number | 0 to 16 | 0 |" in card
    assert "10 of 400 rows of `rides.csv` have no label (`fare`)" in card
    assert "Eval is from the same time as train" in card
    assert card == (made.folder / "model_card.md").read_text(encoding="utf-8")


def test_the_report_is_written_and_found(made: LoadedRun) -> None:
    (made.folder / "report.html").unlink()
    assert made.report() == made.folder / "report.html"
    assert "NOT BLESSED" in made.report().read_text()
