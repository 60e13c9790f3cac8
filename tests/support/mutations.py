"""Changes good input into bad: bytes flipped, cut, repeated, mixed, and replaced by what parsers trip over."""

from __future__ import annotations

import random
from collections.abc import Sequence

# What parsers trip over: limits of numbers, brackets, quotes, line ends, escapes, bytes that are not UTF-8.
TOKENS = (
    *(b"0", b"-1", b"1e400", b"-1e-400", b"nan", b"NaN", b"-Infinity", b"9" * 400, b"9" * 5000, b"0x" + b"f" * 200),
    *(b"9223372036854775807", b"-9223372036854775808", b"18446744073709551616", b"1.5", b"true", b"null", b"none"),
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b"[" * 3000,
        b'{"a":' * 500,
        b"[]",
        b"{}",
        b'""',
        b"''",
        b'"""',
        b"(",
        b")",
        b"/",
        b"..",
        b"~0",
    ),
    *(b'"', b"'", b"`", b",", b":", b";", b"=", b".", b"\\", b"#", b" ", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b"\0"),
    *(b"\xff", b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\x80", b"\x1b[31m", b"\\u0000"),
    *(b"\\ud800", "\u202e\u2028".encode(), "ü路🙂".encode(), b"2026-11-29", b"24:00", b"b64", b"instances", b"inputs"),
    *(
        b"x0",
        b"x" * 2000,
        b"serving_default",
        b"\x0a",
        b"\x12\xff\xff\xff\xff\x0f",
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ),
    *(b"\x1f\x8b\x08", b"PAR1", b"\x00" * 8, b"\xff" * 8, (1 << 50).to_bytes(8, "little")),
)


def mutated(draw: random.Random, seeds: Sequence[bytes], most: int = 8) -> bytes:
    """Returns one of `seeds` after one to `most` changes."""
    data = draw.choice(seeds)
    for _ in range(draw.randint(1, most)):
        data = _changed(draw, data, seeds)
    return data


def _changed(draw: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    a, b = sorted((draw.randint(0, len(data)), draw.randint(0, len(data))))
    b = min(b, a + draw.choice((1, 4, 30, 1000)))
    kind = draw.randrange(9)
    if kind == 0 and data:  # one bit
        place = draw.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
    if kind == 1:  # one byte, or some, at random
        return data[:a] + draw.randbytes(draw.choice((1, 1, 2, 8))) + data[b:]
    if kind == 2:
        return data[:a] + data[b:]
    if kind == 3:
        return data[:a] + data[a:b] * draw.choice((2, 2, 3, 50)) + data[b:]
    if kind == 4:
        return data[: draw.randint(0, len(data))]
    if kind == 5:  # the start of one, the end of another
        other = draw.choice(seeds)
        return data[:a] + other[draw.randint(0, len(other)) :]
    token = draw.choice(TOKENS)
    return data[:a] + token + data[b if kind == 6 else a :]
