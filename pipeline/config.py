"""Reads all settings of a run, and lists every mistake at once.

Defaults come first, then a TOML file, then `--set`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

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
from crossnet.pipeline.config_values import place_values, sections_of
from crossnet.pipeline.plugins import NO_PLUGINS, Plugins, config_class, load_plugins, recorded
from crossnet.pipeline.toml_text import MAX_PATH, read_toml
from crossnet.serving.protocol.printable import shown

SHIPPED = Path(__file__).parent / "configs"


MLFLOW = "mlflow"


def _models(more: tuple[str, ...] = ()) -> Any:
    """Returns the field `models`, which may name `more` kinds than ours."""
    doc = "candidates in order of preference; the last is the baseline"
    return setting(DEFAULT_MODELS, doc, choices=(*MODEL_KINDS, *more))


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, one section per step and per model kind.

    Attributes:
      models: Model kinds in order of preference; the last of several is the baseline.
      reference: What is trained to compare with; it is not a model.
      root: The folder of all runs. It enters no fingerprint.
      engine, engine_options, num_workers: Where the jobs of a step run. They enter no fingerprint, nor any byte.
      tracking, tracking_uri, lineage: Who is told of a run. They enter no fingerprint.
      plugins, plugins_folder: Modules of a user's project that add kinds of models and components. The code of each
        enters the fingerprints of the steps that use it.
      plugins_loaded: What they add; the sections of a config that has plugins are those of this class and theirs.
    """

    plugins_loaded: ClassVar[Plugins] = NO_PLUGINS

    root: str = setting(
        "",
        "the folder for artifacts, runs and pushed models, of the commands that read a config; empty: crossnet_root in "
        "the working directory. `--root` and CROSSNET_ROOT come first",
        path=PathKind.OUTPUT,
    )
    tracking: str = setting(
        NONE,
        "where a run is logged besides: none, or mlflow: settings, metrics by model, report and the blessed model; "
        "needs the extra `mlflow`",
        choices=(NONE, MLFLOW),
    )
    tracking_uri: str = setting(
        "", "the tracking store of MLflow, such as sqlite:///mlflow.db; empty: what MLFLOW_TRACKING_URI says"
    )
    lineage: str = setting(
        "", "a file, or an address (http, https), that gets OpenLineage events of each step; empty: nothing does"
    )
    plugins: tuple[str, ...] = setting(
        (),
        "modules of your own project, such as my_project.kinds, that add kinds of models (MODEL_KINDS) and components "
        "(COMPONENTS); they are imported when a config is read",
    )
    plugins_folder: str = setting(
        "",
        "where these modules are looked for, behind the places where Python looks; empty: the config file's folder, "
        "with `--set` the working directory",
        path=PathKind.INPUT,
    )
    models: tuple[str, ...] = _models()
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
      SettingsError: Any setting is unknown, of the wrong type or out of range; the message lists all of them. Or a
        module of `plugins` cannot be used.
    """
    file = _find(file)
    return make_config(read_toml(file), overrides, folder=file.parent, name=f" in {shown(file.name)}")


def load_recorded(file: Path) -> Config:
    """Returns the settings of a run's config.toml; code that its `plugins` name is not imported.

    Raises:
      SettingsError: This version does not know a setting.
    """
    values = read_toml(file)
    kind = config_class(Config, recorded(values.get("plugins"), values, _taken()), _models)
    problems: list[str] = []
    config = build(kind, place_values(values, (), file.parent, problems, kind), setting_names(kind), problems)
    if problems:
        raise SettingsError("\n".join(problems[:MAX_LISTED]))
    typed: Config = config
    return typed


def config_values(file: Path | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Returns what a file and `overrides` say themselves, by section, with absolute paths.

    The arguments are those of `load_config`, which has found no mistake in them.
    """
    file = _find(file)
    values = read_toml(file)
    return place_values(values, overrides, file.parent, [], _config_class(values, overrides, file.parent))


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
      SettingsError: Any setting is unknown, of the wrong type or out of range; the message lists all of them. Or a
        module of `plugins` cannot be used.
    """
    problems: list[str] = []
    kind = _config_class(values, overrides, folder or Path.cwd())
    found = place_values(values, overrides, folder or Path.cwd(), problems, kind)
    config = build(kind, with_preset(found), setting_names(kind), problems)
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


def _config_class(values: Mapping[str, Any], overrides: Sequence[str], folder: Path) -> type[Config]:
    """Returns the class of a config, with the sections of the plugins that it names. They are imported for it.

    Raises:
      SettingsError: One cannot be used.
    """
    named = [override for override in overrides if override.strip().startswith("plugins")]
    top = {key: value for key, value in values.items() if key.startswith("plugins")}
    found = place_values(top, named, folder, [], Config)
    folder_setting = found.get("plugins_folder", "")
    searched = folder_setting if isinstance(folder_setting, str) else ""
    kind: type[Config] = config_class(Config, load_plugins(found.get("plugins"), searched, _taken()), _models)
    return kind


def _taken() -> list[str]:
    """Returns the names that a user's kind of model or component cannot have: those of our settings and steps."""
    return [*(item.name for item in dataclasses.fields(Config)), "reference"]


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


def setting_names(config: type[Config] = Config) -> list[str]:
    """Returns every legal setting as `section.key`, and the sections."""
    names = [item.name for item in dataclasses.fields(config)]
    for section, kind in sections_of(config).items():
        names += [f"{section}.{item.name}" for item in dataclasses.fields(kind)]
    return names


def changed_settings(settings: Mapping[str, Any], config: type[Config] = Config) -> list[tuple[str, Any]]:
    """Returns name and value of the settings that differ from their defaults."""
    defaults = as_values(config())
    changed = []
    for section, values in settings.items():
        default = defaults.get(section, {})
        if isinstance(values, Mapping):
            changed += [(f"{section}.{key}", value) for key, value in values.items() if value != default.get(key)]
        elif values != default:
            changed.append((section, values))
    return changed
