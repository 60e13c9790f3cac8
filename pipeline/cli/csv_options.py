"""Defines the options that say how rows are read."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from crossnet.components.errors import SettingsError
from crossnet.pipeline.cli.options import chosen_root
from crossnet.pipeline.remote.places import remote_of

_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(path_type=Path),
        help="Read the rows as [example_gen] of this config says, and ask the model of its [pusher].",
    ),
    click.option("--delimiter", help="CSV: the character between cells; \\t for a tab."),
    click.option("--quote", help="CSV: the character around cells; '' for none."),
    click.option("--escape", help="CSV: the character before one that is part of a cell."),
    click.option("--encoding", help="CSV: such as cp1252 or utf-16."),
    click.option("--comment", multiple=True, help="CSV: how lines begin that are left out; also several times."),
    click.option("--skip-rows", type=click.IntRange(min=0), help="CSV: lines before the header that are left out."),
    click.option("--header/--no-header", default=None, help="CSV: whether the first row names the columns."),
    click.option("--decimal", help="CSV: the mark before a number's fraction: . or , or ,."),
    click.option("--thousands", help="CSV: the mark between groups of a number's digits."),
    click.option("--null-values", multiple=True, help="CSV: a cell that is missing in numbers; also several times."),
    click.option("--nan", type=click.Choice(["error", "missing"]), help="CSV: what NaN is."),
    click.option("--names", help="CSV: the columns' names, with commas between, in place of the file's."),
    click.option(
        "--date-format", multiple=True, metavar="NAME=FORM", help="CSV: a column's dates, as %d.%m.%Y; likewise."
    ),
    click.option("--boolean", multiple=True, metavar="NAME", help="CSV: a column of yes and no; also several times."),
    click.option(
        "--null-text", multiple=True, metavar="NAME", help="CSV: text in which --null-values are missing; likewise."
    ),
    click.option(
        "--rename", multiple=True, metavar="OLD=NEW", help="A column's name in the model; also several times."
    ),
    click.option(
        "--time-unit", multiple=True, metavar="NAME=UNIT", help="The model's unit of a time: s, ms, us, ns; likewise."
    ),
)
_FIELDS = (
    *("delimiter", "quote", "escape", "encoding", "comment", "skip_rows", "header", "names"),
    *("decimal", "thousands", "null_values", "nan", "date_format", "boolean", "null_text"),
)


def csv_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options, and calls the command with `csv_format` and `rules`; one is None where no option states it.

    An option goes before the config, and that before what the model in `--offline` records. A config also states the
    model's name, the folder of its versions, and the format of rows whose name does not tell it.
    """

    @functools.wraps(command)
    def wrapper(*args: Any, config: Path | None, root: Path, **options: Any) -> Any:
        settings = loaded(config)
        options["model_name"] = options.get("model_name") or (settings.pusher.model_name if settings else "crossnet")
        options["pushed"] = _fetched(served_folder(settings, root) / options["model_name"])
        options["file_format"] = options.get("file_format") or _format_of(settings, options.get("rows", ""))
        given = {name: value for name in _FIELDS if (value := options.pop(name)) not in (None, ())}
        _check_are_csv(given, options.get("rows", ""), options.get("file_format"))
        rename = _pairs("--rename", options.pop("rename"), "OLD=NEW, such as --rename 'Trip Miles=miles'")
        units = _pairs("--time-unit", options.pop("time_unit"), "NAME=UNIT, such as --time-unit pickup=ms")
        model = options.get("offline")
        csv_format, rules = _csv_format(settings, given, model), _rules(settings, rename, units, model)
        return command(*args, csv_format=csv_format, rules=rules, **options)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


def loaded(config: Path | None) -> Any:
    """Returns the settings of a config, or None."""
    if config is None:
        return None
    from crossnet.pipeline.config import load_config

    return load_config(config)


def served_folder(settings: Any, root: Path) -> Path:
    """Returns the folder that servers watch, as a config states it."""
    if settings and settings.pusher.serving_dir:
        return Path(settings.pusher.serving_dir)
    return (chosen_root(root, settings) if settings else root) / "serving_models"


def _fetched(pushed: Path) -> Path:
    """Returns the folder of a model's versions, which of a root in a store is fetched before."""
    if (remote := remote_of(pushed.parent.parent)) is not None:
        remote.pull(f"{pushed.relative_to(remote.folder).as_posix()}/")
    return pushed


def _format_of(settings: Any, rows: str) -> str | None:
    """Returns the format that a config states for rows whose name does not tell theirs, or None."""
    from crossnet.serving.rows.formats import FORMATS, format_of

    source = settings.example_gen.source if settings else ""
    return source if source in FORMATS and (rows == "-" or format_of(rows) is None) else None


def _csv_format(settings: Any, given: dict[str, Any], model: Path | None) -> Any:
    """Returns the format that a config and options state, or None.

    Raises:
      SettingsError: One of them is wrong; the message lists all.
    """
    if settings is None and not given:
        return None
    from crossnet.serving.protocol.csv_format import CsvFormat

    if settings is not None:
        csv_format = CsvFormat.of(settings.example_gen)
    elif model is not None:
        from crossnet.serving.offline import recorded_format

        csv_format = recorded_format(model)
    else:
        csv_format = CsvFormat()
    if "date_format" in given:
        form = "NAME=FORM, such as --date-format day=%d.%m.%Y"
        given["date_format"] = {**csv_format.date_format, **_pairs("--date-format", given["date_format"], form)}
    for name in {"boolean", "null_text"} & {*given}:
        given[name] = (*getattr(csv_format, name), *given[name])
    if "names" in given:
        given["names"] = tuple(name.strip() for name in given["names"].split(","))
    csv_format = CsvFormat.of({**dataclasses.asdict(csv_format), **given})
    if problems := csv_format.problems():
        raise SettingsError(" ".join(problems))
    return csv_format


def _check_are_csv(given: Mapping[str, Any], rows: str, file_format: str | None) -> None:
    """Raises SettingsError where options say how a CSV is read, and the rows are not one."""
    if not given:
        return
    from crossnet.serving.rows.formats import format_of

    kind = file_format or (format_of(rows) if rows != "-" else "jsonl")
    if kind in (None, "csv"):  # None: the name does not tell
        return
    name = next(iter(given))
    option = "--no-header" if given.get("header") is False and name == "header" else f"--{name.replace('_', '-')}"
    rows = "Standard input" if rows == "-" else f"`{rows}`"
    words = {"jsonl": "JSON lines", "tfrecord": "TFRecords", "parquet": "Parquet", "arrow": "Arrow"}[kind]
    raise SettingsError(f"`{option}` is for CSV, and {rows} is read as {words}. Leave it out, or give `--format csv`.")


def _pairs(option: str, given: Sequence[str], expected: str) -> dict[str, str]:
    """Returns what an option gives by name.

    Raises:
      SettingsError: A value is not a pair.
    """
    pairs = [text.rpartition("=") for text in given]
    if wrong := next((text for text, (old, _, _) in zip(given, pairs, strict=True) if not old), None):
        raise SettingsError(f"`{option}` is '{wrong}'. Expected {expected}.")
    return {old: new for old, _, new in pairs}


def _rules(settings: Any, rename: Mapping[str, str], units: Mapping[str, str], model: Path | None) -> Any:
    """Returns which columns are which features, as a config and options state, or None.

    Units of a config give way to those that a model in a folder records: these hold for what it was trained on.

    Raises:
      SettingsError: Names or units are wrong; the message lists all.
    """
    if settings is None and not rename and not units:
        return None
    from crossnet.serving.protocol.cell_values import TIME_UNITS
    from crossnet.serving.protocol.column_rules import ColumnRules, problems_of_new_names
    from crossnet.serving.protocol.header_names import feature_name

    recorded, configured = ColumnRules(), ColumnRules()
    if model is not None:
        from crossnet.serving.offline import recorded_rules

        recorded = recorded_rules(model)
    if settings is not None:
        given = settings.example_gen
        configured = ColumnRules(given.rename, given.time_unit, given.not_features)
    renamed = {**configured.rename, **rename}
    problems = problems_of_new_names(renamed)
    if wrong := sorted({*units.values()} - {*TIME_UNITS}):
        problems.append(f"`--time-unit` has the unit '{wrong[0]}'. Expected one of: {', '.join(TIME_UNITS)}.")
    if problems:
        raise SettingsError(" ".join(problems))

    def spelled(units: Mapping[str, str]) -> dict[str, str]:
        pairs = [(feature_name(name, 0), unit) for name, unit in units.items()]
        return {**dict(pairs), **units, **{renamed[name]: unit for name, unit in units.items() if name in renamed}}

    times = {**spelled(configured.time_units), **recorded.time_units, **spelled(units)}
    return ColumnRules(renamed, times, configured.not_features).over(recorded)
