"""Decides what a column is and how its cells are read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

from crossnet.components.formats import counted, percent
from crossnet.components.sources.csv_cells import EXACT
from crossnet.components.sources.csv_hints import comment_word, holds_number
from crossnet.pipeline.init.cell_counts import CellCounts
from crossnet.pipeline.init.date_order import propose_dates
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.number_times import doubt_days, doubt_daytimes, epoch, propose_epoch
from crossnet.pipeline.init.profile import ColumnProfile
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.pipeline.init.truth_words import propose_truth
from crossnet.serving.protocol.cell_values import read_boolean
from crossnet.serving.protocol.printable import shown

KIND_WORDS = {
    "FLOAT": "number",
    "INT": "whole number",
    "BOOL": "true or false, learned as 1 and 0",
    "TIME": "date or time, learned as seconds since 1970 (UTC)",
    "TIME_UTC": "time with its zone, learned as seconds since 1970",
    "WHOLE": "whole number",
    "WORDS": "true or false, learned as 1 and 0",
    "DATE": "date or time, learned as seconds since 1970 (UTC)",
    "BYTES": "text",
}
_MOSTLY = 0.9  # share of cells of a form, from which the others are odd
_MAX_ODD_WORDS = 5
_MAX_ODD_SHARE = 0.05
MIN_KEY_ROWS = 20
_MANY_HOLES = 0.5
_EVEN = (0.25, 0.75)  # where the median of some 20 and more numbers lies that fill their range
_FOLLOWS = 0.5  # roughness, below which the label follows a number
_KEY_NAME = re.compile(r"(?i:(^|_)(id|key|no|nr|number|code|uuid|index|row)$)|[a-z]I[dD]$", re.ASCII)
_WEIGHT_NAME = re.compile(r"(?i:(^|_)(weights?|wgt|wt|fnlwgt)$)|[a-z]W(eight|gt)$", re.ASCII)

Place = Callable[[int, int], str]


class Cells(NamedTuple):
    """The shares of the forms of a text column's cells, of those that are not null words."""

    numbers: float
    dates: float
    times: float
    truths: float
    words: float


def shares(cells: CellCounts) -> Cells:
    """Returns the shares of forms."""
    forms = cells.forms
    size = max(cells.looked - forms["null"], 1)
    numbers = forms["number"] + forms["nan"] + forms["comma"] + forms["grouped"] + forms["grouped comma"]
    return Cells(
        numbers / size, forms["date"] / size, forms["time"] / size, forms["truth"] / size,
        forms["word of truth"] / size,
    )  # fmt: skip


def read_cells(
    finding: ColumnFinding,
    column: ColumnProfile,
    proposal: Proposal,
    place: Place,
    is_label: bool,
    is_first: bool = False,
) -> None:
    """Proposes the settings that read a text column's cells, and adds what is doubtful about them.

    Args:
      finding: The column, to be filled.
      column: What its rows show.
      proposal: What is proposed so far, to be filled.
      place: Returns the place of a row, by unit and row.
      is_label: Whether it is the label.
      is_first: Whether lines begin with it.
    """
    cells, name = column.cells, finding.name
    share = shares(cells)
    forms = cells.forms

    def example(form: str) -> str:
        found = cells.examples[form]
        return f"'{shown(found.cell)}' in {place(found.unit, found.row)}"

    numeric = share.numbers >= _MOSTLY and forms["number"] + forms["comma"] + forms["grouped"] > 0
    # "007" is not the number 7, but "0830" may be 8:30
    is_code = forms["zero"] > 0 and not is_label and share.numbers >= _MOSTLY and not column.is_daytime
    typed = numeric or max(share.dates, share.times, share.truths, share.words) >= _MOSTLY
    is_truth = propose_truth(finding, column, proposal)
    if forms["null"] and (typed or is_truth):
        _null_words(finding, cells, proposal, example)
    if is_truth:
        return
    if forms["nan"] and numeric:
        proposal.put("nan", "missing", f"{name} has {counted(forms['nan'], 'NaN', 'NaN')}, first {example('nan')}")
        finding.holes += forms["nan"]
    if numeric and not (is_first and _notes(finding, cells, proposal, example)):
        if not is_code:
            _odd_cells(finding, cells, proposal, example, is_label)
    elif 0.5 < share.numbers < _MOSTLY and forms["other"]:
        _words_among_numbers(finding, cells, percent(share.numbers), example)
    elif typed and not numeric:
        _odd_words(finding, cells, proposal, example)
    if share.dates >= _MOSTLY:
        propose_dates(finding, cells, proposal)
    elif forms["date"] and (share.dates + share.times) >= _MOSTLY:
        finding.doubt(f"dates of several forms: {example('date')}; write them in one")
    if share.words >= _MOSTLY:
        words = list(cells.words["word of truth"])
        if {read_boolean(word) for word in words} == {True, False}:
            proposal.put("boolean", [name], f"{name} holds {' and '.join(map(shown, words[:4]))}")
    if is_code:
        why = f"{name} has {counted(forms['zero'], 'cell')} with a leading zero, first {example('zero')}"
        proposal.put("text", [name], why)
        finding.decided = "text: a code, not a number"


def _null_words(finding: ColumnFinding, cells: CellCounts, proposal: Proposal, example: Callable[[str], str]) -> None:
    """Proposes that words for nothing are missing values; blanks alone are that anyhow."""
    finding.holes += cells.forms["null"]
    if words := [word for word in cells.words["null"] if word]:
        count = sum(cells.words["null"][word] for word in words)
        first = f", first {example('null')}" if cells.examples["null"].cell.strip() else ""
        proposal.put("null_values", ["", *words], f"{finding.name} has {counted(count, 'such cell')}{first}")
        finding.decided = f"{', '.join(map(shown, words[:3]))} is a missing value"


def _words_among_numbers(finding: ColumnFinding, cells: CellCounts, share: str, example: Callable[[str], str]) -> None:
    """Adds the doubt about a column of text of which most cells are numbers."""
    said = f"{share} of its cells are numbers, but not all: {example('other')}"
    if any(map(holds_number, cells.words["other"])):  # which would be lost as a missing value
        finding.doubt(f"{said}; write the numbers alone")
        return
    few = len(cells.words["other"]) <= _MAX_ODD_WORDS
    line = toml_line("null_values", ["", *cells.words["other"]]) if few else toml_line("numeric", [finding.name])
    finding.doubt(said, line)


def _notes(finding: ColumnFinding, cells: CellCounts, proposal: Proposal, example: Callable[[str], str]) -> bool:
    """Proposes to leave out the lines of notes and sums among rows whose first cells are numbers, if all others are."""
    words, count = cells.words["other"], cells.forms["other"]
    odd = count + sum(cells.forms[form] for form in ("date", "time", "truth", "word of truth"))
    if not count or count < odd or sum(words.values()) < count or count > _MAX_ODD_SHARE * cells.looked:
        return False
    begins = {"#" if word.startswith("#") else comment_word(word, 1) for word in words}
    if len(begins) > 1 or not (begin := begins.pop()):
        return False
    cell = cells.examples["other"].cell
    if blanks := cell[: len(cell) - len(cell.lstrip())]:  # a line begins with them too
        if count > 1:
            return False
        begin = blanks + begin
    said = f"{counted(count, 'line')} of {cells.looked:,} {'begins' if count == 1 else 'begin'} with it"
    proposal.put("comment", begin, f"{said}: {example('other')}")
    finding.doubt(f"{said}: {example('other')}; left out", "no `comment`")
    return True


def _odd_cells(
    finding: ColumnFinding, cells: CellCounts, proposal: Proposal, example: Callable[[str], str], is_label: bool
) -> None:
    """Proposes what to do about the cells that are not numbers among numbers."""
    odd = [form for form in ("other", "date", "time", "truth", "word of truth") if cells.forms[form]]
    count = sum(cells.forms[form] for form in odd)
    if not count:
        return
    words = [*cells.words["other"], *cells.words["word of truth"]]
    single = [form for form in ("date", "time", "truth") if cells.forms[form] == 1]  # whose cells are known
    words += [cells.examples[form].cell.strip() for form in single]
    said = f"{counted(count, 'cell')} of {cells.looked:,} {'is' if count == 1 else 'are'} not a number"
    said = f"{said}: {example(odd[0])}"
    few = not set(odd) - {"other", "word of truth", *single} and len(words) <= _MAX_ODD_WORDS
    if (few and count <= _MAX_ODD_SHARE * cells.looked) or is_label:
        proposal.put("null_values", ["", *words], f"{finding.name}: {said}")
        finding.holes += count
        finding.doubt(f"{said}; read as missing", toml_line("text", [finding.name]))
        return
    proposal.put("text", [finding.name], f"{finding.name}: {said}")
    line = toml_line("null_values", ["", *words]) if few else toml_line("numeric", [finding.name])
    finding.doubt(f"{said}; read as text", f"{line} and no `text`")


def _odd_words(finding: ColumnFinding, cells: CellCounts, proposal: Proposal, example: Callable[[str], str]) -> None:
    """Proposes that a few words among dates, times or truth values are missing values."""
    words, count = cells.words["other"], cells.forms["other"]
    if not count or len(words) > _MAX_ODD_WORDS or count > _MAX_ODD_SHARE * cells.looked:
        return
    said = f"{counted(count, 'cell')} of {cells.looked:,} {'is' if count == 1 else 'are'} not like the others"
    said = f"{said}: {example('other')}"
    proposal.put("null_values", ["", *words], f"{finding.name}: {said}")
    finding.holes += count
    finding.doubt(f"{said}; read as missing", toml_line("text", [finding.name]))


def use_column(finding: ColumnFinding, column: ColumnProfile, kind: str, variance: float, proposal: Proposal) -> None:
    """Proposes whether a feature is used, and how.

    Args:
      finding: The column, to be filled.
      column: What its rows show.
      kind: How its cells are read with the settings that are proposed.
      variance: The label's.
      proposal: What is proposed so far, to be filled.
    """
    sample, name = column.sample, finding.name
    present = column.rows - column.holes
    if column.is_list:
        if column.has_several:
            finding.decided = "left out: lists of several values"
            proposal.excluded[name] = "lists of several values, and a model takes one per row"
        return
    if not present:
        finding.decided = "left out: it is empty"
        proposal.excluded[name] = "empty"
        return
    if sample.distinct == 1 and not finding.holes:
        finding.decided = "left out: one value"
        proposal.excluded[name] = "one value in all rows"
        return
    if present > MIN_KEY_ROWS and kind in ("INT", "BYTES") and not sample.repeated:
        if kind == "BYTES" or _KEY_NAME.search(name) or not (sign := _sign_of_a_measurement(column, present)):
            _, since = epoch(finding, column) if kind == "INT" else ("", "")
            if not _KEY_NAME.search(name) and propose_epoch(finding, column, kind, proposal):
                return
            finding.decided = "left out: no value occurs twice"
            proposal.excluded[name] = "no value occurs twice"
            doubt_days(finding, column, kind, f' and no "{name}" in `exclude`')
            if since and not _KEY_NAME.search(name):
                finding.doubt(f"each may be a time, {since}", f'no "{name}" in `exclude`')
        else:
            finding.doubt(f"no value occurs twice, but {sign}: is it a key?", toml_line("exclude", [name]))
        return
    if kind == "BYTES" and present > MIN_KEY_ROWS and sample.rows_per_value < 2 and sample.distinct > 0.5 * present:
        finding.decided = "left out: nearly every row has a value of its own"
        proposal.excluded[name] = f"some {sample.distinct:,} values in {present:,} rows"
        taken_back = f' and no "{name}" in `exclude`'  # or it stays left out
        finding.doubts = [
            doubt._replace(setting=doubt.setting + taken_back) if doubt.setting else doubt for doubt in finding.doubts
        ]
        return
    forms, largest = column.cells.forms, max(abs(column.least), abs(column.most))
    if forms["number"] > forms["whole"] > forms["number"] / 2 and EXACT < largest < math.inf and kind != "BYTES":
        said = f"whole numbers up to {largest:.0f} stand beside others, and float32 keeps some 7 digits of each"
        finding.doubt(said, toml_line("integer", [name]))
    doubt_days(finding, column, kind)
    if kind == "INT" and not propose_epoch(finding, column, kind, proposal):
        doubt_daytimes(finding, column)
    if column.infinite:
        said = f"{counted(column.infinite, 'cell')} infinite, or beyond 3.4e+38, which stops the run"
        finding.doubt(said, toml_line("exclude", [name]))
    if finding.holes > _MANY_HOLES * column.rows:
        share = percent(finding.holes / column.rows)
        finding.doubt(f"{share} of its cells are empty", toml_line("exclude", [name]))


def _sign_of_a_measurement(column: ColumnProfile, present: int) -> str:
    """Returns what tells that whole numbers of which none occurs twice are not a key; "" where nothing does."""
    sample = column.sample
    if column.most - column.least < 2 * present:
        return ""
    if sample.roughness < _FOLLOWS:
        return "the label follows it"
    if not column.order and not _EVEN[0] <= sample.place_of_median <= _EVEN[1]:  # keys fill their range
        return "most lie at one end of their range"
    return ""


def may_weigh(finding: ColumnFinding, column: ColumnProfile, kind: str) -> bool:
    """Whether a column may hold the rows' weights: its name says so, and all its numbers are at least 0."""
    is_named = _WEIGHT_NAME.search(finding.name) is not None
    return is_named and kind in ("INT", "FLOAT", "MIXED", "WHOLE") and not finding.holes and column.least >= 0
