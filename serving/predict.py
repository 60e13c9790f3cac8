"""Adds a model's predictions to the rows of a file.

This is the work of `crossnet predict`. Rows are read, sent and written in batches, so a file may be of any size.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.serving.client import PredictionClient
from crossnet.serving.client.connection import Tls
from crossnet.serving.protocol.column_rules import DEFAULT_RULES, ColumnRules
from crossnet.serving.protocol.csv_format import DEFAULT, CsvFormat
from crossnet.serving.protocol.signature import ModelMetadata
from crossnet.serving.protocol.train_values import NOTHING, TrainValues
from crossnet.serving.rows import formats
from crossnet.serving.rows.batches import Answered, batches_of, read_errors, write_answers
from crossnet.serving.rows.columns import InputBuilder
from crossnet.serving.rows.streams import STANDARD_INPUT, opened, written
from crossnet.serving.rows.tables import TABLES
from crossnet.serving.rows.unusual import Unusual, merged
from crossnet.serving.status import UsageError

if TYPE_CHECKING:
    from crossnet.serving.offline import OfflineModel

SIGNATURES = {**dict.fromkeys(formats.FORMATS, "serving_default"), "tfrecord": "serving_examples"}


@dataclass(frozen=True)
class RowFiles:
    """The files to read and write.

    Attributes:
      rows: The file of rows, or "-" for standard input.
      output: Where to write: a file gets its name once it is whole, a pipe or device is written as the answers come.
        None: standard output. In the format of `rows`; of Parquet and Arrow in the one that the output's name tells.
      format: One of `formats.FORMATS`; None: by the name of `rows`, and "jsonl" for standard input.
      csv_format: Of both files, where they are CSV; None: as `ModelAddress.offline` records, else commas and UTF-8.
      rules: Which columns are which features; what they leave open is as the model's folder records, where
        `ModelAddress` names it, else by the headers alone.
    """

    rows: Path | str
    output: Path | None = None
    format: str | None = None
    csv_format: CsvFormat | None = None
    rules: ColumnRules | None = None

    @property
    def name(self) -> str:
        """The name of the rows in a message."""
        return STANDARD_INPUT if str(self.rows) == "-" else str(self.rows)


@dataclass(frozen=True)
class ModelAddress:
    """Where the model is: on a server, or in a folder.

    Attributes:
      target, model_name, version, label, tls, headers, timeout_seconds: As for `PredictionClient`.
      wait_seconds: How long to wait for the server's model to be ready; 0: not at all.
      offline: The folder of a SavedModel to use instead of a server, see `crossnet.serving.offline.find_saved_model`.
      pushed: The folder of the model's versions, where what the server's version was trained on may be recorded.
    """

    target: str = "localhost:8500"
    model_name: str = "crossnet"
    version: int | None = None
    label: str | None = None
    tls: Tls | None = None
    headers: Mapping[str, str] | None = None
    timeout_seconds: float = 10.0
    wait_seconds: float = 0.0
    offline: Path | None = None
    pushed: Path | None = None


@dataclass(frozen=True)
class PredictSummary:
    """The rows that were answered.

    Attributes:
      rows: Their number.
      versions: The versions that answered, in the order in which they first did.
      not_finite: The number of rows that got NaN or an infinity.
      seconds: Wall-clock time.
      unstated: The features that were texts of times and were sent in whole seconds, since no unit is stated.
      unusual: What the model was not trained on, by column.
      recorded_in: The folder that records what it was trained on; None: not known, and only infinity is unusual.
      repeats: The places of rows that were the header again, and were left out.
    """

    rows: int
    versions: tuple[int, ...]
    not_finite: int
    seconds: float
    unstated: tuple[str, ...] = ()
    unusual: tuple[Unusual, ...] = ()
    recorded_in: Path | None = None
    repeats: tuple[str, ...] = ()


# Called with the summary once all is answered, before the output gets its name: what it raises keeps it from that.
Judge = Callable[[PredictSummary], None]


def predict_rows(
    files: RowFiles,
    address: ModelAddress,
    *,
    signature_name: str | None = None,
    batch_size: int = 1000,
    ignore_extra: bool = False,
    progress: Callable[[int], None] | None = None,
    judge: Judge | None = None,
) -> PredictSummary:
    """Adds the model's outputs to each row of a file, in its order.

    A feature is found under its own name or under its column's header in the file that the model was trained on, see
    `crossnet.serving.protocol.header_names`. Cells are read as in training, see `crossnet.serving.rows.cells`: a null
    in JSON and an empty cell in CSV are missing values. A key that is not there at all is an error.

    Args:
      files: The rows and where they go.
      address: The model.
      signature_name: None takes `serving_examples` for TFRecord and `serving_default` otherwise.
      batch_size: Rows per call.
      ignore_extra: Whether all columns that are not features are ignored. Those that training did not learn from,
        such as the label, are ignored where the rules of `files` or the model's folder name them.
      progress: Called after each batch with the number of rows done so far.
      judge: See `Judge`.

    Raises:
      UsageError: The options do not go together, or a file cannot be opened (exit code 2).
      RowsError: A row cannot be read; the message names file and line.
      OutputError: The answered rows cannot be written.
      InvalidRequestError: Rows do not fit the model; the message names file, line, and features missing and extra.
      ServingError: The server did not answer, see `crossnet.serving.status`.
    """
    start = time.monotonic()
    kind = check_options(files, address, batch_size)
    with ExitStack() as stack:
        sink = stack.enter_context(written(files.output))
        source = stack.enter_context(opened(files.rows))
        with read_errors(files.name):
            table = formats.make_reader(source, kind, files.name, csv_format_of(files, kind, address))
        batches = batches_of(table, batch_size, files.name)
        first = next(batches, None)  # so that an error in the file needs no server to be found
        model = stack.enter_context(_open(address, batch_size))
        metadata = model.metadata()
        signature = metadata.signature(signature_name or SIGNATURES[kind])
        rules = rules_of(files, address, metadata.version)
        known, recorded_in = known_of(address, metadata.version)
        inputs = InputBuilder(table, signature, metadata.title, ignore_extra, rules, features_of(metadata), known)
        writer = formats.make_writer(table, sink, output_kind(files, kind))
        if first is None:
            writer.begin(list(signature.outputs))
        answers = write_answers(
            itertools.chain([first] if first else [], batches), model, inputs, signature.name, writer
        )
        summary = summed(answers, start, progress, recorded_in)
        writer.end(signature.outputs)
        if judge:
            judge(summary)
        return summary


def summed(
    answers: Iterable[Answered],
    start: float,
    progress: Callable[[int], None] | None,
    recorded_in: Path | None,
) -> PredictSummary:
    """Returns the summary of what is answered, with the time since `start`, and reports progress meanwhile."""
    versions: dict[int, None] = {}
    unusual: tuple[Unusual, ...] = ()
    unstated: set[str] = set()
    repeats: list[str] = []
    done = not_finite = 0
    for answered in answers:
        versions[answered.version] = None
        done += answered.rows
        not_finite += answered.not_finite
        unstated.update(answered.unstated)
        unusual = merged((*unusual, *answered.unusual))
        repeats += answered.repeats
        if progress:
            progress(done)
    seconds, names = time.monotonic() - start, tuple(sorted(unstated))
    return PredictSummary(done, tuple(versions), not_finite, seconds, names, unusual, recorded_in, tuple(repeats))


def check_options(files: RowFiles, address: ModelAddress, batch_size: int) -> str:
    """Returns the format of the rows.

    Raises:
      UsageError: The format is unknown, or the options do not go together.
    """
    problems = []
    kind = files.format or formats.format_of(files.name) or ("jsonl" if files.name == STANDARD_INPUT else "")
    known = ", ".join(formats.FORMATS)
    if not kind:
        problems.append(f"The name of `{files.name}` does not tell its format. Name one of: {known}.")
    elif kind not in formats.FORMATS:
        problems.append(f"Unknown format `{kind}`. Name one of: {known}.")
    elif problem := _problem_of_the_output(files, kind):
        problems.append(problem)
    if batch_size < 1:
        problems.append(f"`batch_size` must be at least 1; received {batch_size}.")
    if address.offline is not None and (address.version is not None or address.label is not None):
        problems.append("`version` and `label` are for a server. Name the folder of one version in `offline`.")
    if problems:
        raise UsageError(" ".join(problems))
    return kind


def output_kind(files: RowFiles, kind: str) -> str:
    """Returns the format of the output, given that of the rows."""
    return (formats.format_of(files.output.name) if files.output else None) or kind


def _problem_of_the_output(files: RowFiles, kind: str) -> str:
    """Returns why the output's name does not go with the format of the rows; "" where it does."""
    wanted = output_kind(files, kind)
    if wanted not in formats.written_kinds(kind):
        return f"The output has the format of the input, {kind}; rename `{files.output}` accordingly."
    if files.output and wanted in TABLES and formats.is_packed(files.output.name):
        return f"A file of {TABLES[wanted]} is not compressed as a whole; rename `{files.output}` accordingly."
    return ""


def csv_format_of(files: RowFiles, kind: str, address: ModelAddress) -> CsvFormat:
    """Returns how the bytes of a CSV become cells."""
    if files.csv_format or kind != "csv" or address.offline is None:
        return files.csv_format or DEFAULT
    from crossnet.serving.offline import recorded_format

    return recorded_format(address.offline)


def rules_of(files: RowFiles, address: ModelAddress, version: int = 0) -> ColumnRules:
    """Returns which columns are which features: as the model's folder records, changed by what the caller states."""
    given = files.rules or DEFAULT_RULES
    if address.offline is None and address.pushed is None:
        return given
    from crossnet.serving.offline import known_rules

    return given.over(known_rules(address.offline, address.pushed, version))


def known_of(address: ModelAddress, version: int = 0) -> tuple[TrainValues, Path | None]:
    """Returns what a model was trained on, and the folder that records it; see `crossnet.serving.offline.known_values`.

    Args:
      address: The model.
      version: Of a server's model: the one that answers.
    """
    if address.offline is None and address.pushed is None:
        return NOTHING, None
    from crossnet.serving.offline import known_values

    return known_values(address.offline, address.pushed, version)


def features_of(metadata: ModelMetadata) -> Collection[str]:
    """Returns the features of a model of this project, whose signature for Examples does not name them."""
    named = metadata.signatures.get("serving_default")
    return named.inputs if named else ()


@contextmanager
def _open(address: ModelAddress, batch_size: int) -> Iterator[PredictionClient | OfflineModel]:
    """Yields the client of a server, or the model loaded here."""
    if address.offline is not None:
        from crossnet.serving.offline import OfflineModel

        with OfflineModel(address.offline, model_name=address.model_name) as model:
            yield model
        return
    with PredictionClient(
        address.target,
        model_name=address.model_name,
        version=address.version,
        label=address.label,
        timeout_seconds=address.timeout_seconds,
        max_rows_per_call=batch_size,
        tls=address.tls,
        headers=address.headers,
    ) as client:
        if address.wait_seconds:
            client.wait_ready(address.wait_seconds)
        yield client
