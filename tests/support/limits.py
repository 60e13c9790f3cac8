"""Lowers the limits of this process for a while."""

import contextlib
import resource


@contextlib.contextmanager
def files_of_at_most(size):
    """Lets files grow to `size` bytes: a write beyond fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
