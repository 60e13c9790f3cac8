"""The work of `crossnet predict`: a file of rows in, the same rows with predictions out, batch by batch."""

from __future__ import annotations

import gzip
import itertools
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossnet.serving.client import PredictionClient
from crossnet.serving.client.answers import Prediction
from crossnet.serving.client.connection import Tls
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.rows import formats
from crossnet.serving.rows.base import Row
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.streams import STANDARD_INPUT, opened, written
from crossnet.serving.status import InvalidRequestError, RowsError, ServerError, ServingError, UsageError

_SIGNATURES = {"jsonl": "serving_default", "csv": "serving_default", "tfrecord": "serving_examples"}


@dataclass(frozen=True)
class PredictSummary:
    """What was done.

    Attributes:
      rows: How many rows were answered.
      versions: The versions that answered, in the order in which they first did.
      not_finite: How many rows got NaN or an infinity.
      seconds: Wall-clock time.
    """

    rows: int
    versions: tuple[int, ...]
    not_finite: int
    seconds: float


def predict_rows(
    *,
    rows: Path | str,
    output: Path | None = None,
    target: str = "localhost:8500",
    model_name: str = "crossnet",
    version: int | None = None,
    label: str | None = None,
    timeout_seconds: float = 10.0,
    wait_seconds: float = 0.0,
    tls: Tls | None = None,
    headers: Mapping[str, str] | None = None,
    offline: Path | None = None,
    file_format: str | None = None,
    signature_name: str | None = None,
    batch_size: int = 1000,
    ignore_extra: bool = False,
    progress: Callable[[int], None] | None = None,
) -> PredictSummary:
    """Adds the model's outputs to each row of a file, in its order.

    A feature is found under its own name or under the header it had before ExampleGen mapped it (`trip miles` is
    `trip_miles`). Cells mean what they mean to ExampleGen, see `crossnet.serving.rows.cells`: a null in JSON or an
    empty cell in CSV is a missing value, NaN or "" for text. A key that is not there at all is a mistake.

    Args:
      rows: The file, or "-" for standard input.
      output: Where to write, in the format of `rows`; a file gets its name once it is whole, a pipe or device is
        written as the answers come. None: standard output.
      target, model_name, version, label, timeout_seconds, tls, headers: As for `PredictionClient`.
      wait_seconds: How long to wait for the server's model to be ready; 0: not at all.
      offline: A SavedModel to use instead of a server, see `crossnet.serving.offline.find_saved_model`.
      file_format: "jsonl", "csv" or "tfrecord"; None goes by the file's name, and takes "jsonl" for standard input.
      signature_name: None takes `serving_examples` for TFRecord and `serving_default` otherwise.
      batch_size: Rows per call.
      ignore_extra: Lets columns pass that are no features, such as the label.
      progress: Called after each batch with the number of rows done so far.

    Raises:
      UsageError: The options do not go together, or a file cannot be opened (exit code 2).
      RowsError: A row cannot be read; names file and line.
      OutputError: What was answered cannot be written.
      InvalidRequestError: Rows do not fit the model; names file, line, and the features missing and extra.
      ServingError: The server did not answer, see `crossnet.serving.status`.
    """
    start = time.monotonic()
    name = STANDARD_INPUT if str(rows) == "-" else str(rows)
    kind = _format(name, output, file_format, batch_size)
    if offline is not None and (version is not None or label is not None):
        raise UsageError("`version` and `label` are for a server. Name the folder of one version in `offline`.")
    versions: dict[int, None] = {}
    done = not_finite = 0
    with ExitStack() as stack:
        sink = stack.enter_context(written(output))
        source = stack.enter_context(opened(rows))
        with _reading(name):
            table = formats.reader(source, kind, name)
        batches = _batches(table.rows(), batch_size, name)
        first = next(batches, None)  # before the model is asked for: a bad file is told without a server
        model: Any
        if offline is not None:
            from crossnet.serving.offline import OfflineModel

            model = stack.enter_context(OfflineModel(offline, model_name=model_name))
        else:
            model = stack.enter_context(
                PredictionClient(
                    target,
                    model_name=model_name,
                    version=version,
                    label=label,
                    timeout_seconds=timeout_seconds,
                    max_rows_per_call=batch_size,
                    tls=tls,
                    headers=headers,
                )
            )
            if wait_seconds:
                model.wait_ready(wait_seconds)
        metadata = model.metadata()
        signature = metadata.signature(signature_name or _SIGNATURES[kind])
        inputs = InputBuilder(table, signature, metadata.title, ignore_extra)
        writer = table.writer(sink)
        if first is None:
            writer.begin(list(signature.outputs))
        for batch in itertools.chain([first] if first else [], batches):
            prediction = _ask(model, inputs, batch, signature.name)
            writer.write(batch, prediction.outputs)
            versions[prediction.version] = None
            done += len(batch)
            not_finite += _count_not_finite(prediction.outputs, len(batch))
            if progress:
                progress(done)
    return PredictSummary(done, tuple(versions), not_finite, time.monotonic() - start)


def _format(name: str, output: Path | None, file_format: str | None, batch_size: int) -> str:
    """Returns the format of the rows.

    Raises:
      UsageError: It cannot be told, or the options do not go together.
    """
    kind = file_format or formats.format_of(name) or ("jsonl" if name == STANDARD_INPUT else None)
    problems = []
    if kind is None:
        problems.append(f"The name of `{name}` tells no format. Give one of: {', '.join(formats.FORMATS)}.")
    elif kind not in formats.FORMATS:
        problems.append(f"Unknown format `{kind}`. There are: {', '.join(formats.FORMATS)}.")
    elif output and formats.format_of(output.name) not in (None, kind):
        problems.append(f"The output has the format of the input, {kind}; `{output}` is named otherwise.")
    if batch_size < 1:
        problems.append(f"`batch_size` must be at least 1; received {batch_size}.")
    if problems or kind is None:
        raise UsageError(" ".join(problems))
    return kind


def _ask(model: Any, inputs: InputBuilder, batch: Sequence[Row], signature_name: str) -> Prediction:
    """Returns the model's answer for some rows.

    Raises:
      InvalidRequestError: The model refuses a row; names its place.
    """

    def ask(rows: Sequence[Row], columns: Mapping[str, Any]) -> Prediction:
        prediction: Prediction = model.predict(columns, signature_name=signature_name)
        for name, values in prediction.outputs.items():
            if values.shape[:1] != (len(rows),):
                raise ServerError(
                    f"Output `{name}` has shape {list(values.shape)} for {len(rows)} rows; expected one value per row."
                )
        return prediction

    columns = inputs.build(batch)
    try:
        return ask(batch, columns)
    except InvalidRequestError as error:
        if error.code is None:  # found before sending: it is not about a row
            raise
        # The model says what is wrong, and not where: halves find the first such row.
        first, end, reason = 0, len(batch), error
        narrowest = len(batch)
        while narrowest > 1:
            middle = max(first + 1, (first + end) // 2)
            part = batch[first:middle]
            try:
                ask(part, inputs.build(part))
            except InvalidRequestError as narrower:
                end, reason, narrowest = middle, narrower, len(part)
                continue
            except ServingError:
                raise error from None
            first = middle
            if first == end:  # each row alone is taken
                raise
        raise InvalidRequestError(f"{batch[first].place}: {reason}", reason.code) from reason


def _count_not_finite(outputs: Mapping[str, Array], rows: int) -> int:
    wrong = np.zeros(rows, bool)
    for values in outputs.values():
        if values.dtype.kind in "fc":
            wrong |= ~np.isfinite(values).reshape(rows, -1).all(axis=1)
    return int(wrong.sum())


def _batches(rows: Iterator[Row], size: int, name: str) -> Iterator[list[Row]]:
    while True:
        with _reading(name):
            batch = list(itertools.islice(rows, size))
        if not batch:
            return
        yield batch


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Gives failures to read the rows words."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RowsError(f"{name} cannot be unpacked: {error}.") from error
    except OSError as error:
        raise RowsError(f"{name} cannot be read: {error.strerror or error}.") from error
