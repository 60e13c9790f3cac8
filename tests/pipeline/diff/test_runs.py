from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.api.calls import run
from crossnet.pipeline.diff.page import write_diff
from crossnet.pipeline.diff.runs import diff_runs
from crossnet.pipeline.diff.text import render_diff
from crossnet.pipeline.store import Store

pytestmark = pytest.mark.slow  # three runs, two of which train

SETTINGS = {
    "example_gen": {"source": "csv", "label": "fare", "split": "hash"},
    "trainer": {"batch_size": 50, "learning_rate": 0.03, "epochs": 2},
    "evaluator": {
        "max_rmse": 100.0,
        "min_improvement": "none",
        "max_mean_ratio": "none",
        "max_linear_ratio": "none",
        "slices": [["zone"]],
        "min_slice_rows": 10,
    },
}


def write_table(file: Path, *, shift: float = 0.0, extra: bool = False) -> None:
    """Writes 600 rides; `shift` moves the miles, `extra` adds a column."""
    lines = ["zone,miles,fare" + (",tolls" if extra else "")]
    for i in range(600):
        miles = (i * 37 % 200) / 10 + shift
        fare = round(2 + miles * (3 if i % 2 else 2), 2)
        lines.append(f"{'north' if i % 2 else 'south'},{miles},{fare}" + (f",{i % 3}" if extra else ""))
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Runs: short and long train on the same rows, other has other rows and predicts another column."""
    folder = tmp_path_factory.mktemp("diff")
    write_table(folder / "rides.csv")
    write_table(folder / "later.csv", shift=15.0, extra=True)
    root = folder / "root"

    def make(name: str, table: str, until: str | None = None, **settings: Any) -> None:
        run(
            SETTINGS,
            root=root,
            name=name,
            until=until,
            quiet=True,
            settings={"example_gen.input": folder / table, **settings},
        )

    make("short", "rides.csv", models=["dense"])
    make("long", "rides.csv", models=["cross_layer", "dense"], **{"trainer.epochs": 12})
    make("other", "later.csv", until="statistics_gen", **{"example_gen.label": "tolls"})
    return Store(root)


def test_settings_are_named_as_users_write_them(store: Store) -> None:
    assert diff_runs(store, "short", "long")["settings"] == [
        {"setting": "models", "before": ["dense"], "after": ["cross_layer", "dense"]},
        {"setting": "trainer.epochs", "before": 2, "after": 12},
    ]


def test_models_are_compared_on_the_rows_that_both_saw(store: Store) -> None:
    facts = diff_runs(store, "short", "long")
    lines = {(line["model"], line["slice"]): line for line in facts["metrics"]}
    before, after = (store.read_run(name).models["dense"]["eval_rmse"] for name in ("short", "long"))
    whole = lines["dense", None]
    assert (whole["before"], whole["after"]) == (before, after)
    assert whole["change"] == pytest.approx(after / before - 1)
    low, high = whole["interval"]
    assert low < whole["change"] < high < 0  # six times the epochs are surely better
    for zone in ("zone=north", "zone=south"):
        line = lines["dense", zone]
        low, high = line["interval"]
        assert low < line["change"] < high
        assert line["rows"] > 20
    # Lines that are not models have no predictions; they are equal.
    assert (lines["linear", None]["change"], lines["linear", None]["interval"]) == (0, None)
    assert lines["champion", None]["interval"] is not None
    assert facts["notes"] == ["`cross_layer` is not in run short."]


def test_steps_that_were_made_again_say_why(store: Store) -> None:
    steps = {step["step"]: step for step in diff_runs(store, "short", "long")["steps"]}
    assert {"example_gen", "statistics_gen"} & steps.keys() == set()
    assert steps["trainer_dense"]["because"] == ["trainer.epochs: 2 → 12"]
    assert (steps["trainer_cross_layer"]["before"], steps["trainer_cross_layer"]["after"]) == ("not part of it", "ran")
    assert any("`trainer_dense` gives other models" in sentence for sentence in steps["evaluator"]["because"])
    assert "crossnet why" not in str(steps)


def test_other_data_shows_its_columns_and_its_drift_and_says_what_cannot_be_compared(store: Store) -> None:
    facts = diff_runs(store, "short", "other")
    data = facts["data"]
    assert data["same"] is False
    assert data["columns"] == [{"column": "tolls", "before": None, "after": "FLOAT"}]
    drift = {item["column"]: item for item in data["drift"]}
    assert drift["miles"]["value"] > drift["miles"]["noise"]
    assert "zone" not in drift
    assert facts["metrics"] == []
    assert "No prediction of run other can be compared: `evaluator` was not part of this run." in facts["notes"]


def test_a_run_is_not_compared_with_itself(store: Store) -> None:
    with pytest.raises(SettingsError, match=r"^Run `short` is named twice\. Name two runs: `crossnet runs` lists"):
        diff_runs(store, "short", "short")


def test_the_text_and_the_page_say_the_same(store: Store) -> None:
    facts = diff_runs(store, "short", "long")
    text, page = render_diff(facts), write_diff(store, facts).read_text()
    assert "data: nothing differs" in text
    assert "  trainer_dense: trainer.epochs: 2 → 12" in text
    assert "better" in text
    assert "<code>dense</code>" in page
    assert "trainer.epochs: 2 → 12" in page
    assert "Both runs have the same rows." in page
    assert "default-src 'none'" in page
