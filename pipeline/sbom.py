"""Lists the installed distributions with their licences, also as CycloneDX JSON."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossnet.components.errors import PipelineError

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

OURS = "crossnet-pipeline"
NOT_DECLARED = "not declared"
_CLASSIFIER = "License :: "
_MAX_LICENCE_CHARACTERS = 80  # above, the field holds the licence's text, not its name


@dataclass(frozen=True)
class Distribution:
    """One installed distribution.

    Attributes:
      name: As its metadata spell it.
      version: Its version.
      licences: What its metadata declare: one SPDX expression, or names; empty where they declare none.
      requires: What it requires, as its metadata spell it.
    """

    name: str
    version: str
    licences: tuple[str, ...]
    requires: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name as the Python packaging specification normalizes it."""
        return normalized(self.name)


def normalized(name: str) -> str:
    """Returns a distribution's name in its one normal form: small letters, `-` for each run of `-`, `_` and `.`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> list[Distribution]:
    """Returns the distributions that this Python finds, by name; of one that it finds twice, the first."""
    found: dict[str, Distribution] = {}
    for item in importlib.metadata.distributions():
        name = str(item.metadata.json.get("name", ""))  # `metadata["Name"]` warns where it is absent
        if name and normalized(name) not in found:
            found[normalized(name)] = Distribution(name, item.version, _licences(item), tuple(item.requires or ()))
    return [found[key] for key in sorted(found)]


def cyclonedx_json(distributions: Sequence[Distribution]) -> str:
    """Returns a bill of materials as a CycloneDX 1.6 document: components, licences and who requires whom.

    Args:
      distributions: What `installed` returned; this project's own becomes the document's subject.

    Raises:
      PipelineError: The library that writes such documents is not installed.
    """
    try:
        from cyclonedx.contrib.this.builders import this_component
        from cyclonedx.model.bom import Bom
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        raise PipelineError(
            "`crossnet sbom` needs cyclonedx-python-lib, which is not installed. Install it: "
            f"pip install '{OURS}[sbom]'. `crossnet sbom --licences` works without it."
        ) from None
    bom = Bom()
    bom.metadata.tools.components.add(this_component())
    components = {item.key: _component(item) for item in distributions}
    for key, component in components.items():
        if key == OURS:
            bom.metadata.component = component
        else:
            bom.components.add(component)
    for item in distributions:
        needed = (components[key] for key in _required(item) if key in components)
        bom.register_dependency(components[item.key], needed)
    return str(JsonV1Dot6(bom).output_as_string(indent=2))


def _component(item: Distribution) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import LicenseAcknowledgement
    from packageurl import PackageURL

    make, declared = LicenseFactory().make_from_string, LicenseAcknowledgement.DECLARED
    url = PackageURL(type="pypi", name=item.key, version=item.version)
    return Component(
        name=item.name,
        version=item.version,
        type=ComponentType.APPLICATION if item.key == OURS else ComponentType.LIBRARY,
        bom_ref=str(url),
        purl=url,
        licenses=[make(text, license_acknowledgement=declared) for text in item.licences],
    )


def _required(item: Distribution) -> set[str]:
    """Returns the normalized names of what a distribution requires on this machine, without its extras."""
    from packaging.requirements import InvalidRequirement, Requirement

    names = set()
    for text in item.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # of an old distribution
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            names.add(normalized(requirement.name))
    return names


def _licences(item: importlib.metadata.Distribution) -> tuple[str, ...]:
    """Returns the licences that the metadata declare, by the first of the three fields that does."""
    fields = item.metadata.json  # unlike `metadata.get`, of every Python's types
    if expression := fields.get("license_expression"):
        return (str(expression),)
    text = str(fields.get("license") or "").strip()
    if text and text != "UNKNOWN" and "\n" not in text and len(text) <= _MAX_LICENCE_CHARACTERS:
        return (text,)
    classifiers = item.metadata.get_all("Classifier") or []
    names = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith(_CLASSIFIER)]
    return tuple(dict.fromkeys(names))
