from crossnet.components.sources.doubts import Doubt
from crossnet.pipeline.init.findings import ColumnFinding, Proposal


def test_lists_and_tables_grow_and_reasons_are_joined():
    proposal = Proposal()
    proposal.put("null_values", ["", "NA"], "x has it")
    proposal.put("null_values", ["", "-"], "z has it")
    proposal.put("null_values", ["NA"], "w has it too")
    proposal.put("date_format", {"a": "%Y"}, "a")
    proposal.put("date_format", {"b": "%d"}, "b")
    assert proposal.settings == {"null_values": ["", "NA", "-"], "date_format": {"a": "%Y", "b": "%d"}}
    assert proposal.reasons == {"null_values": "x has it; z has it", "date_format": "a; b"}


def test_doubts_and_notes_are_those_of_sources():
    finding, proposal = ColumnFinding("x", "text", 3, 0, 3), Proposal()
    finding.doubt("it is odd", "a = 1")
    proposal.note("the rows are sorted")
    assert finding.doubts == [Doubt("x", "it is odd", "a = 1")]
    assert proposal.notes == [Doubt("", "the rows are sorted")]
