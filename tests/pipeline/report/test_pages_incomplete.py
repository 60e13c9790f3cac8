import pytest

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import read_json, write_json
from crossnet.pipeline.report.pages import write_index, write_report
from crossnet.pipeline.run_state import at_work
from support.html_page import read_page
from support.report_fixtures import (
    PUSHED,
    make_bare_run,
    make_runs,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_runs(tmp_path_factory)


@pytest.fixture
def bare(tmp_path):
    return make_bare_run(tmp_path)


def test_report_gives_the_end_of_the_log_of_a_run_that_failed(bare):
    facts = read_json(bare.runs / "bare" / "run.json")
    facts["steps"]["evaluator"]["status"] = "failed"
    write_json(bare.runs / "bare" / "run.json", facts | {"exit_code": 1, "error": "Internal error; see log.txt."})
    (bare.runs / "bare" / "log.txt").write_text("an old line\n" + "x\n" * 39 + "ZeroDivisionError: a <bug>\n")
    text = read_page(write_report(bare, "bare")).text
    assert "The run failed in evaluator. Nothing was pushed." in text
    assert "x ZeroDivisionError: a <bug>" in text
    assert "an old line" not in text


@pytest.mark.parametrize(
    ("changes", "lead", "end"),
    [
        ({"state": "interrupted", "exit_code": 130}, "The run was interrupted in evaluator.", "exit code 130"),
        ({"state": "running", "exit_code": None, "finished": ""}, "The run was killed in evaluator.", "exit code –"),
    ],
)
def test_report_and_index_say_that_a_run_did_not_end_by_itself(bare, changes, lead, end):
    facts = read_json(bare.runs / "bare" / "run.json")
    facts["steps"]["evaluator"]["status"] = "running" if changes["state"] == "running" else "interrupted"
    write_json(bare.runs / "bare" / "run.json", {**facts, **changes, "verdict": None, "champion": None})
    (bare.runs / "bare" / "log.txt").write_text("the last line\n")
    text = read_page(write_report(bare, "bare")).text
    assert f"{lead} Nothing was pushed." in text
    assert end in text
    assert "the last line" in text
    word = lead.split()[3].upper()
    assert word in text
    assert word in read_page(write_index(bare)).text


def test_report_of_a_run_at_work_says_so(bare):
    facts = read_json(bare.runs / "bare" / "run.json")
    facts["steps"]["evaluator"]["status"] = "running"
    facts |= {"state": "running", "exit_code": None, "finished": "", "verdict": None, "champion": None}
    write_json(bare.runs / "bare" / "run.json", facts)
    with at_work(bare.runs / "bare"):
        text = read_page(write_report(bare, "bare")).text
    assert "The run is running in evaluator. Nothing was pushed." in text
    assert "evaluator running" in text


def test_report_shows_the_article_with_its_unit_corrected_beside_its_own_table(bare):
    text = read_page(write_report(bare, "bare")).text
    assert "7.4e-6 prints 5.5e-11 7.3e-6 prints 5.3e-11" in text
    assert "0.049 prints 0.0024 0.69 prints 0.4751" in text
    assert "the Dense network is dead: 0.4751 is 0.689²" in text


def test_report_does_not_show_the_article_beside_other_tables(store, bare):
    assert "article" not in read_page(store.runs / PUSHED / "report.html").text.replace('generator = "article"', "")
    config = bare.runs / "bare" / "config.toml"
    config.write_text(config.read_text().replace("num_examples = 100000", "num_examples = 100001"))
    assert "5.3e-11" not in write_report(bare, "bare").read_text(encoding="utf-8")


def test_report_is_written_when_artifacts_were_removed(bare):
    text = read_page(write_report(bare, "bare")).text
    assert "The artifact of evaluator is no longer there, or was written by another version." in text
    assert "champion 16 1e-7 1e-7" in text


def test_report_is_written_when_its_settings_are_no_longer_known(bare):
    config = bare.runs / "bare" / "config.toml"
    config.write_text(config.read_text() + "\n[retired]\nkey = 1\n")
    assert "retired.key 1" in read_page(write_report(bare, "bare")).text


def test_report_is_written_of_artifacts_that_hold_little(bare):
    facts = read_json(bare.runs / "bare" / "run.json")
    with bare.working_folder("evaluator") as work:
        write_json(work / "metrics.json", facts["models"])
        write_json(work / "verdict.json", {})
        bare.finish(Evaluation(work, {}, {"champion": "cross_layer", "reasons": []}), "evaluator", "f1", {})
    with bare.working_folder("infra_validator") as work:
        bare.finish(InfraValidation(work, {}, {"reasons": ["`dense` does not answer."]}), "infra_validator", "f1", {})
    with bare.working_folder("pusher") as work:
        gone = {"version": 7, "destination": str(work / "none"), "checksum": "0", "model_name": "<toy>", "model": "m"}
        bare.finish(PushedModel(work, {"pushed": 1}, gone), "pusher", "f1", {})
    for step in ("infra_validator", "pusher"):
        facts["steps"][step] = facts["steps"]["evaluator"] | {"artifact": f"artifacts/{step}/f1"}
        facts["graph"][step] = ["evaluator"]
    write_json(bare.runs / "bare" / "run.json", facts | {"pushed_version": 7})
    text = read_page(write_report(bare, "bare")).text
    assert "version 7 of <toy> is no longer in service: it is not the newest there, or not as it was pushed." in text
    assert "InfraValidator (? server): failed." in text
    assert "dense does not answer." in text


def test_report_refuses_a_run_that_is_not_there(bare):
    with pytest.raises(MissingArtifactError, match=r"No run `other` in `.*`. There are: bare."):
        write_report(bare, "other")


def test_report_leaves_nothing_behind_and_replaces_the_page_before(bare):
    first = write_report(bare, "bare").read_text(encoding="utf-8")
    assert write_report(bare, "bare").read_text(encoding="utf-8") == first
    assert sorted(path.name for path in (bare.runs / "bare").iterdir()) == ["config.toml", "report.html", "run.json"]
