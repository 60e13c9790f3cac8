"""Generates columns whose cells only a setting of `example_gen` reads, and says that setting."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Any

from support.generated_tables import Dialect, GeneratedColumn, float32

FORMS = ("%d.%m.%Y", "%m/%d/%y", "%d %b %Y", "%Y%m%d", "%d.%m.%Y %H:%M")
TRUTHS = (("yes", "no"), ("Y", "N"), ("t", "f"), ("1", "0"), ("YES", "No"))

Drawn = tuple[Any, str, Any]


def _dates(draw: random.Random, dialect: Dialect, name: str) -> tuple[Callable[[], Drawn], dict[str, Any]]:
    form = draw.choice(FORMS)

    def one() -> Drawn:
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
            days=draw.randint(0, 30_000), minutes=draw.randint(0, 1439) if "%M" in form else 0
        )
        return moment, moment.strftime(form), int(moment.timestamp())

    return one, {"date_format": {name: form}}


def _truths(draw: random.Random, dialect: Dialect, name: str) -> tuple[Callable[[], Drawn], dict[str, Any]]:
    words = draw.choice(TRUTHS)

    def one() -> Drawn:
        value = draw.random() < 0.5
        return value, words[0 if value else 1], int(value)

    return one, {"boolean": (name,)}


def _rounded(draw: random.Random, dialect: Dialect, name: str) -> tuple[Callable[[], Drawn], dict[str, Any]]:
    def one() -> Drawn:
        value = draw.choice([draw.randint(-999, 999), draw.randint(2**53, 2**63 - 1)])
        spelled = f"{value}{dialect.decimal}0" if abs(value) < 1000 and draw.random() < 0.5 else str(value)
        return value, spelled, value

    return one, {"integer": (name,)}


def _with_nan(draw: random.Random, dialect: Dialect, name: str) -> tuple[Callable[[], Drawn], dict[str, Any]]:
    def one() -> Drawn:
        if draw.random() < 0.3:
            return "nan", draw.choice(["nan", "NaN", "-nan"]), None
        value = draw.randint(-999, 999) / 4
        return value, str(value).replace(".", dialect.decimal), float32(value)

    return one, {"nan": "missing"}


NAMED_KINDS = {"dates": _dates, "truths": _truths, "rounded": _rounded, "with nan": _with_nan}


def generate_named(draw: random.Random, dialect: Dialect, rows: int) -> tuple[list[GeneratedColumn], dict[str, Any]]:
    """Returns one to four columns, each of a kind of its own, and the settings that read them."""
    columns, settings = [], dict[str, Any]()
    for number, kind in enumerate(draw.sample(sorted(NAMED_KINDS), draw.randint(1, len(NAMED_KINDS)))):
        name, holes = f"named{number}", draw.choice([0, 0.3])
        one, own = NAMED_KINDS[kind](draw, dialect, name)
        drawn = [(None, "", None) if row > 1 and draw.random() < holes else one() for row in range(rows)]
        columns.append(GeneratedColumn(name, kind, *map(list, zip(*drawn, strict=True))))
        settings |= own
    return columns, settings
