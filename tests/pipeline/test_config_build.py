import tomllib
from dataclasses import dataclass, field

import pytest

from crossnet.components.params.setting import setting
from crossnet.pipeline.config_build import build


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = setting(1, "how deep", least=1)


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = setting("", "a name")
    share: float = setting(0.5, "a share")
    inner: Inner = field(default_factory=Inner)


NAMES = ["name", "share", "inner", "inner.depth"]


def test_values_fill_the_fields_and_the_others_keep_their_defaults():
    problems = []
    assert build(Outer, {"share": 1, "inner": {"depth": 3}}, NAMES, problems) == Outer(share=1.0, inner=Inner(depth=3))
    assert problems == []


def test_a_date_is_said_to_need_quotes_where_text_is_wanted():
    problems = []
    build(Outer, tomllib.loads("name = 2026-01-02\nshare = 2026-01-02\n"), NAMES, problems)
    assert problems == [
        '`name` must be text. Received 2026-01-02. Write it in quotes: "2026-01-02".',
        "`share` must be a number. Received 2026-01-02.",
    ]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nam": "x"}, "Unknown setting `nam`. Did you mean `name`?"),
        ({"inner": 3}, "`inner` is a section; its settings are written `inner.key`. Received 3."),
        ({"inner": {"depth": "deep"}}, "`inner.depth` must be a whole number. Received 'deep'."),
        ({"inner": {"depth": 0}}, "`inner.depth` must be a finite number at least 1. Received 0."),
        ({"share": 10**400}, "`share` must be a finite number. Received a whole number of about 400 digits."),
    ],
)
def test_each_mistake_is_a_sentence(values, sentence):
    problems = []
    build(Outer, values, NAMES, problems)
    assert problems == [sentence]
