"""Tells of each step as OpenLineage events.

An event is plain JSON, as https://openlineage.io/spec/2-0-2/OpenLineage.json has it. Nothing that goes wrong here fails
a run: what could not be sent is said once, as a warning of the run, and no more is sent.
"""

from __future__ import annotations

import datetime
import http.client
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossnet.components.errors import SettingsError
from crossnet.serving.protocol.printable import shown

PRODUCER = "https://github.com/crossnet-pipeline/crossnet-pipeline"
SPEC = "https://openlineage.io/spec"
SCHEMA = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = "crossnet"
KEY_VARIABLE = "OPENLINEAGE_API_KEY"  # as other clients of OpenLineage read it
SECONDS = 3.0  # of patience with an address
# The status of a step -> the event.
TYPES = {"running": "START", "ran": "COMPLETE", "reused": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT"}


def check_lineage(target: str) -> None:
    """Checks the setting `lineage`: an address, or a file in a folder that is there. Empty: no events.

    Raises:
      SettingsError: It is neither.
    """
    scheme, separator, rest = target.partition("://")
    if separator:
        if scheme not in ("http", "https") or not rest.strip("/"):
            raise SettingsError(
                f"`lineage` must be a file, or an address that begins with http:// or https://. Received "
                f"`{shown(without_password(target))}`."
            )
    elif target and (not Path(target).absolute().parent.is_dir() or Path(target).is_dir()):
        raise SettingsError(
            f"`lineage` must be a file in a folder that is there, or an address. Received `{shown(target)}`. Make the "
            "folder, or name another file."
        )


def without_password(address: str) -> str:
    """Returns an address for a message: without what stands before its @."""
    return re.sub(r"://[^/@]*@", "://...@", address)


class Lineage:
    """The events of one run.

    Args:
      target: A file, which gets a line for each event, or an address, which gets a POST; empty: nothing is told.
      root: The run's root.
      run: Its name.
      pipeline: What the pipeline makes: the model's name.
      inputs: By step, the files and folders of artifacts that it reads.

    Attributes:
      problem: Why events are missing, as a sentence; "" while none is.
    """

    def __init__(self, target: str, root: str, run: str, pipeline: str, inputs: Mapping[str, Sequence[Path]]) -> None:
        self.problem = ""
        self._inputs = inputs
        self._target, self._root, self._run, self._pipeline = target, root, run, pipeline
        self._told: set[tuple[str, str]] = set()

    def tell(self, step: str, status: str, *, output: Path, fingerprint: str, error: str = "") -> None:
        """Tells what became of a step, once.

        Args:
          step: Its name.
          status: Its status in the run's record; of one that is skipped nothing is told.
          output: The folder of its artifact.
          fingerprint: Of the artifact.
          error: Why it failed.
        """
        kind = TYPES.get(status)
        if not self._target or self.problem or kind is None or (step, kind) in self._told:
            return
        self._told.add((step, kind))
        facts = self.event(step, kind, status, output, fingerprint, error)
        try:
            self._send(json.dumps(facts))
        except (OSError, ValueError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", None) or getattr(problem, "strerror", None) or type(problem).__name__
            self.problem = (
                f"OpenLineage events are missing from `{step}` on: `{without_password(self._target)}` did not take "
                f"one: {reason}. The run itself is not touched by it."
            )

    def event(
        self,
        step: str,
        kind: str,
        status: str,
        output: Path,
        fingerprint: str,
        error: str,
    ) -> dict[str, Any]:
        """Returns one event, JSON values."""
        parent = {"run": {"runId": self._id("")}, "job": {"namespace": NAMESPACE, "name": self._pipeline}}
        facets = {
            "parent": {**_facet("1-0-1/ParentRunFacet"), **parent},
            "crossnet_step": {
                "_producer": PRODUCER,
                "_schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunFacet",
                "run": self._run,
                "status": status,
            },
        }
        if error:
            said = {"message": error, "programmingLanguage": "Python"}
            facets["errorMessage"] = {**_facet("1-0-1/ErrorMessageRunFacet"), **said}
        version = {"version": {**_facet("1-0-1/DatasetVersionDatasetFacet"), "datasetVersion": fingerprint}}
        return {
            "eventType": kind,
            "eventTime": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "producer": PRODUCER,
            "schemaURL": SCHEMA,
            "run": {"runId": self._id(step), "facets": facets},
            "job": {"namespace": NAMESPACE, "name": f"{self._pipeline}.{step}", "facets": {}},
            "inputs": [_dataset(path, {}) for path in self._inputs.get(step, ())],
            "outputs": [_dataset(output, version)],
        }

    def _id(self, step: str) -> str:
        """Returns the UUID of a step's run, the same in each process that works for this run; "" stands for all."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"file://{Path(self._root).absolute()}/runs/{self._run}/{step}"))

    def _send(self, text: str) -> None:
        if "://" not in self._target:
            with open(self._target, "a", encoding="utf-8") as file:
                file.write(f"{text}\n")
            return
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._target, text.encode(), headers)
        with urllib.request.urlopen(request, timeout=SECONDS):
            pass


def _facet(name: str) -> dict[str, str]:
    file, kind = f"{SPEC}/facets/{name}.json", name.partition("/")[2]
    return {"_producer": PRODUCER, "_schemaURL": f"{file}#/$defs/{kind}"}


def _dataset(path: Path, facets: Mapping[str, Any]) -> dict[str, Any]:
    return {"namespace": "file", "name": str(path.absolute()), "facets": dict(facets)}
