from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.evaluation import LINEAR, MEAN_PREDICTOR
from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.model import Model
from crossnet.components.evaluation.notes import (
    alike_errors,
    best_epochs,
    intraclass_correlation,
    likely_groups,
    notes_on,
)
from crossnet.components.evaluation.row_sample import RowSample
from crossnet.components.features import Feature
from crossnet.components.files import write_json
from support.column_fixtures import numbers, statistics_of, texts
from support.gate_fixtures import make_scores


def notes(*errors, blessed=(True,)):
    scores = make_scores(np.zeros(len(errors[0])), {f"m{i}": values for i, values in enumerate(errors)})
    return list(notes_on({f"m{i}": passed for i, passed in enumerate(blessed)}, scores))


def test_a_row_that_carries_much_of_the_squared_error_is_said():
    errors = np.ones(100)
    errors[3] = 6.0  # 36 of 135
    (note,) = notes(errors)
    assert note.startswith("One row carries 26.7 % of the squared error of `m0`: its rmse and interval are hardly more")
    errors[3] = 4.0  # 16 of 115
    assert notes(errors) == notes(np.zeros(100)) == notes(np.ones(3)) == []


def test_errors_with_a_heavy_tail_are_said():
    random = np.random.default_rng(0)
    (note,) = notes(random.standard_t(3, 4000))
    assert note.startswith(
        "The errors of `m0` have a heavy tail: a few rows make much of its rmse, so that its interval"
    )
    assert notes(random.normal(0, 1, 4000)) == notes(random.laplace(0, 1, 4000)) == []


def test_a_label_that_is_a_sum_of_features_is_said():
    def said(distance):
        labels = np.arange(100.0)
        linear, model = labels + distance, np.resize([1.5, -1.5], 100) + labels
        return list(notes_on({"m0": True}, make_scores(labels, {"m0": model, LINEAR: linear})))

    assert said(1e-3) == [
        "The label is a sum of features: the linear model's rmse is 0.001 where the label's standard deviation is "
        "28.9. If a feature is known only after the label, name it in `example_gen.exclude`."
    ]
    assert said(0.01) == []


def test_an_error_far_above_the_deviation_of_the_labels_is_said():
    def said(error):
        labels = np.resize([-1.0, 1.0], 100)
        return list(notes_on({"m0": True}, make_scores(labels, {"m0": labels + error})))

    assert said(2000.0) == [
        "The rmse of `m0`, 2,000, is 2,000 times the standard deviation of eval's labels, 1: a constant would err "
        "less. Does train have a label unlike these, such as a number that stands for a missing one?"
    ]
    assert said(9.0) == []


def test_candidates_that_were_tried_before_one_passed_are_counted():
    equal = [np.ones(50)] * 3
    (note,) = notes(*equal, blessed=(False, True, False))
    assert note.startswith("2 candidates were tried in order until one passed.")
    assert notes(*equal, blessed=(True, False, True)) == notes(*equal, blessed=(False,) * 3) == []


USERS = [b"u%03d" % (n % 100) for n in range(2000)]


def found(values, name="user", **properties):
    kind = "BYTES" if isinstance(values[0], bytes) else "FLOAT" if isinstance(values[0], float) else "INT"
    columns = [{"name": name, "source_name": name, "type": kind}]
    examples = Examples(Path(), {"train": len(values)}, {"label": "y", "columns": columns, **properties})
    made = texts(values) if kind == "BYTES" else numbers(values, np.int64 if kind == "INT" else np.float32)
    train = {name: statistics_of(kind, made).proto()}
    return list(likely_groups(examples, train, train))


def test_a_column_that_looks_like_a_key_is_named_where_no_group_is_set():
    (note,) = found(USERS)
    assert note.startswith("`user` looks like a key, with 100 values in 2,000 train rows, and its values are in train")
    assert note.endswith('set `example_gen.group = "user"`.')
    assert found(USERS, name="whatever")
    assert found([n % 100 for n in range(2000)], name="machineId")


@pytest.mark.parametrize(
    ("values", "name", "properties"),
    [
        (USERS, "user", {"group": "user"}),
        (USERS, "user", {"weight": "user"}),
        (USERS, "user", {"split": "key", "split_column": "user"}),
        (USERS, "user", {"split": "time"}),
        ([b"a", b"b", b"c"] * 500, "user_id", {}),  # few values
        ([b"n%04d" % n for n in range(2000)], "user", {}),  # each once
        ([b"z%02d" % (n % 30) for n in range(2000)], "zone", {}),
        ([n % 100 for n in range(2000)], "amount", {}),
        ([float(n % 100) for n in range(2000)], "user", {}),
    ],
    ids=["grouped", "weight", "by key", "by time", "few", "unique", "category", "number", "float"],
)
def test_other_columns_are_not_named(values, name, properties):
    assert found(values, name, **properties) == []


def test_a_key_whose_values_in_eval_are_new_is_not_named():
    columns = [{"name": "user", "source_name": "user", "type": "BYTES"}]
    examples = Examples(Path(), {"train": 2000}, {"label": "y", "columns": columns})
    train = {"user": statistics_of("BYTES", texts(USERS)).proto()}
    fresh = {"user": statistics_of("BYTES", texts([b"new" + user for user in USERS])).proto()}
    assert list(likely_groups(examples, train, fresh)) == []


SHOPS = [Feature("shop", "INT"), Feature("zone", "BYTES"), Feature("x", "FLOAT")]


def alike(share, rows=2000, **properties):
    random = np.random.default_rng(0)
    shops = np.arange(rows) % 50
    zones = np.array([b"z%d" % (n % 25) for n in random.permutation(rows)], object)
    effect = random.normal(0, 1, 50)
    errors = np.sqrt(share) * (effect / effect.std())[shops] + np.sqrt(1 - share) * random.normal(0, 1, rows)
    sample = RowSample(["shop", "zone", "x"])
    columns = {"shop": shops, "zone": zones, "x": shops.astype(np.float32)}
    sample.add(columns, np.zeros(rows), errors[None])
    return list(alike_errors(Examples(Path(), {}, {"columns": [], **properties}), sample, SHOPS, 0, "m0"))


def test_the_column_whose_values_explain_the_errors_is_named_where_no_group_is_set():
    (note,) = alike(0.3)
    assert note.startswith("`shop` explains 27.8 %")
    assert (
        "of the variance of the ranks of the errors of `m0` (intra-class correlation, 50 values). If rows of one value"
        in note
    )
    assert 'set `example_gen.group = "shop"`' in note
    assert alike(0.0) == alike(0.3, group="shop") == alike(0.3, split="time") == alike(0.3, rows=60) == []


def test_a_column_is_not_named_for_the_one_error_that_is_large():
    random = np.random.default_rng(0)
    values, errors = np.arange(120) // 3, random.normal(0, 1, 120)
    errors[60:62] = 40.0
    assert intraclass_correlation(values, errors)[0] > 0.3
    sample = RowSample(["shop"])
    sample.add({"shop": values}, np.zeros(120), errors[None])
    examples = Examples(Path(), {}, {"columns": []})
    assert list(alike_errors(examples, sample, [Feature("shop", "INT")], 0, "m0")) == []


def test_intraclass_correlation_of_groups_of_two_on_paper():
    # Pairs of one error each, 1 or -1: all variance lies between them.
    values, errors = np.arange(60) // 2, np.where(np.arange(60) // 2 % 2 == 0, 1.0, -1.0)
    assert intraclass_correlation(values, errors) == (1.0, 30)
    assert intraclass_correlation(values, np.tile([1.0, -1.0], 30)) == (0.0, 30)
    holes = np.where(values < 11, np.nan, values).astype(np.float32)
    assert intraclass_correlation(holes, errors)[1] == 20


def test_the_best_epoch_of_a_model_that_is_not_better_than_the_mean_is_said(tmp_path):
    scores = make_scores(np.zeros(50), {"bad": np.full(50, 2.0), "good": np.full(50, 0.5), MEAN_PREDICTOR: np.ones(50)})
    models = {"bad": Model(tmp_path), "good": Model(tmp_path)}
    write_json(tmp_path / "history.json", {"loss": [1, 1, 1], "validation_loss": [4.0, 0.25, None]})
    assert list(best_epochs(models, scores)) == [
        "`bad` is not better than always predicting the mean. On the rows of train that were held out it was best "
        "after epoch 2 of 3, with rmse 0.5."
    ]
    (tmp_path / "history.json").unlink()
    (note,) = best_epochs(models, scores)
    assert note.endswith("after which epoch it was best: set `trainer.early_stopping_patience`.")
