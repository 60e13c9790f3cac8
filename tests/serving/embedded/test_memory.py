"""Memory of large blocks goes back to the system when they are freed."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

# Once such a block was freed, glibc takes later ones from a heap, where a small one after each keeps them.
CODE = """
import ctypes, sys
from pathlib import Path
from crossnet.serving.embedded.memory import return_large_blocks

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

if sys.argv[1] == "set":
    return_large_blocks()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
c.free.argtypes = [ctypes.c_void_p]
c.free(c.malloc(20 << 20))
before, large = resident(), []
for _ in range(20):
    large.append(c.malloc(5 << 20))
    ctypes.memset(large[-1], 1, 5 << 20)
    ctypes.memset(c.malloc(100_000), 1, 100_000)
for block in large:
    c.free(block)
print(resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
@pytest.mark.parametrize(("set_it", "least", "most"), [("set", -5, 10), ("leave it", 80, 110)])
def test_large_blocks_go_back_when_they_are_freed(set_it, least, most):
    done = subprocess.run([sys.executable, "-c", CODE, set_it], capture_output=True, text=True, timeout=20, check=True)
    assert least <= int(done.stdout) <= most


# glibc marks a block that is mapped by the second bit of its size, which stands before it.
IS_MAPPED = """
import ctypes, sys
from crossnet.serving.embedded.memory import return_large_blocks

return_large_blocks()
c = ctypes.CDLL(None)
c.malloc.restype = ctypes.c_void_p
c.malloc.argtypes = [ctypes.c_size_t]
for size in map(int, sys.argv[1:]):
    print(bool(ctypes.c_size_t.from_address(c.malloc(size) - 8).value & 2))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_the_blocks_for_a_usual_request_are_not_mapped_for_each():
    from asyncio.selector_events import _SelectorTransport

    received = _SelectorTransport.max_size + sys.getsizeof(b"")
    read = 12 * 2**18  # orjson's, for a body of 256 KiB
    sizes = map(str, (received, read, 2**22))
    done = subprocess.run([sys.executable, "-c", IS_MAPPED, *sizes], capture_output=True, check=True)
    assert done.stdout.split() == [b"False", b"False", b"True"]
