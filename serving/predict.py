"""The work of `crossnet predict`: a file of rows in, the same rows with predictions out, batch by batch."""

from __future__ import annotations

import gzip
import itertools
import os
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from serving import row_files
from serving.cells import read_cell, read_json
from serving.client import PredictionClient
from serving.connection import Tls
from serving.input_checks import fit_inputs, name_problems
from serving.row_files import Csv, Row, TfRecord
from serving.signature import ModelMetadata, Signature
from serving.status import InvalidRequestError, RowsError, ServerError, UsageError

_MOST_HEADERS = 1000  # JSON rows may each have keys of their own

_SIGNATURES = {"jsonl": "serving_default", "csv": "serving_default", "tfrecord": "serving_examples"}


@dataclass(frozen=True)
class PredictSummary:
    """What was done.

    Attributes:
      rows: How many rows were answered.
      versions: The versions that answered, in the order in which they first did.
      seconds: Wall-clock time.
    """

    rows: int
    versions: tuple[int, ...]
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
    `trip_miles`). Cells mean what they mean to ExampleGen, see `serving.cells`: a null in JSON or an empty cell in CSV
    is a missing value, NaN or "" for text. A key that is not there at all is a mistake.

    Args:
      rows: The file, or "-" for standard input.
      output: Where to write, in the format of `rows`; it gets its name once it is whole. None: standard output.
      target, model_name, version, label, timeout_seconds, tls, headers: As for `PredictionClient`.
      offline: A SavedModel to use instead of a server, see `serving.offline.find_saved_model`.
      file_format: "jsonl", "csv" or "tfrecord"; None goes by the file's name, and takes "jsonl" for standard input.
      signature_name: None takes `serving_examples` for TFRecord and `serving_default` otherwise.
      batch_size: Rows per call.
      ignore_extra: Lets columns pass that are no features, such as the label.
      progress: Called after each batch with the number of rows done so far.

    Raises:
      UsageError: The options do not go together, or a file cannot be opened (exit code 2).
      RowsError: A row cannot be read; names file and line.
      InvalidRequestError: Rows do not fit the model; names file, line, and the features missing and extra.
      ServingError: The server did not answer, see `serving.status`.
    """
    name = "standard input" if str(rows) == "-" else str(rows)
    kind = file_format or row_files.format_of(name) or ("jsonl" if str(rows) == "-" else None)
    problems = []
    if kind is None:
        problems.append(f"The name of `{name}` tells no format. Give one of: {', '.join(row_files.FORMATS)}.")
    elif kind not in row_files.FORMATS:
        problems.append(f"Unknown format `{kind}`. There are: {', '.join(row_files.FORMATS)}.")
    elif output and row_files.format_of(output.name) not in (None, kind):
        problems.append(f"The output has the format of the input, {kind}; `{output}` is named otherwise.")
    if batch_size < 1:
        problems.append(f"`batch_size` must be at least 1; received {batch_size}.")
    if problems or kind is None:
        raise UsageError(" ".join(problems))

    start = time.monotonic()
    versions: dict[int, None] = {}
    done = 0
    with ExitStack() as stack:
        source = stack.enter_context(_opened(rows, name))
        try:
            table = row_files.reader(source, kind, name)
            batches = _batches(table.rows(), batch_size)
            first = next(batches, None)  # before the model is asked for: a bad file is told without a server
            predictor: Any
            if offline is not None:
                from serving.offline import OfflineModel

                predictor = stack.enter_context(OfflineModel(offline, model_name=model_name))
            else:
                predictor = stack.enter_context(
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
            signature_name = signature_name or _SIGNATURES[kind]
            metadata = predictor.metadata()
            columns_of = _ColumnMaker(table, metadata, signature_name, ignore_extra, name)
            writer = table.writer(stack.enter_context(_written(output)))
            for batch in itertools.chain([first] if first else [], batches):
                prediction = predictor.predict(columns_of(batch), signature_name=signature_name)
                for output_name, values in prediction.outputs.items():
                    if values.shape[:1] != (len(batch),):
                        raise ServerError(
                            f"Output `{output_name}` has shape {list(values.shape)} for {len(batch)} rows; expected "
                            "one value per row."
                        )
                writer.write(batch, prediction.outputs)
                versions[prediction.version] = None
                done += len(batch)
                if progress:
                    progress(done)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise RowsError(f"{name} cannot be unpacked: {error}.") from error
    return PredictSummary(rows=done, versions=tuple(versions), seconds=time.monotonic() - start)


class _ColumnMaker:
    """Turns a batch of rows into the inputs of a signature."""

    def __init__(
        self,
        table: row_files.JsonLines | Csv | TfRecord,
        metadata: ModelMetadata,
        signature_name: str,
        ignore_extra: bool,
        name: str,
    ) -> None:
        self._signature = metadata.signature(signature_name)
        self._title = metadata.title
        self._ignore_extra = ignore_extra
        self._features: dict[tuple[str, ...], list[str]] = {}
        self._table = table
        if isinstance(table, Csv):
            header = self._names(table.header, f"{name}:1")
            given = dict.fromkeys(self._kept(header))
            if problems := name_problems(given, self._signature):
                raise InvalidRequestError(f"{name}:1 does not fit model {self._title}. {self._advise(problems)}")
        if isinstance(table, TfRecord) and len(self._signature.inputs) != 1:
            raise UsageError(f"TFRecord needs a signature with one input, not `{signature_name}`.")

    def __call__(self, batch: Sequence[Row]) -> dict[str, Any]:
        """Returns input name -> values; raises InvalidRequestError with the place of what does not fit."""
        specs = self._signature.inputs
        rows: list[Any]
        if isinstance(self._table, TfRecord):
            rows = [dict.fromkeys(specs, row.values) for row in batch]
        elif isinstance(self._table, Csv):
            names = self._names(self._table.header, "")
            kept = [(i, name, specs[name]) for i, name in enumerate(names) if name in specs]
            rows = [{name: read_cell(row.values[i], spec) for i, name, spec in kept} for row in batch]
        else:
            rows = []
            for row in batch:
                names = self._names(tuple(row.values), row.place)
                values = zip(self._kept(names, keep_place=True), row.values.values(), strict=True)
                rows.append(
                    {
                        name: read_json(value, specs[name]) if name in specs else value
                        for name, value in values
                        if name is not None
                    }
                )
        try:
            return cast("dict[str, Any]", fit_inputs(rows, self._signature, self._title, lambda i: batch[i].place))
        except InvalidRequestError as error:
            raise InvalidRequestError(self._advise([str(error)])) from None

    def _names(self, given: Sequence[str], place: str) -> list[str]:
        """Returns the features that headers stand for; a header that is none stays as it is."""
        key = tuple(given)
        if key not in self._features:
            names = [_feature_name(header, self._signature) for header in given]
            for name in names:
                spellings = [f"`{header}`" for header, found in zip(given, names, strict=True) if found == name]
                if len(spellings) > 1:
                    raise RowsError(f"{place} has {' and '.join(spellings)}, which are both feature `{name}`.")
            if len(self._features) >= _MOST_HEADERS:
                self._features.clear()
            self._features[key] = names
        return self._features[key]

    def _kept(self, names: list[str], keep_place: bool = False) -> list[Any]:
        """Returns the names without those to ignore, which become None where `keep_place`."""
        if not self._ignore_extra:
            return list(names)
        kept = [name if name in self._signature.inputs else None for name in names]
        return kept if keep_place else [name for name in kept if name is not None]

    def _advise(self, problems: list[str]) -> str:
        text = " ".join(problems)
        return f"{text} Columns that are no features pass with `--ignore-extra`." if "Extra: " in text else text


def _feature_name(header: str, signature: Signature) -> str:
    """Returns the feature for a header, by the rule of ExampleGen."""
    if header in signature.inputs:
        return header
    name = re.sub(r"[^A-Za-z0-9_]", "_", header)
    name = f"_{name}" if name[:1].isdigit() else name
    return name if name in signature.inputs else header


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while batch := list(itertools.islice(rows, size)):
        yield batch


@contextmanager
def _opened(rows: Path | str, name: str) -> Iterator[BinaryIO]:
    if str(rows) == "-":
        yield sys.stdin.buffer
        return
    open_file = gzip.open if name.endswith(".gz") else open
    try:
        stream = open_file(rows, "rb")
    except OSError as error:
        raise UsageError(f"Cannot read `{name}`: {error.strerror}.") from error
    with stream:
        yield cast(BinaryIO, stream)


@contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    """Yields a stream that becomes `output` at the end, and nothing when an error ends the block."""
    if output is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(f".{output.name}.tmp-{os.getpid()}")
    open_file = gzip.open if output.name.endswith(".gz") else open
    try:
        stream = open_file(partial, "wb")
    except OSError as error:
        raise UsageError(f"Cannot write `{output}`: {error.strerror}.") from error
    try:
        with stream:
            yield cast(BinaryIO, stream)
        os.replace(partial, output)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
