"""Reads request logs, and makes rows and warm-up records of them.

`python -m crossnet.serving.logged FOLDER --rows rows.csv`, or `--warmup FILE`; see docs/how-to-log-requests.md.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import Array
from crossnet.serving.protocol.log_files import SUFFIX, TEMPORARY
from crossnet.serving.protocol.printable import tell
from crossnet.serving.protocol.tensors import read_tensor
from crossnet.serving.protocol.tfrecord import write_frame
from crossnet.serving.rows.base import shortest_values
from crossnet.serving.rows.batches import read_errors
from crossnet.serving.rows.streams import opened, written
from crossnet.serving.rows.tfrecord import TfRecordReader
from crossnet.serving.status import RowsError, ServingError

MAX_WARMUP_RECORDS = 1000  # a server does not load a model with more
_FACTS = ("logged_at", "model", "version")


@dataclass(frozen=True)
class LoggedCall:
    """A call of Predict in a log.

    Attributes:
      record: The serialized PredictionLog.
      time: When it was answered, to the second, in UTC.
      model, version, signature: What answered.
      inputs, outputs: Name -> values.
    """

    record: bytes
    time: datetime.datetime
    model: str
    version: int
    signature: str
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


def read_log(paths: Path | Iterable[Path]) -> Iterator[LoggedCall]:
    """Yields the calls of Predict in some files, or in the files of a folder, the oldest file first.

    Calls of Classify, Regress and MultiInference are left out.

    Raises:
      RowsError: A file cannot be read, is damaged, or holds something else.
    """
    for path in _files(paths):
        with opened(path) as stream:
            rows = TfRecordReader(stream, str(path)).rows()
            while True:
                with read_errors(str(path)):
                    row = next(rows, None)
                if row is None:
                    break
                try:
                    log = messages.PredictionLog.FromString(row.values)
                except DecodeError as error:
                    raise RowsError(f"{row.place} is not a PredictionLog. Name files of a request log.") from error
                if log.HasField("predict_log"):
                    yield _call(row.values, log)


def logged_rows(calls: Iterable[LoggedCall]) -> Iterator[dict[str, Any]]:
    """Yields the rows of some calls: when and by whom each was answered, its inputs, and its outputs.

    An input or output has one value per row: [rows] or [rows, 1]. Serialized tf.Examples give their features.
    An output that has the name of an input becomes `output_<name>`.

    Raises:
      RowsError: A call has values of another shape.
    """
    for call in calls:
        columns = _columns(call)
        for values in zip(*columns.values(), strict=True):
            row = dict(zip(columns, values, strict=True))
            if "examples" in call.inputs and isinstance(row.get("examples"), bytes):
                row = {**_features(row.pop("examples")), **row}
            yield {"logged_at": call.time.isoformat(), "model": call.model, "version": call.version} | row


def write_rows(paths: Path | Iterable[Path], output: Path) -> int:
    """Writes the rows of a log as CSV, and returns their number; the file gets its name once it is whole.

    Its columns are those of all rows. A value that a row does not have, and NaN, is an empty cell.

    Raises:
      RowsError: The log cannot be read.
      OutputError: The rows cannot be written.
    """
    paths = list(_files(paths))
    names: dict[str, None] = dict.fromkeys(_FACTS)
    for row in logged_rows(read_log(paths)):  # read twice, so that rows need not be in memory
        names.update(dict.fromkeys(row))
    count = 0
    with written(output) as sink:
        lines = csv.DictWriter(_Text(sink), list(names), restval="", lineterminator="\n")
        lines.writeheader()
        for row in logged_rows(read_log(paths)):
            lines.writerow({name: _cell(value) for name, value in row.items()})
            count += 1
    return count


def write_warmup(paths: Path | Iterable[Path], output: Path, most: int = 100) -> int:
    """Writes the newest calls of a log as warm-up records, and returns their number.

    Args:
      paths: As for `read_log`.
      output: Such as `<version>/assets.extra/tf_serving_warmup_requests`.
      most: How many records, at most `MAX_WARMUP_RECORDS`.

    Raises:
      ServingError: The log cannot be read, or the file cannot be written.
    """
    if not 1 <= most <= MAX_WARMUP_RECORDS:
        raise RowsError(f"A warm-up file has from 1 to {MAX_WARMUP_RECORDS} records; received {most}.")
    newest: list[bytes] = []
    for path in reversed(_files(paths)):
        records = [call.record for call in read_log([path])]
        newest = records[-(most - len(newest)) :] + newest
        if len(newest) == most:
            break
    with written(output) as sink:
        for record in newest:
            sink.write(write_frame(record))
    return len(newest)


def _files(paths: Path | Iterable[Path]) -> list[Path]:
    if not isinstance(paths, Path):
        return list(paths)
    if not paths.is_dir():
        return [paths]
    found = sorted(path for path in paths.glob(f"*{SUFFIX}") if not path.name.startswith(TEMPORARY))
    if not found:
        raise RowsError(
            f"`{paths}` does not hold a closed file of a request log. A file is closed when it is 64 MiB large or ten "
            "minutes old, and when the server or the client ends."
        )
    return found


def _call(record: bytes, log: Any) -> LoggedCall:
    request, response = log.predict_log.request, log.predict_log.response
    return LoggedCall(
        record,
        datetime.datetime.fromtimestamp(log.log_metadata.timestamp_secs, datetime.UTC),
        response.model_spec.name or request.model_spec.name,
        response.model_spec.version.value,
        response.model_spec.signature_name or request.model_spec.signature_name,
        {name: read_tensor(tensor) for name, tensor in sorted(request.inputs.items())},
        {name: read_tensor(tensor) for name, tensor in sorted(response.outputs.items())},
    )


def _columns(call: LoggedCall) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    rows = {len(values) for values in (*call.inputs.values(), *call.outputs.values()) if values.ndim}
    for is_output, tensors in enumerate((call.inputs, call.outputs)):
        for name, values in tensors.items():
            if len(rows) != 1 or values.ndim not in (1, 2) or values.shape[1:] not in ((), (1,)):
                raise RowsError(
                    f"A call of {call.time.isoformat()} has `{name}` of shape {list(values.shape)}; expected one value "
                    "per row. Read such calls with `crossnet.serving.logged.read_log`."
                )
            flat = values.reshape(-1)
            as_examples = not is_output and [*call.inputs] == ["examples"]
            listed = flat.tolist() if as_examples else shortest_values(flat)
            columns[f"output_{name}" if is_output and name in columns else name] = listed
    return columns


def _features(example: bytes) -> dict[str, Any]:
    """Returns the first value of each feature of a tf.Example."""
    found: dict[str, Any] = {}
    for name, feature in sorted(messages.Example.FromString(example).features.feature.items()):
        kind = feature.WhichOneof("kind")
        values = getattr(feature, kind).value if kind else ()
        if values:
            value = values[0]
            found[name] = value.decode(errors="replace") if isinstance(value, bytes) else value
    return found


def _cell(value: Any) -> Any:
    return "" if value != value else value


class _Text:
    """Takes text for a sink of bytes."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write(self, text: str) -> None:
        self._sink.write(text.encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command, and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m crossnet.serving.logged", description="Read a request log.")
    parser.add_argument("log", type=Path, nargs="+", help="a folder of a request log, or files of it")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write the rows as CSV")
    parser.add_argument("--warmup", type=Path, metavar="FILE", help="write the newest calls as warm-up records")
    parser.add_argument("--records", type=int, default=100, help="how many warm-up records (default: 100)")
    given = parser.parse_args(arguments)
    if not (given.rows or given.warmup):
        parser.error("name what to write: --rows FILE, --warmup FILE, or both")
    log = given.log[0] if len(given.log) == 1 else given.log
    try:
        if given.rows:
            sys.stdout.write(f"{write_rows(log, given.rows)} rows in {given.rows}\n")
        if given.warmup:
            sys.stdout.write(f"{write_warmup(log, given.warmup, given.records)} warm-up records in {given.warmup}\n")
    except ServingError as error:
        tell(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
