from __future__ import annotations

import numpy as np
import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from crossnet.components.artifacts.anomalies import Anomalies
from crossnet.components.example_validator import explain
from crossnet.components.files import write_json
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.records.dataset import read_columns
from crossnet.components.sources.provenance import locate
from support.validation_walk import as_csv, csv_walk, rides, walk

AnomalyInfo = anomalies_pb2.AnomalyInfo

REVIEWED = """
feature { name: "miles" type: FLOAT presence { min_fraction: 1 min_count: 1 } float_domain { min: 0 max: 200 } }
feature { name: "seats" type: INT presence { min_fraction: 0.9 min_count: 1 } int_domain { min: 1 max: 4 } }
feature { name: "zone" type: BYTES presence { min_fraction: 1 } string_domain { value: ["JFK", "LGA", "EWR"] } }
feature { name: "fare" type: FLOAT presence { min_fraction: 1 } not_in_environment: "SERVING" }
"""


def test_clean_rows_have_no_anomaly(tmp_path):
    for name, schema in (("inferred", None), ("reviewed", REVIEWED)):
        clean = csv_walk(tmp_path / name, as_csv(rides()), schema=schema)
        assert clean.anomalies.counts == {"errors": 0, "warnings": 0}
        assert clean.found == []
        assert explain(clean.anomalies) == ""
        for split in ("train", "eval"):
            proto = clean.anomalies.proto(split)
            assert proto.baseline == clean.schema.proto()
            assert not proto.anomaly_info
            assert not proto.HasField("dataset_anomaly_info")


@pytest.mark.parametrize("schema", [None, REVIEWED.replace("int_domain { min: 1 max: 4 }", "HHMM")])
def test_numbers_that_are_not_times_of_day_are_named_with_their_row(tmp_path, schema):
    rows = rides()
    for number, value in ((3, "2400"), (20, "875"), (21, ""), (90, "2500")):  # the last one in eval
        rows[number][1] = value
    schema = schema and schema.replace("HHMM", 'time_of_day_domain { string_format: "%H%M" }')
    odd = csv_walk(tmp_path, as_csv(rows), schema=schema, clock=("seats",))
    assert odd.anomalies.counts == {"errors": 2, "warnings": 0}
    assert odd.found == [
        ("train", "seats", "time_of_day", "error", 1, "rides.csv:21"),
        ("eval", "seats", "time_of_day", "error", 1, "rides.csv:91"),
    ]
    assert [anomaly["message"] for anomaly in odd.anomalies.anomalies] == [
        f"`seats` has numbers that are not times of day hhmm ({value}), expected 0 to 2400 with minutes below 60, in 1 "
        f"of {rows} rows (first: rides.csv:{line})"
        for value, rows, line in ((875, 80, 21), (2500, 20, 91))
    ]
    assert "take the column out of `example_gen.clock`: then it is a number" in explain(odd.anomalies)


def test_the_article_s_table_has_662_repeated_and_127_leaked_rows_and_nothing_else(tmp_path):
    article = walk(tmp_path, source="synthetic", label="y")
    assert article.found == [
        ("", "", "duplicate_rows", "warning", 662, "synthetic row 4710"),
        ("eval", "", "row_leakage", "warning", 127, "synthetic row 90114"),
    ]
    assert [anomaly["rows"] for anomaly in article.anomalies.anomalies] == [100_000, 10_000]
    assert explain(article.anomalies) == (
        "1 warning: 662 of 100,000 rows repeat an earlier row (first: synthetic row 4710). "
        "1 warning in `eval`: 127 of 10,000 rows also occur in `train` (first: synthetic row 90114)."
    )


# Planted faults: what is changed, the schema, and what is found. Line 1 is the header; rows 81 to 100 are eval.


def plant(row, column, cell):
    def change(rows):
        rows[row][column] = cell
        return rows

    return change


def drop_column(rows):
    return [row[:2] + row[3:] for row in rows]


def add_column(rows):
    return [[*row, "tip" if number == 0 else str(number * 37 % 100 / 100)] for number, row in enumerate(rows)]


FAULTS = {
    "nan": (plant(34, 0, "nan"), None, ("train", "miles", "nan", "error", 1, "rides.csv:35")),
    "nan in eval": (plant(90, 0, "NaN"), None, ("eval", "miles", "nan", "error", 1, "rides.csv:91")),
    "nan label": (plant(3, 3, "nan"), None, ("train", "fare", "nan", "error", 1, "rides.csv:4")),
    "infinity": (plant(55, 0, "inf"), None, ("train", "miles", "infinity", "error", 1, "rides.csv:56")),
    "infinite label": (plant(4, 3, "inf"), None, ("train", "fare", "infinity", "error", 1, "rides.csv:5")),
    "minus infinity": (plant(56, 0, "-inf"), REVIEWED, ("train", "miles", "infinity", "error", 1, "rides.csv:57")),
    "empty label": (plant(88, 3, ""), None, ("eval", "fare", "missing_label", "error", 1, "rides.csv:89")),
    "missing value": (plant(7, 0, ""), REVIEWED, ("train", "miles", "missing", "error", 1, "rides.csv:8")),
    "out of range": (plant(99, 0, "812"), REVIEWED, ("eval", "miles", "range", "error", 1, "rides.csv:100")),
    "whole number out of range": (plant(2, 1, "5"), REVIEWED, ("train", "seats", "range", "error", 1, "rides.csv:3")),
    "new category": (plant(61, 2, "SFO"), REVIEWED, ("train", "zone", "new_category", "error", 1, "rides.csv:62")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_with_its_column_rule_count_and_line(tmp_path, fault):
    change, schema, expected = FAULTS[fault]
    faulty = csv_walk(tmp_path, as_csv(change(rides())), schema=schema, unlabelled="error")
    assert faulty.found == [expected]
    assert faulty.anomalies.counts == {"errors": 1, "warnings": 0}
    assert faulty.anomalies.has_errors
    split, column, _, _, _, first = expected
    assert f"1 anomaly in `{split}`: `{column}` " in explain(faulty.anomalies)
    assert f"(first: {first}). Fix the source" in explain(faulty.anomalies)
    info = faulty.anomalies.proto(split).anomaly_info[column]
    assert (list(info.path.step), info.severity) == ([column], AnomalyInfo.ERROR)
    assert first in info.description


@pytest.mark.parametrize(
    ("change", "column", "rule", "text"),
    [
        (drop_column, "zone", "missing_column", "`zone` is a column of the schema and not of the data, in all 80 rows"),
        (add_column, "tip", "extra_column", "`tip` is a column of the data and not of the schema, in all 80 rows"),
        (
            lambda rows: [[*row[:2], str(n * 37 % 100) if n else "zone", row[3]] for n, row in enumerate(rows)],
            "zone",
            "type",
            "`zone` has type INT, the schema expects BYTES, in all 80 rows",
        ),
    ],
)
def test_a_wrong_column_is_found_in_both_splits(tmp_path, change, column, rule, text):
    faulty = csv_walk(tmp_path, as_csv(change(rides())), schema=REVIEWED)
    assert faulty.found == [
        ("train", column, rule, "error", 80, "rides.csv:2"),
        ("eval", column, rule, "error", 20, "rides.csv:82"),
    ]
    assert faulty.anomalies.anomalies[0]["message"] == f"{text} (first: rides.csv:2)"


def test_rows_that_break_a_rule_are_counted(tmp_path):
    rows = rides()
    for number in (90, 95, 99):
        rows[number][0] = "-0.5" if number == 95 else "812"
        rows[number][2] = f"SF{number}"
    faulty = csv_walk(tmp_path, as_csv(rows), schema=REVIEWED)
    assert faulty.found == [
        ("eval", "miles", "range", "error", 3, "rides.csv:91"),
        ("eval", "zone", "new_category", "error", 3, "rides.csv:91"),
    ]
    assert explain(faulty.anomalies) == (
        "2 anomalies in `eval`: `miles` reaches -0.5 and 812.0, schema allows 0 to 200, in 3 of 20 rows "
        "(first: rides.csv:91); `zone` has values that the schema does not list ('SF90', 'SF95', 'SF99') in 3 of 20 "
        "rows (first: rides.csv:91). Fix the source, or name a reviewed schema in `schema_gen.schema_file`."
    )
    reasons = faulty.anomalies.proto("eval").anomaly_info["miles"].reason
    assert [reason.type for reason in reasons] == [AnomalyInfo.FLOAT_TYPE_BIG_FLOAT]


def test_missing_values_up_to_the_agreed_share_are_not_anomalies(tmp_path):
    rows = rides()
    for number in (81, 82):
        rows[number][1] = ""
    assert csv_walk(tmp_path / "a", as_csv(rows), schema=REVIEWED).found == []
    rows[83][1] = ""
    faulty = csv_walk(tmp_path / "b", as_csv(rows), schema=REVIEWED)
    assert faulty.found == [("eval", "seats", "missing", "error", 3, "rides.csv:82")]
    assert "`seats` is missing in 3 of 20 rows (first: rides.csv:82). Fix" in explain(faulty.anomalies)


def test_an_inferred_schema_allows_holes_new_values_and_any_range_in_eval(tmp_path):
    rows = rides()
    rows[90][:3] = ["812", "", "SFO"]
    assert csv_walk(tmp_path, as_csv(rows)).found == []


def test_the_last_blessed_schema_judges_as_a_reviewed_one_does(tmp_path):
    before = csv_walk(tmp_path / "before", as_csv(rides()))
    rows = plant(99, 0, "812")(rides())
    after = csv_walk(
        tmp_path / "after", as_csv(rows), schema=SchemaGenParams(reference="last_blessed"), reference=before.schema
    )
    assert after.found == [("eval", "miles", "range", "error", 1, "rides.csv:100")]


def test_a_schema_without_presence_lets_a_column_be_absent_and_a_retired_one_is_not_looked_for(tmp_path):
    schema = REVIEWED + 'feature { name: "tip" type: FLOAT }\n'
    schema += 'feature { name: "toll" type: FLOAT presence { min_fraction: 1 } lifecycle_stage: DEPRECATED }'
    assert csv_walk(tmp_path, as_csv(rides()), schema=schema).found == []


def test_whole_numbers_may_stand_where_the_schema_says_float(tmp_path):
    schema = REVIEWED.replace("type: INT", "type: FLOAT").replace("int_domain", "float_domain")
    assert csv_walk(tmp_path, as_csv(rides()), schema=schema).found == []


def test_a_label_that_never_changes_stops_the_run(tmp_path):
    rows = rides()
    for row in rows[1:]:
        row[3] = "7"
    constant = csv_walk(tmp_path, as_csv(rows))
    assert constant.found == [("train", "fare", "constant_label", "error", 80, "rides.csv:2")]
    assert explain(constant.anomalies) == (
        "1 anomaly in `train`: label `fare` is 7 in all 80 rows, so there is nothing to learn (first: rides.csv:2). "
        "Fix the source, or name another column in `example_gen.label`, or choose rows whose labels differ "
        "(in float32, of some 7 digits)."
    )


def test_a_label_that_never_changes_in_eval_stops_the_run(tmp_path):
    rows = rides()
    for row in rows[81:]:
        row[3] = "7"
    constant = csv_walk(tmp_path, as_csv(rows))
    assert constant.found[0] == ("eval", "fare", "constant_eval_label", "error", 20, "rides.csv:82")
    assert explain(constant.anomalies).startswith(
        "1 anomaly in `eval`: label `fare` is 7 in all 20 rows, so that it does not show which model is better (first: "
        "rides.csv:82). Fix the source, or choose another `example_gen.split`, raise `example_gen.eval_fraction`, or "
        "set `example_gen.stratify = true`."
    )


def test_repeated_and_leaked_rows_are_warnings_up_to_a_limit(tmp_path):
    rows = rides()
    rows[31] = list(rows[30])  # line 32, in train
    rows[97] = list(rows[30])  # line 98, in eval: repeats an earlier row, and leaks
    found = [
        ("", "", "duplicate_rows", "warning", 2, "rides.csv:32"),
        ("eval", "", "row_leakage", "warning", 1, "rides.csv:98"),
    ]
    assert csv_walk(tmp_path / "a", as_csv(rows)).found == found
    exact = {"max_duplicate_fraction": 0.02, "max_leaked_fraction": 0.05}
    assert csv_walk(tmp_path / "b", as_csv(rows), validator=exact).found == found
    below = {"max_duplicate_fraction": 0.01, "max_leaked_fraction": 0.0}
    stopped = csv_walk(tmp_path / "c", as_csv(rows), validator=below)
    assert stopped.anomalies.counts == {"errors": 2, "warnings": 0}
    assert explain(stopped.anomalies) == (
        "1 anomaly: 2 of 100 rows repeat an earlier row, more than max_duplicate_fraction 0.01 allows (first: "
        "rides.csv:32). 1 anomaly in `eval`: 1 of 20 rows also occurs in `train`, more than max_leaked_fraction 0 "
        "allows (first: rides.csv:98). Fix the source, or raise `example_validator.max_duplicate_fraction`, or raise "
        "`example_validator.max_leaked_fraction`."
    )


def test_a_key_in_two_splits_is_an_error(tmp_path):
    # Half of the riders are spelled with a leading zero every other time: two keys to ExampleGen, one number here.
    spelled = [f"{'0' if n % 2 else ''}{n // 4}" for n in range(160)]
    rows = [[*row, key] for row, key in zip(rides(160), ["rider", *spelled], strict=True)]
    keyed = csv_walk(tmp_path, as_csv(rows), split="key", split_column="rider", eval_fraction=0.5, numeric=("rider",))
    keys = {
        split: np.concatenate([batch["rider"].values for batch in read_columns(keyed.examples, split, batch_size=99)])
        for split in ("train", "eval")
    }
    leaked = np.isin(keys["eval"], keys["train"])
    (found,) = (anomaly for anomaly in keyed.anomalies.anomalies if anomaly["rule"] == "key_leakage")
    line = locate(keyed.examples, "eval", int(leaked.argmax()))
    assert (found["column"], found["severity"], found["count"]) == ("rider", "error", leaked.sum())
    assert found["first"] == line
    words = f"{leaked.sum()} of {len(leaked)} rows have a `rider` that also occurs in `train` (first: {line})"
    assert found["message"] == words
    assert "Fix the source." in explain(keyed.anomalies)


def test_a_key_split_leaks_no_key(tmp_path):
    keyed = csv_walk(tmp_path, as_csv(rides()), split="key", split_column="seats", eval_fraction=0.5)
    assert [entry for entry in keyed.found if entry[2] == "key_leakage"] == []


def test_skew_is_a_warning_and_above_its_limit_an_error(tmp_path):
    rows = rides(500)
    for row in rows[401:]:
        row[0], row[2] = f"{float(row[0]) + 1:.4f}", "JFK"
    skewed = csv_walk(tmp_path / "a", as_csv(rows))
    assert [entry[:4] for entry in skewed.found] == [
        ("eval", "miles", "skew", "warning"),
        ("eval", "zone", "skew", "warning"),
    ]
    assert "`zone` differs from `train`: L-infinity distance 0.6" in explain(skewed.anomalies)
    assert "at 'JFK', above warn_skew 0.1" in explain(skewed.anomalies)
    proto = skewed.anomalies.proto("eval")
    assert proto.anomaly_info["zone"].reason[0].type == AnomalyInfo.COMPARATOR_L_INFTY_HIGH
    assert proto.anomaly_info["miles"].reason[0].type == AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH
    measured = {info.path.step[0]: info.skew_measurements[0] for info in proto.drift_skew_info}
    assert measured["zone"].type == anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY
    assert measured["zone"].value == pytest.approx(2 / 3, abs=0.01)
    assert measured["miles"].threshold == 0.1
    stopped = csv_walk(tmp_path / "b", as_csv(rows), validator={"max_skew": 0.65})
    assert [entry[1:4] for entry in stopped.found] == [("miles", "skew", "error"), ("zone", "skew", "error")]
    assert "raise `example_validator.max_skew`" in explain(stopped.anomalies)


def test_drift_is_measured_against_the_last_blessed_run(tmp_path):
    before = csv_walk(tmp_path / "before", as_csv(rides(500)))
    same = csv_walk(tmp_path / "same", as_csv(rides(400)), previous=before.statistics)
    assert same.found == []
    rows = [row if row[2] != "EWR" else [*row[:2], "JFK", row[3]] for row in rides(400)]
    drifted = csv_walk(tmp_path / "after", as_csv(rows), previous=before.statistics)
    assert [entry[:5] for entry in drifted.found] == [("train", "zone", "drift", "warning", 320)]
    assert "`zone` differs from the last blessed run: L-infinity distance 0.33" in explain(drifted.anomalies)
    stopped = csv_walk(tmp_path / "c", as_csv(rows), previous=before.statistics, validator={"max_drift": 0.3})
    assert stopped.anomalies.counts == {"errors": 1, "warnings": 0}
    measured = stopped.anomalies.proto("train").drift_skew_info[0].drift_measurements[0]
    assert measured.threshold == pytest.approx(0.3)


@pytest.mark.parametrize("rows", [340, pytest.param(2000, marks=pytest.mark.slow)])
def test_fifty_clean_resamples_give_no_false_alarm(tmp_path, rows):
    """With the other size, 100: train against eval (34 rows in the small ones), drift, inferred and reviewed schema."""
    rng = np.random.default_rng(rows)
    number = 20_000
    population = [
        ",".join(cells)
        for cells in zip(
            [f"{value:.6g}" for value in rng.lognormal(sigma=2, size=number)],
            [str(value) for value in rng.poisson(2, number)],
            [f"zone {value}" for value in rng.zipf(1.6, number) % 150],
            [
                "" if hole else f"{value:.5f}"
                for value, hole in zip(rng.normal(size=number), rng.random(number) < 0.2, strict=True)
            ],
            [f"{value:.6f}" for value in rng.normal(10, 3, number)],
            strict=True,
        )
    ]
    header = "miles,seats,zone,rain,fare\n"
    whole = csv_walk(tmp_path / "whole", header + "\n".join(population) + "\n")
    reviewed = (whole.schema.path / "schema.pbtxt").read_text()
    before = whole.statistics
    for n in range(50):
        resample = rng.choice(number, rows, replace=False)
        text = header + "\n".join(population[place] for place in resample) + "\n"
        again = csv_walk(
            tmp_path / str(n), text, eval_fraction=0.1, previous=before, schema=reviewed if n % 2 else None
        )
        assert again.found == []
        before = again.statistics


def test_many_anomalies_are_shortened_in_words(tmp_path):
    anomalies = [
        {"split": "train", "rule": "nan", "severity": "error", "message": f"`c{n}` is NaN in 1 of 9 rows"}
        for n in range(12)
    ]
    write_json(tmp_path / "anomalies.json", {"anomalies": anomalies})
    words = explain(Anomalies(tmp_path, counts={"errors": 12, "warnings": 0}))
    assert words.startswith("12 anomalies in `train`: `c0` is NaN in 1 of 9 rows; `c1`")
    assert words.endswith(
        "`c9` is NaN in 1 of 9 rows; 2 more in anomalies.json. Fix the source, or let NaN be a missing value with "
        '`example_gen.nan = "missing"`.'
    )
