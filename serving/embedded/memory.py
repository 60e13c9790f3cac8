"""Makes the C library give freed memory back to the system.

Left to itself, glibc keeps it: once a large block was freed, blocks of that size come from its heaps, which shrink only
at their end, and each thread may have a heap of its own. Source: glibc manual, "Malloc Tunable Parameters".
"""

from __future__ import annotations

import ctypes

# Names and numbers of malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# A larger block is mapped, and unmapped when it is freed; the system clears each of its pages when it is first written.
# Smaller are those of 256 KiB into which asyncio reads, and those of 12 times a body that orjson reads, up to 340 KiB:
# else each request to the REST port would map and unmap them, which took 50 of the 110 us in which orjson reads 1,000
# rows of three (2026-11-30).
_LARGE_BYTES = 2**22
_FREE_BYTES = 2**23  # of a heap's end that may stay
_HEAPS = 2


def return_large_blocks() -> None:
    """Sets glibc's parameters for the process; does nothing with another C library."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, _HEAPS)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)
