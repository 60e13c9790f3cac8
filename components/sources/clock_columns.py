"""Names the columns that hold times of day as whole numbers."""

from __future__ import annotations

from crossnet.components.clock import HHMM, HHMMSS
from crossnet.components.errors import SettingsError
from crossnet.components.params.example_gen import INTEGER_SOURCES, ExampleGenParams
from crossnet.components.sources.base import Source, batch_names, meanings, unwritten
from crossnet.components.sources.doubts import toml_text
from crossnet.serving.protocol.printable import shown

_TYPES = {"FLOAT": "numbers that need not be whole", "BYTES": "text"}
_MEANINGS = {"truth": "true and false", "duration": "durations", "time": "dates or times already"}


def clock_columns(source: Source, params: ExampleGenParams) -> dict[str, str]:
    """Returns the form of the columns of times of day, by `ExampleColumn.name`, in the source's order.

    Columns of `exclude`, and those without any value, are not among them.

    Raises:
      SettingsError: One is the label, or does not hold whole numbers.
    """
    names, by_name = batch_names(source), {column.name: column for column in source.columns}
    left_out, problems = unwritten(source), []
    found: dict[str, str] = {}
    settings = {HHMM: ("clock", params.clock), HHMMSS: ("clock_seconds", params.clock_seconds)}
    for form, setting, given in ((form, name, each) for form, (name, those) in settings.items() for each in those):
        column = by_name.get(names.get(given, ""))
        if column is None or column.name in left_out:
            continue
        meaning = meanings(source).get(column.source_name, "").partition(":")[0]
        if given == params.label or column.name == names.get(params.label):
            problems.append(f"`example_gen.{setting}` names `{shown(given)}`, which is the label.")
        elif column.type != "INT" or meaning:
            holds = _MEANINGS.get(meaning) or _TYPES.get(column.type, meaning)
            problems.append(f"`example_gen.{setting}` names `{shown(given)}`, which holds {holds}.")
            example = {"FLOAT": "830.0", "BYTES": "0830"}.get(column.type, "")
            if example and params.source in INTEGER_SOURCES:
                problems[-1] += f" Where {example} is 8:30, add `integer = [{toml_text(given)}]` to [example_gen]."
        if found.setdefault(column.name, form) != form:
            problems.append(f"`example_gen.clock` and `example_gen.clock_seconds` both name `{shown(given)}`.")
    if problems:
        expected = "Expected columns of whole numbers hhmm, such as 830 for 8:30. Take the others out of the setting."
        if params.clock_seconds:
            expected = expected.replace("8:30.", "8:30, or in `clock_seconds` hhmmss.")
        raise SettingsError(" ".join([*problems, expected]))
    return {column.name: found[column.name] for column in source.columns if column.name in found}
