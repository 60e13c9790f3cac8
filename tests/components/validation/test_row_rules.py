from __future__ import annotations

import math

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2

from crossnet.components.records.dataset import Column
from crossnet.components.statistics.stored import stored_of
from crossnet.components.validation.column_rules import MISSING, NAN, RANGE
from crossnet.components.validation.row_rules import (
    RowRule,
    RowScan,
    broken_rows,
    clock_rule,
    data_rules,
    schema_rules,
)
from support.column_fixtures import numbers, statistics_of, texts


def feature(text):
    from google.protobuf import text_format

    return text_format.Parse(text, schema_pb2.Feature(name="c"))


def rules_of(type_name, column, schema_text, vocabulary=(), **settings):
    statistics = statistics_of(type_name, column, **settings).proto()
    return list(schema_rules(feature(schema_text), vocabulary, statistics, is_label=False))


def broken(rule, column):
    return np.flatnonzero(broken_rows(rule, column)).tolist()


def test_rules_are_made_only_for_what_the_statistics_show():
    clean = statistics_of("FLOAT", numbers([1.0, 2.0])).proto()
    assert list(data_rules("c", clean, is_label=True)) == []
    odd = statistics_of("FLOAT", numbers([math.nan, math.inf, None])).proto()
    assert [rule.rule.name for rule in data_rules("c", odd, is_label=True)] == ["nan", "infinity", "missing_label"]
    assert [rule.rule.name for rule in data_rules("c", odd, is_label=False)] == ["nan", "infinity"]


def test_range_counts_what_lies_outside_and_leaves_nan_to_its_own_rule():
    column = numbers([0.0, -1.0, math.nan, 3.5, math.inf, None, 3.0])
    (rule,) = rules_of("FLOAT", column, "float_domain { min: 0 max: 3 }")
    assert broken(rule, column) == [1, 3]
    assert rule.text == "`c` reaches -1.0 and 3.5, schema allows 0 to 3,"


def test_numbers_that_are_not_times_of_day_are_counted_and_some_named():
    column = numbers([0, 2400, 875, None, 1260, 959, -1, 2401], np.int64)
    rule = clock_rule("c", stored_of(statistics_of("INT", column).proto()))
    assert broken(rule, column) == [2, 4, 6, 7]
    assert rule.text == (
        "`c` has numbers that are not times of day hhmm (-1, 875, 1260, ...), expected 0 to 2400 with minutes below 60,"
    )
    seconds = numbers([0, 240000, 86000, 83060, 83000, 240001], np.int64)
    rule = clock_rule("c", stored_of(statistics_of("INT", seconds).proto()), "hhmmss")
    assert broken(rule, seconds) == [2, 3, 5]
    assert rule.text.endswith("expected 0 to 240000 with minutes and seconds below 60,")
    good = numbers([0, 2400, 959], np.int64)
    assert broken(clock_rule("c", stored_of(statistics_of("INT", good).proto())), good) == []


def test_a_range_may_be_open_at_one_end():
    column = numbers([1, 9], np.int64)
    (below,) = rules_of("INT", column, "int_domain { min: 5 }")
    (above,) = rules_of("INT", column, "int_domain { max: 5 }")
    assert (below.text, broken(below, column)) == ("`c` reaches 1, schema allows at least 5,", [0])
    assert (above.text, broken(above, column)) == ("`c` reaches 9, schema allows at most 5,", [1])


def test_a_bound_of_one_tenth_holds_a_value_of_one_tenth():
    assert rules_of("FLOAT", numbers([0.1]), "float_domain { min: 0.1 max: 0.1 }") == []
    (rule,) = rules_of("FLOAT", numbers([0.2]), "float_domain { max: 0.1 }")
    assert rule.text == "`c` reaches 0.2, schema allows at most 0.1,"


def test_a_large_integer_is_compared_exactly():
    column = numbers([2**60, 2**60 + 1], np.int64)
    (rule,) = rules_of("INT", column, f"int_domain {{ max: {2**60} }}")
    assert broken(rule, column) == [1]


def test_new_categories_are_found_also_where_the_statistics_list_only_the_frequent():
    column = texts([b"a", b"a", b"b", b"b", b"x", None])
    (listed,) = rules_of("BYTES", column, "", ("a", "b"))
    (unlisted,) = rules_of("BYTES", column, "", ("a", "b"), max_vocabulary=2)
    assert listed.text == "`c` has values that the schema does not list ('x')"
    assert unlisted.text == "`c` has values that the schema does not list"
    assert broken(listed, column) == broken(unlisted, column) == [4]
    assert rules_of("BYTES", column, "", ("a", "b", "x")) == []


def test_a_value_that_is_not_text_is_a_new_category():
    column = texts([b"a", b"\xff"])
    (rule,) = rules_of("BYTES", column, "", ("a",))
    assert broken(rule, column) == [1]


def test_many_and_long_new_categories_are_shortened():
    column = texts([b"a" * 50, b"b", b"c", b"d"])
    (rule,) = rules_of("BYTES", column, "", ("z",))
    assert rule.text.endswith(f"('{'a' * 37}...', 'b', 'c', ...)")


def test_presence_is_judged_by_share_and_by_count():
    column = numbers([1.0, None, None, 4.0])
    assert rules_of("FLOAT", column, "presence { min_fraction: 0.5 min_count: 2 }") == []
    (share,) = rules_of("FLOAT", column, "presence { min_fraction: 0.6 }")
    (count,) = rules_of("FLOAT", column, "presence { min_count: 3 }")
    assert (share.rule, count.rule) == (MISSING, MISSING)
    assert broken(share, column) == [1, 2]


def test_a_row_of_several_values_breaks_a_rule_once():
    lengths = np.array([2, 0, 3])
    column = Column(np.array([1, 9, 9, 9, 1], np.int64), lengths > 0, lengths)
    rule = RowRule("c", RANGE, lambda values: values > 5, "")
    assert broken_rows(rule, column).tolist() == [True, False, True]
    assert broken_rows(RowRule("c", MISSING, None, ""), column).tolist() == [False, True, False]


def test_a_scan_counts_over_batches_and_keeps_the_first_record():
    scan = RowScan("eval", 5, [RowRule("c", NAN, np.isnan, "`c` is NaN")])
    for batch in ([1.0, 2.0], [3.0, math.nan, math.nan]):
        scan.update({"c": numbers(batch)})
    (found,) = scan.findings()
    assert (found.count, found.rows, found.first, found.text) == (2, 5, ("eval", 3), "`c` is NaN in 2 of 5 rows")


def test_tallies_of_parts_merge_to_that_of_the_whole():
    rules = [RowRule("c", NAN, np.isnan, ""), RowRule("c", RANGE, lambda values: values > 5, "")]
    values = [1.0, 9.0, math.nan, 9.0, 2.0, math.nan]

    def tally(part):
        scan = RowScan("eval", 6, rules)
        scan.update({"c": numbers(part)})
        return scan.tally

    for cut in range(1, 6):
        merged = tally(values[:cut])
        merged.merge(tally(values[cut:]))
        assert merged == tally(values)
