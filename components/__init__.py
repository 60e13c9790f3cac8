"""Holds the steps of the pipeline, one per file, and their shared rooms.

TFRS refuses Keras 3, so Keras 2 (`tf_keras`) is chosen here, before anything can touch `tf.keras`.
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
