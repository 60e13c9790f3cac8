"""Parses dates that are not ISO 8601."""

from __future__ import annotations

import re
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from crossnet.components.sources.date_forms import MONTHS, SHORT_MONTHS
from crossnet.serving.protocol.cell_values import read_date

_PARTS = {
    "%Y": r"\d{4}",
    "%y": r"\d\d",
    "%m": r"\d{1,2}",
    "%d": r"\d{1,2}",
    "%b": f"(?i:{'|'.join(SHORT_MONTHS)})",  # Arrow would take long names too, which training does not
    "%B": f"(?i:{'|'.join(MONTHS)})",
    "%H": r"\d{1,2}",
    "%I": r"\d{1,2}",
    "%M": r"\d\d",
    "%S": r"\d\d",
    "%p": r"[AaPp][Mm]",
}


@cache
def _pattern(form: str) -> str:
    """Returns RE2's regular expression for cells of a form; "" where Arrow does not read all of its directives."""
    parts = re.findall(r"%[A-Za-z]|[^%]", form)
    if not form.isascii() or any(len(part) == 2 and part not in _PARTS for part in parts):
        return ""
    return "^" + "".join(_PARTS.get(part) or re.escape(part) for part in parts) + "$"


def parse_dates(form: str, texts: pa.Array) -> pa.Array:
    """Returns the moments of texts as Unix seconds, null where the form does not read one, int64 (texts,)."""
    if not (pattern := _pattern(form)):
        return pa.array([None if text is None else read_date(text, form) for text in texts.to_pylist()], pa.int64())
    like = pc.match_substring_regex(texts, pattern)
    moments = pc.strptime(pc.if_else(like, texts, None), format=form, unit="s", error_is_null=True)
    return moments.cast(pa.int64())
