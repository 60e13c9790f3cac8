"""Says which settings are tried, and with which values."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossnet.components.errors import SettingsError
from crossnet.components.formats import number
from crossnet.components.params.networks import CrossMixParams, DenseParams, is_own
from crossnet.components.params.setting import AUTO
from crossnet.components.training.recipe import make_architecture, make_recipe
from crossnet.pipeline.config import Config, as_values, make_config, setting_names
from crossnet.pipeline.toml_text import received
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean

Values = Mapping[str, Any]  # by setting, as TOML has them

# Settings of [trainer] that change how trials are judged, where they start or what is written, not what is learned.
_FIXED = (
    "preset",
    "seed",
    "early_stopping_patience",
    "validation_fraction",
    "interval_coverage",
    "checkpoint_every",
    "checkpoint_updates",
    "strategy",
    "replicas",
    "worker_rows",
    "start_timeout_seconds",
    "precision",
    "warm_start",
    "cache_mib",
    "warmup_records",
    "tensorboard",
)
_RATE = 4.0  # the learning rate is tried from a fourth of what it would be to four times that
_DECAYS = ((0.1,), (1.0,), (0.02, 0.5), (0.5, 4.0))  # a member that fits closely beside one that stays near a line
_BINS = (0, 8, 24, 48)


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included: by their logarithm where `log`, whole ones where `whole`."""

    low: float
    high: float
    log: bool
    whole: bool

    def __str__(self) -> str:
        return f"{number(self.low)} to {number(self.high)}{', by the logarithm' if self.log else ''}"


@dataclass(frozen=True)
class Choices:
    """Some values, as TOML has them."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ", ".join(json.dumps(value) for value in self.values)


Space = Mapping[str, Range | Choices]


def check_space(config: Config, kind: str) -> None:
    """Checks what a config says that is tried, before there are rows.

    Raises:
      SettingsError: It names what cannot be tried; the message lists all of that.
    """
    _declared(config, kind)


def space_of(config: Config, kind: str, rows: int) -> tuple[Space, Values]:
    """Returns what is tried, and what the config itself has of it.

    Args:
      config: All settings; `tune.space` says what is tried, if it says anything.
      kind: The model kind.
      rows: Rows of train, from which the config's "auto" follows.

    Raises:
      SettingsError: The space names what cannot be tried; the message lists all of that.
    """
    space = _declared(config, kind) if config.tune.space else _default(config, kind, rows)
    return space, _configured(config, kind, space, rows)


def applied(config: Config, values: Values) -> Config:
    """Returns the config with other values of some settings.

    Raises:
      SettingsError: They do not fit.
    """
    found = as_values(config)
    for name, value in values.items():
        section, _, key = name.partition(".")
        found[section][key] = value
    return make_config(found)


def _default(config: Config, kind: str, rows: int) -> Space:
    """Returns what is tried where the config does not say: what preset "table" chooses by the rows, and around it."""
    recipe = make_recipe(_trainer(config, kind), rows)
    architecture = getattr(config, kind)
    rate = recipe.learning_rate
    space: dict[str, Range | Choices] = {"trainer.learning_rate": Range(rate / _RATE, rate * _RATE, True, False)}
    if config.trainer.optimizer == "adamw":
        space["trainer.weight_decay"] = Choices(tuple([*decays] for decays in _DECAYS))
    if config.trainer.normalize == "robust":
        space["trainer.number_bins"] = Choices(_BINS)
    if is_own(architecture):  # `tune.space` may name its settings
        return space
    tower = "units" if isinstance(architecture, DenseParams) else "deep_units"
    widths = getattr(make_architecture(architecture, rows, 1), tower)
    if widths:
        width = max(widths)
        towers = ((width // 2,) * 2, (width * 2,) * 2, (width,) * 3, (width,))
        space[f"{kind}.{tower}"] = Choices(tuple([max(1, units) for units in tower] for tower in towers))
    if not isinstance(architecture, DenseParams):
        space[f"{kind}.num_layers"] = Choices((1, 2, 3))
    if isinstance(architecture, CrossMixParams):
        space[f"{kind}.num_experts"] = Choices((2, 4, 8))
    return space


def _trainer(config: Config, kind: str) -> Any:
    """Returns the settings of the training, with the learning rate that the kind has for itself."""
    architecture = getattr(config, kind)
    own = architecture.learning_rate if isinstance(architecture, DenseParams) else None
    return dataclasses.replace(config.trainer, learning_rate=own) if own else config.trainer


def _configured(config: Config, kind: str, space: dict[str, Range | Choices] | Any, rows: int) -> Values:
    """Returns what the config has of each setting; adds it to choices that lack it, as their first."""
    values, rate = as_values(config), make_recipe(_trainer(config, kind), rows).learning_rate
    configured = {}
    for name, tried in space.items():
        section, _, key = name.partition(".")
        value = values[section][key]
        if isinstance(tried, Range):
            value = rate if name == "trainer.learning_rate" else value
            if isinstance(value, int | float) and tried.low <= value <= tried.high:
                configured[name] = value
            continue
        if value not in tried.values:
            space[name] = Choices((value, *tried.values))
        configured[name] = value
    return configured


def _declared(config: Config, kind: str) -> dict[str, Range | Choices]:
    problems: list[str] = []
    space: dict[str, Range | Choices] = {}
    for name, tried in _flat(config.tune.space, config).items():
        if problem := _cannot_be_tried(name, kind, type(config)):
            problems.append(problem)
        elif (found := _read(name, tried, problems)) is not None:
            space[name] = found
            ends = (found.low, found.high) if isinstance(found, Range) else found.values
            if isinstance(found, Range) and found.whole:
                ends = (int(found.low), int(found.high))
            problems += _unfit(config, name, ends)
    if problems:
        raise SettingsError("\n".join(dict.fromkeys(problems)))
    return space


def _flat(space: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Returns the space by `section.key`, also where TOML made tables of names without quotes."""
    sections = {item.name for item in dataclasses.fields(config)}
    found: dict[str, Any] = {}
    for name, tried in space.items():
        if name in sections and isinstance(tried, Mapping):
            found |= {f"{name}.{key}": value for key, value in tried.items()}
        else:
            found[name] = tried
    return found


def _cannot_be_tried(name: str, kind: str, config: type[Config]) -> str:
    legal = setting_names(config)
    section, _, key = name.partition(".")
    if name not in legal or not key:
        return f"`tune.space` names `{shown(name)}`, which is not a setting.{did_you_mean(name, legal)}"
    if section not in ("trainer", kind):
        return (
            f"`tune.space` names `{name}`, which changes nothing of how `{kind}` is trained. Name settings of "
            f"`[trainer]` and `[{kind}]`, or tune another model with `--model`."
        )
    if section == "trainer" and key in _FIXED:
        return (
            f"`tune.space` names `{name}`, by which trials could not be compared, or which does not change what is "
            "learned. Set it for all of them in its own section."
        )
    return ""


def _read(name: str, tried: Any, problems: list[str]) -> Range | Choices | None:
    """Returns what is tried of one setting; adds to `problems` why it is neither a list nor a range."""
    if isinstance(tried, Sequence) and not isinstance(tried, str) and len(tried):
        return Choices(tuple(tried))
    if isinstance(tried, Mapping) and {"low", "high"} <= set(tried) <= {"low", "high", "log"}:
        low, high, log = tried["low"], tried["high"], tried.get("log", tried["low"] > 0 if _is(tried["low"]) else False)
        if _is(low) and _is(high) and isinstance(log, bool) and low < high and not (log and low <= 0):
            whole = isinstance(low, int) and isinstance(high, int)
            return Range(low, high, log and not (whole and high - low < 10), whole)
    problems.append(
        f"`tune.space` has no values to try for `{name}`: expected a list of some, such as [1, 2], or a range such as "
        f"{{low = 0.001, high = 0.03}}, low below high; with log = true, low above 0. Received {received(tried)}."
    )
    return None


def _is(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _unfit(config: Config, name: str, values: Sequence[Any]) -> list[str]:
    """Returns what is wrong with values of a setting."""
    problems = []
    for value in values:
        try:
            applied(config, {name: value})
        except SettingsError as error:
            problems.append(f"In `tune.space`: {error}")
    return problems


def words(values: Values) -> str:
    """Returns values of settings in words: "trainer.learning_rate 0.004, dense.units [32, 32]"."""
    return ", ".join(
        f"{name} {number(value) if isinstance(value, float) else value if value == AUTO else json.dumps(value)}"
        for name, value in values.items()
    )
