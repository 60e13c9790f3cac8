"""Makes synthetic rows from a known formula.

The label is y = x0² + x0·x1 + x1·x2 + x2². Each feature is one of 0, 1/200, ..., 199/200, drawn uniformly; features
beyond the third are noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

LEVELS = 200
BLOCK_ROWS = 1 << 16  # rows of one seed in the sharded recipe; changing it changes the rows
_BATCH_ROWS = 1 << 14


def column_names(num_features: int) -> list[str]:
    """Returns the columns: `x0`, `x1`, ... and the label `y`."""
    return [f"x{i}" for i in range(num_features)] + ["y"]


def article_rows(*, seed: int, num_examples: int, num_features: int) -> Iterator[pa.RecordBatch]:
    """Yields the article's rows: `randint(200, size=[rows, features])` of NumPy's legacy generator."""
    generator = np.random.RandomState(seed)
    for start in range(0, num_examples, _BATCH_ROWS):
        levels = generator.randint(LEVELS, size=[min(_BATCH_ROWS, num_examples - start), num_features])
        yield _batch(list(levels.T))


def sharded_rows(
    *, seed: int, num_examples: int, num_features: int, first_block: int = 0, last_block: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Yields rows of the sharded recipe, block by block; block `b` depends on the seed and `b` only.

    So any number of processes or machines makes the same rows, and neither more rows nor more features change the
    earlier ones.

    Args:
      first_block, last_block: The blocks of `BLOCK_ROWS` rows to make, `last_block` not included; None: to the end.
    """
    stop = num_blocks(num_examples) if last_block is None else last_block
    for block in range(first_block, stop):
        size = min(BLOCK_ROWS, num_examples - block * BLOCK_ROWS)
        columns = []
        for feature in range(num_features):
            sequence = np.random.SeedSequence(seed, spawn_key=(block, feature))
            generator = np.random.Generator(np.random.Philox(sequence))
            columns.append(generator.integers(LEVELS, size=BLOCK_ROWS, dtype=np.uint8)[:size])
        for start in range(0, size, _BATCH_ROWS):
            yield _batch([column[start : start + _BATCH_ROWS] for column in columns])


def num_blocks(num_examples: int) -> int:
    """Returns how many blocks hold `num_examples` rows."""
    return -(-num_examples // BLOCK_ROWS)


def _batch(levels: list[NDArray[np.integer]]) -> pa.RecordBatch:
    """Returns rows of float32 features and label; the label is computed in float64."""
    x = [column / LEVELS for column in levels]
    y = x[0] ** 2 + x[0] * x[1] + x[1] * x[2] + x[2] ** 2
    arrays = [pa.array(values.astype(np.float32)) for values in (*x, y)]
    return pa.RecordBatch.from_arrays(arrays, names=column_names(len(x)))
