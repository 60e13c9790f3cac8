"""Predicts a large file in several processes, from a model on disk."""

from __future__ import annotations

import functools
import io
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from crossnet.serving.offline import OfflineModel, find_saved_model
from crossnet.serving.predict import (
    SIGNATURES,
    Judge,
    ModelAddress,
    PredictSummary,
    RowFiles,
    check_options,
    csv_format_of,
    features_of,
    known_of,
    predict_rows,
    rules_of,
    summed,
)
from crossnet.serving.protocol.column_rules import ColumnRules
from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.train_values import TrainValues
from crossnet.serving.rows import formats
from crossnet.serving.rows.base import Sink
from crossnet.serving.rows.batches import Answered, batches_of, read_errors, write_answers
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.pieces import Piece, cut, may_cut
from crossnet.serving.rows.streams import opened, written

# A process takes 3 CPU s to import TensorFlow, as long as it takes to answer some 10 MB of rows with three features
# (2026-11-29, 2 shared cores).
LEAST_BYTES = 32 << 20
_AHEAD = 8  # pieces for each process, whose answers are in memory until they are written

# Calls a function with each of some arguments, in several processes, and yields the results in order.
Map = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]]], Iterator[Any]]


def predict_large_file(
    files: RowFiles,
    address: ModelAddress,
    run: Map,
    width: int,
    *,
    signature_name: str | None = None,
    batch_size: int = 1000,
    ignore_extra: bool = False,
    progress: Callable[[int], None] | None = None,
    judge: Judge | None = None,
    least_bytes: int = LEAST_BYTES,
) -> PredictSummary:
    """Does what `predict_rows` does, with the same bytes, and with several processes where that is faster.

    That is with a model on disk and a file of `least_bytes` or more that can be cut, see
    `crossnet.serving.rows.pieces`. Else, and from the first line on that keeps a file from being cut, this process
    works alone.

    Args:
      files, address, signature_name, batch_size, ignore_extra, progress, judge: As for `predict_rows`.
      run: Runs pieces in processes.
      width: How many pieces `run` works on at the same time.
      least_bytes: A smaller file is left to this process.

    Raises:
      ServingError: As `predict_rows`; where several rows are wrong, for the first of them.
    """
    start = time.monotonic()
    kind = check_options(files, address, batch_size)
    csv_format = csv_format_of(files, kind, address)
    if address.offline is None or width < 2 or not _is_large(files, least_bytes) or not may_cut(kind, csv_format):
        return predict_rows(
            files,
            address,
            signature_name=signature_name,
            batch_size=batch_size,
            ignore_extra=ignore_extra,
            progress=progress,
            judge=judge,
        )
    with ExitStack() as stack:
        sink = stack.enter_context(written(files.output))
        source = stack.enter_context(opened(files.rows))
        with read_errors(files.name):  # what is wrong with its start is said at once
            formats.make_reader(source, kind, files.name, csv_format)
            source.seek(0)
        folder = find_saved_model(address.offline)  # one for all, also when another version comes
        rules = rules_of(files, address)
        task = _Task(
            files, kind, csv_format, rules, folder, address.model_name, signature_name, batch_size, ignore_extra
        )
        _, recorded_in = known_of(address)
        summary = summed(_answers(task, source, sink, run, width * _AHEAD), start, progress, recorded_in)
        if judge:
            judge(summary)
        return summary


def _answers(task: _Task, source: BinaryIO, sink: Sink, run: Map, most: int) -> Iterator[Answered]:
    """Writes the answers for all rows, at most `most` pieces at the same time, and yields what was done."""
    pieces = cut(source, task.kind, task.csv_format, task.batch_size)
    while True:
        with read_errors(task.files.name):
            group = list(itertools.islice(pieces, most))
        whole = [(task, piece) for piece in group if piece.end is not None]
        for answered in run(_answer_piece, whole) if whole else ():
            sink.write(answered.data)
            yield from answered.batches
        if len(whole) < len(group):  # the last, which may be of any size
            with OfflineModel(task.folder, model_name=task.model_name) as model:
                yield from task.answer(group[-1], model, sink)
        if not group:
            return


def _is_large(files: RowFiles, least_bytes: int) -> bool:
    """Whether the rows are a file of so many bytes that is not compressed."""
    try:
        if not os.path.isfile(files.rows) or os.path.getsize(files.rows) < least_bytes:
            return False
        with opened(files.rows) as source:
            return isinstance(source, io.BufferedReader) and isinstance(source.raw, io.FileIO)
    except OSError:
        return False


class _Piece(NamedTuple):
    """The answers for a piece.

    Attributes:
      data: The rows with the answers.
      batches: What was done for them.
    """

    data: bytes
    batches: list[Answered]


@dataclass(frozen=True)
class _Task:
    """What all pieces share."""

    files: RowFiles
    kind: str
    csv_format: CsvFormat
    rules: ColumnRules
    folder: Path
    model_name: str
    signature_name: str | None
    batch_size: int
    ignore_extra: bool

    def answer(self, piece: Piece, model: OfflineModel, sink: Sink) -> Iterator[Answered]:
        """Writes the rows of a piece with the model's answers; the first piece also what comes before all rows."""
        files, is_csv = self.files, self.kind == "csv"
        with opened(files.rows) as source:
            with read_errors(files.name):
                header = source.readline() if is_csv and piece.start else b""
                source.seek(piece.start)
                stream: BinaryIO = source
                if piece.end is not None:
                    stream = io.BytesIO(header + source.read(piece.end - piece.start))
                elif piece.start:
                    stream = cast(BinaryIO, io.BufferedReader(_Joined(header, source)))
                before = piece.lines - bool(header)
                table = formats.make_reader(stream, self.kind, files.name, self.csv_format, lines_before=before)
            metadata = model.metadata()
            signature = metadata.signature(self.signature_name or SIGNATURES[self.kind])
            known, features = _known(self.folder), features_of(metadata)
            inputs = InputBuilder(table, signature, metadata.title, self.ignore_extra, self.rules, features, known)
            gate = _Gate(sink, is_open=before == 0)
            writer = formats.make_writer(table, gate, self.kind)
            writer.begin(list(signature.outputs))
            gate.is_open = True
            yield from write_answers(
                batches_of(table, self.batch_size, files.name), model, inputs, signature.name, writer
            )


class _Gate:
    """Lets data pass to a sink while it is open."""

    def __init__(self, sink: Sink, *, is_open: bool) -> None:
        self._sink, self.is_open = sink, is_open

    def write(self, data: bytes) -> None:
        if self.is_open:
            self._sink.write(data)


class _Joined(io.RawIOBase):
    """Some bytes, then those of a stream."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._first[: len(buffer)] or self._rest.read(len(buffer))
        self._first = self._first[len(data) :]
        buffer[: len(data)] = data
        return len(data)


@functools.cache  # a process keeps its model
def _model(folder: Path, name: str) -> OfflineModel:
    return OfflineModel(folder, model_name=name)


@functools.cache
def _known(folder: Path) -> TrainValues:
    return known_of(ModelAddress(offline=folder))[0]


def _answer_piece(task: _Task, piece: Piece) -> _Piece:
    answers = io.BytesIO()
    batches = list(task.answer(piece, _model(task.folder, task.model_name), answers))
    return _Piece(answers.getvalue(), batches)
