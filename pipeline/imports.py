"""Imports a step's module without looking for garbage meanwhile."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType

from crossnet.pipeline.threads import is_own_process


def import_module(name: str) -> ModuleType:
    """Imports a module; where it is imported already, returns it.

    TensorFlow's import makes objects that stay, and Python looks through them again and again for cycles: a seventh of
    the CPU that it takes (2026-11-30, 2 idle cores: `python -c "import gc; gc.disable(); import tensorflow, tf_keras"`
    took 6.0 to 6.8 CPU s, and 7.1 to 7.8 without `disable`). In a command of ours it does not look meanwhile, nor ever
    again at what was there when TensorFlow had come. What later imports find is not set aside: trained networks may be
    among it.

    Raises:
      ImportError: It cannot be imported.
    """
    if name in sys.modules or not is_own_process() or not gc.isenabled():
        return importlib.import_module(name)
    had_tensorflow = "tensorflow" in sys.modules
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if not had_tensorflow and "tensorflow" in sys.modules:
            gc.freeze()
        gc.enable()
