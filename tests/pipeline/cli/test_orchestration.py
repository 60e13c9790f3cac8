import importlib.util
import json

import pytest

ROWS = ("--set", "example_gen.num_examples=300")


def test_steps_are_run_one_by_one(crossnet):
    for name in ("example_gen", "statistics_gen"):
        done = crossnet("step", name, *ROWS, "--run", f"nightly-{name}")
        assert done.exit_code == 0
        assert f"{name:<19} ran " in done.stderr
    facts = json.loads(crossnet("show", "--json").stdout)
    assert facts["run"] == "nightly-statistics_gen"
    assert {name: step["status"] for name, step in facts["steps"].items()} == {
        "example_gen": "reused",
        "statistics_gen": "ran",
    }


def test_a_step_before_its_turn_is_one_sentence(crossnet):
    done = crossnet("step", "schema_gen", *ROWS)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "`schema_gen` cannot run before 2 other steps - `example_gen`: it has never run in this"
    )
    facts = json.loads(crossnet("step", "schema_gen", *ROWS, "--json").stdout)
    assert facts["error"] == done.stderr.strip()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("trainer_crosslayer",),
            "No step `trainer_crosslayer`. Did you mean `trainer_cross_layer`? The steps are: ",
        ),
        (("pusher", "--force", " "), "expected a reason, which is recorded with the version; received ' '"),
        ((), "Missing argument 'STEP'"),
    ],
)
def test_what_cannot_be_run_is_refused(crossnet, arguments, words):
    done = crossnet("step", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr


def test_compile_says_what_is_wrong_and_what_is_not_installed(crossnet, tmp_path):
    wrong = crossnet("compile", "-o", "pipeline.yaml", "--image", "crossnet:1", "--root", "here", "--cpu", "two")
    assert (wrong.exit_code, len(wrong.stderr.splitlines())) == (2, 2)
    assert "--root expects a path from `/`, as containers see it, or the URI of a folder in a store. R" in wrong.stderr
    workers = ("--set", "trainer.strategy=multi_worker")
    wrong = crossnet("compile", "-o", "pipeline.yaml", "--image", "crossnet:1", "--root", "/srv", *workers)
    assert wrong.exit_code == 2
    assert "`trainer.strategy` is multi_worker, and a compiled pipeline runs each step in one container" in wrong.stderr
    if importlib.util.find_spec("kfp") is None:
        done = crossnet("compile", "-o", "pipeline.yaml", "--image", "crossnet:1", "--root", "/srv")
        assert done.exit_code == 2
        assert done.stderr.startswith(
            "Kubeflow Pipelines is not installed. Install it: pip install 'crossnet-pipeline[kfp]'"
        )
    assert not (tmp_path / "pipeline.yaml").exists()
