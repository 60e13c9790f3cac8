from crossnet.components.params.schema_gen import SchemaGenParams


def test_one_schema_to_judge_by_has_no_problems():
    assert SchemaGenParams().problems() == []
    assert SchemaGenParams(schema_file="schema.pbtxt").problems() == []
    assert SchemaGenParams(reference="last_blessed").problems() == []


def test_two_schemas_to_judge_by_are_refused():
    (problem,) = SchemaGenParams(schema_file="a.pbtxt", reference="last_blessed").problems()
    assert problem == (
        "`schema_file` and `reference` name two schemas to judge the data by; set one of them. "
        "Received schema_file 'a.pbtxt' and reference 'last_blessed'."
    )
