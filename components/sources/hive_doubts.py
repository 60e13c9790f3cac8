"""Says which folders of a column of text are numbers or dates."""

from __future__ import annotations

from collections.abc import Iterable

from crossnet.components.sources.csv_cells import is_code
from crossnet.components.sources.csv_hints import is_null_word, setting_for
from crossnet.components.sources.doubts import Doubt, toml_text
from crossnet.components.sources.hive_columns import FolderColumn
from crossnet.components.sources.naming import NamedColumns
from crossnet.serving.protocol.cell_values import read_number
from crossnet.serving.protocol.printable import shown


def folder_doubts(columns: Iterable[FolderColumn], named: NamedColumns, form: str) -> tuple[Doubt, ...]:
    """Returns a doubt for each column that folders name as text, and that may be one of numbers or dates.

    Args:
      columns: Those of the folders.
      named: All columns by use.
      form: The source's name in the settings; only a CSV has those for words and dates.
    """
    asked = [column for column in columns if column.source_name in {*named.names} - named.text]
    return tuple(filter(None, (_doubt(column, form) for column in asked if column.type == "BYTES")))


def _doubt(column: FolderColumn, form: str) -> Doubt | None:
    name, texts = column.source_name, list(dict.fromkeys(text for text in column.texts if text and text.strip()))
    others = [text for text in texts if read_number(text) is None]
    if not texts or any(map(is_code, texts)):
        return None
    if not others:
        said = f"is read as text, and all its folders are numbers (first: '{shown(texts[0])}')"
        return Doubt(name, said, f"numeric = [{toml_text(name)}]")
    if len(others) < len(texts) and all(map(is_null_word, others)):
        said = f"is read as text: its folders are numbers but for '{shown(others[0])}'"
        if form == "csv":
            return Doubt(name, said, f'null_values = ["", {", ".join(map(toml_text, others))}]')
        return Doubt(name, f"{said}; name that folder {toml_text('__HIVE_DEFAULT_PARTITION__')}, which is a hole")
    if all(setting_for(text, name).startswith("date_format") for text in texts):
        said = f"is read as text, and its folders look like dates (first: '{shown(texts[0])}')"
        return Doubt(name, said, setting_for(texts[0], name) if form == "csv" else "")
    return None
