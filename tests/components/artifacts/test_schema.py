from crossnet.components.artifacts.schema import SCHEMA_FILE, Schema


def test_schema_is_read_from_its_text(tmp_path):
    (tmp_path / SCHEMA_FILE).write_text('feature { name: "Straße" type: FLOAT }', encoding="utf-8")
    assert SCHEMA_FILE == "schema.pbtxt"
    assert [feature.name for feature in Schema(tmp_path).proto().feature] == ["Straße"]
