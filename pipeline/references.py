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
from crossnet.components.params.evaluator import BEST
from crossnet.pipeline.blessed import in_service, ranked, rolled_back
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
    """A step's artifact in the newest blessed run of the same model whose Examples differ from this plan's.

    Attributes:
      step: The step that made the artifact.
      kind: The artifact's type.
      model_name: `pusher.model_name`: a root may hold several tables, each with a model of its own.
    """

    step: str
    kind: type[Artifact]
    model_name: str

    def find(self, store: Store, plan: Mapping[str, PlannedStep]) -> Path | None:
        """Returns the artifact's folder."""
        examples = plan["example_gen"].fingerprint
        for run in store.run_records().values():
            of_this_model = run.model_name in (self.model_name, "")
            if not (run.blessed and of_this_model and {"example_gen", self.step} <= run.steps.keys()):
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
class BestBlessed:
    """The best blessed Model of this name that is not one of this plan, or a version that is named.

    The best has the lowest eval RMSE divided by the mean predictor's over the same rows, of the champions of all runs.
    Those that were taken out of service by hand are not among them.

    Attributes:
      folder: The model's folder, whose subfolders are versions.
      anchor: `evaluator.anchor`: "best", or a version in service.
    """

    folder: Path
    anchor: str

    def find(self, store: Store, plan: Mapping[str, PlannedStep]) -> Path | None:
        """Returns the version's folder or, of a Model that is not in service, the SavedModel in its artifact.

        Raises:
          SettingsError: The version that is named is not there, or is damaged.
        """
        if self.anchor != BEST:
            return _named_version("evaluator.anchor", self.anchor, self.folder)
        own = {planned.fingerprint for planned in plan.values() if planned.step.output is Model}
        without = own | rolled_back(self.folder)
        for model in ranked(store, store.run_records(), self.folder.name):
            if model.fingerprint in without:
                continue
            for version, path in in_service(self.folder, model.fingerprint):
                if not is_damaged(self.folder, version, path):
                    return path
            if is_usable(model.step, model.fingerprint, store):
                return model.path(store) / SERVING_FOLDER
        return None

    def digest(self, folder: Path) -> str:
        """Returns a version's name and the SHA-256 of its files, or the fingerprint of a Model."""
        return folder.parent.name if folder.name == SERVING_FOLDER else _named_checksum(folder)

    def load(self, folder: Path) -> Path:
        """Returns the folder of the SavedModel."""
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
            return _named_version("trainer.warm_start", self.start, self.folder)
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


def _named_version(setting: str, name: str, folder: Path) -> Path:
    """Returns the folder of the version that a setting names.

    Raises:
      SettingsError: It is not there, or is damaged.
    """
    versions = versions_in_service(folder)
    if not name.isdecimal() or int(name) not in versions:
        known = f"There are: {', '.join(map(str, versions)) or 'none'}."
        if not name.isdecimal():
            raise SettingsError(f"`{setting}` is '{name}'. Expected {BEST}, or a version in service. {known}")
        raise SettingsError(f"`{setting}` names version {name}, which is not in service in `{folder}`. {known}")
    if is_damaged(folder, int(name), versions[int(name)]):
        raise SettingsError(
            f"`{setting}` names version {name}, which is damaged: its files are not those that were pushed to "
            f"`{folder}`. Name another version."
        )
    return versions[int(name)]


def _named_checksum(folder: Path) -> str:
    return f"{folder.name}:{folder_checksum(folder)}"
