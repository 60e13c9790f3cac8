from __future__ import annotations

import numpy as np
import pytest

from crossnet.components.networks.columns import KeyColumn, NumberColumn, TextColumn
from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training import linear_folds
from crossnet.components.training.linear_folds import fit_linear
from crossnet.components.training.rows import Rows
from support.meetings import share_of, sharing

RANDOM = np.random.default_rng(7)
COUNT = 600
NUMBER = NumberColumn("x", "FLOAT", True, 0.0, 1.0, 0.0)
ZONE = TextColumn("zone", True, ("a", "b", "c"), 2)
KEY = KeyColumn("key", True, tuple(range(50)), 2)


def table(chunk: int = COUNT) -> tuple[Rows, Preprocessing]:
    """A label that is linear in a number and a text; folds 0 and 1 are held out of 0, 1 and 2."""
    x, zone, key = RANDOM.normal(size=COUNT), RANDOM.integers(1, 4, COUNT), RANDOM.integers(1, 51, COUNT)
    label = 2 * x + np.array([0.0, 1.0, -1.0, 3.0])[zone] + 0.01 * RANDOM.normal(size=COUNT)
    fold = (np.arange(COUNT) % 3).astype(np.int32)
    ids = np.stack([zone, key], 1)
    return Rows((x[:, None].astype(np.float32), ids), label.astype(np.float32), chunk, fold), preprocessing()


def preprocessing(**others: object) -> Preprocessing:
    return Preprocessing((NUMBER,), (ZONE,), keys=(KEY,), **others)  # type: ignore[arg-type]


def test_each_fold_is_predicted_from_the_others() -> None:
    rows, prepared = table()
    found = fit_linear(rows, prepared, [0, 1])
    assert found is not None
    assert sorted(found.by_fold) == [0, 1]
    fold = np.asarray(rows.fold)
    held = fold < 2
    predictions = found.predict_held_out([part[held] for part in rows.inputs], fold[held])
    assert predictions == pytest.approx(rows.label[held], abs=0.05)
    moved = Rows(rows.inputs, np.where(fold == 0, rows.label + 5, rows.label), COUNT, rows.fold)
    other = fit_linear(moved, prepared, [0, 1])
    assert other is not None
    expected = found.by_fold[0].predict(rows.inputs)
    assert other.by_fold[0].predict(rows.inputs) == pytest.approx(expected, abs=1e-9)  # has not learned from fold 0
    assert np.abs(other.whole.predict(rows.inputs) - expected).mean() > 1


def test_keys_have_no_weights_and_rare_texts_none() -> None:
    rows, prepared = table()
    found = fit_linear(rows, prepared, [0])
    assert found is not None
    assert [len(part) for part in found.whole.tables] == [4]
    assert np.flatnonzero(found.whole.tables[0]).tolist() == [1, 2, 3]  # 0, of other texts, does not occur


def test_only_the_most_frequent_texts_have_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_folds, "MAX_OF_ONE", 1)
    rows, prepared = table()
    rows.inputs[1][:300, 0] = 2
    found = fit_linear(rows, prepared, [0])
    assert found is not None
    assert np.flatnonzero(found.whole.tables[0]).tolist() == [2]


def test_rows_count_by_weight_and_in_parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, prepared = table()
    rows.weight = np.where(rows.label > 0, 2.0, 0.5).astype(np.float32)
    whole = fit_linear(rows, prepared, [0])
    monkeypatch.setattr(linear_folds, "ROWS_AT_ONCE", 100)
    rows.chunk = 100
    parts = fit_linear(rows, prepared, [0])
    rows.weight = None
    unweighted = fit_linear(rows, prepared, [0])
    assert whole is not None
    assert parts is not None
    assert unweighted is not None
    assert parts.whole.numbers == pytest.approx(whole.whole.numbers, rel=1e-9)
    assert unweighted.whole.numbers != pytest.approx(whole.whole.numbers, rel=1e-6)


def test_a_label_is_linear_in_numbers_before_they_are_clipped() -> None:
    x = RANDOM.normal(0, 5, COUNT)
    seen = (x / np.sqrt(1 + (x / 3) ** 2))[:, None].astype(np.float32)
    rows = Rows((seen,), (0.1 * x).astype(np.float32), COUNT, np.zeros(COUNT, np.int32))
    rows.fold = (np.arange(COUNT) % 2).astype(np.int32)
    for clip, error in ((True, 1e-3), (False, 0.5)):
        found = fit_linear(rows, Preprocessing((NUMBER,), (), clip=clip), [0, 1])
        assert found is not None
        errors = found.whole.predict(rows.inputs) - rows.label
        assert (np.abs(errors).max() < error) == clip


def test_too_many_inputs_or_one_that_is_not_finite_give_none(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, prepared = table()
    rows.inputs[0][5] = np.nan
    assert fit_linear(rows, prepared, [0]) is None
    monkeypatch.setattr(linear_folds, "MAX_INPUTS", 3)
    assert fit_linear(*table(), [0]) is None


def test_workers_that_share_the_rows_fit_what_one_process_fits() -> None:
    whole, prepared = table()
    whole.weight = (np.arange(COUNT) % 4).astype(np.float32)
    kept = whole.weight > 0
    assert whole.fold is not None
    alone = Rows(tuple(part[kept] for part in whole.inputs), whole.label[kept], COUNT, whole.fold[kept])
    alone.weight = whole.weight[kept]
    expected = fit_linear(alone, prepared, [0, 1])
    assert expected is not None
    inputs = [part[:50] for part in whole.inputs]
    found = sharing(3, lambda workers: fit_linear(share_of(whole, workers), prepared, [0, 1]))
    assert len({one.whole.numbers.tobytes() for one in found}) == 1
    for one in found:
        for ours, theirs in ((one.whole, expected.whole), *((one.by_fold[i], expected.by_fold[i]) for i in (0, 1))):
            assert ours.predict(inputs) == pytest.approx(theirs.predict(inputs), abs=1e-9)
