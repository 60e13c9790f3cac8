"""The models of before on real exports: which are opened, and what is said of those that cannot be compared."""

from __future__ import annotations

import contextlib

import pytest

from crossnet.components.evaluation.earlier import open_earlier
from crossnet.components.features import Feature
from crossnet.components.params.evaluator import EvaluatorParams
from support.gate_fixtures import export

FEATURES = (Feature("x0", "FLOAT"),)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier")
    other = (Feature("x9", "FLOAT"),)
    return {
        "17": export(folder / "17", FEATURES, lambda c: c["x0"]),
        "ab12": export(folder / "ab12" / "Format-Serving", FEATURES, lambda c: 2 * c["x0"]),
        "9": export(folder / "9", other, lambda c: c["x9"]),
    }


def opened(served, best, **settings):
    scored = {}
    with contextlib.ExitStack() as stack:
        return open_earlier(served, best, FEATURES, EvaluatorParams(**settings), scored, stack), [*scored]


def test_the_best_is_scored_beside_the_model_in_service(folders):
    (served, best), scored = opened(folders["17"], folders["ab12"])
    assert (served.version, best.version, scored) == ("17", "ab12", ["(served)", "(best)"])


def test_the_best_that_is_in_service_is_scored_once(folders):
    (served, best), scored = opened(folders["17"], folders["17"])
    assert (best.version, best.name, scored) == ("17", served.name, ["(served)"])


def test_without_its_margin_none_of_them_is_opened(folders):
    assert opened(folders["17"], folders["ab12"], non_inferiority_margin=None, total_margin=None) == ((None, None), [])


def test_a_version_that_is_named_and_asks_for_another_column_is_not_scored(folders):
    (_, best), scored = opened(None, folders["9"], anchor="9")
    assert (best.is_named, best.problem, scored) == (True, "asks for `x9`, which these rows lack", [])
