from crossnet.components.sources.doubts import Doubt
from crossnet.pipeline.cli.init_screen import print_names, print_proposal
from crossnet.pipeline.init.findings import ColumnFinding, Proposal


def test_columns_are_a_table_and_doubts_name_the_line(capsys):
    columns = [
        ColumnFinding("zone", "text", 2000, 14, 3),
        ColumnFinding("ride_id", "whole number", 2000, 0, 2000, "left out: a key", [Doubt("c", "odd", "a = 1")]),
    ]
    print_proposal(Proposal(columns=columns, notes=[Doubt("", "the rows are sorted")]))
    assert capsys.readouterr().out.splitlines() == [
        "  column   type          holes  distinct",
        "  zone     text             14         3",
        "  ride_id  whole number      0     2,000  left out: a key",
        "? the rows are sorted",
        "? ride_id: odd (to change that: a = 1)",
    ]


def test_a_wide_table_and_many_doubts_are_counted(capsys):
    columns = [ColumnFinding(f"c{n}", "number", 9, 0, 9, "", [Doubt("c", "odd")]) for n in range(100)]
    print_proposal(Proposal(columns=columns))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 41 + 1 + 20 + 1
    assert "  and 60 more columns" in lines
    assert lines[-1] == "? and 80 more doubts, in the config"


def test_names_are_harmless_and_counted(capsys):
    print_names({f"c{n}\x1b[31m": "number" for n in range(50)})
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.endswith("  and 10 more columns\n")
