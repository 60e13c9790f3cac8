from __future__ import annotations

import csv
import io
import random

import pytest

from crossnet.components.sources import csv_rewrite
from crossnet.components.sources.csv_rewrite import LinesLeftOut
from crossnet.serving.protocol.csv_format import CsvFormat

HASH = CsvFormat(comment="#")


def written(content: bytes, csv_format: CsvFormat = HASH, skip_lines: int = 0) -> bytes:
    return LinesLeftOut(io.BytesIO(content), csv_format, skip_lines).readall()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_that_begin_as_comments_do_are_left_out(end: bytes) -> None:
    content = b"#1|a,b|#|1,2|3,#4| #5|#6".replace(b"|", end)
    assert written(content) == b"a,b|1,2|3,#4| #5|".replace(b"|", end)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_first_lines_are_left_out_whatever_they_hold(end: bytes) -> None:
    content = b'\xef\xbb\xbfhe said "|#|a,b|1,2'.replace(b"|", end)
    assert written(content, CsvFormat(), 2) == b"a,b|1,2".replace(b"|", end)
    assert written(content, CsvFormat(), 4) == written(content, CsvFormat(), 9) == b""


def test_lines_in_a_quoted_cell_are_kept() -> None:
    content = b'a,b\n"x\n#y ""z\n#",1\n#c "\n5"\n#d\n"#e",2\n'
    assert written(content) == b'a,b\n"x\n#y ""z\n#",1\n5"\n"#e",2\n'
    assert written(content, CsvFormat(comment="#", quote="")) == b'a,b\n"x\n5"\n"#e",2\n'


def test_an_escaped_quote_or_line_end_does_not_end_a_cell() -> None:
    assert written(b'"x\\"\n#y",1\n#c\nz\\\n#,2\n', CsvFormat(comment="#", escape="\\")) == b'"x\\"\n#y",1\nz\\\n#,2\n'


def test_a_comment_may_be_a_word() -> None:
    assert written(b"a\nTotal: 5\nTotals\n1\n", CsvFormat(comment="Total:")) == b"a\nTotals\n1\n"


def test_several_beginnings_of_lines_are_left_out() -> None:
    noted = CsvFormat(comment=(",km|", "Total", "#"))
    assert written(b'a,b\n,km|\n,km\n"#",1\n#\n"x\nTotal",1\nTotal,5', noted) == b'a,b\n,km\n"#",1\n"x\nTotal",1\n'
    assert written(b"a\\\n#,b\n#c\n", CsvFormat(comment=("#", "Total"), escape="\\")) == b"a\\\n#,b\n"


def test_pieces_may_end_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ["1", "", '"#"', '"x\n#y"', '"a""\r\n#"', '"\r"', "5#", '"#""""\n"']
    chosen = random.Random(1)
    for size in range(1, 40):
        monkeypatch.setattr(csv_rewrite, "_PIECE_BYTES", size)
        rows = [",".join(chosen.choices(cells, k=2)) for _ in range(9)]
        ends = chosen.choices(["\n", "\r\n", "\r"], k=9)
        plain = "".join(row + end for row, end in zip(rows, ends, strict=True))
        noted = "".join(f"#{row}{end}{row}{end}#\n" for row, end in zip(["a", '"', ",'"] * 3, ends, strict=True))
        wanted = "".join(row + end for row, end in zip(["a", '"', ",'"] * 3, ends, strict=True))
        assert written(plain.encode()).decode() == plain
        assert written(noted.encode(), CsvFormat(comment="#", quote="")).decode() == wanted
        mixed = "".join(f"#{chosen.choice(cells[:3])}\n{row}{end}" for row, end in zip(rows, ends, strict=True))
        assert list(csv.reader(io.StringIO(written(mixed.encode()).decode(), newline=""))) == list(
            csv.reader(io.StringIO(plain, newline=""))
        )


def test_a_row_that_does_not_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rewrite, "MAX_ROW_BYTES", 1000)
    monkeypatch.setattr(csv_rewrite, "_PIECE_BYTES", 100)
    content = b'a\n"' + b"#x\n" * 5000
    stream = LinesLeftOut(io.BytesIO(content), HASH, 0)
    assert len(stream.read(3)) == 3
    assert len(stream._left) < 2000
