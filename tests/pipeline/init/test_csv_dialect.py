import gzip
import random

import pandas as pd
import pytest

from crossnet.components.sources.plan import plan_source
from crossnet.pipeline.init.csv_dialect import find_dialect
from crossnet.pipeline.init.tables import find_table

ROWS = "".join(f"{n},name {n % 7},{n / 4}\n" for n in range(40))


@pytest.mark.parametrize(
    ("content", "settings", "header"),
    [
        ("id,name,y\n" + ROWS, {}, ("id", "name", "y")),
        ("id;name;y\n" + ROWS.replace(",", ";"), {"delimiter": ";"}, ("id", "name", "y")),
        ("id\tname\ty\n" + ROWS.replace(",", "\t"), {"delimiter": "\t"}, ("id", "name", "y")),
        ("id|name|y\n" + ROWS.replace(",", "|"), {"delimiter": "|"}, ("id", "name", "y")),
        ("x;y\n" + "".join(f"{n},5;{n},25\n" for n in range(30)), {"delimiter": ";"}, ("x", "y")),
        ("sep=;\na;y\n1;2\n3;4\n", {"delimiter": ";", "skip_rows": 1}, ("a", "y")),
        ("# by me\n# today\na,y\n" + "1,2\n" * 9, {"comment": "#"}, ("a", "y")),
        ("#id,y\n" + "1,2\n" * 9, {}, ("#id", "y")),
        ("My report\n\na,b,y\n" + "1,2,3\n" * 9, {"skip_rows": 2}, ("a", "b", "y")),
        ("My report,,\na,b,y\n" + "1,2,3\n" * 9, {"skip_rows": 1}, ("a", "b", "y")),
        ("1,x,2\n" * 9, {"header": False}, ("column_1", "column_2", "column_3")),
        ("a,y\n'1,5','x'\n'2,5','z'\n'3,5','w'\n", {"quote": "'"}, ("a", "y")),
        ('a,y\n"he said \\"hi, you\\" twice",1\n"b",2\n', {"escape": "\\"}, ("a", "y")),
        ("a,b,y\none\\, two,3,1\nfour,5,2\nsix\\, 7,8,3\n", {"escape": "\\"}, ("a", "b", "y")),
        ("a\tb\ty\none\\\ttwo\t3\t1\nfour\t5\t2\n", {"delimiter": "\t", "escape": "\\"}, ("a", "b", "y")),
        ("a,b,y\nC:\\,3,1\nD:\\,5,2\n", {}, ("a", "b", "y")),
        ('a,y\n"he said ""hi""; \\",1\n"C:\\dir\\",2\n', {}, ("a", "y")),
        ('text,y\n"one, two; three",1\n"four; five, six",2\n', {}, ("text", "y")),
        ("note,y\na;b;c,1\nd;e,2\nf,3\n", {}, ("note", "y")),
        ("country,1990,1991,1992\na,1,2,3\nb,4,5,6\n", {}, ("country", "1990", "1991", "1992")),
        ("name,town\nAnn,Rome\nBob,Oslo\n", {}, ("name", "town")),
        (
            "a,b,a,,\n" + "1,2,3,4,5\n" * 9,
            {"names": ["a", "b", "a_2", "column_4", "column_5"]},
            ("a", "b", "a_2", "column_4", "column_5"),
        ),
        (
            "w,h,y\nr1,1,2,3\nr2,4,5,6\n",
            {"header": False, "skip_rows": 1, "names": ["column_1", "w", "h", "y"]},
            ("column_1", "w", "h", "y"),
        ),
        ("y\n1\n2\n", {}, ("y",)),
        ("a b y\n1 2 3\n4 5 6\n", {"delimiter": " "}, ("a", "b", "y")),
        ("", {}, ()),
    ],
)
def test_the_settings_that_differ_from_the_usual_ones_are_found_with_a_reason(tmp_path, content, settings, header):
    (tmp_path / "a.csv").write_text(content)
    dialect = find_dialect(tmp_path / "a.csv")
    assert (dialect.settings, dialect.header) == (settings, header)
    assert dialect.reasons.keys() == settings.keys()
    assert all(dialect.reasons.values())


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_known(tmp_path, ends):
    (tmp_path / "a.csv").write_bytes(f"id;y{ends}1;2{ends}3;4{ends}".encode())
    assert find_dialect(tmp_path / "a.csv").settings == {"delimiter": ";"}


def test_an_encoding_that_is_a_guess_is_a_doubt_with_a_cell(tmp_path):
    (tmp_path / "a.csv").write_bytes("Город,y\nМосква,1\nКазань,2\n".encode("cp1251"))
    found = find_dialect(tmp_path / "a.csv")
    assert (found.settings, found.header) == ({"encoding": "cp1251"}, ("Город", "y"))
    assert [doubt.text for doubt in found.doubts] == [
        "the encoding is a guess: as cp1251, a cell is 'Город', and as cp1253 'Γξπξδ'"
    ]
    (tmp_path / "a.csv").write_bytes("Город,y\nМосква,1\nКазань,2\n".encode())
    assert not find_dialect(tmp_path / "a.csv").doubts


def test_a_compressed_file_is_unpacked(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id;y\n1;2\n3;4\n"))
    assert find_dialect(tmp_path / "a.csv.gz").settings == {"delimiter": ";"}


def test_random_tables_are_read_as_they_were_written(tmp_path):
    draw = random.Random(1)
    for _ in range(60):
        mark = draw.choice(",;\t|")
        width, rows = draw.randint(2, 8), draw.randint(5, 60)
        kinds = [draw.choice("iftn") for _ in range(width - 1)] + ["f"]
        cells = {
            "i": lambda: str(draw.randint(-500, 500)),
            "f": lambda: f"{draw.uniform(-9, 9):.3f}",
            "t": lambda: " ".join(draw.choice(["red", "green-blue", "O'Neil", "a/b", "x.y"]) for _ in range(2)),
            "n": lambda: draw.choice(["", "NA", "1.5"]),
        }
        lines = [mark.join(f"c{n}" for n in range(width))]
        lines += [mark.join(cells[kind]() for kind in kinds) for _ in range(rows)]
        (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
        assert find_dialect(tmp_path / "a.csv").settings == ({} if mark == "," else {"delimiter": mark}), lines


def test_a_header_twice_is_not_a_line_of_units(tmp_path):
    lines = ["a,b,y", "a,b,y", *(f"{n},{n}.5,{n}" for n in range(20))]
    (file := tmp_path / "rides.csv").write_text("\n".join([*lines, ""]))
    assert find_dialect(file).settings == {}
    assert find_dialect(file).header == ("a", "b", "y")


ROWS = [(f"{n}.5", f"word {n % 3}", str(n)) for n in range(40)]


def dialect_of(tmp_path, lines):
    (file := tmp_path / "rides.csv").write_text("\n".join([*lines, ""]))
    return find_dialect(file)


def test_a_delimiter_at_the_end_of_the_header_alone_names_no_column(tmp_path):
    found = dialect_of(tmp_path, ["a,t,y,", *map(",".join, ROWS)])
    assert found.settings == {"skip_rows": 1, "header": False, "names": ["a", "t", "y"]}
    assert found.header == ("a", "t", "y")


def test_a_table_of_r_with_blanks_and_names_of_rows_is_read(tmp_path):
    lines = ['"a" "t" "y"', *(f'"{n}" {a} "{t}" {y}' for n, (a, t, y) in enumerate(ROWS))]
    found = dialect_of(tmp_path, lines)
    assert found.settings["delimiter"] == " "
    assert found.header == ("column_1", "a", "t", "y")


def test_two_lines_of_names_may_begin_with_the_empty_one_of_an_index(tmp_path):
    lines = [",one,one,two", ",a,t,y", ",,,", *(f"{n},{','.join(row)}" for n, row in enumerate(ROWS))]
    found = dialect_of(tmp_path, lines)
    assert found.settings == {"skip_rows": 1}
    assert found.header == ("", "a", "t", "y")
    assert "two lines name the columns" in found.doubts[0].text


def test_a_mark_at_a_line_within_quotes_is_not_a_comments(tmp_path):
    found = dialect_of(tmp_path, ['"share\n%",t,y', *map(",".join, ROWS)])
    assert found.settings == {}
    assert found.header == ("share\n%", "t", "y")


@pytest.mark.parametrize("seed", range(4))
def test_escaped_delimiters_are_read_as_pandas_reads_them(tmp_path, seed):
    draw = random.Random(seed)
    words = [r"one\, two", r"three\,", "four", r"\,five", r"six\, seven\, eight"]
    rows = [f"{draw.choice(words)},{draw.random():.3f},{draw.choice(words)},{number}" for number in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["a,x,b,y", *rows, ""]))
    table = find_table(tmp_path / "a.csv")
    assert table.dialect.settings == {"escape": "\\"}
    source = plan_source(table.files, table.params("y", table.dialect.settings))
    (batch,) = source.read(0, 1)
    known = pd.read_csv(tmp_path / "a.csv", escapechar="\\")
    for name in ("a", "b"):
        assert [cell.decode() for cell in batch.rows.column(name).to_pylist()] == known[name].to_list()
    assert batch.rows.column("x").to_pylist() == known["x"].astype("float32").to_list()


def test_a_last_row_with_an_escaped_delimiter_is_not_a_note(tmp_path):
    (tmp_path / "a.csv").write_text("name,x,y\n" + "one,1.5,2\n" * 500 + "two\\, three,1.5,2\n")
    assert find_dialect(tmp_path / "a.csv").settings == {}
