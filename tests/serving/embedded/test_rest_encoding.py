"""Bodies and answers of REST under gzip: what is taken, what is refused, when an answer is compressed."""

from __future__ import annotations

import gzip

import pytest

from crossnet.serving.embedded.rest_encoding import decoded, encoded
from crossnet.serving.status import ServingError

TEXT = b'{"inputs": [1.0, 2.0]}' * 50


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", " GZIP "])
def test_gzip_is_decompressed(encoding):
    assert decoded(gzip.compress(TEXT), encoding, len(TEXT)) == TEXT
    assert decoded(gzip.compress(TEXT[:70]) + gzip.compress(TEXT[70:]), encoding, len(TEXT)) == TEXT


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_is_left_as_it_is(encoding):
    assert decoded(TEXT, encoding, 1) is TEXT  # its size was looked at while it came


def test_a_body_that_grows_beyond_the_limit_is_cut_off_there():
    assert decoded(gzip.compress(TEXT), "gzip", len(TEXT) - 1) is None
    assert decoded(gzip.compress(b" " * 2**24), "gzip", 2**20) is None


@pytest.mark.parametrize(
    ("body", "encoding", "words"),
    [
        (TEXT, "gzip", "is not the gzip that its Content-Encoding announces: Error -3 .*incorrect header check"),
        (gzip.compress(TEXT, mtime=0)[:-3], "gzip", "announces: it ends too early"),
        (b"", "gzip", "announces: it ends too early"),
        (gzip.compress(TEXT, mtime=0), "br", "^Content-Encoding is br. Send the body plain, or as gzip.$"),
    ],
)
def test_another_body_is_refused(body, encoding, words):
    with pytest.raises(ServingError, match=words):
        decoded(body, encoding, 2**20)


@pytest.mark.parametrize("accepted", ["gzip", "deflate, gzip;q=0.5", "*", "br, GZIP"])
def test_a_long_answer_is_compressed_for_who_takes_it(accepted):
    text = "[" + "0.25, " * 1000 + "1]"
    data, headers = encoded(text, accepted)
    assert headers == {"content-encoding": "gzip", "vary": "accept-encoding"}
    assert gzip.decompress(data).decode() == text
    assert encoded(text, accepted) == (data, headers)  # without a time in it


@pytest.mark.parametrize(("text", "accepted"), [("x" * 4095, "gzip"), ("x" * 9999, ""), ("x" * 9999, "gzip;q=0, br")])
def test_other_answers_are_plain(text, accepted):
    assert encoded(text, accepted) == (text.encode(), {})
