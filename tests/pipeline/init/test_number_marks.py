import random

import pyarrow as pa
import pytest

from crossnet.pipeline.init.findings import Proposal
from crossnet.pipeline.init.number_marks import propose_marks
from crossnet.pipeline.init.profile import profile_table


@pytest.mark.parametrize(
    ("cells", "settings", "doubt"),
    [
        (["1,234", "2,500,000"], {"thousands": ","}, False),
        (["1,234", "2,345"], {"thousands": ","}, True),
        (["0,5", "1,25"], {"decimal": ","}, False),
        (["1 234", "12 500"], {"thousands": " "}, False),
    ],
)
def test_marks_within_numbers_are_found(cells, settings, doubt):
    draw = random.Random(0)
    labels = [str(draw.random()) for _ in range(60)]
    columns = {"x": pa.array(cells * 30).cast(pa.binary()), "y": pa.array(labels).cast(pa.binary())}
    profile = profile_table([(0, 0, columns)], list(columns), "y")
    proposal = Proposal()
    propose_marks(profile, {"x": "x", "y": "y"}, proposal)
    assert {name: value for name, value in proposal.settings.items() if name in ("decimal", "thousands")} == settings
    assert any("may be a thousand or a decimal comma" in note.text for note in proposal.notes) == doubt


@pytest.mark.parametrize(
    ("cells", "label", "settings", "noted"),
    [
        (["0,5", "1,25"], ["0.875", "1.250"], {"decimal": ",."}, ""),
        (["1 234,5", "2 345,25"], ["0.875", "1.250"], {"decimal": ",.", "thousands": " "}, ""),
        (["0,5", "1,25"], ["1.250", "12.500"], {"decimal": ",", "thousands": "."}, ""),
        (["1.234,5", "2.345,25"], ["0,875", "1,2"], {"decimal": ",", "thousands": "."}, ""),
        (["1.234,5", "2.345,25"], ["0.875", "1.250"], {}, "x stays text; write all numbers with the same marks"),
        (["1.234", "2.345"], ["1", "2"], {}, "x has numbers with a point before three digits, as all do"),
        (["1.234", "2.345"], ["0.5", "2"], {}, ""),
        (["1.234.567", "2.345"], ["0.5", "2"], {}, "x stays text"),
        (["1.234.567", "2.345.678"], ["1", "2"], {"decimal": ",", "thousands": "."}, ""),
        (["1,234,567", "2,345,678"], ["0,5", "1,25"], {"decimal": ","}, "write them with one mark"),
    ],
)
def test_a_point_is_before_fractions_where_another_number_shows_it(cells, label, settings, noted):
    columns = {"x": pa.array(cells * 30).cast(pa.binary()), "y": pa.array(label * 30).cast(pa.binary())}
    profile = profile_table([(0, 0, columns)], list(columns), "y")
    proposal = Proposal(settings={"delimiter": ";"})
    propose_marks(profile, {"x": "x", "y": "y"}, proposal)
    assert {name: value for name, value in proposal.settings.items() if name != "delimiter"} == settings
    assert [noted in note.text for note in proposal.notes] == ([True] if noted else [])
