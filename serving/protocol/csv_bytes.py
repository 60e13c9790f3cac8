"""Decodes the bytes of a CSV file, and tells other files."""

from __future__ import annotations

import codecs
import io
import re
from typing import Any, NamedTuple, Protocol

from crossnet.serving.protocol.csv_format import CsvFormat
from crossnet.serving.protocol.printable import shown

START_BYTES = 512  # of a file, which tell what it is
COMPRESSIONS = {b"\x1f\x8b\x08": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_BYTE_ORDER_MARK = "\ufeff"
_BYTES_PER_ASCII = 20  # in UTF-16, at most: commas, digits and line ends are ASCII in any script
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}  # before those of UTF-16, which begin likewise
_MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHERS = {
    b"PAR1": ("a Parquet file", "parquet", ""),
    b"ARROW1": ("an Arrow file", "arrow", ""),
    b"\xff\xff\xff\xff": ("a stream of Arrow batches", "arrow", ""),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "", "Save its sheet as CSV."),
    b"\xfd7zXZ\x00": ("compressed by xz", "", "Unpack it."),
    b"7z\xbc\xaf": ("a 7z archive", "", "Unpack it."),
    b"Rar!": ("a RAR archive", "", "Unpack it."),
    b"%PDF": ("a PDF document", "", "Save its table as CSV."),
    b"SQLite format 3\0": (
        "an SQLite database",
        "",
        'Read a query of it (`source = "sql"`), or save its table as CSV.',
    ),
    b"\x89HDF": ("an HDF5 file", "", "Save its table as Parquet or CSV."),
    b"MATLAB 5.0 MAT-file": ("a file of MATLAB", "", "Save its table as CSV (`writetable`)."),
    b"\x93NUMPY": ("an array of NumPy", "", "Save it as CSV with a header (`numpy.savetxt`)."),
    b"$FL2": ("a file of SPSS", "", "Save it as CSV, such as by `pandas.read_spss` and `to_csv`."),
    b"<stata_dta>": ("a file of Stata", "", "Save it as CSV, such as by `pandas.read_stata` and `to_csv`."),
    b"Obj\x01": ("an Avro file", "", "Write its rows as Parquet."),
    b"<?xml": ("an XML document", "", "Save its table as CSV."),
    b"{\\rtf": ("a document (RTF)", "", "Save its table as CSV."),
    bytes(12) + b"\xc2\xea\x81\x60": (
        "a file of SAS",
        "",
        "Save it as CSV, such as by `pandas.read_sas` and `to_csv`.",
    ),
    b"RDX": ("a file of R", "", "Save its table as CSV (`write.csv`)."),
    b"X\n\0\0\0": ("a file of R", "", "Save its table as CSV (`write.csv`)."),
    b"\x1f\x9d": ("compressed by compress", "", "Unpack it."),
    b"LZIP": ("compressed by lzip", "", "Unpack it."),
    b"\xff\x06\0\0sNaPpY": ("compressed by snappy", "", "Unpack it."),
    b"-----BEGIN PGP": ("encrypted", "", "Decrypt it."),
    b"\x89PNG": ("an image", "", "Save its table as CSV."),
    b"\xff\xd8\xff": ("an image", "", "Save its table as CSV."),
}
_LATER = {257: (b"ustar", "a tar archive", "Unpack it."), 8: (b"DUCK", "a database of DuckDB", "")}  # by their places
_PICKLE = re.compile(rb"\x80[\x02-\x05][^\0]")
_OBJECT = re.compile(rb'(\xef\xbb\xbf)?\s*(\[?)\s*\{\s*"([^"\\\n]|\\.)*"\s*:')
_STATEMENT = re.compile(
    rb"(CREATE (TEMPORARY )?TABLE|INSERT INTO|DROP TABLE|BEGIN;|SET [A-Za-z_@]+ ?=|-- \w+ .*dump)", re.I
)
_SPARSE = re.compile(rb"[-+.\deE]+( \d+:[-+.\deE]+)+ ?\r?\n")  # a label, and features by their number
_ATTRIBUTES = re.compile(rb"(%[^\n]*\n|\s)*@relation\s", re.I)


class Readable(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes; none at the end."""


class OtherFile(NamedTuple):
    """What a file is that is not a CSV file.

    Attributes:
      what: As a sentence says it, such as "a Parquet file".
      source: The setting `source` that reads it, or "".
      advice: A sentence, or "" where `source` says it.
    """

    what: str
    source: str
    advice: str


class NotDecodableError(ValueError):
    """Bytes are not text in the encoding that the format names.

    Attributes:
      line: The physical line, from 1.
      reason: Such as "byte 0x81".
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


def other_file(start: bytes) -> OtherFile | None:
    """Returns what a file is that begins with `start`, if it is known and not a CSV file."""
    if start.startswith(b"PK\x03\x04"):
        size = int.from_bytes(start[26:28], "little")
        first = start[30 : 30 + size]
        if first.startswith((b"[Content_Types]", b"xl/", b"_rels/")):
            return OtherFile("an Excel workbook", "", "Save its sheet as CSV.")
        if first == b"mimetype":
            return OtherFile("an OpenDocument file", "", "Save its sheet as CSV.")
        holds = f" that holds `{shown(first.decode('utf-8', 'replace'))}`" if first else ""
        return OtherFile(f"a zip archive{holds}", "", "Unpack it.")
    if start.startswith(b"PK\x05\x06"):
        return OtherFile("an empty zip archive", "", "Name a file with rows.")
    if start.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return OtherFile("a web page (HTML)", "", "Download the file itself; is a login needed?")
    if _STATEMENT.match(start.lstrip()):
        return OtherFile(
            "a dump of SQL", "", "Load it into a database, and read a query of it or save its table as CSV."
        )
    if _ATTRIBUTES.match(start):
        return OtherFile("an ARFF file", "", "Save its rows as CSV, such as by `scipy.io.arff.loadarff` and pandas.")
    if _SPARSE.match(start):
        advice = "Write its rows as CSV, such as by `sklearn.datasets.load_svmlight_file` and pandas."
        return OtherFile("a file of LIBSVM", "", advice)
    return _of_bytes(start) or _of_json(start)


def _of_bytes(start: bytes) -> OtherFile | None:
    for place, (magic, what, advice) in _LATER.items():
        if start[place : place + len(magic)] == magic and b"\0" in start:
            return OtherFile(what, "", advice or _OTHERS[b"SQLite format 3\0"][2])
    if start.startswith(b"ORC") and b"\0" in start:  # a header may begin so too
        return OtherFile("an ORC file", "", "Write its rows as Parquet, such as by `pyarrow.orc.read_table`.")
    if _PICKLE.match(start):
        return OtherFile(
            "a pickle of Python", "", "Write its rows as Parquet or CSV, such as by `to_parquet` of pandas."
        )
    for magic, kind in COMPRESSIONS.items():  # in what was unpacked, or in a file that is not unpacked
        if start.startswith(magic):
            return OtherFile(f"compressed by {kind}", "", "Unpack it.")
    return next((OtherFile(*other) for magic, other in _OTHERS.items() if start.startswith(magic)), None)


def _of_json(start: bytes) -> OtherFile | None:
    found = _OBJECT.match(start)
    if found is None:
        return None
    if found[2]:
        return OtherFile("an array of JSON", "", "Write one object per line, such as by `jq -c '.[]'`.")
    return OtherFile("a file of JSON lines", "jsonl", "")


def encoding_of(start: bytes) -> str:
    """Returns the encoding that a file's first bytes show, by their byte-order mark or their zeros; "": none."""
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    if b"\0" not in start:
        return ""
    quads = start[: len(start) // 4 * 4]
    zeros = [quads[offset::4].count(0) for offset in range(4)]
    if len(quads) >= 8 and sorted(zeros)[2] == len(quads) // 4 and min(zeros) < len(quads) // 40 + 1:
        if zeros[0] == zeros[1]:
            return "utf-32-be"
        if zeros[2] == zeros[3]:
            return "utf-32-le"
    pairs = start[: len(start) // 2 * 2]
    zeros = [pairs[offset::2].count(0) for offset in (0, 1)]
    if max(zeros) > 1 + len(pairs) // _BYTES_PER_ASCII and min(zeros) < max(zeros) / 4:  # some letters end in 00 too
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return ""


def misread_as(start: bytes, csv_format: CsvFormat) -> str:
    """Returns the encoding that the format should name instead of its own, by a file's first bytes; "": none."""
    seen = encoding_of(start)
    if seen and not csv_format.codec.startswith(seen[:6]):
        return seen
    if csv_format.codec.startswith(("utf-16", "utf-32")) and start and b"\0" not in start:
        return "utf-8"
    return ""


def not_utf8(cell: bytes) -> str:
    """Returns, for a message, which byte of a cell is not UTF-8 and how the cell reads in Western Europe's encoding."""
    try:
        cell.decode()
    except UnicodeDecodeError as error:
        byte = cell[error.start]
        begin = max(error.start - 20, 0)
        try:
            text = cell[begin : error.start + 20].decode("cp1252")
        except UnicodeDecodeError:
            return f"byte {byte:#04x}"
        return f"byte {byte:#04x}; as cp1252 it is '{shown(text.strip())}'"
    return ""


class Decoded(io.RawIOBase):
    """A file's text as UTF-8, without a byte-order mark.

    Args:
      stream: The file's bytes.
      csv_format: Names the encoding.
    """

    def __init__(self, stream: Readable, csv_format: CsvFormat) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(csv_format.encoding)()
        self._line, self._begun, self._ended = 1, False, False
        self._left = b""

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills `buffer`, or what is left of the file.

        Raises:
          NotDecodableError: Bytes are not in the encoding.
        """
        while len(self._left) < len(buffer) and not self._ended:
            data = self._stream.read(max(len(buffer), 1 << 16))
            self._ended = not data
            self._left += self._decode(data)
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count

    def _decode(self, data: bytes) -> bytes:
        try:
            text = self._decoder.decode(data, not data)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].count(b"\n")
            raise NotDecodableError(self._line + before, f"byte {error.object[error.start]:#04x}") from None
        except UnicodeError as error:  # UTF-16 without the byte-order mark, or a stream that ends within a character
            raise NotDecodableError(self._line, str(error)) from None
        if text and not self._begun:
            self._begun = True
            text = text.removeprefix(_BYTE_ORDER_MARK)
        self._line += text.count("\n")
        return text.encode("utf-8", "surrogatepass")
