"""Decompresses the bodies of REST requests and compresses answers.

The real server takes bodies with `Content-Encoding: gzip` (tensorflow/serving util/net_http, evhttp_request.cc).
"""

from __future__ import annotations

import gzip
import zlib

from crossnet.serving.protocol.bounded_text import cut
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.status import ServingError

_GZIP_BITS = 31  # zlib: a gzip header, and the largest window
# Below, to compress costs more than to send: level 1 takes about 20 us for each KiB of numbers.
_LEAST_BYTES = 4096
_LEVEL = 1


def decoded(body: bytes | bytearray, encoding: str, max_bytes: int) -> bytes | bytearray | None:
    """Returns a body as it was before it was compressed; None where it would have more than `max_bytes`.

    Args:
      body: What came.
      encoding: The request's Content-Encoding; "" or "identity" for a plain body, "gzip".
      max_bytes: The limit of the plain body.

    Raises:
      ServingError: INVALID_ARGUMENT, it is not gzip, is not whole, or the encoding is another.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        raise invalid(f"Content-Encoding is {cut(encoding)}. Send the body plain, or as gzip.")
    plain = bytearray()
    left = memoryview(body)
    try:
        while left or not plain:  # a gzip file may have several members
            member = zlib.decompressobj(_GZIP_BITS)
            plain += member.decompress(left, max_bytes - len(plain) + 1)
            if len(plain) > max_bytes:
                return None
            if not member.eof:
                raise _damaged("it ends too early")
            left = memoryview(member.unused_data)
    except zlib.error as error:
        raise _damaged(str(error)) from None
    return plain


def _damaged(reason: str) -> ServingError:
    return invalid(f"The body is not the gzip that its Content-Encoding announces: {reason}.")


def encoded(text: str, accepted: str) -> tuple[bytes, dict[str, str]]:
    """Returns the bytes of an answer and its headers: gzip where the client takes it and the answer is long.

    Args:
      text: The answer.
      accepted: The request's Accept-Encoding.
    """
    data = text.encode()
    if len(data) < _LEAST_BYTES or not _takes_gzip(accepted):
        return data, {}
    return gzip.compress(data, _LEVEL, mtime=0), {"content-encoding": "gzip", "vary": "accept-encoding"}


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
