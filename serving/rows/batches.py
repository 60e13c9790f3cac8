"""Groups rows into batches, and writes the model's answers for them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.rows.asking import Model, ask
from crossnet.serving.rows.base import Row, Writer
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.formats import Reader
from crossnet.serving.rows.unusual import Unusual
from crossnet.serving.status import RowsError

_MAX_BATCH_BYTES = 64 << 20  # of rows in memory, as they are in the file


class Answered(NamedTuple):
    """Rows that were answered and written.

    Attributes:
      rows: Their number.
      version: The version that answered.
      not_finite: The number of rows that got NaN or an infinity.
      unstated: The features that were texts of times and were sent in seconds, since no unit is stated.
      unusual: What the model was not trained on.
      repeats: The places of rows that were the header again, and were left out.
    """

    rows: int
    version: int
    not_finite: int
    unstated: tuple[str, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    repeats: tuple[str, ...] = ()


def write_answers(
    batches: Iterable[list[Row]], model: Model, inputs: InputBuilder, signature_name: str, writer: Writer
) -> Iterator[Answered]:
    """Asks the model about each batch, writes the rows with the answer, and yields what was done.

    Raises:
      ServingError: A row cannot be read, the model refuses it, or the answer cannot be written.
    """
    for batch in batches:
        prediction = ask(model, inputs, batch, signature_name)
        writer.write(batch, prediction.outputs)
        not_finite = _count_not_finite(prediction.outputs, len(batch))
        unstated = tuple(sorted(inputs.unstated))
        unusual, repeats = inputs.take_unusual(), inputs.take_repeats()
        yield Answered(len(batch), prediction.version, not_finite, unstated, unusual, repeats)


def batches_of(table: Reader, size: int, name: str) -> Iterator[list[Row]]:
    """Yields the rows in batches of `size` rows, or fewer where these are long."""
    rows = table.rows()
    while True:
        batch: list[Row] = []
        end = table.bytes_read + _MAX_BATCH_BYTES
        with read_errors(name):
            for row in rows:
                batch.append(row)
                if len(batch) == size or table.bytes_read > end:
                    break
        if not batch:
            return
        yield batch


@contextmanager
def read_errors(name: str) -> Iterator[None]:
    """Raises RowsError where the rows cannot be read or decompressed."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowsError(
            f"{name} cannot be decompressed: {error}. Make it again, or rename it if it is not gzip."
        ) from error
    except OSError as error:
        raise RowsError(f"{name} cannot be read: {error.strerror or error}.") from error


def _count_not_finite(outputs: Mapping[str, Array], rows: int) -> int:
    wrong = np.zeros(rows, bool)
    for values in outputs.values():
        if values.dtype.kind in "fc":
            wrong |= ~np.isfinite(values).reshape(rows, -1).all(axis=1)
    return int(wrong.sum())
