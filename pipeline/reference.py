"""Writes the reference pages of settings and commands into docs/.

Run it with `python -m crossnet.pipeline.reference`. Settings are read from `crossnet.components.params`, commands from
`crossnet.pipeline.cli`; a test compares the pages with them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from crossnet.components.params.presets import PRESETS, preset_defaults
from crossnet.pipeline.cli import cli
from crossnet.pipeline.config import Config
from crossnet.pipeline.config_build import NONE, TEXT_OR_LIST
from crossnet.pipeline.setting_rules import BOUNDS

DOCS = Path(__file__).resolve().parent.parent / "docs"
WIDTH = 100
NOTE = "<!-- Written by `python -m crossnet.pipeline.reference`; edit the source it reads, not this page. -->\n"
TYPES: dict[Any, str] = {int: "whole number", float: "number", bool: "true or false", str: "text", Any: "value"}


def settings_page() -> str:
    """Returns the reference of all settings, one table per section of the TOML."""
    hints = typing.get_type_hints(Config)
    top = [item for item in dataclasses.fields(Config) if not dataclasses.is_dataclass(hints[item.name])]
    sections: dict[type, list[str]] = {}  # [cross_layer] and [tfrs_cross] share one table
    for item in dataclasses.fields(Config):
        if item not in top:
            sections.setdefault(hints[item.name], []).append(item.name)
    text = f"""\
{NOTE}
# Settings

A run takes the shipped defaults, then a TOML file (`--config`), then `--set section.key=value`. Unknown keys and values
out of range are rejected, all at once, before any step runs. What a run used is in `runs/<run>/config.toml`. The word
`"{NONE}"` switches an optional setting off. Paths in a file are relative to that file, paths in `--set` to the working
directory.

This table shows the defaults of the code. The shipped configs, `default`, `article` and `csv`, set a few of them
otherwise: see `pipeline/configs/`.

## Top level

{_table(top, hints)}
"""
    for kind, names in sections.items():
        title = " and ".join(f"`[{name}]`" for name in names)
        fields = list(dataclasses.fields(kind))
        text += f"\n## {title}\n\n{kind.__doc__}\n\n{_table(fields, typing.get_type_hints(kind))}\n"
    return text + _presets()


def _presets() -> str:
    """Returns the section of the presets: where one has another default than the code."""
    own = {name: preset_defaults(name) for name in PRESETS}
    names = [name for name in PRESETS if own[name]]
    settings = dict.fromkeys(
        (section, key) for name in names for section, values in own[name].items() for key in values
    )
    hints = typing.get_type_hints(Config)
    lines = [f"| setting | code | {' | '.join(names)} |", f"| --- | --- |{' --- |' * len(names)}"]
    for section, key in settings:
        (item,) = (field for field in dataclasses.fields(hints[section]) if field.name == key)
        values = [_default(item), *(own[name].get(section, {}).get(key, _default(item)) for name in names)]
        lines.append(f"| `{section}.{key}` | {' | '.join(f'`{_toml(value)}`' for value in values)} |")
    table = "\n".join(lines)
    return f"""
## Presets

`trainer.preset` chooses the defaults of the settings that a config leaves out. "polynomial" has those of the code; the
others have these. "auto" follows from rows and columns: `crossnet show --settings` prints what each model chose.

{table}
"""


def _table(fields: list[dataclasses.Field[Any]], hints: Mapping[str, Any]) -> str:
    lines = ["| setting | default | takes | meaning |", "| --- | --- | --- | --- |"]
    for item in fields:
        meaning = str(item.metadata["doc"]).replace("|", "\\|").replace("<", "&lt;")
        cells = (f"`{item.name}`", f"`{_toml(_default(item))}`", _takes(hints[item.name], item.metadata), meaning)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _toml(value: Any) -> str:
    """Returns a default as it is written in TOML."""
    if value is None or isinstance(value, str):
        return f'"{NONE if value is None else value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(item)}' for key, item in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _takes(hint: Any, rule: Mapping[str, Any]) -> str:
    if hint == TEXT_OR_LIST:
        return "text, or list of texts"
    if isinstance(hint, types.UnionType) and str in hint.__args__:  # a number or a word
        bounds = [f"{word} {rule[key]}" for word, key, _ in BOUNDS if rule[key] is not None]
        choices = [*rule["choices"], *([NONE] if types.NoneType in hint.__args__ else [])]
        return ", ".join([_type(hint.__args__[0]), *bounds, *(f'or `"{choice}"`' for choice in choices)])
    if rule["choices"]:
        words = ", ".join(f"`{choice}`" for choice in rule["choices"])
        words = f"list of {words}" if typing.get_origin(hint) is tuple else words
    else:
        words = ", ".join([_type(hint), *(f"{word} {rule[key]}" for word, key, _ in BOUNDS if rule[key] is not None)])
    return f'{words}, or `"{NONE}"`' if isinstance(hint, types.UnionType) else words


def _type(hint: Any, many: str = "") -> str:
    """Returns a type in words; `many` is "s" for the plural."""
    if isinstance(hint, types.UnionType):
        return _type(next(item for item in hint.__args__ if item is not types.NoneType), many)
    if typing.get_origin(hint) is tuple:
        return f"list{many} of {_type(hint.__args__[0], 's')}"
    if typing.get_origin(hint) is Mapping:
        return f"table{many} of {_type(hint.__args__[1], 's')}, by name"
    return TYPES[hint] + ("" if hint in (str, bool) else many)


def cli_page() -> str:
    """Returns the reference of the command line: what `--help` prints, command by command."""
    context = _context(cli, "crossnet")
    commands = {name: command for name in cli.list_commands(context) if (command := cli.get_command(context, name))}
    index = "\n".join(
        f"| [`{name}`](#crossnet-{name}) | {command.get_short_help_str(WIDTH)} |" for name, command in commands.items()
    )
    pages = "\n".join(f"## crossnet {name}\n\n```text\n{_help(name, context)}\n```\n" for name in commands)
    return f"""\
{NOTE}
# Command line

`crossnet` and `python -m crossnet` are the same program. Results go to standard output, progress to standard error,
the full log to `runs/<run>/log.txt`.

| command | does |
| --- | --- |
{index}

| exit code | means |
| --- | --- |
| 0 | done; also a run with nothing to do, whose model was pushed before |
| 1 | failed: one error, in words |
| 2 | wrong usage or wrong settings |
| 3 | the gate is closed, nothing was pushed |
| 130, 143 | interrupted by SIGINT (Ctrl-C) or SIGTERM, within 5 s; finished steps are kept. `serve` then exits with 0 |

| environment variable | means |
| --- | --- |
| `CROSSNET_ROOT` | the default of `--root` |
| `TF_CONFIG`, `CROSSNET_WORKER_HOSTS`, `JOB_COMPLETION_INDEX` | who trains together: [scale.md](scale.md) |
| `NO_COLOR` | no colours |

`eval "$(_CROSSNET_COMPLETE=bash_source crossnet)"` in `~/.bashrc` lets Tab complete commands, steps, runs, settings and
shipped configs; zsh takes `zsh_source`, fish `fish_source`. Of a config, `config schema` prints what an editor needs to
complete it; `init` puts that beside the config that it writes.

{pages}"""


def _help(name: str, parent: click.Context) -> str:
    command = cli.get_command(parent, name)
    assert command is not None
    context = _context(command, name, parent)
    parts = [command.get_help(context)]
    if isinstance(command, click.Group):  # with the commands below it
        parts += [inner.get_help(_context(inner, key, context)) for key, inner in command.commands.items()]
    return "\n\n".join(parts)


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return click.Context(
        command, info_name=name, parent=parent, **{"terminal_width": WIDTH, **command.context_settings}
    )


def pages() -> Iterator[tuple[Path, str]]:
    """Yields each generated page's path and text."""
    yield DOCS / "reference-settings.md", settings_page()
    yield DOCS / "reference-cli.md", cli_page()


if __name__ == "__main__":
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
