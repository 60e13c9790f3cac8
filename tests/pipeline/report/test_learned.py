import pytest

from crossnet.pipeline.report.column_texts import ColumnTexts
from crossnet.pipeline.report.learned import _explained, _input_name, learned
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import FAILED, PUSHED, make_runs


def test_learned_shows_the_polynomial_of_a_network_on_numbers():
    found = {
        "features": ["x0", "x1"],
        "strengths": [[0, 1], [1, 0]],
        "formula": "2.000 x0·x1",
        "interactions": [[0.0, 2.0], [2.0, 0.0]],
        "terms": [
            {"factors": ["x0", "x1"], "coefficient": 2.0, "truth": 2.0, "error": 0.0},
            {"factors": [], "coefficient": -3.0, "truth": -3.0, "error": 0.0},
        ],
        "max_error": 0.0,
    }
    shown = _explained("cross_layer", found, "fare", ColumnTexts({"x0": "Area (m²)", "x1": "x1"}))
    assert shown["formula"] == "fare = 2.000 x0·x1"
    assert [term["product"] for term in shown["terms"]] == ["1", "x0·x1"]
    assert "Interaction matrix of cross_layer, largest 2 at Area (m²) and x1" in shown["picture"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("day", "Listed on"),
        ("day is missing", "Listed on is missing"),
        ("day, sine of the week", "Listed on, sine of the week"),
        ("day_2", "day_2"),
        ("other", "other"),
    ],
)
def test_inputs_of_a_network_are_named_after_their_columns(name, text):
    assert _input_name(name, ColumnTexts({"day": "Listed on", "day_2": "day_2"})) == text


def test_learned_shows_what_the_columns_do_to_the_champion(tmp_path_factory):
    store = make_runs(tmp_path_factory)
    found = learned(load_run(store, PUSHED))
    assert (found["subject"], found["label"], found["effects"]["rows"]) == ("cross_layer", "y", 57)
    assert "Growth of the RMSE where a column is shuffled: " in found["effects"]["bars"]
    assert found["effects"]["curves"]
    nothing = learned(load_run(store, FAILED))
    assert (nothing["effects"], nothing["models"], nothing["missing"]) == (
        *({}, []),
        "`evaluator` did not run, because a step before it did not pass.",
    )
