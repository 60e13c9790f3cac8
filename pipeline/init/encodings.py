"""Guesses the encoding of a text file from its letters.

No byte says which encoding a file has. Each one that decodes it is judged by its words: a sign of print within a word,
two scripts in it, or a capital after a small letter show that it is the wrong one.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from crossnet.components.sources.csv_lines import open_bytes
from crossnet.pipeline.init.letters import KANA, is_frequent, mark_of, rare_hangul, script
from crossnet.serving.protocol.csv_bytes import encoding_of
from crossnet.serving.protocol.printable import shown

_PIECE_BYTES = 1 << 20
_MAX_CELLS, _MAX_CELL_BYTES = 1000, 500  # that are judged, of different ones, and of one
_BETWEEN = re.compile(rb"[,;\t\r\n]")  # cells; in no encoding below are these bytes part of a letter
# In the order in which they are preferred; in brackets, what is held against each letter, as the prior says.
_SINGLE = {"cp1252": 0.0, "cp1250": 0.05, "cp1254": 0.02, "cp1251": 0.0, "koi8-r": 0.05, "cp866": 0.04, "cp1253": 0.0}
_SINGLE |= {"cp1255": 0.02, "cp1256": 0.02, "mac-roman": 0.05, "cp850": 0.02, "cp437": 0.03, "iso8859-2": 0.07}
_SINGLE |= {"koi8-u": 0.06, "iso8859-5": 0.05}
_WIDE = {"cp932": 0.02, "cp949": 0.01, "gb18030": 0.03, "big5": 0.05, "euc-jp": 0.06}
_NEAR = 0.1  # of badness, within which a second guess is named
_MAX_OTHERS = 3  # that are named
_BAD = 0.3  # from which no guess is a good one
_PUNCTUATION = frozenset("’‘“”„«»–—…¿¡·•")
_UNITS = frozenset("°²³ºª½¼¾€£µ©®™§")
_FINAL = {"HEBREW": frozenset("ךםןףץ"), "GREEK": frozenset("ς")}
# Letters that are rare in the texts of an encoding, and common where it is misread.
_RARE = {
    **dict.fromkeys(("cp1250", "iso8859-2"), frozenset("ţŢđĐ")),
    **dict.fromkeys(("cp1251", "iso8859-5"), frozenset("ъщфцэёйшѓѕґ")),
    **dict.fromkeys(("koi8-r", "koi8-u"), frozenset("ъщфцэёйшюяьЪЭЩФЦЮЗ")),
    "cp1253": frozenset("ΰΐΪΫϊϋ"),
    "cp1252": frozenset("ðþýÐÞÝšžŠŽŸƒœŒ"),
    "cp1254": frozenset("áíæóúåøñãàèìòù"),
    "mac-roman": frozenset("ıŸ"),
}
# How many of 1,000 letters of Russian are each one, and of Ukrainian the last; a text is misread as rarer ones.
_CYRILLIC, _CAPITALS = ("cp1251", "koi8-r", "koi8-u", "cp866", "iso8859-5"), 6
_OF_1000 = "110 85 80 74 67 63 55 47 45 44 35 32 30 28 26 20 19 17 17 17 16 14 12 10 9 7 6 5 57"
_FREQUENCIES = dict(zip("оеаинтсрвлкмдпуяыьгзбчйхжшюці", map(int, _OF_1000.split()), strict=True))
_OF_ARABIC, _MANY = frozenset("اليمنورتبةدهعسفأقحك"), 0.8  # nine in ten of its letters
_HUNGARIAN = frozenset("áéíóú")  # beside õ and û, as which ő and ű are misread
_NOT_HUNGARIAN = frozenset("ãçäåêîôâàèëïñøæß")
_MUCH = 0.2  # of badness
_UNACCENTED, _ACCENTED = 0.1, frozenset("άέήίόύώΐΰ")  # which nearly each word of Greek has, but in capitals
_HALF_ONLY = 0.12  # of Japanese in narrow kana alone, which old files of banks are, and Cyrillic as misread
_LAST_ONLY = {"cp1252": frozenset("ìòù")}  # as in Italian and French; in Czech misread, they stand anywhere


class Encoding(NamedTuple):
    """How a file's bytes are text.

    Attributes:
      name: As Python names it.
      reason: How it shows; "" for UTF-8.
      doubt: What to check where it is a guess, in one clause; "" where it is none.
      setting: The line of the config that reads it otherwise, or "".
    """

    name: str = "utf-8"
    reason: str = ""
    doubt: str = ""
    setting: str = ""


def find_encoding(file: Path) -> Encoding:
    """Returns the encoding of a file; reads all of it.

    Raises:
      OSError, EOFError: The file cannot be read, or unpacked.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    begun, valid, high = False, True, Counter[int]()
    cells: dict[bytes, None] = {}
    with open_bytes(file) as stream:
        while piece := stream.read(_PIECE_BYTES):
            if not begun and (found := encoding_of(piece)):
                marked = not found.endswith(("-le", "-be"))
                how = (
                    f"the file begins with the mark of {found.upper()}" if marked else "some bytes of each letter are 0"
                )
                return Encoding(found, how)
            begun = True
            if valid:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    valid = False
            if not piece.isascii():
                high.update(byte for byte in piece if byte > 0x7F)
                _add_cells(cells, piece)
    try:
        decoder.decode(b"", final=valid)
    except UnicodeDecodeError:
        valid = False
    return Encoding() if valid else _guess(file, list(cells), high)


def _add_cells(cells: dict[bytes, None], piece: bytes) -> None:
    """Adds the cells of a piece that are not ASCII, but the first and the last, which may be cut."""
    if len(cells) < _MAX_CELLS:
        parts = _BETWEEN.split(piece)
        for cell in parts[1:-1] if len(piece) == _PIECE_BYTES else parts:
            if not cell.isascii() and len(cell) <= _MAX_CELL_BYTES:
                cells[cell.strip()] = None
                if len(cells) >= _MAX_CELLS:
                    return


def _guess(file: Path, cells: list[bytes], high: Counter[int]) -> Encoding:
    """Returns the most likely encoding of a file that is not UTF-8."""
    if (utf8 := sum(_decoded(cell, "utf-8") is not None for cell in cells)) and 2 * utf8 > len(cells):
        odd = next((cell for cell in cells if _decoded(cell, "utf-8") is None), b"")
        example = f", such as '{shown(odd.decode('cp1252', 'replace'))}' (as cp1252)" if odd else ""
        return Encoding(
            doubt=f"most cells with letters beyond ASCII are UTF-8, and others are not{example}: a file has one "
            "encoding; save it in UTF-8"
        )
    scores = {
        name: _badness(cells, name) + prior
        for name, prior in (_SINGLE | _WIDE).items()
        if all(_decoded(cell, name) is not None for cell in cells)
        and (name in _WIDE or _decoded(bytes(high), name) is not None)
    }
    for name in scores:
        scores[name] += _against(cells, name, scores)
    ranked = sorted(scores, key=lambda name: scores[name])
    while ranked and ranked[0] in _WIDE and not _decodes(file, ranked[0]):
        del ranked[0]
    if not ranked or scores[ranked[0]] > _BAD:
        name = "latin-1" if not ranked or 0.0 < _badness(cells, "latin-1") < scores[ranked[0]] else ranked[0]
        doubt = (
            f"the file is not UTF-8, and no encoding that was tried makes words of it; as {name}, {_read(cells, name)}"
        )
        return Encoding(name, "the file is not UTF-8", doubt, _setting(""))
    name = ranked[0]
    doubt = f"the encoding is a guess: as {name}, {_read(cells, name)}"
    others = [other for other in ranked[1:] if scores[other] <= scores[name] + _NEAR and _differ(cells, name, other)]
    second = others[0] if others else ""
    if second:
        cell = _differ(cells, name, second)
        read = {shown(cell.decode(other, "replace")): other for other in reversed(others)}  # of equal ones, the first
        doubt = f"the encoding is a guess: as {name}, a cell is '{shown(cell.decode(name))}'"
        for text, other in list(reversed(read.items()))[:_MAX_OTHERS]:
            doubt += f", and as {other} '{text}'"
    return Encoding(name, f"the file is not UTF-8, and this is a guess: {_read(cells, name)}", doubt, _setting(second))


def _against(cells: Iterable[bytes], encoding: str, possible: Collection[str]) -> float:
    """Returns what the letters of all cells together say against an encoding that reads each of them well."""
    letters = Counter("".join(cell.decode(encoding, "replace") + " " for cell in cells))
    if encoding in ("cp1252", "cp1254"):
        read = "".join(letters).lower()
        has = set(read)
        # The double acutes of Hungarian: Portuguese has the tilde before an e, Estonian beside an a with two points.
        is_hungarian = has & _HUNGARIAN if re.search("õ(?!e)", read) else "û" in has and has & (_HUNGARIAN - {"é"})
        return _MUCH if is_hungarian and not has & _NOT_HUNGARIAN else 0.0
    if encoding == "cp1250" and {*letters} & {*"ěřů"} and {*letters} & {*"ąľ"}:  # Czech has no such letters
        return _MUCH
    if encoding == "cp932" and not any(script(letter) == "WIDE" for letter in letters):
        return _HALF_ONLY
    if encoding == "cp1253":
        own = [letter for letter in letters.elements() if script(letter) == "GREEK"]
        return _UNACCENTED * (len(own) > 2 and any(map(str.islower, own)) and not {*own} & _ACCENTED)
    if encoding == "cp1256":
        own = [letter for letter in letters.elements() if letter > "\x7f"]
        return max(0.0, _MANY - sum(letter in _OF_ARABIC for letter in own) / max(len(own), 1)) / 2
    if encoding in _CYRILLIC:
        best = max(_likeness(cells, name) for name in _CYRILLIC if name in possible)
        return (best - _likeness(cells, encoding)) / 100
    if encoding not in ("gb18030", "big5") or "euc-jp" not in possible:
        return 0.0
    wide = [letter for letter in "".join(cell.decode("euc-jp") for cell in cells) if script(letter) == "WIDE"]
    kinds = set(wide)
    if not all(is_frequent(letter, "euc-jp") for letter in kinds):
        return 0.0
    if encoding == "gb18030" and any(unicodedata.name(letter, "").startswith(KANA) for letter in letters):
        return _MUCH  # where both read the same kana
    # Of frequent letters of Chinese, a fifth is not one of Japanese; of Big5, a third is not even read as EUC-JP.
    return _MUCH if len(kinds) >= (12 if encoding == "gb18030" else 6) else 0.0


def _likeness(cells: Iterable[bytes], encoding: str) -> float:
    """Returns how frequent the Cyrillic letters that an encoding reads are on average, less where all are capitals."""
    text = "".join(cell.decode(encoding, "replace") for cell in cells)
    own = [letter for letter in text if letter > "\x7f"]
    mean = sum(_FREQUENCIES.get(letter.lower(), 0) for letter in own) / max(len(own), 1)
    return mean - _CAPITALS * text.isupper()


def _setting(other: str) -> str:
    return f'encoding = "{other or "..."}"'


def _read(cells: list[bytes], encoding: str) -> str:
    found = f"'{shown(cells[0].decode(encoding, 'replace'))}'" if cells else "beyond ASCII"
    return f"a cell is {found}"


def _differ(cells: list[bytes], first: str, second: str) -> bytes:
    """Returns a cell that two encodings read otherwise; none where they read all alike."""
    return next((cell for cell in cells if cell.decode(first) != cell.decode(second)), b"")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _decodes(file: Path, encoding: str) -> bool:
    """Returns whether an encoding reads all of a file."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(file) as stream:
        try:
            while piece := stream.read(_PIECE_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _badness(cells: Iterable[bytes], encoding: str) -> float:
    """Returns how unlike words the letters beyond ASCII are that an encoding reads: about 0 to 1 for each of them."""
    bad, letters = 0.0, 0
    for cell in cells:
        text = f" {cell.decode(encoding, 'replace')} "
        for before, letter, after in zip(text, text[1:], text[2:], strict=False):
            if letter > "\x7f":
                bad += _oddness(before, letter, after, encoding)
                letters += 1
    return bad / letters if letters else 0.0


def _oddness(before: str, letter: str, after: str, encoding: str) -> float:
    own, beside = script(letter), [script(before), script(after)]
    if not own:
        category = unicodedata.category(letter)
        if category in ("Cc", "Cn", "Co"):
            return 1.0
        if category == "Zs" or letter in _PUNCTUATION:
            is_within = all(beside) and letter not in "’–·"
            return 0.6 if is_within or (before > "\x7f" and after > "\x7f") else 0.0
        if category.startswith("M"):
            return 0.0 if unicodedata.name(letter, "NONE").split()[0] in (*beside, mark_of(before)) else 0.8
        if beside[1]:
            return 0.9
        return (0.2 if beside[0] else 0.0) if letter in _UNITS else 0.6
    if any(other and other != own for other in beside):
        return 1.0
    if own == "WIDE":
        return (rare_hangul(letter) if encoding == "cp949" else 0.0) if is_frequent(letter, encoding) else 0.5
    odd = 0.3 * (letter in _RARE.get(encoding, ()))
    odd += 0.4 * (letter in _LAST_ONLY.get(encoding, ()) and bool(beside[1]))
    odd += 0.8 * (letter in _FINAL.get(own, ()) and bool(beside[1]))
    if (before.islower() and letter.isupper()) or (letter.islower() and after.isupper()):
        odd += 0.7
    if before.isupper() and letter.isupper() and after.islower():
        odd += 0.5
    if own == "LATIN" and before > "\x7f" and after > "\x7f" and all(beside):  # three letters with accents
        odd += 0.7
    return min(odd, 1.0)
