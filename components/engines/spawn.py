"""Starts processes that do not run the caller's script again.

A spawned process imports the script that its parent was started with, for what is pickled from there. Ours pickle
functions of modules alone. A script that calls `crossnet.run` at its top level would run, in each, once more.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def without_main() -> Iterator[None]:
    """Inside, a process that is spawned imports no `__main__`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
