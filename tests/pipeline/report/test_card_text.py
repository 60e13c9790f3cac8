import re

import pytest

from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError
from crossnet.components.model_folder import locked
from crossnet.pipeline.report import card_text
from crossnet.pipeline.report.card import Card, make_card
from crossnet.pipeline.report.card_origin import Part, Table
from crossnet.pipeline.report.card_text import run_card, write_card
from crossnet.pipeline.report.run import load_run
from support.report_fixtures import CLOSED, FAILED, PARTIAL, PUSHED, make_runs


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


def test_a_run_leaves_its_card_beside_the_report_and_the_pushed_version(store):
    run = load_run(store, PUSHED)
    text = (store.runs / PUSHED / "model_card.md").read_text(encoding="utf-8")
    assert text == run_card(run)
    pushed = run.get(PushedModel, "pusher")
    assert pushed is None or pushed.destination.with_name(f"{pushed.version}.md").read_text(encoding="utf-8") == text
    assert not (store.runs / FAILED / "model_card.md").exists()


def test_what_comes_from_data_means_itself_in_markdown():
    table = Table(
        "All of it.", ("a|b", "c"), [("`x|y`", "<b>*bold*</b> _it_ snake_case [l](u)\n# h"), ("z", "1")], frozenset({1})
    )
    text = card_text.card_text(Card("`m`, version 3", [Part("Data", ["a <i> `c<d` | e"], table)]))
    assert text.splitlines() == [
        "# Model card: `m`, version 3",
        "",
        "## Data",
        "",
        r"- a \<i\> `c<d` \| e",
        "",
        "All of it.",
        "",
        r"| a\|b | c |",
        "| --- | ---: |",
        r"| `x\|y` | \<b\>\*bold\*\</b\> \_it\_ snake_case \[l\](u) \# h |",
        "| z | 1 |",
    ]


def test_every_table_of_a_real_card_has_as_many_cells_in_each_row(store):
    blocks = [block for block in run_card(load_run(store, PUSHED)).split("\n\n") if block.startswith("|")]
    assert len(blocks) == 4
    for block in blocks:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (FAILED, "Run `failed` has no model card: `example_gen` failed. Call `crossnet run`, which judges a model."),
        (PARTIAL, "Run `partial` has no model card: `evaluator` was not part of this run. Call `crossnet run`"),
    ],
)
def test_a_run_without_a_judged_model_says_why_it_has_no_card(store, run, sentence):
    with pytest.raises(MissingArtifactError, match=re.escape(sentence)):
        run_card(load_run(store, run))


@pytest.fixture
def pushed(store, tmp_path, monkeypatch):
    """A closed run's facts as if its model had been pushed into a folder of its own."""
    run = load_run(store, CLOSED)
    folder = tmp_path / "rides"
    (folder / "7").mkdir(parents=True)
    (folder / "7.json").write_text('{"version": 7, "model": "m1"}')
    properties = {"version": 7, "model": "m1", "destination": str(folder / "7"), "model_name": "rides"}
    run.artifacts["pusher"] = PushedModel(tmp_path / "pusher", properties=properties)
    return run, make_card(run), tmp_path, folder


def test_the_copy_beside_a_version_is_written_once(pushed):
    run, card, runs, folder = pushed
    write_card(run, card, runs)
    assert (folder / "7.md").read_text() == (runs / "model_card.md").read_text()
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "7", "7.json", "7.md"]
    (folder / "7.md").write_text("notes of an operator")
    write_card(run, card, runs)
    assert (folder / "7.md").read_text() == "notes of an operator"


def test_the_copy_is_left_out_where_the_version_is_gone_or_another_models(pushed):
    run, card, runs, folder = pushed
    (folder / "7.json").write_text('{"version": 7, "model": "m2"}')
    write_card(run, card, runs)
    (folder / "7.json").write_text('{"version": 7, "model": "m1"}')
    (folder / "7").rmdir()
    write_card(run, card, runs)
    assert not (folder / "7.md").exists()


def test_a_busy_serving_folder_does_not_fail_the_report(pushed, monkeypatch):
    run, card, runs, folder = pushed
    monkeypatch.setattr(card_text, "WAIT_SECONDS", 0)
    with locked(folder):
        assert write_card(run, card, runs) == runs / "model_card.md"
    assert not (folder / "7.md").exists()
