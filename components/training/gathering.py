"""Gathers the held-out rows of all workers on the chief."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from crossnet.components.training.disk_array import MANY_ROWS, growing, grown
from crossnet.components.training.out_of_fold import OutOfFold
from crossnet.components.training.rows import Rows
from crossnet.components.training.shared_rows import SharedRows


def gathered(found: OutOfFold, train: Rows) -> tuple[OutOfFold, Rows]:
    """Returns the rows of all workers that were held out, in the split's order, and what was predicted for them.

    Args:
      found: Of the rows of this process.
      train: These rows. Where they are all there are, both arguments are returned.

    Returns:
      The predictions, and the rows that these speak of, without inputs; of many rows, in files. On another worker than
      the chief, both arguments.

    Raises:
      TrainingError: A worker has ended.
    """
    if not isinstance(train, SharedRows):
        return found, train
    sharing, own = train.sharing, _parts_by_block(found, train)
    count = int(train.total(np.array([len(found.row)], np.float64))[0])
    if sharing.index:
        for part in own:
            sharing.give(part)
        return found, train
    arrays, folder = {}, None
    if count > MANY_ROWS and train.folder:
        folder = train.folder / "gathered"
        folder.mkdir()
    fields = _fields(found, train)
    for name, dtype, *shape in [("row", np.int64), *fields]:
        arrays[name] = growing(count, shape[0] if shape else (), dtype, folder / f"{name}.bin" if folder else None)
    first = 0
    for worker in train.workers_of_blocks():
        block = sharing.take(worker, fields) if worker else next(own)
        arrays["row"].append(np.arange(first, first + len(block)))
        for name, *_ in fields:
            arrays[name].append(block[name])
        first += len(block)
    values: dict[str, Any] = {name: grown(array) for name, array in arrays.items()}
    row, label, predictions = (values.pop(name) for name in ("row", "label", "predictions"))
    return OutOfFold(row, predictions), Rows((), label, 1, **values, folder=folder)


def _fields(found: OutOfFold, train: Rows) -> list[Any]:
    """Returns names and types of what is gathered of a row."""
    weight = [] if train.weight is None else [("weight", np.float32)]
    numbers = [("place", np.int64), ("label", np.float32), ("fold", np.int32), ("units", np.uint64), *weight]
    return [*numbers, ("predictions", np.float64, (found.predictions.shape[1],))]


def _parts_by_block(found: OutOfFold, train: SharedRows) -> Iterator[npt.NDArray[Any]]:
    """Yields what is gathered of each block of this worker's rows, (rows,), as `_fields` says."""
    assert train.fold is not None
    assert train.units is not None
    for first, last in train.by_block(found.row):
        row = found.row[first:last]
        part = np.empty(last - first, _fields(found, train))
        part["place"], part["label"] = train.places(row), train.label[row]
        part["fold"], part["units"] = train.fold[row], train.units[row]
        if train.weight is not None:
            part["weight"] = train.weight[row]
        part["predictions"] = found.predictions[first:last]
        yield part
