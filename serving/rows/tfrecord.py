"""Reads and writes rows as TFRecords of tf.train.Example."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from google.protobuf.message import DecodeError

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.dtypes import MAX_INT64, Array
from crossnet.serving.protocol.limits import MAX_RECORD_BYTES, mebibytes
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, read_body, read_header, write_frame
from crossnet.serving.rows.base import Row, Sink, Writer, check_not_complex, check_not_taken
from crossnet.serving.status import RowsError


class TfRecordReader:
    """Reads serialized tf.train.Examples in TFRecord frames, and checks their checksums.

    Args:
      stream: The file's bytes, decompressed.
      name: The file as it is named in a message.

    Attributes:
      bytes_read: Of the rows so far.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self.bytes_read = 0

    def rows(self) -> Iterator[Row]:
        """Yields the bytes of each record; records are numbered from 1.

        Raises:
          RowsError: A record is damaged, cut short, or longer than `MAX_RECORD_BYTES`.
        """
        for number in itertools.count(1):
            place = f"{self._name} record {number}"
            header = self._stream.read(HEADER_BYTES)
            if not header:
                return
            try:
                length = read_header(header)
            except ValueError:
                raise RowsError(
                    f"{place} does not begin with a valid length. Is the file a TFRecord file, and complete?"
                ) from None
            if length > MAX_RECORD_BYTES:
                raise RowsError(
                    f"{place} has {length:,} bytes by its header; a record holds at most "
                    f"{mebibytes(MAX_RECORD_BYTES)}. Write each row as a record of its own."
                )
            try:
                record = read_body(self._stream.read(length + FOOTER_BYTES), length)
            except ValueError:
                raise RowsError(f"{place} is damaged or cut short: its checksum is wrong. Make it again.") from None
            self.bytes_read += HEADER_BYTES + length + FOOTER_BYTES
            yield Row(place, record)

    def writer(self, stream: Sink) -> Writer:
        """Returns a writer of TFRecords."""
        return _TfRecordWriter(stream)


class _TfRecordWriter(Writer):
    def __init__(self, stream: Sink) -> None:
        self._stream = stream

    def write(self, rows: Sequence[Row], outputs: Mapping[str, Array]) -> None:
        check_not_complex(outputs, "tf.train.Example")
        for name, array in outputs.items():
            if array.dtype.kind == "u" and array.max(initial=0) > MAX_INT64:
                raise RowsError(
                    f"Output `{name}` holds numbers beyond int64, which tf.train.Example cannot hold. "
                    "Give the rows as JSON lines."
                )
        columns = {name: array.reshape(len(array), -1) for name, array in outputs.items()}
        for i, row in enumerate(rows):
            try:
                example = messages.Example.FromString(row.values)
            except DecodeError as error:
                raise RowsError(f"{row.place} is not a tf.train.Example. Write the records as Examples.") from error
            check_not_taken(columns, example.features.feature, row.place)
            for name, column in columns.items():
                feature = example.features.feature[name]
                kind = {"O": feature.bytes_list, "i": feature.int64_list, "u": feature.int64_list}
                kind.get(column.dtype.kind, feature.float_list).value.extend(column[i].tolist())
            self._stream.write(write_frame(example.SerializeToString()))
