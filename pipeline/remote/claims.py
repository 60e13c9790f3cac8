"""Lets one process at a time change a root in a store.

pyarrow cannot put an object only where there is none. So whoever wants to work puts a claim of its own first, and only
then lists the claims of others: of two that begin at once, at least one sees the other, because a list of S3, Google's
or Azure's store holds all that was put before. Where both see each other, both go back and try again a little later. A
claim is renewed while its process works; one that was not for `DEAD_SECONDS`, by the store's own clock, does not count.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossnet.components.errors import PipelineError
from crossnet.components.model_folder import user_name
from crossnet.serving.storage.folder import Entry, StoreError, StoreFolder

CLAIMS = ".claims"
RENEW_SECONDS = 60.0
DEAD_SECONDS = 300.0
_ATTEMPTS = 4
_MAX_PAUSE_SECONDS = 1.0


class Claim:
    """The right to change a root; others cannot have it at the same time.

    Args:
      store: The root.
      step: Claims that name a step each, not the same, are held at the same time; "" is alone.
    """

    def __init__(self, store: StoreFolder, step: str = "") -> None:
        self._store = store
        self._name = f"{CLAIMS}/{uuid.uuid4().hex}.json"
        self._facts = {
            "step": step,
            "process": os.getpid(),
            "machine": platform.node(),
            "processes": _processes(),
            "user": user_name(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        self._released = threading.Event()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Inside, the root is this process's.

        Raises:
          PipelineError: Another process is at work in it.
          StoreError: The store cannot be reached or written.
        """
        try:
            for attempt in range(_ATTEMPTS):
                self._put()
                other = self._other()
                if other is None:
                    break
                self._remove()
                if attempt + 1 == _ATTEMPTS or not other.pop("is_new", False):
                    raise PipelineError(_sentence(other, self._store))
                time.sleep(random.uniform(0.1, _MAX_PAUSE_SECONDS))
            threading.Thread(target=self._renew, name="claim", daemon=True).start()
            yield
        finally:
            self._released.set()
            self._remove()

    def check(self) -> None:
        """Raises unless the claim still stands; call it before something is changed that others rely on.

        Raises:
          PipelineError: It was not renewed in time, and another process may have taken the root.
        """
        if self._store.entry(self._name) is None:
            raise PipelineError(
                f"This process has lost its claim on `{self._store.name}`: it could not renew it for "
                f"{DEAD_SECONDS:.0f} s. Nothing more was put there. Run again."
            )

    def _put(self) -> None:
        self._store.write(self._name, json.dumps(self._facts).encode())

    def _remove(self) -> None:
        with contextlib.suppress(StoreError):  # it ends by itself
            self._store.remove(self._name)

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            with contextlib.suppress(StoreError):
                if self._store.entry(self._name) is not None:
                    self._put()
        if self._released.is_set():
            self._remove()  # where it was put once more meanwhile

    def _other(self) -> dict[str, Any] | None:
        """Returns what another claim says that keeps this one out; removes those of the dead."""
        claims = self._store.entries(CLAIMS) or {}
        mine = claims.get(Path(self._name).name, Entry(False))
        for name, entry in sorted(claims.items()):
            if entry.is_folder or name == Path(self._name).name:
                continue
            facts = self._read(name)
            if facts is None:  # gone meanwhile
                continue
            age = (mine.changed - entry.changed) / 1e9
            if age > DEAD_SECONDS or _has_ended(facts):
                self._store.remove(f"{CLAIMS}/{name}")
            elif not (self._facts["step"] and facts.get("step") and facts["step"] != self._facts["step"]):
                return {**facts, "is_new": age < 2 * _MAX_PAUSE_SECONDS * _ATTEMPTS}
        return None

    def _read(self, name: str) -> dict[str, Any] | None:
        with contextlib.suppress(ValueError):
            try:
                facts = json.loads(self._store.read(f"{CLAIMS}/{name}"))
            except StoreError:
                if self._store.entry(f"{CLAIMS}/{name}") is None:
                    return None
                raise
            if isinstance(facts, dict):
                return facts
        return {}


def _has_ended(facts: dict[str, Any]) -> bool:
    """Whether a claim is of a process that this one could see, and that is not there any more."""
    if not facts.get("processes") or facts["processes"] != _processes() or not isinstance(facts.get("process"), int):
        return False
    return not Path("/proc", str(facts["process"])).exists()


def _processes() -> str:
    """Returns what names the processes that this one sees: a machine's boot and a container; "" where not known."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _sentence(other: dict[str, Any], store: StoreFolder) -> str:
    what = f"`{other['step']}`" if other.get("step") else "run"
    return (
        f"Another {what} (process {other.get('process', 'unknown')} on {other.get('machine', 'an unknown machine')}, "
        f"since {other.get('since', 'an unknown time')}) is at work in `{store.name}`. Wait for it, or name another "
        f"folder with --root. The claim of a process that was killed ends after {DEAD_SECONDS / 60:.0f} minutes."
    )
