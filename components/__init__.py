"""Holds the steps of the pipeline and the rooms they share.

TFRS refuses Keras 3, so Keras 2 (`tf_keras`) is chosen here, before anything can touch `tf.keras`. Arrow's allocator
gives memory back after a minute instead of at once, chosen here before anything can load Arrow: batches of one size
follow each other, and 1 M rows of 30 columns take 4 to 8 % less CPU where each finds the pages of the one before.
"""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "60000")  # milliseconds
