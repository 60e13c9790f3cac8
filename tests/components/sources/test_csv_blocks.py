from __future__ import annotations

import gzip
import io
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError
from crossnet.components.sources import csv_blocks
from crossnet.components.sources.csv_blocks import _BATCH_BYTES, _BLOCK_BYTES, CsvLayout, _FewAhead, read_blocks
from crossnet.serving.protocol.csv_bytes import Readable
from crossnet.serving.protocol.csv_format import CsvFormat

BLOCK = _BLOCK_BYTES


def cells(path: Path, *, quoted: bool = True, num_columns: int = 2) -> list[str]:
    batches = list(read_blocks(path, {"t": pa.string()}, CsvLayout(num_columns, quoted)))
    return [cell for batch in batches for cell in batch.column("t").to_pylist()]


@pytest.mark.parametrize("before_end", range(-1, 3))
@pytest.mark.parametrize("compressed", [False, True])
def test_a_line_break_in_a_quoted_cell_survives_the_end_of_a_block(
    tmp_path: Path, before_end: int, compressed: bool
) -> None:
    start = b'id,t\r\n0,"'
    filling = b"z" * (BLOCK - len(start) - before_end)  # CR is the last byte of the first block where `before_end` is 1
    content = start + filling + b'\r\nb"\r\n1,"\r"\r\n2,"\n"\r\n3,c\r\n'
    path = tmp_path / ("rows.csv.gz" if compressed else "rows.csv")
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    assert cells(path) == [filling.decode() + "\r\nb", "\r", "\n", "c"]


def test_a_quote_that_is_open_at_the_end_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    start = 'id,t\n1,"a ""b"""\n2,"c"\n'
    path.write_text(f'{start}3,5" pipe\n')
    assert cells(path) == ['a "b"', "c", '5" pipe']  # an odd number of quotes, none of which is open
    for content in (f'{start}3,"c\n4,d\n5,e\n', f'{start}3,"c'):
        path.write_text(content)
        with pytest.raises(DataError, match=r"`rows\.csv:4` begins a row that does not end\. Is a quote left open\?"):
            cells(path)
    path.write_bytes(f'{start}3,"c\n'.encode("utf-16"))
    layout = CsvLayout(2, csv_format=CsvFormat(encoding="utf-16"))
    with pytest.raises(DataError, match=r"`rows\.csv:4` begins a row"):
        list(read_blocks(path, {"t": pa.string()}, layout))
    path.write_text(f'{start}3,"c\n')
    layout = CsvLayout(2, csv_format=CsvFormat(quote=""))
    assert [cell for batch in read_blocks(path, {"t": pa.string()}, layout) for cell in batch["t"].to_pylist()][1:] == [
        '"c"', '"c'
    ]  # fmt: skip


def test_line_breaks_between_rows_are_found_wherever_blocks_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    expected = [str(row) for row in range(600_000)]
    for end in ("\n", "\r\n", "\r"):
        path.write_text("id,t" + end + "".join(f"7,{cell}{end}" for cell in expected), newline="")
        assert path.stat().st_size > _BATCH_BYTES  # there is a second batch
        assert cells(path) == cells(path, quoted=False) == expected


def test_a_row_that_is_longer_than_a_block_is_read_and_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    long = "x" * (3 * BLOCK)
    short = [str(row) for row in range(200_000)]
    path.write_text("id,t\n" + "".join(f"1,{cell}\n" for cell in [*short, long, *short]))
    assert cells(path) == [*short, long, *short]


def test_a_misshapen_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,t\n1,a\n1,b,c\n")
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns, got 3"):
        cells(path)


def rows_of(tmp_path: Path, content: bytes, layout: CsvLayout) -> list[dict[str, str]]:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    types = {"a": pa.string(), "t": pa.string()}
    return [row for batch in read_blocks(path, types, layout) for row in batch.to_pylist()]


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize(
    ("content", "layout"),
    [
        (b"a,t", CsvLayout(2)),
        (b"a,t\n", CsvLayout(2)),
        (b"x\n#y\na,t", CsvLayout(2, skip_lines=1, csv_format=CsvFormat(comment="#"))),
        (b"p,q", CsvLayout(2, names=("a", "t"), skip_lines=1)),
    ],
)
def test_a_header_alone_has_no_rows_whether_or_not_its_line_ends(
    tmp_path: Path, content: bytes, layout: CsvLayout, quoted: bool
) -> None:
    assert rows_of(tmp_path, content, replace(layout, quoted=quoted)) == []
    wide = b"a" * (9 * BLOCK)
    assert rows_of(tmp_path, b"a,t," + wide, CsvLayout(3, quoted)) == []


def test_a_format_says_how_bytes_become_cells(tmp_path: Path) -> None:
    wanted = [{"a": "ä;b", "t": "x\n#y"}, {"a": "1'", "t": None}]
    text = "seen 'on\n#\na;t\n'ä;b';'x\n#y'\n#;\n1\\';\n"
    for encoding in ("utf-8", "utf-16", "cp1252"):
        odd = CsvFormat(delimiter=";", quote="'", escape="\\", comment="#", encoding=encoding)
        assert rows_of(tmp_path, text.encode(encoding), CsvLayout(2, skip_lines=1, csv_format=odd)) == wanted
        named = CsvLayout(2, skip_lines=3, csv_format=odd, names=("a", "t"))
        assert rows_of(tmp_path, text.replace("a;t", "q;q").encode(encoding), named) == wanted
    plain = CsvLayout(2, quoted=False, csv_format=CsvFormat(quote="", delimiter="\t"))
    assert rows_of(tmp_path, b'a\tt\n"1\t2"\n', plain) == [{"a": '"1', "t": '2"'}]


def test_a_byte_that_is_not_in_the_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    layout = CsvLayout(2, csv_format=CsvFormat(encoding="cp1252"))
    with pytest.raises(DataError, match=r"`rows.csv:3` is not text in cp1252 \(byte 0x81\). Name its encoding in"):
        rows_of(tmp_path, b"a,t\n1,2\n\x81,3\n", layout)


def test_a_wide_file_is_read_a_few_blocks_ahead_of_what_is_used() -> None:
    ahead = _FewAhead(io.BytesIO(bytes(100)), wait=60)
    ready = threading.Event()
    pieces: list[bytes] = []

    def read() -> None:
        pieces.extend(ahead.read(10) for _ in range(3))
        ready.set()
        pieces.append(ahead.read(10))

    reader = threading.Thread(target=read)
    reader.start()
    assert ready.wait(60)
    assert len(pieces) == 3
    ahead.used()
    reader.join(60)
    assert len(pieces) == 4


def test_a_wide_file_is_read_on_where_blocks_hold_no_row() -> None:
    ahead = _FewAhead(io.BytesIO(bytes(100)), wait=0.001)
    assert [len(ahead.read(10)) for _ in range(11)] == [10] * 10 + [0]


def test_a_thread_that_waits_to_read_ahead_ends_when_reading_ends() -> None:
    ahead = _FewAhead(io.BytesIO(bytes(100)), wait=60)
    pieces: list[bytes] = []
    reader = threading.Thread(target=lambda: pieces.extend(ahead.read(10) for _ in range(4)), daemon=True)
    reader.start()
    ahead.stop()
    reader.join(30)
    assert not reader.is_alive()


def test_a_file_that_was_stopped_is_read_to_its_end_without_waiting() -> None:
    ahead = _FewAhead(io.BytesIO(bytes(100)), wait=60)
    pieces: list[bytes] = []
    reader = threading.Thread(target=lambda: pieces.extend(ahead.read(10) for _ in range(9)), daemon=True)
    reader.start()
    ahead.stop()
    reader.join(30)
    assert len(pieces) == 9
    assert not any(pieces[3:])  # so many blocks are read ahead


def test_a_look_at_the_first_rows_leaves_no_thread_that_could_abort_a_process_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    class Watched(_FewAhead):
        def __init__(self, content: Readable) -> None:
            super().__init__(content, wait=60)

        def read(self, size: int = -1) -> bytes:
            data = super().read(size)
            if not data:
                ended.set()
            return data

    monkeypatch.setattr(csv_blocks, "_FewAhead", Watched)
    path = tmp_path / "rows.csv"
    path.write_text("id,t\n" + "1,abcdefghijklmnop\n" * (4 * _BATCH_BYTES // 19))
    batches = read_blocks(path, {"t": pa.string()}, CsvLayout(2))
    assert next(batches).num_rows
    batches.close()
    assert ended.wait(30)


@pytest.mark.parametrize("blanks", [b"", b" \n", b"\t \t" * 100 + b"\n"])
def test_a_misshapen_row_of_bytes_that_are_not_text_is_an_error_and_nothing_else(tmp_path: Path, blanks: bytes) -> None:
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns, got 3"):
        rows_of(tmp_path, b"a,t\n1,2\n" + blanks + b"\xff,3,4\n", CsvLayout(2))


def test_a_column_that_the_file_lacks_is_an_error_and_the_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * BLOCK)  # several blocks, so that a thread of Arrow's would read ahead
    program = (
        "import sys, pyarrow as pa; from pathlib import Path; from crossnet.components.sources.csv_blocks import *\n"
        "try: list(read_blocks(Path(sys.argv[1]), {'a': pa.int64(), 'zz': pa.int64()}, CsvLayout(2)))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "DataError `rows.csv` lacks the column `zz`; it has `a`, `b`. Did the file change while it was read? "
        "Run again.\n"
    )


@pytest.mark.parametrize("rows", ["1,2,3\n1,2\n", "1,2,3\n", "1\n" * 9, "1,2\n1\n"])
@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_a_misshapen_row_is_never_passed_over(tmp_path: Path, rows: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" * (not names) + rows)
    with pytest.raises(pa.ArrowInvalid, match="Expected 2 columns, got [13]"):
        list(read_blocks(path, {"a": pa.int64()}, CsvLayout(2, names=names)))
