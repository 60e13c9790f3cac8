"""Reads all settings of a run, and lists every mistake at once.

Defaults come first, then a TOML file, then `--set`.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from crossnet.components.artifacts.evaluation import LIGHTGBM
from crossnet.components.errors import SettingsError
from crossnet.components.params.evaluator import EvaluatorParams
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.components.params.example_validator import ExampleValidatorParams
from crossnet.components.params.infra_validator import InfraValidatorParams
from crossnet.components.params.networks import (
    DEFAULT_MODELS,
    MODEL_KINDS,
    CrossLayerParams,
    CrossMixParams,
    DenseParams,
)
from crossnet.components.params.presets import with_preset
from crossnet.components.params.pusher import PusherParams
from crossnet.components.params.schema_gen import SchemaGenParams
from crossnet.components.params.setting import AUTO, PathKind, setting
from crossnet.components.params.statistics_gen import StatisticsGenParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.params.tune import TuneParams
from crossnet.pipeline.config_build import MAX_LISTED, NONE, build
from crossnet.pipeline.setting_rules import MAX_WHOLE
from crossnet.pipeline.toml_text import MAX_PATH, parse_toml, read_toml, received
from crossnet.serving.protocol.printable import shown

SHIPPED = Path(__file__).parent / "configs"


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, one section per step and per model kind.

    Attributes:
      models: Model kinds in order of preference; the last of several is the baseline.
      reference: What is trained to compare with; it is not a model.
      root: The folder of all runs. It enters no fingerprint.
      engine, engine_options, num_workers: Where the jobs of a step run. They enter no fingerprint, nor any byte.
    """

    root: str = setting(
        "",
        "the folder for artifacts, runs and pushed models, of the commands that read a config; empty: crossnet_root in "
        "the working directory. `--root` and CROSSNET_ROOT come first",
        path=PathKind.OUTPUT,
    )
    models: tuple[str, ...] = setting(
        DEFAULT_MODELS, "candidates in order of preference; the last is the baseline", choices=MODEL_KINDS
    )
    reference: str = setting(
        NONE,
        "what is trained beside the models and shown in their table, never served: none, or lightgbm, boosted trees at "
        "their defaults; needs the extra `lightgbm`",
        choices=(NONE, LIGHTGBM),
    )
    engine: str = setting(
        "local",
        "where the jobs of a step run: local, processes of this machine; spark, tasks of Apache Spark, or beam, "
        "pipelines of Apache Beam, for steps that read 1 GiB or more; they need the extra of their name",
        choices=("local", "spark", "beam"),
    )
    engine_options: Mapping[str, str] = setting(
        {}, 'options of Spark, such as `"spark.master" = "yarn"`, or of Beam, such as `runner = "DataflowRunner"`'
    )
    num_workers: int | str = setting(
        AUTO,
        "processes that read and write rows, where a step has enough of them (128 MiB); auto: one per core. For beam, "
        "into how many jobs a step is cut; auto: as its options say how many workers there are. Work is "
        "cut by files (a CSV file without quotes also between rows, a Parquet or Arrow file between row groups) and by "
        "shards (`example_gen.num_shards`). No result depends on the number",
        choices=(AUTO,),
        least=1,
    )
    example_gen: ExampleGenParams = field(default_factory=ExampleGenParams)
    statistics_gen: StatisticsGenParams = field(default_factory=StatisticsGenParams)
    schema_gen: SchemaGenParams = field(default_factory=SchemaGenParams)
    example_validator: ExampleValidatorParams = field(default_factory=ExampleValidatorParams)
    trainer: TrainerParams = field(default_factory=TrainerParams)
    cross_layer: CrossLayerParams = field(default_factory=CrossLayerParams)
    tfrs_cross: CrossLayerParams = field(default_factory=CrossLayerParams)
    cross_mix: CrossMixParams = field(default_factory=CrossMixParams)
    cross_gated: CrossLayerParams = field(default_factory=CrossLayerParams)
    dense: DenseParams = field(default_factory=DenseParams)
    evaluator: EvaluatorParams = field(default_factory=EvaluatorParams)
    infra_validator: InfraValidatorParams = field(default_factory=InfraValidatorParams)
    pusher: PusherParams = field(default_factory=PusherParams)
    tune: TuneParams = field(default_factory=TuneParams)


def load_config(file: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Returns the settings of `file` (none: the shipped default) with `overrides` applied.

    Args:
      file: A TOML file, or the name of a shipped one: default, article, csv.
      overrides: `section.key=value`, the value in TOML or as bare text.

    Raises:
      SettingsError: Any setting is unknown, of the wrong type or out of range; the message lists all of them.
    """
    file = _find(file)
    return make_config(read_toml(file), overrides, folder=file.parent, name=f" in {shown(file.name)}")


def config_values(file: Path | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Returns what a file and `overrides` say themselves, by section, with absolute paths.

    The arguments are those of `load_config`, which has found no mistake in them.
    """
    file = _find(file)
    return _values(read_toml(file), overrides, file.parent, [])


def make_config(
    values: Mapping[str, Any], overrides: Sequence[str] = (), *, folder: Path | None = None, name: str = ""
) -> Config:
    """Returns the settings that `values` holds with `overrides` applied.

    Args:
      values: Settings by name, those of a section in a mapping of its own; paths as text or Path.
      overrides: As in `load_config`.
      folder: Where relative paths in `values` begin; None: the working directory.
      name: Where the values are, such as " in rides.toml", for the message.

    Raises:
      SettingsError: Any setting is unknown, of the wrong type or out of range; the message lists all of them.
    """
    problems: list[str] = []
    found = _values(values, overrides, folder or Path.cwd(), problems)
    config = build(Config, with_preset(found), setting_names(), problems)
    if isinstance(config.models, tuple) and (not config.models or len(set(config.models)) < len(config.models)):
        problems.append(f"`models` must name at least one kind and none twice. Received {list(config.models)}.")
    if config.engine_options and config.engine == "local":
        problems.append(
            '`engine_options` are those of `engine = "spark"` and "beam"; `engine` is local, without any. Remove them.'
        )
    if problems:
        count = f"{len(problems):,} settings are wrong{name}:\n" if len(problems) > 1 else ""
        more = [f"... and {len(problems) - MAX_LISTED:,} more."] if len(problems) > MAX_LISTED else []
        raise SettingsError(count + "\n".join([*problems[:MAX_LISTED], *more]))
    typed: Config = config
    return typed


def _values(values: Mapping[str, Any], overrides: Sequence[str], folder: Path, problems: list[str]) -> dict[str, Any]:
    """Returns values with `overrides` applied and absolute paths; adds to `problems` what does not fit."""
    found = {key: _as_toml_has_it(value) for key, value in values.items()}
    _make_absolute(found, folder, problems)
    _place_query(found, folder)
    for override in overrides:
        _apply(override, found, problems)
    _place_query(found, Path.cwd())
    return found


def _as_toml_has_it(value: Any) -> Any:
    """Returns a value from Python as TOML would give it: paths as text, mappings that may be changed."""
    if isinstance(value, Mapping):
        return {key: _as_toml_has_it(item) for key, item in value.items()}
    return str(value) if isinstance(value, PurePath) else value


def to_toml(config: Config) -> str:
    """Returns every setting, defaults included, as TOML that `load_config` reads back to an equal Config."""
    import tomli_w

    return tomli_w.dumps(as_values(config))


def as_values(config: Config) -> dict[str, Any]:
    """Returns every setting, defaults included, as TOML has it: what `make_config` makes an equal Config of."""
    return dict(_plain(config))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return NONE if value is None else value


def _find(file: Path | None) -> Path:
    if file is None:
        return SHIPPED / "default.toml"
    if os.path.isfile(file):
        return file
    shipped = sorted(path.stem for path in SHIPPED.glob("*.toml"))
    if str(file) in shipped:
        return SHIPPED / f"{file}.toml"
    if os.path.exists(file):
        return file  # a folder or a pipe, which reading it names
    raise SettingsError(
        f"No config file `{shown(str(file), MAX_PATH)}`. Name a TOML file, or one of those that come with the package: "
        f"{', '.join(shipped)}."
    )


def _make_absolute(values: dict[str, Any], folder: Path, problems: list[str]) -> None:
    """Makes the paths in `values` absolute: against the config file's folder, or the working directory for `--set`."""
    kinds: dict[str, type[Any]] = {"": Config, **_sections()}
    for section, kind in kinds.items():
        table = values.get(section) if section else values
        if not isinstance(table, dict):
            continue
        for item in dataclasses.fields(kind):
            path, holds = table.get(item.name), item.metadata.get("path")
            if isinstance(path, int) and not isinstance(path, bool) and abs(path) < MAX_WHOLE:
                path = str(path)  # a file that is called 7
            if holds in (None, PathKind.QUERY) or not isinstance(path, str) or not path:
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


def _place_query(values: dict[str, Any], folder: Path) -> None:
    """Makes relative paths in a query begin in `folder`, unless another folder is set."""
    table = values.get("example_gen")
    if isinstance(table, dict) and table.get("query") and not table.get("query_folder"):
        table["query_folder"] = str(folder.absolute())


def _apply(override: str, values: dict[str, Any], problems: list[str]) -> None:
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
        _make_absolute(change, Path.cwd(), problems)
        table = values.setdefault(section, {})
        if not isinstance(table, dict):
            problems.append(f"`{shown(section)}` has no setting `{shown(key)}`: it is not a section.")
            return
        table.update(change[section])
    else:
        change[section] = value
        _make_absolute(change, Path.cwd(), problems)
        values.update(change)


def _sections() -> dict[str, type[Any]]:
    """Returns the dataclass of each section."""
    hints = typing.get_type_hints(Config)
    return {
        item.name: hints[item.name] for item in dataclasses.fields(Config) if dataclasses.is_dataclass(hints[item.name])
    }


def setting_names() -> list[str]:
    """Returns every legal setting as `section.key`, and the sections."""
    names = [item.name for item in dataclasses.fields(Config)]
    for section, kind in _sections().items():
        names += [f"{section}.{item.name}" for item in dataclasses.fields(kind)]
    return names


def changed_settings(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Returns name and value of the settings that differ from their defaults."""
    defaults = as_values(Config())
    changed = []
    for section, values in settings.items():
        default = defaults.get(section, {})
        if isinstance(values, Mapping):
            changed += [(f"{section}.{key}", value) for key, value in values.items() if value != default.get(key)]
        elif values != default:
            changed.append((section, values))
    return changed
