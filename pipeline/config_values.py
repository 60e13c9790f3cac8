"""Makes paths in the values of a config absolute, and applies `--set`."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from crossnet.components.params.setting import PathKind
from crossnet.pipeline.config_build import NONE
from crossnet.pipeline.setting_rules import MAX_WHOLE
from crossnet.pipeline.toml_text import parse_toml, received
from crossnet.serving.protocol.printable import shown
from crossnet.serving.storage.uris import is_uri


def sections_of(config: type[Any]) -> dict[str, type[Any]]:
    """Returns the dataclass of each section."""
    hints = typing.get_type_hints(config)
    return {
        item.name: hints[item.name] for item in dataclasses.fields(config) if dataclasses.is_dataclass(hints[item.name])
    }


def place_values(
    values: Mapping[str, Any], overrides: Sequence[str], folder: Path, problems: list[str], config: type[Any]
) -> dict[str, Any]:
    """Returns values with `overrides` applied and absolute paths.

    Args:
      values: Settings by name, those of a section in a mapping of its own.
      overrides: `section.key=value`, the value in TOML or as bare text.
      folder: Where relative paths in `values` begin; those of `overrides` begin in the working directory.
      problems: One sentence for each mistake is added.
      config: The dataclass of the config.
    """
    found = {key: _as_toml_has_it(value) for key, value in values.items()}
    _make_absolute(found, folder, problems, config)
    _place(found, folder)
    for override in overrides:
        _apply(override, found, problems, config)
    _place(found, Path.cwd())
    return found


def _as_toml_has_it(value: Any) -> Any:
    """Returns a value from Python as TOML would give it: paths as text, mappings that may be changed."""
    if isinstance(value, Mapping):
        return {key: _as_toml_has_it(item) for key, item in value.items()}
    return str(value) if isinstance(value, PurePath) else value


def _make_absolute(values: dict[str, Any], folder: Path, problems: list[str], config: type[Any]) -> None:
    """Makes the paths in `values` absolute: against the config file's folder, or the working directory for `--set`."""
    kinds: dict[str, type[Any]] = {"": config, **sections_of(config)}
    for section, kind in kinds.items():
        table = values.get(section) if section else values
        if not isinstance(table, dict):
            continue
        for item in dataclasses.fields(kind):
            path, holds = table.get(item.name), item.metadata.get("path")
            if isinstance(path, int) and not isinstance(path, bool) and abs(path) < MAX_WHOLE:
                path = str(path)  # a file that is called 7
            if holds in (None, PathKind.QUERY) or not isinstance(path, str) or not path or is_uri(path):
                continue
            if holds is PathKind.MODEL and (path == NONE or path.isdecimal()):
                continue
            name = f"{section}.{item.name}".lstrip(".")
            try:
                table[item.name] = str(folder.absolute() / Path(path).expanduser())
            except RuntimeError:
                problems.append(
                    f"`{name}` begins with the home folder of a user who does not exist. Received {received(path)}. "
                    "Write the path in full."
                )
            except ValueError:  # a NUL
                problems.append(f"`{name}` cannot be a path. Received {received(path)}.")


def _place(values: dict[str, Any], folder: Path) -> None:
    """Makes relative paths in a query, the search for plugins and the file of events begin in `folder`.

    Not where another folder is set, or the file is an address.
    """
    lineage = values.get("lineage")
    if isinstance(lineage, str) and lineage and "://" not in lineage and "\0" not in lineage:
        values["lineage"] = str(folder.absolute() / lineage)
    if values.get("plugins") and not values.get("plugins_folder"):
        values["plugins_folder"] = str(folder.absolute())
    table = values.get("example_gen")
    if isinstance(table, dict) and table.get("query") and not table.get("query_folder"):
        table["query_folder"] = str(folder.absolute())


def make_relative(values: dict[str, Any], folder: Path, config: type[Any]) -> None:
    """Makes absolute paths in `values` relative where they lie below `folder`, for a file there.

    What a file says anyhow by where it is, the folder of plugins and of a query, is left out.
    """
    for section, kind in {"": config, **sections_of(config)}.items():
        table = values.get(section) if section else values
        if not isinstance(table, dict):
            continue
        for name in (item.name for item in dataclasses.fields(kind) if item.metadata.get("path") is not None):
            path = table.get(name)
            if isinstance(path, str) and Path(path).is_absolute() and Path(path).is_relative_to(folder):
                table[name] = str(Path(path).relative_to(folder))
        for name in ("plugins_folder", "query_folder"):
            if table.get(name) in (".", str(folder)):
                del table[name]


def _apply(override: str, values: dict[str, Any], problems: list[str], config: type[Any]) -> None:
    """Writes one `section.key=value` into `values`."""
    name, equals, text = override.partition("=")
    if not equals:
        problems.append(f"`--set {shown(override)}` has no value. Write it as `--set section.key=value`.")
        return
    try:
        parsed = parse_toml(f"value = {text}")
        value = parsed["value"] if len(parsed) == 1 else text
    except ValueError:
        value = text
    change: dict[str, Any] = {}
    section, dot, key = name.strip().partition(".")
    if dot:
        change[section] = {key: value}
        _make_absolute(change, Path.cwd(), problems, config)
        table = values.setdefault(section, {})
        if not isinstance(table, dict):
            problems.append(f"`{shown(section)}` has no setting `{shown(key)}`: it is not a section.")
            return
        table.update(change[section])
    else:
        change[section] = value
        _make_absolute(change, Path.cwd(), problems, config)
        values.update(change)
