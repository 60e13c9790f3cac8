"""Says in words what differs between a step's plan and an artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from crossnet.pipeline.graph import Step, model_kind

_SHOWN = 3
_NOT_SETTINGS = {"force": "--force", "serving_dir": "the serving folder", "model.model_name": "pusher.model_name"}
_REFERENCES = {
    "served": "the model in service to compare with",
    "anchor": "the best blessed model to compare with",
    "previous": "the last blessed run of this model to measure drift from",
    "reference": "the last blessed run of this model whose schema is taken",
    "warm_start": "the model that the training starts from",
}


def reasons(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Returns what differs, one sentence each; what the step itself reads comes first, then its inputs.

    Args:
      step: The step.
      before: What the artifact is made of; see `crossnet.pipeline.plan.PlannedStep.parts`.
      after: What the plan is made of, JSON values.
    """
    words: dict[str, Callable[[Step, Mapping[str, Any], Mapping[str, Any]], Iterator[str]]] = {
        "params": _settings,
        "order": _order,
        "data": _files,
        "references": _references,
        "code": _code,
        "versions": _versions,
        "inputs": _inputs,
    }
    found = [sentence for part, say in words.items() for sentence in say(step, before.get(part, {}), after[part])]
    return found or ["its function has another name"]


def _settings(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, old, new in _changes(before, after):
        yield f"{_setting_name(step, name)}: {_short(old)} → {_short(new)}"


def _setting_name(step: Step, name: str) -> str:
    """Returns a setting as the config names it: `params.epochs` of a trainer is `trainer.epochs`."""
    if name in _NOT_SETTINGS:
        return _NOT_SETTINGS[name]
    kind = model_kind(step.name)
    if name.startswith("model.architecture."):
        return name.replace("model.architecture", kind)
    return f"{'trainer' if kind != step.name else step.name}.{name.removeprefix('params.')}"


def _order(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for argument, names in after.items():
        if (old := before.get(argument, [])) != names:
            was, now = (", ".join(map(model_kind, group)) for group in (old, names))
            yield f"{argument}: {was or 'none'} → {now} (their order counts; the last of several is the baseline)"


def _files(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    old, new = ({name.partition(" ")[2]: digest for name, digest in part.items()} for part in (before, after))
    gone = {digest: name for name, digest in old.items() if name not in new}
    sentences = []
    for name, digest in new.items():
        if name in old:
            if old[name] != digest:
                sentences.append(f"`{name}` has other content")
        elif digest in gone:
            sentences.append(f"`{gone.pop(digest)}` is called `{name}` now")
        else:
            sentences.append(f"`{name}` is new")
    sentences += [f"`{name}` is gone" for name in gone.values()]
    if before != after and not sentences:
        sentences.append("the files come in another order")
    yield from _few(sentences, "files")


def _references(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for argument in dict.fromkeys([*after, *before]):
        old, new = (str(part.get(argument) or "none") for part in (before, after))
        if old == new:
            continue
        name = _REFERENCES.get(argument, argument)
        (was, _, _), (now, _, _) = old.partition(":"), new.partition(":")
        yield f"{name}: {was} → {now}" if was != now else f"{name}, {now}, has other files"


def _code(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for names, what in (
        ([name for name in after if name in before and after[name] != before[name]], "was changed"),
        ([name for name in after if name not in before], "is used now"),
        ([name for name in before if name not in after], "is not used any more"),
    ):
        yield from _few([f"the code of {name} {what}" for name in names], "modules")


def _versions(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name, old, new in _changes(before, after):
        yield f"{name} {_short(old)} → {_short(new)}"


def _inputs(step: Step, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for argument, source in step.inputs.items():
        old, new = before.get(argument), after.get(argument)
        names = (source,) if isinstance(source, str) else source
        for name in names:
            was, now = (part.get(name) if isinstance(part, Mapping) else part for part in (old, new))
            if was is not None and was != now:
                yield f"`{name}` gives other {argument}: `crossnet why {name}`"


def _few(sentences: list[str], what: str) -> Iterator[str]:
    yield from sentences[:_SHOWN]
    if len(sentences) > _SHOWN:
        yield f"and {len(sentences) - _SHOWN:,} more {what}"


def _changes(before: Any, after: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from _changes(before.get(key), after.get(key), f"{name}.{key}" if name else key)
    elif before != after:
        yield name, before, after


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else "''" if value == "" else str(value)
