"""Says where code of a user's own project has failed."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path


def in_words(error: BaseException, module: str, folder: Path | None = None) -> str:
    """Returns what an exception says, with file and line.

    Args:
      error: What was raised.
      module: The module of the user's project that was called or imported.
      folder: That project's; None: where the module's top-level package is.

    Returns:
      Such as "ValueError: no rows (/home/ada/my_project/steps.py, line 12)". The line is the last one of that project
      that was at work; where none was, the error says the file alone.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    folder = folder or _folder(module)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if folder and Path(frame.filename).resolve().is_relative_to(folder):
            return f"{words} ({frame.filename}, line {frame.lineno})"
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{words} ({file})" if file else words


def _folder(module: str) -> Path | None:
    """Returns the folder of a module's top-level package, or of a module that stands alone."""
    top = sys.modules.get(module.partition(".")[0])
    places = [*getattr(top, "__path__", ()), *([Path(top.__file__).parent] if top and top.__file__ else [])]
    return Path(places[0]).resolve() if places else None
