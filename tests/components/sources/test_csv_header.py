from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crossnet.components.errors import DataError, PipelineError, SettingsError
from crossnet.components.sources.csv_header import Header, find_header, read_header
from crossnet.serving.protocol.csv_format import CsvFormat


def header_of(tmp_path: Path, content: bytes, **settings: Any) -> Header:
    path = tmp_path / "rides.csv"
    path.write_bytes(content)
    return find_header(path, CsvFormat(**settings))


def test_the_header_is_the_first_row(tmp_path: Path) -> None:
    assert header_of(tmp_path, b"\xef\xbb\xbf\na,b\n1,2\n") == Header(["a", "b"], 2, 0, given=False)
    with pytest.raises(DataError, match=r"none.csv` does not exist. Name an existing file or pattern"):
        read_header(tmp_path / "none.csv")


def test_lines_and_comments_before_the_header_are_left_out(tmp_path: Path) -> None:
    content = b'by "me"\n\n#x\n\n"a\nb",c\n1,2\n'
    assert header_of(tmp_path, content, skip_rows=2, comment="#") == Header(["a\nb", "c"], 5, 2, given=False)


def test_names_stand_for_those_of_the_file_or_for_none(tmp_path: Path) -> None:
    content = b'#x\n"a\nb",c\n1,2\n'
    named = {"names": ("p", "q"), "comment": "#"}
    assert header_of(tmp_path, content, **named) == Header(["p", "q"], 2, 3, given=True)
    assert header_of(tmp_path, content, header=False, **named) == Header(["p", "q"], 2, 0, given=True)
    assert header_of(tmp_path, b"1,2\n", header=False) == Header(["column_1", "column_2"], 1, 0, given=True)
    with pytest.raises(SettingsError, match=r"`example_gen.names` has 1 name, and `rides.csv:1` has 2 cells. Give one"):
        header_of(tmp_path, b"a,b\n", names=("p",))


@pytest.mark.parametrize("name", ["rides.csv", "rides.csv.x"])
@pytest.mark.parametrize("kind", ["gzip", "bz2", "zstd", "lz4"])
def test_a_compressed_file_is_told_by_its_first_bytes(tmp_path: Path, kind: str, name: str) -> None:
    with pa.CompressedOutputStream(str(tmp_path / name), kind) as stream:
        stream.write(b"a,b\n1,2\n")
    assert read_header(tmp_path / name) == ["a", "b"]


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "a,b\n1,2\n")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "settings", "sentence"),
    [
        (b"", {}, r"rides.csv` is empty. Expected a header line that names the columns, and rows below it\."),
        (
            b"x\n#y\n",
            {"skip_rows": 1, "comment": "#"},
            r"has no lines but those that `example_gen.skip_rows` and `exam",
        ),
        (zipped("a.csv"), {}, r"`rides.csv` is a zip archive that holds `a.csv`, not a CSV file. Unpack it\."),
        (zipped("xl/workbook.xml"), {}, r"`rides.csv` is an Excel workbook, not a CSV file. Save its sheet as CSV\."),
        (b"PAR1\x15", {}, r'is a Parquet file, not a CSV file. Set `example_gen.source = "parquet"`\.'),
        (
            "a,b\n1,2\n".encode("utf-16"),
            {},
            r"begins as text in utf-16 does, and is read as utf-8. Set `example_gen.enc",
        ),
        ("a,b\n1,2\n".encode("utf-16-le"), {}, r'Set `example_gen.encoding = "utf-16-le"`\.'),
        (b"a,b\n1,2\n", {"encoding": "utf-16"}, r'read as utf-16. Set `example_gen.encoding = "utf-8"`\.'),
        ("a,ö\n".encode("latin-1"), {}, r"rides.csv:1`, the header, is not UTF-8 \(byte 0xf6; as cp1252 it is 'a,ö'\)"),
        (
            b"sep=;\na;b\n",
            {},
            r"`rides.csv:1` is `sep=;`, a line for Excel and not the header. Set `example_gen.delimit",
        ),
        (b"sep=;\na;b\n", {"delimiter": ";"}, r"not the header. Set `example_gen.skip_rows = 1`\."),
        (b"sep=,\na,b\n", {}, r"not the header. Set `example_gen.skip_rows = 1`\."),
        (b"a;b;c\n", {}, r'one column, `a;b;c`. Expected commas .* semicolons\? Set `example_gen.delimiter = ";"`\.'),
        (b"a\tb\n", {}, r'are there tabs\? Set `example_gen.delimiter = "\\t"`\.'),
        (b"#by me\na,b\n", {}, r'`#by me`, and line 2 has 2. Is it a note .* Set `example_gen.comment = "#"`\.'),
        (b"Sales\n\n\na,b\n1,2\n", {}, r"`Sales`, and line 4 has 2. Is .* Set `example_gen.skip_rows = 3`\."),
        (b"a|b,|c\n", {"delimiter": ";"}, r'Expected semicolons .* Set `example_gen.delimiter = "\|"`\.'),
    ],
)
def test_the_error_names_what_the_file_is_and_the_setting(
    tmp_path: Path, content: bytes, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PipelineError, match=sentence):
        header_of(tmp_path, content, **settings)


def test_a_header_of_more_than_a_mebibyte_and_20_000_names_is_read(tmp_path: Path) -> None:
    names = [f"{'a' * 90}{n}" for n in range(20_000)]
    assert header_of(tmp_path, (",".join(names) + "\n").encode()).names == names


def test_a_header_within_quotes_is_refused(tmp_path: Path) -> None:
    (path := tmp_path / "a.csv").write_text('"a,b,y"\n"1,2,3"\n')
    with pytest.raises(DataError, match=r"`a.csv:1` is within quotes as a whole, so that it has one column, `a,b,y`."):
        find_header(path)


def test_columns_that_are_aligned_by_blanks_are_refused(tmp_path: Path) -> None:
    (path := tmp_path / "a.csv").write_text("   miles    zone  y\n     1.5    nord  3\n")
    with pytest.raises(DataError, match="several blanks between words. .* such as by `pandas.read_fwf` and `to_csv`."):
        find_header(path)
