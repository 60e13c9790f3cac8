"""Holds the steps of the pipeline and the rooms they share.

TFRS refuses Keras 3, so Keras 2 (`tf_keras`) is chosen here, before anything can touch `tf.keras`.
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
