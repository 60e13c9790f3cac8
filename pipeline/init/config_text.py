"""Writes the config that `init` proposes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from crossnet.components.errors import SettingsError
from crossnet.components.files import MAX_FOLDER_LETTERS, write_file, write_json
from crossnet.components.formats import counted, number
from crossnet.pipeline.config_schema import FIRST_LINE, SCHEMA_FILE, config_schema
from crossnet.pipeline.init.findings import ColumnFinding, Proposal
from crossnet.pipeline.init.tables import SETTINGS, Table
from crossnet.pipeline.init.toml_lines import toml_line
from crossnet.serving.protocol.printable import shown

MAX_COLUMNS = 40  # that are described one by one
_MAX_REASON = 160
_ALWAYS = {"exclude": [], "text": [], "split": "hash", "eval_fraction": 0.1}
_HELP = {
    "exclude": "columns that are not features",
    "text": "numbers that are categories or codes",
    "split": "a row keeps its split when rows are added; also: order, random, key, time, folders",
    "eval_fraction": "share of rows in eval",
}


def config_text(table: Table, proposal: Proposal, output: Path) -> str:
    """Returns the config as TOML, each setting with its reason.

    Args:
      table: The files.
      proposal: What was found.
      output: The TOML file; the input is named relative to its folder where it is below that.
    """
    settings = {name: value for name, value in proposal.settings.items() if name in SETTINGS}
    lines = [
        FIRST_LINE,
        f"# Made by `crossnet init` from {_comment(table.name)}, {counted(proposal.rows, 'row')}.",
        f"# Run it with: crossnet run --config {_comment(output.name)}",
        "# Each section's settings and their defaults: `crossnet run` writes all of them to runs/<run>/config.toml.",
        'models = ["cross_layer", "dense"]   # candidates in order of preference; the last is the baseline',
        '# Add "tfrs_cross" in front of the last for the reference layer of TensorFlow Recommenders.',
        "",
        "[example_gen]",
        toml_line("source", table.source),
        *_rows_from(table, output),
        toml_line("label", proposal.label),
        *_notes(proposal),
        *_columns(proposal.columns),
        *(f"# {toml_line('weight', name)}   # where it says how much a row counts" for name in proposal.weights[:3]),
    ]
    for name in [*(n for n in settings if n not in _ALWAYS), *_ALWAYS]:
        reason = proposal.reasons.get(name, _HELP.get(name, ""))
        comment = f"   # {_comment(reason)}" if reason else ""
        lines.append(f"{toml_line(name, settings.get(name, _ALWAYS.get(name)))}{comment}")
    lines += [
        "",
        "[trainer]",
        'preset = "table"   # settings that suit a table of your own, most of them chosen from its rows',
        "",
        "[evaluator]",
        f"# The label's standard deviation is {number(proposal.label_std)}: the RMSE of always predicting the mean.",
        "# For a limit of your own, in the label's unit, set `max_rmse`.",
        "# Two good models differ by chance: which of them is ahead by a hair says nothing about either.",
        "min_improvement = -0.02   # RMSE may be above the baseline's by this share; 0: it must be below",
        "min_improvement_confidence = 0.05   # refused where eval rows show with 0.95 that it is more; 0.5: by value",
        *_few_groups(proposal),
        "",
        "[pusher]",
        toml_line("model_name", model_name(Path(table.input or output))),
    ]
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)  # the names in it come from the user: make sure that it can be read
    return text


def _few_groups(proposal: Proposal) -> list[str]:
    return [f"allow_few_groups = true   # {_comment(proposal.few_groups)}"] if proposal.few_groups else []


def _rows_from(table: Table, output: Path) -> list[str]:
    if table.query:
        return [toml_line(name, value) for name, value in table.query.items()]
    return [f'{toml_line("input", _input(table, output))}   # relative to this file; also a glob such as "rides/*.csv"']


def _notes(proposal: Proposal) -> list[str]:
    return [
        f"# {_comment(note.clause)}{f' To change that: {_comment(note.setting)}' if note.setting else ''}"
        for note in proposal.notes
    ]


def _columns(columns: list[ColumnFinding]) -> list[str]:
    lines = ["# Its columns:"]
    shown_columns = [c for n, c in enumerate(columns) if n < MAX_COLUMNS or c.doubts][: 2 * MAX_COLUMNS]
    for column in shown_columns:
        facts = [column.type]
        if column.holes:
            facts.append(f"{column.holes:,} of {column.rows:,} empty")
        if column.decided:
            facts.append(column.decided)
        lines.append(f"#   {_comment(column.name)}: {_comment('; '.join(facts))}")
        for doubt in column.doubts:
            line = f" To change that: {_comment(doubt.setting)}" if doubt.setting else ""
            lines.append(f"#     Doubt: {_comment(doubt.clause)}{line}")
    if hidden := len(columns) - len(shown_columns):
        lines.append(f"#   and {counted(hidden, 'more column')} without a doubt")
    return lines


def _comment(text: str) -> str:
    """Returns a text that is safe in a comment, on one line."""
    return shown(text, _MAX_REASON)


def write_config(text: str, output: Path) -> None:
    """Writes a config's text and, beside it, the schema that its first line names.

    Raises:
      SettingsError: `output` exists already, or its folder is not there or not writable.
      OSError: It cannot be written for another reason; then there is nothing.
    """
    refuse_existing(output)
    try:
        write_file(output, text, replace=False)
    except FileExistsError:  # another process has made it meanwhile
        raise _exists(output) from None
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise SettingsError(
            f"Cannot write `{output}`: {error.strerror}. Create its folder, or name another file with --output."
        ) from None
    write_json(output.with_name(SCHEMA_FILE), config_schema(), sort=False)


def refuse_existing(output: Path) -> None:
    """Raises SettingsError where `output` exists."""
    if output.exists():
        raise _exists(output)


def _exists(output: Path) -> SettingsError:
    return SettingsError(f"`{output}` exists already. Name another file with --output, or remove it.")


def _input(table: Table, output: Path) -> str:
    """Returns the path of the files, relative to the folder of `output` where it is in there."""
    path, folder = Path(table.input).absolute(), output.absolute().parent
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def table_name(path: Path) -> str:
    """Returns a table's name: that of its file or, for a glob, of the folder that it begins in."""
    if "*" in path.name:
        path = next((parent for parent in path.parents if "*" not in parent.name and parent.name), path)
    return path.name.strip("*").partition(".")[0] or "table"


def model_name(path: Path) -> str:
    """Returns a name for the table's model that `crossnet.components.files.is_folder_name` accepts."""
    return re.sub(r"[^A-Za-z0-9]", "_", table_name(path)).lstrip("_")[:MAX_FOLDER_LETTERS] or "model"
