"""Completes steps, runs, settings and configs in a shell.

`eval "$(_CROSSNET_COMPLETE=bash_source crossnet)"` turns it on; zsh_source and fish_source are for these shells.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


def complete_steps(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the steps of the config that the command line names, or of the default."""
    from crossnet.pipeline.config import Config, load_config
    from crossnet.pipeline.graph import build_graph

    config = Config()
    with contextlib.suppress(Exception):  # a shell that completes shows no error
        config = load_config(context.params.get("config_file"), context.params.get("overrides") or ())
    return _fitting((step.name for step in build_graph(config)), incomplete)


def complete_runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the runs of the root that the command line names, the newest first."""
    from crossnet.pipeline.cli.options import DEFAULT_ROOT

    folder = Path(context.params.get("root") or DEFAULT_ROOT) / "runs"
    try:
        names = [path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError:
        return []
    return _fitting(sorted(names, reverse=True), incomplete)


def complete_settings(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Returns the settings as `--set` takes them and, behind the equals sign, the words that one may be."""
    name, equals, value = incomplete.partition("=")
    choices = dict(_settings())
    if equals:
        return [f"{name}={word}" for word in _fitting(choices.get(name, ()), value)]
    return [f"{found}=" for found in _fitting(choices, incomplete)]


def complete_configs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Returns the shipped configs; files are the shell's to complete."""
    from crossnet.pipeline.config import SHIPPED

    shipped = sorted(path.stem for path in SHIPPED.glob("*.toml"))
    return [*map(CompletionItem, _fitting(shipped, incomplete)), CompletionItem(incomplete, type="file")]


def _settings() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields each setting with the words that it may be."""
    import dataclasses
    import typing

    from crossnet.pipeline.config import Config

    hints = typing.get_type_hints(Config)
    for item in dataclasses.fields(Config):
        kind: Any = hints[item.name]
        if not dataclasses.is_dataclass(kind):
            yield item.name, _words(item, kind)
            continue
        own = typing.get_type_hints(kind)
        for setting in dataclasses.fields(kind):
            yield f"{item.name}.{setting.name}", _words(setting, own[setting.name])


def _words(item: Any, hint: Any) -> tuple[str, ...]:
    return ("true", "false") if hint is bool else tuple(item.metadata["choices"])


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
