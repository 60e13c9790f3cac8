from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.artifacts.statistics import Statistics
from crossnet.pipeline.faults import FaultError
from crossnet.pipeline.tune.workers import Rows, Worker


def test_a_worker_that_the_system_ends_is_told_in_words(tmp_path: Path) -> None:
    with Worker(Rows(Examples(tmp_path), Schema(tmp_path), Statistics(tmp_path)), tmp_path) as worker:
        assert worker._process.pid is not None
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(FaultError, match=r"Set --jobs lower, or allow more memory. Trials that are done are kept"):
            worker.message()
    assert not worker._process.is_alive()
