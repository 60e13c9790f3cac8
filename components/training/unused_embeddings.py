"""Fills the embeddings of values that no train row has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tf_keras

from crossnet.components.networks.preprocessing import Preprocessing
from crossnet.components.training.rows import Rows

ROWS_AT_ONCE = 10_000


def fill_unused_embeddings(
    network: tf_keras.Model, train: Rows, preprocessing: Preprocessing, known: Preprocessing | None
) -> None:
    """Gives each embedding row that no train row used the mean of those that were, weighted by use.

    So a value that was never seen is answered like an average one, not by the random vector it started from.

    Args:
      network: The trained network; its embeddings are changed in place.
      train: The rows that it learned from.
      preprocessing: Theirs.
      known: That of the model from which training started: its embedding rows stay as they are. None: none did.
    """
    sizes = [rows for rows, _ in preprocessing.tables]
    counts = count_ids(train, sizes, has_numbers=bool(preprocessing.numbers))
    tables = network.get_layer("embeddings").trainable_weights if sizes else []
    for i, (table, uses) in enumerate(zip(tables, counts, strict=True)):
        value = table.numpy()
        unused = uses == 0
        if known:
            unused[: known.tables[i][0]] = False
        # Of several members each has a table of its own: `([members,] rows, width)`.
        value[..., unused, :] = np.average(value, axis=-2, weights=uses)[..., None, :]
        table.assign(value)


def count_ids(rows: Rows, sizes: Sequence[int], has_numbers: bool) -> list[npt.NDArray[np.float64]]:
    """Returns how often, by weight, each embedding row of each text feature occurs in all workers' rows."""
    if not sizes:
        return []
    counts = [np.zeros(size) for size in sizes]
    for chunk in rows.chunks(ROWS_AT_ONCE):
        ids = chunk.inputs[1 if has_numbers else 0]
        for i, size in enumerate(sizes):
            counts[i] += np.bincount(ids[:, i], chunk.weight, minlength=size)
    return np.split(rows.total(np.concatenate(counts)), np.cumsum(sizes)[:-1])
