from crossnet.components.artifacts.schema import SCHEMA_FILE, Schema


def test_schema_is_read_from_its_text(tmp_path):
    (tmp_path / SCHEMA_FILE).write_text('feature { name: "Straße" type: FLOAT }', encoding="utf-8")
    assert SCHEMA_FILE == "schema.pbtxt"
    assert [feature.name for feature in Schema(tmp_path).proto().feature] == ["Straße"]


def test_each_call_reads_the_file_and_returns_a_schema_of_its_own(tmp_path):
    schema, file = Schema(tmp_path), tmp_path / SCHEMA_FILE
    file.write_text('feature { name: "a" type: FLOAT }')
    schema.proto().feature[0].name = "changed"
    assert schema.proto().feature[0].name == "a"
    file.write_text('feature { name: "b" type: FLOAT }')
    assert schema.proto().feature[0].name == "b"
