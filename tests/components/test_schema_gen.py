from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from crossnet.components.artifacts.schema import Schema
from crossnet.components.errors import DataError, SettingsError
from crossnet.components.features import Feature, read_schema
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.schema_gen import parse_schema
from support.validation_walk import as_csv, csv_walk, new_folder, rides

REVIEWED = """# reviewed by Ada
feature { name: "miles" type: FLOAT presence { min_fraction: 1 min_count: 1 } float_domain { min: 0 max: 200 } }
feature { name: "seats" type: INT int_domain { min: 1 max: 4 } }
feature { name: "zone" type: BYTES domain: "zones" }
feature { name: "fare" type: FLOAT not_in_environment: "SERVING" }
string_domain { name: "zones" value: "JFK" value: "LGA" value: "EWR" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""


def test_inferred_schema_describes_types_presence_ranges_and_texts(tmp_path):
    rows = rides(10)
    rows[3][1] = ""  # seats, in train
    rows[10][0] = "7.5"  # miles, in eval
    schema = csv_walk(tmp_path, as_csv(rows)).schema
    expected = """
      feature { name: "miles" type: FLOAT value_count { min: 1 max: 1 } presence { min_fraction: 1 min_count: 1 }
                float_domain { min: 1 max: 7.5 disallow_nan: true disallow_inf: true } }
      feature { name: "seats" type: INT value_count { min: 1 max: 1 } presence { min_count: 1 }
                int_domain { min: 1 max: 4 } }
      feature { name: "zone" type: BYTES value_count { min: 1 max: 1 } presence { min_fraction: 1 min_count: 1 }
                string_domain { name: "zone" value: "EWR" value: "JFK" value: "LGA" } }
      feature { name: "fare" type: FLOAT value_count { min: 1 max: 1 } presence { min_fraction: 1 min_count: 1 }
                float_domain { min: 5.5 max: 8.2 disallow_nan: true disallow_inf: true }
                not_in_environment: "SERVING" }
      default_environment: "TRAINING" default_environment: "SERVING"
    """
    assert schema.proto() == text_format.Parse(expected, schema_pb2.Schema())
    assert schema.properties == {"inferred": True, "source": "data"}
    assert schema.counts == {"columns": 4}


def test_times_are_marked_with_their_unit_and_have_no_range(tmp_path):
    rows = rides(10)
    for n, row in enumerate(rows):
        row.insert(0, f"2026-11-{10 + n}T08:00:00" if n else "at")
    schema = csv_walk(tmp_path, as_csv(rows)).schema
    (at, *_), _ = read_schema(schema.proto())
    assert at == Feature("at", "INT", time_unit="s")
    column = schema.proto().feature[0]
    assert (column.name, column.WhichOneof("domain_info")) == ("at", "time_domain")


def test_times_of_day_are_marked_and_have_no_range(tmp_path):
    rows = rides(10)
    for n, row in enumerate(rows):
        row.insert(0, str(100 * n + 30) if n else "at")
    schema = csv_walk(tmp_path, as_csv(rows), clock=("at",)).schema
    (at, *_), _ = read_schema(schema.proto())
    assert at == Feature("at", "INT", clock="hhmm")
    column = schema.proto().feature[0]
    assert text_format.MessageToString(column.time_of_day_domain, as_one_line=True) == 'string_format: "%H%M"'


def test_a_schema_that_is_agreed_on_marks_times_of_day_as_the_settings_do(tmp_path):
    marked = REVIEWED.replace("int_domain { min: 1 max: 4 }", 'time_of_day_domain { string_format: "%H%M" }')
    features, _ = read_schema(
        csv_walk(tmp_path / "1", as_csv(rides(10)), schema=marked, clock=("seats",)).schema.proto()
    )
    assert [feature.name for feature in features if feature.clock] == ["seats"]
    with pytest.raises(DataError) as error:
        csv_walk(tmp_path / "2", as_csv(rides(10)), schema=REVIEWED, clock=("seats",))
    assert str(error.value).endswith(
        "cannot be used: `seats`, which `example_gen.clock` names, needs "
        '`time_of_day_domain { string_format: "%H%M" }` in place of its domain. Fix the schema.'
    )


def test_inferred_schema_reads_as_features(tmp_path):
    rows = rides(10)
    rows[1][1] = ""
    features, label = read_schema(csv_walk(tmp_path, as_csv(rows)).schema.proto())
    assert features == (
        Feature("miles", "FLOAT"),
        Feature("seats", "INT", required=False),
        Feature("zone", "BYTES", vocabulary=("EWR", "JFK", "LGA")),
    )
    assert label == Feature("fare", "FLOAT")


def test_a_column_with_holes_only_where_the_label_is_missing_may_lack_a_value(tmp_path):
    rows = rides(10)
    rows[4][1] = rows[4][3] = ""  # seats and fare: as it is in rows that are still to be predicted
    walk = csv_walk(tmp_path, as_csv(rows))
    assert walk.examples.holes_without_label == ("fare", "seats")
    required = {feature.name: feature.required for feature in read_schema(walk.schema.proto())[0]}
    assert required == {"miles": True, "seats": False, "zone": True}


def test_a_text_column_of_many_values_stays_open(tmp_path):
    rows = rides(10)
    for number, row in enumerate(rows[1:]):
        row[2] = f"zone {number}"
    few = csv_walk(tmp_path / "few", as_csv(rows), schema=SchemaGenParams(max_domain=10)).schema
    many = csv_walk(tmp_path / "many", as_csv(rows), schema=SchemaGenParams(max_domain=9)).schema
    assert [len(schema.proto().feature[2].string_domain.value) for schema in (few, many)] == [10, 0]


def test_a_reviewed_schema_is_kept_letter_by_letter(tmp_path):
    schema = csv_walk(tmp_path, as_csv(rides(10)), schema=REVIEWED).schema
    assert (schema.path / "schema.pbtxt").read_text() == REVIEWED
    assert schema.properties == {"inferred": False, "source": "schema_file"}


def test_the_last_blessed_schema_is_used_where_the_settings_ask_for_it(tmp_path):
    folder = new_folder(tmp_path, "before")
    (folder / "schema.pbtxt").write_text(REVIEWED)
    reference, asked = Schema(folder), SchemaGenParams(reference="last_blessed")
    text = as_csv(rides(10))
    schema = csv_walk(tmp_path / "a", text, schema=asked, reference=reference).schema
    assert schema.proto() == reference.proto()
    assert schema.properties == {"inferred": False, "source": "last_blessed"}
    assert csv_walk(tmp_path / "b", text, schema=asked, reference=None).schema.properties["inferred"]
    assert csv_walk(tmp_path / "c", text, reference=reference).schema.properties["inferred"]


def test_two_schemas_to_judge_by_are_refused():
    assert SchemaGenParams(schema_file="schema.pbtxt").problems() == []
    (problem,) = SchemaGenParams(schema_file="schema.pbtxt", reference="last_blessed").problems()
    assert problem.startswith("`schema_file` and `reference` name two schemas to judge the data by; set one of them.")


def test_a_reviewed_schema_that_is_not_there_is_named(tmp_path):
    missing = SchemaGenParams(schema_file=str(tmp_path / "schem.pbtxt"))
    with pytest.raises(
        SettingsError, match=r"`schema_gen.schema_file` names `.*/schem.pbtxt`, which is not a file. .* keep it beside"
    ):
        csv_walk(tmp_path, as_csv(rides(10)), schema=missing)


def test_a_schema_that_does_not_parse_is_named_with_its_line(tmp_path):
    with pytest.raises(
        DataError,
        match=r"reviewed/schema.pbtxt:2: .*no field named \"nam\".* Expected a tensorflow_.* Fix the line",
    ):
        csv_walk(tmp_path, as_csv(rides(10)), schema='feature { name: "a" type: INT }\nfeature { nam: "b" }\n')


def test_a_schema_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "schema.pbtxt"
    path.write_bytes(b"feature \xff")
    with pytest.raises(DataError, match=r"`.*schema.pbtxt` is not a schema in text format: byte 8 is not UTF-8. Save"):
        csv_walk(tmp_path, as_csv(rides(10)), schema=SchemaGenParams(schema_file=str(path)))


def test_all_that_is_wrong_with_a_schema_is_listed():
    text = """feature { name: "a" type: INT } feature { name: "a" type: STRUCT } feature { name: "b" }
      feature { name: "c" type: BYTES domain: "zones" }"""
    with pytest.raises(DataError) as caught:
        parse_schema(text, "review.pbtxt", "y")
    assert str(caught.value) == (
        "review.pbtxt cannot be used: `a` occurs more than once; `a` has type STRUCT, expected FLOAT, INT or BYTES; "
        "`b` has type TYPE_UNKNOWN, expected FLOAT, INT or BYTES; `c` has domain 'zones', which is not the name "
        'of a string_domain; the label is the one feature with `not_in_environment: "SERVING"`; this run\'s '
        "`example_gen.label` is `y`, the schema marks none. Fix the schema."
    )


def test_a_schema_with_another_label_is_refused():
    text = 'feature { name: "a" type: INT not_in_environment: "SERVING" } feature { name: "y" type: FLOAT }'
    with pytest.raises(DataError, match="`example_gen.label` is `y`, the schema marks `a`"):
        parse_schema(text, "review.pbtxt", "y")
    assert parse_schema(text, "review.pbtxt", "a").feature[0].name == "a"
