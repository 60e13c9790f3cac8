from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.evaluation.notes import likely_groups, notes_on
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
