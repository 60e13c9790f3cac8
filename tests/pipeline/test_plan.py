import pytest

from crossnet.pipeline.config import load_config
from crossnet.pipeline.plan import make_plan
from crossnet.pipeline.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "root")


def test_plan_needs_nothing_on_disk(store):
    plan = make_plan(load_config(), store)
    assert [planned.done for planned in plan.values()] == [False] * 10
    assert plan["evaluator"].references == {"served": None}
    assert not store.root.exists()


def test_plan_knows_a_csv_by_its_content(store, tmp_path):
    file = tmp_path / "rows.csv"
    settings = ["example_gen.source=csv", f"example_gen.input={file}"]
    prints = []
    for text in ("x,y\n1,2\n", "x,y\n2,1\n", "x,y\n1,2\n"):
        file.write_text(text)
        prints.append(make_plan(load_config(None, settings), store)["example_gen"].fingerprint)
    assert prints[0] == prints[2] != prints[1]
