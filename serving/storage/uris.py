"""Recognises URIs of folders in stores, and shows them without secrets."""

from __future__ import annotations

import re

_URI = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_WITHOUT_NETWORK = "us-east-1"  # any region: without one, pyarrow asks AWS for the bucket's
KNOWN = "`s3://`, `gs://`, `abfs://`, `hdfs://` or `file://`"


def is_uri(text: str) -> bool:
    """Whether a text begins with a scheme, as `s3://` does; a path of this machine does not."""
    return _URI.match(text) is not None


def shown_uri(uri: str) -> str:
    """Returns a URI for a message: without user, password and query, which may hold secrets."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{_without_user(rest.partition('?')[0])}"


def identity(uri: str) -> str:
    """Returns what names the folder: the URI without user and password, which may change, and without a last slash."""
    scheme, separator, rest = uri.partition("://")
    place, question, query = rest.partition("?")
    return f"{scheme}{separator}{_without_user(place).rstrip('/')}{question}{query}"


def below(uri: str, path: str) -> str:
    """Returns the URI of what is at a relative path in the folder of a URI."""
    place, question, query = uri.partition("?")
    return f"{place.rstrip('/')}/{path}{question}{query}"


def without_secrets(reason: str, uri: str) -> str:
    """Returns a library's message about a URI without what `shown_uri` leaves out."""
    for text in (with_region(uri), uri):
        reason = reason.replace(text, shown_uri(uri))
    return reason


def with_region(uri: str) -> str:
    """Returns a URI that pyarrow can read without a network: an `s3://` URI gets a region where it has none."""
    query = uri.partition("?")[2]
    if not uri.startswith("s3://") or "region=" in query or "endpoint_override=" in query:
        return uri
    return f"{uri}{'&' if query else '?'}region={_WITHOUT_NETWORK}"


def _without_user(place: str) -> str:
    host, slash, path = place.partition("/")
    return f"{host.rpartition('@')[2]}{slash}{path}"
