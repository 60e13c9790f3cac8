import pyarrow as pa
import pytest

from crossnet.pipeline.init.columns import read_cells, shares, use_column
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.profile import profile_table


def found(values, kind="FLOAT"):
    """What is proposed for a column `x` of cells, with a label of noise."""
    rows = len(values)
    array = pa.array([None if value == "" else str(value).encode() for value in values], pa.binary())
    label = pa.array([(n * 7919) % 101 / 1.0 for n in range(rows)])
    column = profile_table([(0, 0, {"x": array, "y": label})], ["x", "y"], "y").columns["x"]
    finding = ColumnFinding("x", "", rows, column.holes, column.sample.distinct)
    proposal = Proposal()
    read_cells(finding, column, proposal, lambda unit, row: f"rides.csv:{row + 2}", False)
    use_column(finding, column, kind, 1.0, proposal)
    return proposal, finding


NUMBERS = [f"{n / 7:.3f}" for n in range(60)] * 2


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        (NUMBERS, {}),
        ([*NUMBERS, "NA", "NA", "-"], {"null_values": ["", "NA", "-"]}),
        ([*NUMBERS, "NaN"], {"nan": "missing"}),
        ([*NUMBERS, "Total"], {"null_values": ["", "Total"]}),
        ([*NUMBERS, *"abcdefgh"], {"text": ["x"]}),
        ([*["001", "002", "017"] * 40, "136A"], {"text": ["x"]}),  # codes, of which none is missing
        (["happy", "None", "sad"] * 9, {}),
        (["2026-01-01", "2026-01-02", "N/A"] * 9 + ["2026-01-03"] * 99, {"null_values": ["", "N/A"]}),
        (["1/31/2026", "2/1/2026"] * 20, {"date_format": {"x": "%m/%d/%Y"}}),
        (["31.1.2026 10:00", "1.2.2026 11:00"] * 20, {"date_format": {"x": "%d.%m.%Y %H:%M"}}),
        (["2 January 2026", "2 May 2026"] * 20, {"date_format": {"x": "%d %B %Y"}}),
        ([*["1/31/2026", "2/1/2026"] * 20, "soon"], {"null_values": ["", "soon"], "date_format": {"x": "%m/%d/%Y"}}),
        (["2026-01-01", "2026-01-02"] * 20 + ["0000-00-00", "soon"], {"null_values": ["", "0000-00-00", "soon"]}),
        (["yes", "no"] * 20, {"boolean": ["x"]}),
        (["Yes", "no", "YES", "off"] * 20, {"boolean": ["x"]}),
        (["01234", "98765", "00501"] * 20, {"text": ["x"]}),
    ],
)
def test_the_settings_that_read_a_column_are_proposed_with_their_reason(values, settings):
    proposal, _ = found(values, "BYTES")
    assert proposal.settings == settings
    assert proposal.reasons.keys() == settings.keys()
    assert all("x" in reason for reason in proposal.reasons.values())


def test_an_odd_cell_is_said_with_its_place_and_the_line_to_change():
    proposal, finding = found([*NUMBERS, "Total"])
    (doubt,) = finding.doubts
    assert doubt.text == "1 cell of 121 is not a number: 'Total' in rides.csv:122; read as missing"
    assert doubt.setting == 'text = ["x"]'
    assert finding.holes == 1
    assert proposal.reasons["null_values"] == "x: 1 cell of 121 is not a number: 'Total' in rides.csv:122"


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([(n * 7919) % 60 for n in range(60)], "INT", "no value occurs twice"),
        ([f"id{n}" for n in range(60)], "BYTES", "no value occurs twice"),
        ([f"word {n * 4 // 5}" for n in range(100)], "BYTES", "some 80 values in 100 rows"),
        (["a"] * 60, "BYTES", "one value in all rows"),
        ([""] * 60, "BYTES", "empty"),
        ([n / 7 for n in range(60)], "FLOAT", None),
        (["a", "b"] * 30, "BYTES", None),
        (["a", ""] * 30, "BYTES", None),
        (range(20), "INT", None),
    ],
)
def test_keys_constants_and_near_unique_text_are_left_out(values, kind, reason):
    proposal, _ = found(values, kind)
    assert proposal.excluded == ({"x": reason} if reason else {})


def test_amounts_of_which_none_occurs_twice_are_kept_and_doubted():
    amounts = [(n * 37 % 60) ** 4 for n in range(60)]
    proposal, finding = found(amounts, "INT")
    assert proposal.excluded == {}
    (doubt,) = finding.doubts
    assert doubt.text == "no value occurs twice, but most lie at one end of their range: is it a key?"
    assert doubt.setting == 'exclude = ["x"]'
    for keys in (sorted(amounts), [n * 37 % 60 * 1000 for n in range(60)]):  # in the order of the file; evenly spread
        assert found(keys, "INT")[0].excluded == {"x": "no value occurs twice"}


@pytest.mark.parametrize(
    ("values", "kind", "doubt"),
    [
        (["20260131", "20260201"] * 20, "INT", (
            "each may be a day, such as 20260131", 'date_format = { x = "%Y%m%d" }')),
        ([*NUMBERS, "inf"], "FLOAT", ("1 cell infinite, or beyond 3.4e+38, which stops the run", 'exclude = ["x"]')),
        ([*NUMBERS, *[""] * 500], "FLOAT", ("80.6 % of its cells are empty", 'exclude = ["x"]')),
        ([*NUMBERS, *"ab" * 20], "BYTES", ("75 % of its cells are numbers, but not all: 'a' in rides.csv:122",
                                          'null_values = ["", "a", "b"]')),
        ([*NUMBERS, *"klmopq" * 9], "BYTES", ("69 % of its cells are numbers, but not all: 'k' in rides.csv:122",
                                             'numeric = ["x"]')),
        ([*range(16777217, 16777257), "0.5"], "MIXED", (
            "whole numbers up to 16777256 stand beside others, and float32 keeps some 7 digits of each",
            'integer = ["x"]')),
        (["1/2/2026", "3/4/2026"] * 20, "BYTES", (
            "the day may come first or the month: both %m/%d/%Y and %d/%m/%Y read all of its dates",
            'date_format = { x = "%d/%m/%Y" }')),
        (["31/1/2026", "1/31/2026"] * 20, "BYTES", ("no format reads all of its 40 dates: %d/%m/%Y, %m/%d/%Y", "")),
    ],
)  # fmt: skip
def test_what_is_doubtful_is_said_with_the_line_that_changes_it(values, kind, doubt):
    _, finding = found(values, kind)
    assert ("x", *doubt) in finding.doubts


def test_few_whole_numbers_are_no_doubt_since_the_preset_sees_them_as_categories_too():
    assert not found([1, 2, 3] * 20, "INT")[1].doubts


def test_shares_are_of_the_cells_that_are_not_null_words():
    column = profile_table(
        [(0, 0, {"x": pa.array([b"1", b"2", b"NA", b"w"]), "y": pa.array([1.0, 2, 3, 4])})], ["x", "y"], "y"
    ).columns["x"]
    assert shares(column.cells).numbers == pytest.approx(2 / 3)


def test_advice_for_a_column_that_is_left_out_takes_it_back():
    _, finding = found([*(n / 7 for n in range(60)), *"ab" * 20], "BYTES")
    assert finding.decided == "left out: nearly every row has a value of its own"
    assert finding.doubts[0].setting == 'null_values = ["", "a", "b"] and no "x" in `exclude`'


def test_numbers_beside_signs_are_not_proposed_as_missing_values():
    _, finding = found([*range(60), *["(7)"] * 20, *["(8)"] * 20], "BYTES")
    assert finding.doubts[0] == (
        "x",
        "60 % of its cells are numbers, but not all: '(7)' in rides.csv:62; write the numbers alone",
        "",
    )


def test_blanks_are_missing_without_a_setting():
    proposal, finding = found([*(n / 7 for n in range(60)), "  ", " "], "FLOAT")
    assert "null_values" not in proposal.settings
    assert finding.holes == 2


@pytest.mark.parametrize("odd", ["2026-01-02", "true"])
def test_one_date_or_truth_value_among_numbers_is_proposed_as_missing(odd):
    proposal, finding = found([*range(60), odd], "INT")
    assert proposal.settings["null_values"] == ["", odd]
    assert "read as missing" in finding.doubts[0].text


def test_many_dates_among_numbers_are_text_with_advice_that_holds():
    _, finding = found([*range(100), "2026-01-02", "2026-01-03"], "BYTES")
    assert (finding.doubts[0].text[-12:], finding.doubts[0].setting) == (
        "read as text",
        'numeric = ["x"] and no `text`',
    )


def test_days_of_which_none_occurs_twice_are_left_out_with_the_line_that_reads_them():
    proposal, finding = found([20260101 + n for n in range(30)], "INT")
    assert proposal.excluded == {"x": "no value occurs twice"}
    (doubt,) = finding.doubts
    assert doubt.text == "each may be a day, such as 20260101"
    assert doubt.setting == 'date_format = { x = "%Y%m%d" } and no "x" in `exclude`'
