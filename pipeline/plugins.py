"""Loads kinds of models and components from a user's own modules.

The setting `plugins` names modules. A module says what it adds: `MODEL_KINDS`, a class of settings with the method
`network` by kind, and `COMPONENTS`, a function from finished artifacts to an artifact by step. Modules are found as
Python finds them, and in `plugins_folder`. They are imported where a config is read to be used; a recorded config is
only looked at (`recorded`), because a root may come from someone else.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from crossnet.components.errors import SettingsError
from crossnet.components.own_code import in_words
from crossnet.components.params.setting import setting
from crossnet.pipeline import source_code
from crossnet.pipeline.plugin_contract import NAME, ContractError, OwnStep, check_kind, check_step, place
from crossnet.serving.protocol.printable import shown

KINDS, STEPS = "MODEL_KINDS", "COMPONENTS"
_MOST = 100  # of each, which is more than anybody wants


@dataclass(frozen=True, kw_only=True)
class Plugins:
    """What a user's modules add.

    Attributes:
      kinds: The class of settings of each kind of model.
      steps: Components by step, in the order in which they are declared.
    """

    kinds: Mapping[str, type[Any]] = field(default_factory=dict)
    steps: Mapping[str, OwnStep] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.kinds or self.steps)

    @property
    def sections(self) -> dict[str, type[Any]]:
        """The class of settings of each section that they add to a config."""
        return {**self.kinds, **{name: step.params for name, step in self.steps.items() if step.params}}


NO_PLUGINS = Plugins()


def load_plugins(names: Any, folder: str, taken: Sequence[str]) -> Plugins:
    """Imports modules and returns what they add.

    Args:
      names: The modules; anything else than a list of text adds nothing, which the rules of settings refuse.
      folder: Where they are looked for when Python finds them nowhere else; empty: nowhere.
      taken: Names of sections and steps that a kind or component cannot have.

    Raises:
      SettingsError: A module does not import, adds nothing, or breaks the contract; it names file and line.
    """
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names) or not names:
        return NO_PLUGINS
    kinds: dict[str, type[Any]] = {}
    steps: dict[str, OwnStep] = {}
    for name in names:
        module = _import(name, folder)
        if not any(hasattr(module, word) for word in (KINDS, STEPS)):
            raise SettingsError(
                f"`plugins` names `{name}`, which has neither {KINDS} nor {STEPS} ({module.__file__}). It must say "
                f'what it adds, such as {KINDS} = {{"residual": Residual}}.'
            )
        try:
            for kind, what in _declared(module, KINDS).items():
                _check_name(kind, module, KINDS, {*taken, *kinds, *steps})
                check_kind(kind, what, place(module, KINDS))
                kinds[kind] = what
            for step, what in _declared(module, STEPS).items():
                _check_name(step, module, STEPS, {*taken, *kinds, *steps})
                made = {other.output: own for own, other in steps.items()}
                steps[step] = check_step(step, what, made, place(module, STEPS))
        except ContractError as error:
            raise SettingsError(f"`plugins` names `{name}`: {error}") from None
    return Plugins(kinds=kinds, steps=steps)


def recorded(names: Any, values: Mapping[str, Any], taken: Sequence[str]) -> Plugins:
    """Returns what stands for the plugins of a recorded config, without their code: a class for each section.

    Args:
      names: What the config's `plugins` says.
      values: The config's values.
      taken: The sections that are ours.
    """
    if not names:
        return NO_PLUGINS
    sections = {name: table for name, table in values.items() if name not in taken and isinstance(table, Mapping)}
    return Plugins(kinds={name: _stand_in(table) for name, table in sections.items()})


def _stand_in(table: Mapping[str, Any]) -> type[Any]:
    fields = [(key, Any, setting(None, "as recorded")) for key in table if key.isidentifier()]
    return dataclasses.make_dataclass("Recorded", fields, frozen=True, kw_only=True)


def _import(name: str, folder: str) -> ModuleType:
    """Returns a module; one whose files have changed since it was imported is imported again."""
    _search(name, folder)
    if name in sys.modules and (source_code.source_file(name) is None or source_code.changed_code(name)):
        _drop([other for other in source_code.code_digests(name) if not source_code.is_ours(other)])
    importlib.invalidate_caches()
    try:
        if name not in sys.modules:
            # Read before it is imported: an edit between the two is then seen as a change, and never as what was run.
            source_code.remove_old_bytecode(name)
        module = importlib.import_module(name)
        source_code.code_digests(name)
    except SettingsError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            there = f"neither in `{folder}` nor" if folder else "nowhere"
            raise SettingsError(
                f"`plugins` names `{shown(name)}`, and the module `{shown(error.name)}` is not there: {there} where "
                "Python looks. Write the module's name with dots, such as my_project.kinds, and set `plugins_folder` "
                "to the folder that holds my_project."
            ) from None
        problem = in_words(error, name, _project(name))
        raise SettingsError(
            f"`plugins` names `{shown(name)}`, which does not import: {problem}. Mend it, or take it out of `plugins`."
        ) from error
    return module


def _search(name: str, folder: str) -> None:
    """Has Python look in the folder too, behind all else, and forget a module of that name from another folder."""
    if _added and _added != [folder]:
        sys.path[:] = [path for path in sys.path if path not in _added]
        source_code.forget(ours=False)
        _added.clear()
    if folder and folder not in sys.path:
        sys.path.append(folder)
        _added.append(folder)
    top = name.partition(".")[0]
    known, place = sys.modules.get(top), source_code.folder_of(top)
    if known is not None and place is not None and not _is_in(known, place):
        _drop([other for other in sys.modules if other == top or other.startswith(f"{top}.")])


_added: list[str] = []  # the folder that was added to Python's path; one at a time


def _is_in(module: ModuleType, folder: Path) -> bool:
    """Whether a top-level module, or package, stands in a folder."""
    places = [*getattr(module, "__path__", ())] or [*filter(None, [getattr(module, "__file__", None)])]
    return not places or any(Path(path).resolve().parent == folder for path in places)


def _drop(modules: Sequence[str]) -> None:
    for name in modules:
        sys.modules.pop(name, None)
    source_code.forget(ours=False)


def _project(name: str) -> Path | None:
    """Returns the folder of a module's top-level package, or of a module that stands alone."""
    top, *below = name.split(".")
    folder = source_code.folder_of(top)
    return folder / top if folder and below else folder


def _declared(module: ModuleType, word: str) -> Mapping[str, Any]:
    declared = getattr(module, word, {})
    if not isinstance(declared, Mapping) or len(declared) > _MOST:
        raise ContractError(
            f"{word} must be a dict by name. Received {type(declared).__name__} ({place(module, word)})."
        )
    return declared


def _check_name(name: Any, module: ModuleType, word: str, taken: typing.Collection[str]) -> None:
    where = place(module, word)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ContractError(
            f"a name in {word} must be lower-case letters, digits and underscores. Received {name!r} ({where})."
        )
    if name in taken or name.startswith(("trainer_", "reference_")):
        raise ContractError(f"{word} has `{name}`, a name that is taken ({where}). Choose another.")


def config_class(base: type[Any], plugins: Plugins, models: Callable[..., Any]) -> type[Any]:
    """Returns a class of config that has the plugins' sections too.

    Args:
      base: The class of config without plugins.
      plugins: What is added.
      models: Returns the field `models`, given its choices.
    """
    if not plugins:
        return base
    fields: list[Any] = [("models", tuple[str, ...], models(tuple(plugins.kinds)))]
    fields += [(name, kind, field(default_factory=kind)) for name, kind in plugins.sections.items()]
    made: Any = dataclasses.make_dataclass(base.__name__, fields, bases=(base,), frozen=True, kw_only=True)
    made.plugins_loaded = plugins
    return typing.cast(type, made)
