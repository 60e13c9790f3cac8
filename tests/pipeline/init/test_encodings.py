import re
from pathlib import Path

import pytest

from crossnet.pipeline.init.encodings import find_encoding

TOWNS = {
    "cp1252": "Zürich München Köln Größe Besançon Nîmes",
    "mac-roman": "Besançon Nîmes élève forêt Zürich",
    "cp850": "Zürich München Köln élève garçon",
    "cp1250": "Łódź Gdańsk Poznań żółty święto Żnin",
    "iso8859-2": "Łódź Gdańsk żółty święto gęś ćma",
    "cp1251": "Москва Казань Тула Омск Щербинка",
    "koi8-r": "Москва Казань Тула Омск",
    "cp866": "Москва Казань Тула Омск",
    "iso8859-5": "Москва Казань Тула Омск Щербинка",
    "koi8-u": "Київ Львів Харків Їжак ґанок",
    "cp1253": "Αθήνα Πάτρα Βόλος Ηράκλειο",
    "cp1254": "İstanbul Şırnak Iğdır Muğla",
    "cp1255": "תל אביב חיפה ירושלים",
    "cp1256": "القاهرة دبي الرياض",
    "cp932": "東京 大阪市 名古屋 カメラ りんご",
    "gb18030": "北京 上海 广州市 深圳 价格",
    "big5": "臺北 高雄市 價格 數量",
    "cp949": "서울 부산 대구광역시 인천",
}


def table(encoding: str) -> bytes:
    rows = [f"{name},{number}.5,{number}" for number, name in enumerate(TOWNS[encoding].split() * 9)]
    return "\n".join(["town,km,fare", *rows, ""]).encode(encoding)


@pytest.mark.parametrize("encoding", TOWNS)
def test_an_encoding_shows_by_its_words_and_is_said_to_be_a_guess(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes(table(encoding))
    found = find_encoding(tmp_path / "a.csv")
    cell = TOWNS[encoding].split()[0]
    assert found.name == encoding
    assert found.doubt.startswith(f"the encoding is a guess: as {encoding}, a cell is '{cell}'")
    assert found.reason == f"the file is not UTF-8, and this is a guess: a cell is '{cell}'"
    assert found.setting.startswith('encoding = "')


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2"])
@pytest.mark.parametrize("words", ["Győr Érd Szűcs Újpest", "Hódmezővásárhely Fűtő", "Tűzoltó Kőbánya Ízű Ülés"])
def test_hungarian_is_told_by_its_double_acutes(tmp_path, encoding, words):
    content = "\n".join(["town,y", *(f"{word},{number}" for number, word in enumerate(words.split() * 9)), ""])
    (tmp_path / "a.csv").write_bytes(content.encode(encoding))
    assert content.encode(encoding).decode(find_encoding(tmp_path / "a.csv").name) == content


@pytest.mark.parametrize(
    "words", ["Põlva Võru Jõgeva Türi Räpina", "São Camões João José põe", "Simões José água", "goût août côté forêt"]
)
def test_letters_that_hungarian_is_misread_as_are_those_of_other_languages(tmp_path, words):
    content = "\n".join(["town,y", *(f"{word},{number}" for number, word in enumerate(words.split() * 9)), ""])
    (tmp_path / "a.csv").write_bytes(content.encode("cp1252"))
    assert find_encoding(tmp_path / "a.csv").name == "cp1252"


@pytest.mark.parametrize(
    "words", ["東京 大阪市 名古屋 札幌 横浜市 福岡県", "カメラ りんご 青森 価格 数量 商品 赤い", "テレビ りんご 青森"]
)
def test_euc_jp_is_told_from_chinese_by_kana_and_by_many_frequent_letters(tmp_path, words):
    content = "\n".join(["town,y", *(f"{word},{number}" for number, word in enumerate(words.split() * 9)), ""])
    (tmp_path / "a.csv").write_bytes(content.encode("euc-jp"))
    assert find_encoding(tmp_path / "a.csv").name == "euc-jp"


def test_each_likely_encoding_is_named_where_few_letters_do_not_tell(tmp_path):
    (tmp_path / "a.csv").write_bytes("town,y\n東京,1\n大阪,2\n".encode("euc-jp"))
    found = find_encoding(tmp_path / "a.csv")
    named = re.findall(r"as (\S+?),? (?:a cell is )?'(.+?)'", found.doubt)
    assert ("euc-jp", "東京") in named
    assert len(named) == len({text for _, text in named}) == 4
    assert found.setting == f'encoding = "{named[1][0]}"'


def test_a_second_guess_is_named_with_a_cell_that_it_reads_otherwise(tmp_path):
    (tmp_path / "a.csv").write_bytes("town,y\nCzęstochowa,1\nBędzin,2\n".encode("cp1250"))
    found = find_encoding(tmp_path / "a.csv")
    assert found.name == "cp1252"  # no letter of these says otherwise
    assert found.doubt == "the encoding is a guess: as cp1252, a cell is 'Czêstochowa', and as cp1250 'Częstochowa'"
    assert found.setting == 'encoding = "cp1250"'


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("größe,y\n".encode(), "utf-8"),
        ("größe,y\n".encode("utf-8-sig"), "utf-8"),
        (b"", "utf-8"),
        *(("größe,y\n1,2\n".encode(name), name) for name in ("utf-16", "utf-16-le", "utf-16-be")),
        *(("größe,y\n1,2\n".encode(name), name) for name in ("utf-32", "utf-32-le", "utf-32-be")),
    ],
)
def test_unicode_is_no_guess(tmp_path, content, encoding):
    (tmp_path / "a.csv").write_bytes(content)
    found = find_encoding(tmp_path / "a.csv")
    assert (found.name, found.doubt) == (encoding, "")
    assert bool(found.reason) == (encoding != "utf-8")


def test_the_whole_file_is_looked_at(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x,y\n" * 400_000 + "größe,1\n".encode("cp1252"))
    assert find_encoding(tmp_path / "a.csv").name == "cp1252"


def test_an_encoding_reads_all_bytes_of_the_file(tmp_path):
    start = table("gb18030")
    (tmp_path / "a.csv").write_bytes(start + b"x" * 600 + b"\xff,1,2\n")  # no pair of gb18030, in a long cell
    assert find_encoding(tmp_path / "a.csv").name != "gb18030"


def test_bytes_that_are_no_words_in_any_encoding_are_said(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x,y\na\x81\x9d\x90b,1\na\x8d\x8f\x81b,2\n")
    found = find_encoding(tmp_path / "a.csv")
    assert "no encoding that was tried makes words of it" in found.doubt
    (tmp_path / "a.csv").read_bytes().decode(found.name)


def test_a_file_of_two_encodings_stays_utf8_and_is_said(tmp_path):
    (tmp_path / "a.csv").write_bytes("town,y\nZürich,1\nKöln,2\nBâle,3\n".encode() + b"Z\xfcrich,4\n")
    found = find_encoding(tmp_path / "a.csv")
    assert (found.name, found.reason) == ("utf-8", "")
    assert found.doubt == (
        "most cells with letters beyond ASCII are UTF-8, and others are not, such as 'Zürich' (as cp1252): a file has "
        "one encoding; save it in UTF-8"
    )


def guessed(folder, words, encoding):
    """How the words read in the encoding that is guessed for a table of them."""
    cells = words.split()
    content = "\n".join(["town,y", *(f"{cell},{number}" for number, cell in enumerate(cells * 9)), ""])
    (folder / "a.csv").write_bytes(content.encode(encoding))
    return content.encode(encoding).decode(find_encoding(folder / "a.csv").name).split("\n") == content.split("\n")


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866", "iso8859-5"])
@pytest.mark.parametrize(
    "words",
    ["Красный Синий Школа Университет Отлично", "Иванов Петров Сидорова", "Самара Москва Казань"],
)
def test_cyrillic_is_told_by_the_frequency_of_its_letters(tmp_path, words, encoding):
    assert guessed(tmp_path, words, encoding)


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
def test_capitals_of_cyrillic_are_told_too(tmp_path, encoding):
    assert guessed(tmp_path, "МОСКВА КАЗАНЬ ОМСК САМАРА ПЕРМЬ КРАСНЫЙ СИНИЙ", encoding)


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2"])
def test_czech_has_no_letters_of_polish(tmp_path, encoding):
    assert guessed(tmp_path, "červená Dvořák špatně zelená muž žena Plzeň", encoding)


def test_chinese_for_yes_is_valid_utf8_and_for_no_is_not(tmp_path):
    assert guessed(tmp_path, "是 否 北京 上海", "gb18030")
    (tmp_path / "b.csv").write_bytes("a,y\n是,1\n否,2\n".encode("gb18030"))
    assert "UTF-8, and others are not" not in find_encoding(tmp_path / "b.csv").doubt


@pytest.mark.parametrize(
    "content", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"a,y\n\xff" + b"x" * 600 + b",1\n"]
)
def test_a_file_without_a_cell_that_can_be_judged_has_an_encoding(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    assert find_encoding(tmp_path / "a.csv").doubt


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("koi8-r", "размер красный"),  # as cp932, narrow kana alone
        ("koi8-u", "червоний зелений"),
        ("cp1255", "ירושלים חיפה"),  # as cp1253, Greek without an accent
        ("cp1253", "Αθήνα γάλα"),
        ("cp932", "ｱｵﾓﾘ ｲﾜﾃ"),
        ("cp1250", "žena ožujak"),  # as mac-roman, "ûena"
        ("cp949", "맑음 서울"),
    ],
)
def test_few_words_are_enough_to_tell_these(tmp_path: Path, encoding: str, words: str) -> None:
    (tmp_path / "a.csv").write_bytes(
        ("x,t\n" + "".join(f"{n},{word}\n" for n, word in enumerate(words.split()))).encode(encoding)
    )
    found = find_encoding(tmp_path / "a.csv")
    assert words.encode(encoding).decode(found.name) == words
