"""Writes the benchmarks page, with TFX's figures for the same job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import met_word, table

# TFX 1.21.0 (TensorFlow 2.21.0, Beam 2.77.0) on Python 3.13, Debian 13, 2 shared cores, CPU only, 2026-11-23: the
# article's 100,000 rows from CSV, one cross network, Adagrad 0.4, batch 1000, 100 epochs, RMSE gate, push.
TFX = (
    ("whole pipeline, batches in memory", "67.6 CPU s (median of 4)", "whole_run", "first run"),
    ("unchanged second run", "14.8 CPU s (median of 5); pushes again", "whole_run", "unchanged run"),
    ("CsvExampleGen, 100,000 rows", "12,500 rows per CPU s", "data", "csv"),
    ("StatisticsGen, 100,000 rows", "5.9 CPU s", "", ""),
    ("Evaluator, 10,000 rows", "6.2 CPU s", "evaluation", ""),
    ("`from tfx import v1`", "12.0 CPU s (median of 3)", "command_line", "crossnet --help"),
)

WHEN = """\
Written by `{command}` on {date}: {machine}, load {load:.1f} at the start.
{versions}.
"""

HEAD = """\
# Benchmarks

{when}
Each row measures ours and the named alternative in turn, in one run; CPU seconds count user and system time of all
processes. The machine is shared and noisy: read the ratios. `NO` is a goal that was missed in this run.
`fidelity` has a page of its own: [fidelity.md](fidelity.md).

"""

COLUMNS = ("benchmark", "case", "ours", "other", "unit", "ratio", "goal", "met", "other is")
NUMBERS = ("ours", "other", "ratio")

# What a reader asks of rows that miss a goal, by benchmark; it stands below the rows of each run.
NOTES = {
    "mixed_data": """\
`mixed_data`, where the time goes (2026-11-30, on a busy machine): 1 M rows of 30 columns take 3.8 CPU s beside 1.0 of
polars' read (4.3 before the last changes of the same day, measured in turn), of which ExampleGen takes 2.7. To read and
type the cells takes Arrow 1.0, about as much as the whole read takes polars. The rest is what a plain read does not do:
0.9 to encode 580 MB of records (0.45 of it to put the pieces of each row behind each other, 0.25 the checksums, a call
per record), 0.15 to write them and 0.3 the columns beside them (with their checksums), 0.1 to convert whole numbers,
0.1 to look for numbers that stand for nothing, 0.9 for statistics (0.3 of it texts, 0.25 numbers, 0.1 to list the most
frequent values), 0.12 to validate (0.5 before: rows are compared by their numbers first).
20,000 rows of 1,000 columns take 2.4 CPU s (2.8 before the last changes of the same
day, in turn), 1.3 to 1.4 times the 1.8 of 10 columns of as many cells: 0.75 to read (10 columns: 0.8), 0.15 to plan by
the first cells (0.02), 0.55 to encode, keep and write rows (0.5), 0.05 to look for numbers that stand for nothing
(0.03), 0.5 for statistics (0.25; 0.22 of it to summarise numbers as of 10 columns, 0.15 to write histograms of 57 MB,
0.1 to read columns in groups), 0.08 to compare the splits (0), 0.03 for the schema (0), nearly 0 to look for rows that
repeat (0.15), since a few columns tell them apart.
""",
    "workers": """\
`workers`: 1.2 is the goal of a CSV of 1 GB, 1.3 that of the smaller files, beside which the start of the second
process weighs more.
""",
}

TFX_HEADING = "## Beside TFX"
PEERS = f"""
{TFX_HEADING}

TFX 1.21.0 on the article's job, measured on 2026-11-23 on 2 shared cores (another machine than ours, so no ratio is
given; its CPU seconds were inflated by up to 1.6 times when the machine was busy). Our pipeline trains two models where
TFX trained one.

| job | TFX 1.21.0 | ours, as above |
| --- | --- | --- |
"""


def render(report: Mapping[str, Any], command: str) -> str:
    """Returns the page, Markdown, for a report as `--json` writes it."""
    text = HEAD.format(when=_when(report, command)) + _table(report["rows"]) + _notes(report["rows"]) + PEERS
    for job, theirs, benchmark, case in TFX:
        if ours := _find(report["rows"], benchmark, case):
            text += f"| {job} | {theirs} | {ours} |\n"
    return text


def with_section(text: str, report: Mapping[str, Any], command: str) -> str:
    """Returns a page with the report of a later run of some benchmarks, in place of an earlier one of the same.

    Args:
      text: The page, as `render` writes it; its rows of these benchmarks stay, and are of the run that it names.
      report: The later run's.
      command: What ran it.
    """
    names = ", ".join(dict.fromkeys(row["benchmark"] for row in report["rows"]))
    heading = f"## Run later: {names}\n"
    if heading in text:
        start = text.index(heading)
        text = text[:start] + text[text.index("\n## ", start) + 1 :]
    before, _, after = text.partition(TFX_HEADING)
    rows = report["rows"]
    return f"{before}{heading}\n{_when(report, command)}\n{_table(rows)}{_notes(rows)}\n{TFX_HEADING}{after}"


def _when(report: Mapping[str, Any], command: str) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    return WHEN.format(command=command, versions=versions, **{key: report[key] for key in ("date", "machine", "load")})


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [
        (
            row["benchmark"],
            row["case"],
            _number(row["ours"]),
            _number(row["other"]),
            row["unit"],
            _number(row["ratio"]),
            row["goal"],
            met_word(row["met"]),
            row["alternative"],
        )
        for row in rows
    ]
    return table(COLUMNS, cells, [i for i, name in enumerate(COLUMNS) if name not in NUMBERS])


def _notes(rows: Sequence[Mapping[str, Any]]) -> str:
    present = {row["benchmark"] for row in rows}
    return "".join(f"\n{note}" for name, note in NOTES.items() if name in present)


def _find(rows: Sequence[Mapping[str, Any]], benchmark: str, case: str) -> str:
    for row in rows:
        if row["benchmark"] == benchmark and str(row["case"]).lower().startswith(case):
            return f"{row['case']}: {_number(row['ours'])} {row['unit']}"
    return ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}"
