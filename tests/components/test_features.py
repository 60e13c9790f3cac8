import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from crossnet.components.features import Feature, read_schema, time_format

TEXT = """
feature { name: "miles" type: FLOAT presence { min_fraction: 1.0 } }
feature { name: "passengers" type: INT presence { min_fraction: 0.0 } }
feature { name: "year" type: INT presence { min_fraction: 1.0 } }
feature { name: "zone" type: BYTES string_domain { value: "north" value: "south" } }
feature { name: "shape" type: BYTES domain: "shapes" presence { min_fraction: 1.0 } }
feature { name: "old" type: FLOAT lifecycle_stage: DEPRECATED }
feature { name: "fare" type: FLOAT presence { min_fraction: 1.0 } not_in_environment: "SERVING" }
string_domain { name: "shapes" value: "round" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""


def parse(text):
    return text_format.Parse(text, schema_pb2.Schema())


def test_read_schema_tells_features_from_the_label_and_leaves_retired_columns_out():
    features, label = read_schema(parse(TEXT))
    assert features == (
        Feature("miles", "FLOAT"),
        Feature("passengers", "INT", required=False),
        Feature("year", "INT"),
        Feature("zone", "BYTES", required=False, vocabulary=("north", "south")),
        Feature("shape", "BYTES", vocabulary=("round",)),
    )
    assert label == Feature("fare", "FLOAT")


def test_feature_dtype_gives_whole_numbers_with_holes_a_nan():
    features, _ = read_schema(parse(TEXT))
    assert [feature.dtype for feature in features] == ["float32", "float32", "int64", "string", "string"]
    assert [feature.is_text for feature in features] == [False, False, False, True, True]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_read_schema_knows_times_and_categories(unit):
    text = TEXT.replace("type: INT presence { min_fraction: 1.0 }", "type: INT int_domain { is_categorical: true }")
    schema = parse(text)
    schema.feature[1].time_domain.integer_format = time_format(unit)
    features, _ = read_schema(schema)
    assert [feature.time_unit for feature in features] == ["", unit, "", "", ""]
    assert [feature.categorical for feature in features] == [False, False, True, False, False]


def test_read_schema_knows_times_of_day_of_whole_numbers():
    schema = parse(TEXT)
    for column in schema.feature:
        column.time_of_day_domain.string_format = "%H%M"
    features, _ = read_schema(schema)
    assert [feature.name for feature in features if feature.clock] == ["passengers", "year"]
    schema.feature[1].time_of_day_domain.string_format = "%H:%M"
    assert not read_schema(schema)[0][1].clock


@pytest.mark.parametrize(
    ("text", "found"), [("", r"0: \[\]"), (TEXT + TEXT.replace("fare", "tip"), r"2: \['fare', 'tip'\]")]
)
def test_read_schema_asks_for_one_label(text, found):
    with pytest.raises(ValueError, match=f'`not_in_environment: "SERVING"`, the label. Received {found}'):
        read_schema(parse(text))
