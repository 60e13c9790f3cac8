import os
import resource
import subprocess
import sys

import pyarrow as pa
import pytest

from crossnet.serving.protocol import memory_limits
from crossnet.serving.protocol.memory_limits import check_threads, is_limited, is_refusal
from support import REPOSITORY


@pytest.mark.parametrize("kind", memory_limits.LIMITS)
def test_either_limit_counts(monkeypatch, kind):
    limits = dict.fromkeys(memory_limits.LIMITS, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda asked: (limits[asked], limits[asked]))
    assert not is_limited()
    limits[kind] = 1 << 40
    assert is_limited()


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (pa.ArrowException("Unknown error: Failed to launch worker thread: Resource temporarily unavailable"), True),
        (OSError("[Errno 12] Cannot allocate memory"), True),
        (pa.ArrowMemoryError("malloc of size 131136 failed"), True),
        (pa.ArrowMemoryError(f"malloc of size {1 << 50} failed"), False),  # of a damaged file
        (pa.ArrowInvalid("Not an Arrow file"), False),
        (OSError("Expected to be able to read 64 bytes"), False),
    ],
)
def test_a_refusal_is_not_damage(error, refused):
    assert is_refusal(error) == refused


@pytest.mark.parametrize("limited", [True, False])
def test_memory_without_a_size_is_refused_where_it_is_limited(monkeypatch, limited):
    monkeypatch.setattr(memory_limits, "is_limited", lambda: limited)
    assert is_refusal(MemoryError("std::bad_alloc")) == limited


ARROW = """
import io, resource, sys
import pyarrow as pa
from pyarrow import csv
from crossnet.serving.protocol.memory_limits import check_threads
(line,) = (line for line in open("/proc/self/status") if line.startswith("VmSize"))
left = int(sys.argv[1]) << 20
resource.setrlimit(resource.RLIMIT_AS, (int(line.split()[1]) * 1024 + left,) * 2)
try:
    check_threads()
    with csv.open_csv(pa.PythonFile(io.BytesIO(b"a,b" + b"\\n1,2" * 1000), mode="r")) as reader:
        print(sum(batch.num_rows for batch in reader))
except (MemoryError, pa.ArrowException) as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize("mib", [4, 9, 12, 16, 22, 24, 30, 200])
def test_arrow_does_not_wait_for_a_thread_that_cannot_start(mib):
    """Without `check_threads` it waits for ever with 9 to 16 MiB, and at times with 22 and 24."""
    done = subprocess.run(
        [sys.executable, "-c", ARROW, str(mib)],
        capture_output=True,
        text=True,
        timeout=20,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("1000", "MemoryError", "ArrowMemoryError", "ArrowException")
    assert (done.stdout.strip() == "1000") or mib < 200


def test_nothing_is_checked_where_memory_is_not_limited(monkeypatch):
    monkeypatch.setattr(memory_limits, "is_limited", lambda: False)
    monkeypatch.setattr(memory_limits.threading, "Thread", None)
    check_threads()
