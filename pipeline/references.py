"""Finds earlier artifacts and models in service that a step reads.

Each is chosen before planning, so that its content enters the fingerprint and a second run finds the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crossnet.components.artifacts.base import ARTIFACT_FILE, Artifact
from crossnet.components.artifacts.integrity import UNVERIFIABLE, damage
from crossnet.components.artifacts.model import SERVING_FOLDER, Model
from crossnet.components.damaged_versions import is_damaged
from crossnet.components.errors import SettingsError
from crossnet.components.files import folder_checksum
from crossnet.components.model_folder import read_record, versions_in_service
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import is_usable

if TYPE_CHECKING:
    from crossnet.pipeline.plan import PlannedStep


class Reference(Protocol):
    """Something outside the graph that a step reads."""

    def find(self, store: Store, plan: Mapping[str, PlannedStep]) -> Path | None:
        """Returns its folder, or None where there is none.

        Args:
          store: The root.
          plan: The steps planned so far, by name.
        """

    def digest(self, folder: Path) -> str:
        """Returns a text for its content, which enters the fingerprint."""

    def load(self, folder: Path) -> Path | Artifact:
        """Returns what the component takes."""


@dataclass(frozen=True)
class LastBlessed:
    """A step's artifact in the newest blessed run whose Examples differ from this plan's.

    Attributes:
      step: The step that made the artifact.
      kind: The artifact's type.
    """

    step: str
    kind: type[Artifact]

    def find(self, store: Store, plan: Mapping[str, PlannedStep]) -> Path | None:
        """Returns the artifact's folder."""
        examples = plan["example_gen"].fingerprint
        for run in store.run_records().values():
            if not run.blessed or not {"example_gen", self.step} <= run.steps.keys():
                continue
            fingerprint = run.steps[self.step].fingerprint
            if run.steps["example_gen"].fingerprint != examples and is_usable(self.step, fingerprint, store):
                return store.artifact_path(self.step, fingerprint)
        return None

    def digest(self, folder: Path) -> str:
        """Returns the artifact's fingerprint."""
        return folder.name

    def load(self, folder: Path) -> Artifact:
        """Returns the artifact."""
        return self.kind.load(folder)


@dataclass(frozen=True)
class ServedModel:
    """The newest whole version in service that is not a Model of this plan.

    Attributes:
      folder: The model's folder, whose subfolders are versions.
    """

    folder: Path

    def find(self, store: Store, plan: Mapping[str, PlannedStep]) -> Path | None:
        """Returns the version's folder."""
        own = {planned.fingerprint for planned in plan.values() if planned.step.output is Model}
        for version, path in versions_in_service(self.folder).items():
            own_version = read_record(self.folder, version).get("model") in own
            if not own_version and not is_damaged(self.folder, version, path):
                return path
        return None

    def digest(self, folder: Path) -> str:
        """Returns its name and the SHA-256 of its files."""
        return _named_checksum(folder)

    def load(self, folder: Path) -> Path:
        """Returns the version's folder."""
        return folder


@dataclass(frozen=True)
class WarmStart:
    """The exported model that a training starts from.

    Attributes:
      start: `trainer.warm_start`: a version in service, or the path of an exported model.
      folder: The folder of the model in service.
    """

    start: str
    folder: Path

    def find(self, store: Store, plan: Mapping[str, PlannedStep]) -> Path:
        """Returns the folder of the SavedModel.

        Raises:
          SettingsError: It is not there, or is damaged.
        """
        if self.start.isdecimal():
            versions = versions_in_service(self.folder)
            if int(self.start) not in versions:
                raise SettingsError(
                    f"`trainer.warm_start` names version {self.start}, which is not in service in `{self.folder}`. "
                    f"There are: {', '.join(map(str, versions)) or 'none'}."
                )
            if is_damaged(self.folder, int(self.start), versions[int(self.start)]):
                raise SettingsError(
                    f"`trainer.warm_start` names version {self.start}, which is damaged: its files are not those that "
                    f"were pushed to `{self.folder}`. Name another version."
                )
            return versions[int(self.start)]
        for path in (Path(self.start), Path(self.start) / SERVING_FOLDER):
            if (path / "saved_model.pb").is_file():
                self._refuse_damaged(path.parent if path.name == SERVING_FOLDER else path)
                return path
        raise SettingsError(
            f"`trainer.warm_start` is '{self.start}', which holds no saved_model.pb. Name a version in service, "
            'the folder of an exported model, or "none".'
        )

    def digest(self, folder: Path) -> str:
        """Returns its name and the SHA-256 of its files."""
        return _named_checksum(folder)

    def _refuse_damaged(self, folder: Path) -> None:
        """Raises where the model is an artifact, and damaged."""
        if not (folder / ARTIFACT_FILE).is_file():
            return
        if (found := damage(folder)) and found != [UNVERIFIABLE]:
            raise SettingsError(f"`trainer.warm_start` is '{self.start}', which is damaged: {found[0]}. Name another.")

    def load(self, folder: Path) -> Path:
        """Returns the folder of the SavedModel."""
        return folder


def _named_checksum(folder: Path) -> str:
    return f"{folder.name}:{folder_checksum(folder)}"
