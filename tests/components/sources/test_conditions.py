import re
import sys

import numpy as np
import pyarrow as pa
import pytest

from crossnet.components.errors import PipelineError, SettingsError
from crossnet.components.sources.conditions import TIME, TRUTH, BadRowError, Condition, condition_columns

pytest.importorskip("duckdb", reason="the extra sql is not installed")

ROWS = pa.record_batch(
    {
        "fare": pa.array([0.1, 2.5, None, -1], pa.float32()),
        "n": pa.array([1, 2, 3, None], pa.int64()),
        "zone": pa.array([b"a", b"b", None, b"a"], pa.binary()),
        "pickup": pa.array([0, 86_400, None, 1], pa.int64()),
        "paid": pa.array([1, 0, None, 1], pa.int64()),
    }
)


def holds(text, rows=ROWS):
    columns = {name: name for name in condition_columns(text)}
    meanings = {name: kind for name, kind in {"pickup": TIME, "paid": TRUTH}.items() if name in columns}
    return Condition(text, columns, meanings).holds(rows).tolist()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("fare > 0 AND zone IS NOT NULL", [True, True, False, False]),
        ("fare = 0.1", [True, False, False, False]),  # a float32 beside a decimal number
        ("n <> 1", [False, True, True, False]),  # unknown is not true
        ("zone IN ('a', 'c') -- the first two", [True, False, False, True]),
        ("zone LIKE 'a%' OR n = 3", [True, False, True, True]),
        ("pickup >= '1970-01-02'", [False, True, False, False]),
        ("year(pickup) = 1970 AND pickup < DATE '1970-01-02'", [True, False, False, True]),
        ("paid", [True, False, False, True]),
        ("paid = 0", [False, True, False, False]),
        ("nullif(n, 2) IS NULL", [False, True, False, True]),
        ("CASE WHEN n BETWEEN 1 AND 2 THEN fare > 1 ELSE zone IS NULL END", [False, True, True, False]),
        ("1 = 1", [True, True, True, True]),
    ],
)
def test_a_row_is_kept_where_the_condition_is_true(text, kept):
    assert holds(text) == kept


def test_how_rows_are_cut_into_batches_does_not_matter():
    rows = pa.record_batch({"n": pa.array(np.arange(20_000) % 7)})
    pieces = [holds("n % 3 = 1", rows.slice(first, 999)) for first in range(0, 20_000, 999)]
    assert [kept for piece in pieces for kept in piece] == [n % 7 % 3 == 1 for n in range(20_000)]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ('"trip miles" > 2 AND Zone = zone', ("trip miles", "Zone", "zone")),
        ("range > 1 AND day = 2 AND count = 3", ("range", "day", "count")),
        ("1 = 1", ()),
    ],
)
def test_the_columns_of_a_condition_are_found(text, columns):
    assert condition_columns(text) == columns


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fare > avg(fare)", "`avg`, a function of the kind aggregate, not of one row"),
        ("n > geomean(n)", "`geomean`, which looks at more than one row"),
        ("row_number() OVER () < 3", "a window function"),
        ("fare > (SELECT 1)", "a subquery"),
        ("EXISTS (SELECT 1)", "a subquery"),
        ("random() < 0.5", "`random`, which gives another value each time"),
        ("uuid() > zone", "`uuid`, which gives another value each time"),
        ("pickup > now()", "`now`, which gives another value in each run"),
        ("age(pickup) > INTERVAL 1 DAY", "`age`, which gives another value in each run"),
        ("pickup > ago(INTERVAL 1 DAY)", "`ago`, which looks at more than one row"),
        ("unnest([1]) = n", "`unnest`, a function of the kind table, not of one row"),
        ("squrt(n) > 1", "`squrt`, which DuckDB does not know"),
        ("rides.fare > 1", "`rides.fare`, a name with a dot; name the column alone"),
        ("COLUMNS(*) > 1", "`*`"),
        ("n = $1", "what DuckDB calls parameter"),
    ],
)
def test_what_does_not_look_at_one_row_alone_is_refused(text, what):
    with pytest.raises(SettingsError, match=re.escape(f"which uses {what}. Expected a condition on the columns")):
        condition_columns(text)


@pytest.mark.parametrize(
    "text", ["fare >", "fare > 0) FROM rows --", "1 = 1; DROP TABLE rows", "fare > 0, 1", "", "(("]
)
def test_a_condition_that_does_not_parse_is_one_sentence(text):
    with pytest.raises(SettingsError, match=r"`example_gen.where` is '.*', which (does not parse: |gives )"):
        holds(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fare", "which gives FLOAT. Expected a condition that is true or false"),
        ("zone || 'x'", "which gives VARCHAR. Expected a condition"),
        ("zone > 1 + INTERVAL 1 DAY", "': Binder Error: .* Fix the condition"),
        ("n LIKE '1%'", "': Binder Error: No function matches .* Fix the condition"),
        ("pickup > 'yesterday'", "Could not convert string 'yesterday' .* Fix the condition"),
    ],
)
def test_a_condition_that_does_not_fit_the_columns_is_one_sentence(text, sentence):
    with pytest.raises(SettingsError, match=sentence):
        holds(text)


def test_a_row_for_which_the_condition_cannot_be_evaluated_is_found():
    rows = pa.record_batch({"zone": pa.array([b"1"] * 700 + [b"x"] + [b"2"] * 300)})
    with pytest.raises(BadRowError, match="Could not convert string 'x' to INT32") as caught:
        holds("CAST(zone AS INTEGER) > 0", rows)
    assert caught.value.row == 700
    assert sum(holds("TRY_CAST(zone AS INTEGER) > 0", rows)) == 1000


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_bytes_that_are_not_text_are_found(kind):
    rows = pa.record_batch({"zone": pa.array([b"a", None, b"\xff", b"\xfe"], kind)})
    with pytest.raises(BadRowError, match="a column that it names holds bytes, not text in UTF-8") as caught:
        holds("zone = 'a'", rows)
    assert caught.value.row == 2


def test_text_as_a_dictionary_is_text():
    rows = pa.record_batch({"zone": pa.array([b"a", None, b"b", b"a"]).dictionary_encode()})
    assert holds("zone = 'a'", rows) == [True, False, False, True]


def test_times_with_parts_of_a_second_are_times():
    rows = pa.record_batch({"pickup": pa.array([0.25, 1e9], pa.float64())})
    assert Condition("pickup = '1970-01-01 00:00:00.25'", {"pickup": "pickup"}, {"pickup": TIME}).holds(
        rows
    ).tolist() == [True, False]


def test_duckdb_that_is_not_installed_is_named_with_its_command(monkeypatch):
    from crossnet.components.sources import conditions

    conditions._session.cache_clear()
    monkeypatch.setitem(sys.modules, "duckdb", None)
    try:
        with pytest.raises(PipelineError, match=r"needs duckdb, .* Install it: pip install 'crossnet-pipeline\[sql\]'"):
            condition_columns("fare > 0")
    finally:
        conditions._session.cache_clear()
