import pytest

from crossnet.components.params.example_gen import ExampleGenParams

CSV = {"source": "csv", "input": "rides.csv"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        CSV,
        {"source": "csv", "input_pattern": "day-{SPAN}.csv"},
        {**CSV, "split": "key", "split_column": "user"},
        {**CSV, "split": "time", "split_column": "at", "split_time": "2026-01-01"},
        {**CSV, "split": "folders"},
    ],
)
def test_settings_that_fit_together_have_no_problems(settings):
    assert ExampleGenParams(**settings).problems() == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"source": "csv"}, "`source` 'csv' needs `input` or `input_pattern`, one of them. Received input ''"),
        ({**CSV, "input_pattern": "x"}, "Received input 'rides.csv' and input_pattern 'x'."),
        ({"split": "folders"}, "`split` 'folders' needs `input`, a folder that holds train/ and eval/."),
        ({**CSV, "split": "key"}, "`split` 'key' needs `split_column`, the column to split by."),
        ({**CSV, "split_column": "a"}, "`split_column` is for `split` 'key' and 'time'. Received `split` 'order'."),
        ({**CSV, "split_time": "2026"}, "`split_time` is for `split` 'time'. Received `split` 'order'."),
    ],
)
def test_settings_that_do_not_fit_together_are_told_in_words(settings, sentence):
    (problem,) = ExampleGenParams(**settings).problems()
    assert sentence in problem


def test_all_problems_are_listed_at_once():
    assert len(ExampleGenParams(source="csv", split="time", split_time="", split_column="").problems()) == 2


def test_columns_that_are_not_features_are_known():
    assert ExampleGenParams().not_features == {"y": "label"}
    params = ExampleGenParams(**CSV, label="fare", exclude=("id", "w"), weight="w", group="rider")
    assert params.not_features == {"id": "excluded", "w": "weight", "rider": "group", "fare": "label"}
