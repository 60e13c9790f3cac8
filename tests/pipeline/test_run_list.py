from pathlib import Path

import pytest

from crossnet.components.errors import MissingArtifactError, SettingsError
from crossnet.components.files import write_json
from crossnet.pipeline.run_list import chosen_runs, two_runs
from crossnet.pipeline.run_record import RunRecord
from crossnet.pipeline.store import Store

MODEL = {"dense": {"num_parameters": 1, "train_rmse": 1.0, "eval_rmse": 1.0}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three runs: a failed, b blessed, c without a verdict."""
    store = Store(tmp_path)
    records = {
        "a": RunRecord(number=1, exit_code=1, error="no"),
        "b": RunRecord(number=2, verdict="BLESSED", champion="dense", models=MODEL),
        "c": RunRecord(number=3),
    }
    for name, record in records.items():
        write_json(store.new_run(name) / "run.json", record.to_json())
    return store


def names(records: list[RunRecord]) -> list[str]:
    return [record.run for record in records]


def test_runs_are_chosen_the_newest_first(store: Store) -> None:
    assert names(chosen_runs(store)) == ["c", "b", "a"]
    assert names(chosen_runs(store, limit=2)) == ["c", "b"]
    assert names(chosen_runs(store, statuses=["FAILED", "DONE"])) == ["c", "a"]
    assert names(chosen_runs(store, model="dense")) == ["b"]
    with pytest.raises(SettingsError, match=r"has a model `dens`\. Did you mean `dense`\? There are: dense\.$"):
        chosen_runs(store, model="dens")


@pytest.mark.parametrize(
    ("named", "expected"), [([], ("b", "c")), (["a"], ("a", "c")), (["c"], ("b", "c")), (["c", "a"], ("c", "a"))]
)
def test_what_is_not_named_is_the_newest(store: Store, named: list[str], expected: tuple[str, str]) -> None:
    assert two_runs(store, named) == expected


def test_one_run_is_not_enough(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for given in ([], ["a"]):
        with pytest.raises(MissingArtifactError, match=r"^There are not two runs in `.*` to compare\. Change a"):
            two_runs(store, given)
