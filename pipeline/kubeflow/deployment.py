"""Says where and with what the tasks of a compiled pipeline run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from crossnet.components.errors import SettingsError
from crossnet.serving.storage.uris import is_uri, shown_uri

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_CORES = re.compile(r"\d+(\.\d+)?|\d+m")
_SIZE = re.compile(r"\d+(\.\d+)?(E|P|T|G|M|k|Ei|Pi|Ti|Gi|Mi|Ki)?")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Where and with what the tasks run.

    Attributes:
      image: The container image; it has the package and the extra `kfp`.
      root: The folder for artifacts, runs and pushed models: on a volume that all mount, as containers see it; or its
        URI in a store.
      volume: A PersistentVolumeClaim to mount, as `NAME:PATH`; empty: none.
      cpu, memory: What each step asks for and may use at most, as Kubernetes writes it; empty: no limit.
      retries: How often a failed step is repeated.
    """

    image: str
    root: str
    volume: str = ""
    cpu: str = ""
    memory: str = ""
    retries: int = 2

    def check(self) -> None:
        """Raises SettingsError, with all that is wrong."""
        claim, _, path = self.volume.partition(":")
        wrong = {
            f"--image expects the name of an image. Received `{self.image}`.": not self.image.strip(),
            "--root expects a path from `/`, as containers see it, or the URI of a folder in a store. Received "
            f"`{shown_uri(self.root)}`.": not (_is_absolute(self.root) or is_uri(self.root)),
            "--volume expects a PersistentVolumeClaim and where to mount it, such as rides:/srv. Received "
            f"`{self.volume}`.": bool(self.volume) and not (_CLAIM.fullmatch(claim) and _is_absolute(path)),
            f"--cpu expects cores, such as 2 or 500m. Received `{self.cpu}`.": bool(self.cpu)
            and not _CORES.fullmatch(self.cpu),
            f"--memory expects a size, such as 4Gi. Received `{self.memory}`.": bool(self.memory)
            and not _SIZE.fullmatch(self.memory),
        }
        if problems := [sentence for sentence, is_wrong in wrong.items() if is_wrong]:
            raise SettingsError("\n".join(problems))


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute()
