from crossnet.pipeline.init.findings import Doubt, Proposal


def test_lists_and_tables_grow_and_reasons_are_joined():
    proposal = Proposal()
    proposal.put("null_values", ["", "NA"], "x has it")
    proposal.put("null_values", ["", "-"], "z has it")
    proposal.put("null_values", ["NA"], "w has it too")
    proposal.put("date_format", {"a": "%Y"}, "a")
    proposal.put("date_format", {"b": "%d"}, "b")
    assert proposal.settings == {"null_values": ["", "NA", "-"], "date_format": {"a": "%Y", "b": "%d"}}
    assert proposal.reasons == {"null_values": "x has it; z has it", "date_format": "a; b"}


def test_a_doubt_ends_with_one_mark():
    assert Doubt("it is odd").sentence == "it is odd."
    assert Doubt("is it a key?").sentence == "is it a key?"
