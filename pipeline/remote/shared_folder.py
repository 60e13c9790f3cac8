"""Keeps a folder of a store for one process at a time.

A search for settings adds to its journal for hours, and is neither fetched nor put there with what else a root holds:
an older journal could take the place of a newer one. So only who has claimed the folder fetches it and puts it there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from crossnet.components.errors import PipelineError
from crossnet.pipeline.remote.claims import Claim
from crossnet.pipeline.remote.root import RemoteRoot
from crossnet.serving.storage.folder import StoreError, StoreFolder
from crossnet.serving.storage.uris import below

PUT_SECONDS = 30.0  # between two times that a folder is put there while its process works
_AGAIN = "Check the store and the credentials, and call again."


class SharedFolder:
    """A folder of a root in a store, and its copy.

    Args:
      remote: The root.
      folder: The copy, below that of the root.
      what: What is done in it, for who finds it claimed.
      tell: Takes a line for people.
    """

    def __init__(
        self, remote: RemoteRoot, folder: Path, what: str, tell: Callable[[str], None] = lambda line: None
    ) -> None:
        self._store = StoreFolder(below(remote.uri, folder.relative_to(remote.folder).as_posix()))
        self._folder, self._tell = folder, tell
        self._claim = Claim(self._store, what)
        self._put_at = time.monotonic()
        self._is_quiet = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Inside, the folder is this process's.

        Raises:
          PipelineError: Another process works in it, or the store cannot be read or written.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._claim.held())
            except StoreError as error:
                raise PipelineError(f"{error} {_AGAIN}") from error
            yield

    def fetch(self, journal: str) -> None:
        """Makes the copy what the store has, unless it holds all of that and more.

        Args:
          journal: The file that only grows, and that says how far the folder is.

        Raises:
          PipelineError: The store cannot be read.
        """
        try:
            there = self._store.entries(deep=True) or {}
            if journal not in there:
                return
            known, mine = self._store.read(journal), self._folder / journal
            here = mine.read_bytes() if mine.exists() else b""
            here = here[: here.rfind(b"\n") + 1]
            if here.startswith(known):
                return
            if not known.startswith(here):
                self._tell(f"`{self._store.name}` has gone on without what was done here last, which is left out.")
            for name in sorted(there, key=lambda name: name == journal):
                if not name.startswith("."):
                    unfinished = self._folder / f".tmp-{os.getpid()}-{Path(name).name}"
                    self._store.download(name, unfinished)
                    unfinished.replace(self._folder / name)
        except StoreError as error:
            raise PipelineError(f"{error} {_AGAIN}") from error

    def put_soon(self, journal: str) -> None:
        """Puts the journal there, where it was not for a while; a store that does not take it may the next time.

        Raises:
          PipelineError: The claim is lost, so that another process may have put its own there.
        """
        if time.monotonic() - self._put_at < PUT_SECONDS:
            return
        try:
            self._claim.check()
            self._store.upload(self._folder / journal, journal)
            self._is_quiet = False
        except StoreError as error:
            if not self._is_quiet:
                self._tell(f"{error} The work goes on here, and is put there later.")
            self._is_quiet = True
        self._put_at = time.monotonic()

    def put(self, journal: str) -> None:
        """Puts all files there, the journal last.

        Raises:
          PipelineError: The store does not take them, or the claim is lost.
        """
        files = (path for path in sorted(self._folder.iterdir()) if path.is_file() and path.name[0] != ".")
        try:
            self._claim.check()
            for path in sorted(files, key=lambda path: path.name == journal):
                self._store.upload(path, path.name)
        except StoreError as error:
            raise PipelineError(
                f"{error} What was made is kept in `{self._folder}`. Check the store and the credentials, and call "
                "again: it is put there then."
            ) from error


def alone_in(remote: RemoteRoot | None, folder: Path, what: str) -> contextlib.AbstractContextManager[None]:
    """Returns a block in which a folder of a root in a store is this process's; None: the root is in none."""
    return SharedFolder(remote, folder, what).held() if remote else contextlib.nullcontext()
