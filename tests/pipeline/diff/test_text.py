import pytest

from crossnet.pipeline.diff.text import change_text, judged, render_diff, value_text

RUNS = [{"run": "a", "verdict": "BLESSED"}, {"run": "b", "verdict": "FAILED"}]
SAME = {"same": True, "rows": [], "columns": [], "drift": []}


def line(change, interval=None):
    return {"model": "dense", "slice": None, "before": 2.0, "after": 2.0, "change": change, "interval": interval}


@pytest.mark.parametrize(
    ("change", "interval", "text", "word"),
    [
        (-0.041, (-0.06, -0.022), "-4.1 %, interval -6 % to -2.2 %", "better"),
        (0.1, (0.05, 0.2), "+10 %, interval +5 % to +20 %", "worse"),
        (0.01, (-0.1, 0.1), "+1 %, interval -10 % to +10 %", ""),
        (0.01, None, "+1 %", ""),
        (None, None, "", ""),
    ],
)
def test_a_change_is_sure_where_its_interval_leaves_out_zero(change, interval, text, word):
    assert (change_text(line(change, interval)), judged(line(change, interval))) == (text, word)


def test_what_does_not_differ_and_what_is_not_there_have_a_line():
    facts = {"runs": RUNS, "settings": [], "data": SAME, "metrics": [], "steps": [], "notes": ["A note."]}
    unknown = {**facts, "data": {**SAME, "same": None}, "metrics": [{**line(0.0), "model": "dense"}]}
    assert "data\n  cannot be compared\nmetrics: nothing differs\n" in render_diff(unknown)
    assert render_diff(facts).splitlines() == [
        "before: run a, BLESSED",
        "after:  run b, FAILED",
        "settings: nothing differs",
        "data: nothing differs",
        "metrics",
        "  cannot be compared",
        "steps with other artifacts: nothing differs",
        "A note.",
    ]


def test_values_stand_as_toml_has_them_and_are_cut():
    assert [value_text(value) for value in (None, "x", 2, ["a"], True)] == ["-", '"x"', "2", '["a"]', "true"]
    path = value_text(f"/home/ada/{'x' * 90}/rides.csv")
    assert len(path) == 60
    assert path.startswith('"/home/ada/x')
    assert path.endswith('/rides.csv"')


def test_other_rows_drift_and_ends_have_lines():
    drift = {"column": "miles", "measure": "L-infinity", "value": 0.25, "noise": 0.1, "detail": "'a'"}
    data = {
        "same": False,
        "rows": [{"split": "train", "before": 10, "after": 12}],
        "columns": [{"column": "tolls", "before": None, "after": "INT"}],
        "drift": [drift],
    }
    steps = [{"step": "pusher", "before": "ran", "after": "skipped", "because": []}]
    metrics = [line(-0.5, (-0.6, -0.4)) | {"after": 1.0}]
    facts = {"runs": RUNS, "settings": [], "data": data, "metrics": metrics, "steps": steps, "notes": []}
    assert render_diff(facts).splitlines()[3:] == [
        "data",
        "  split  before  after",
        "  train  10      12",
        "  column  before  after",
        "  tolls   -       INT",
        "  `miles` has drifted: L-infinity 0.25 at 'a', of which chance explains 0.1",
        "metrics",
        "  model  slice  eval rmse  after  change",
        "  dense                 2      1  -50 %, interval -60 % to -40 %  better",
        "steps with other artifacts",
        "  pusher: ran before, skipped after",
    ]
