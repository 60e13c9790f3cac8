"""Imports TensorFlow without its messages on standard error."""

from __future__ import annotations

import logging
import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Imports TensorFlow, and shows what its C++ part writes only where the import fails.

    The C++ part writes to file descriptor 2 before it reads any setting that would silence it.
    """
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            import tensorflow as tf
        except BaseException:
            written.seek(0)
            os.write(kept, written.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    tf.get_logger().setLevel(logging.WARNING)  # it logs every model that it restores
