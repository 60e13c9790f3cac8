"""Sets up a quiet TensorFlow for all tests of a process."""

from __future__ import annotations

import logging
import os
import signal

import pytest

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture
def interruptible():
    """Takes SIGINT as a command in the foreground does: a shell has those in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _logging_lock_is_free():
    """Fails a test whose signal left the lock of logging taken, and gives it back: later threads would wait for it."""
    yield
    taken = 0
    while logging._lock._is_owned():
        logging._lock.release()
        taken += 1
    assert not taken
