"""Real runs of the steps that need no TensorFlow, with artifacts that were damaged in between."""

import os

import pytest

from crossnet.components.artifacts.base import ARTIFACT_FILE
from crossnet.components.artifacts.integrity import checksums, sealed
from crossnet.components.errors import PipelineError
from crossnet.components.files import read_json, write_json
from crossnet.components.records.wire_format import tagged
from crossnet.pipeline import runner
from crossnet.pipeline.config import load_config
from crossnet.pipeline.plan import PlannedStep, differences, make_plan
from crossnet.pipeline.runner import run_pipeline
from crossnet.pipeline.store import Store
from crossnet.pipeline.wholeness import checkpoint_folder, set_aside
from crossnet.serving.protocol.tfrecord import write_frame

SHARD = "Split-train/data_tfrecord-00000-of-00001"
COLUMNS = "Split-train/data_columns-00000-of-00001.arrow"
STATISTICS = "Split-train/FeatureStats.pb"
STEPS = ["example_gen", "statistics_gen", "schema_gen", "example_validator"]


class Root:
    """A root, and what is done with it."""

    def __init__(self, folder):
        self.store = Store(folder)
        self.settings = ["example_gen.num_examples=300"]

    def plan(self):
        self.store = Store(self.store.root)
        return make_plan(load_config(None, self.settings), self.store, until=STEPS[-1])

    def run(self):
        result = run_pipeline(load_config(None, self.settings), self.store.root, until=STEPS[-1])
        self.ran = [name for name, step in result.steps.items() if step.status == "ran"]
        return result

    def path(self, step):
        return self.plan()[step].path


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with a finished run of the data steps."""
    monkeypatch.setattr(runner, "_write_pages", lambda *arguments: None)
    root = Root(tmp_path / "root")
    root.run()
    assert root.ran == STEPS
    return root


def flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def reseal(folder):
    """Makes whatever is in an artifact's folder look as if its step had written it."""
    write_json(folder / ARTIFACT_FILE, sealed({**read_json(folder / ARTIFACT_FILE), **checksums(folder)}))


@pytest.mark.parametrize("step", STEPS)
def test_run_makes_a_damaged_artifact_again_and_reuses_the_others(root, step):
    path = root.path(step)
    before = read_json(path / ARTIFACT_FILE)["files"]
    (path / "extra").touch()
    sentence = "its artifact is damaged: `extra` is there, expected nothing of that name"
    assert differences(root.plan()[step], root.store) == [sentence]
    result = root.run()
    assert (root.ran, result.exit_code) == ([step], 0)
    assert result.warnings == (
        f"The artifact of `{step}` was damaged: `extra` is there, expected nothing of that name. It was set aside as "
        f"artifacts/{step}/.damaged-{path.name}.",
    )
    assert Store(root.store.root).read_run().warnings == result.warnings
    assert read_json(path / ARTIFACT_FILE)["files"] == before
    assert root.run().up_to_date


def test_run_makes_an_artifact_again_whose_record_is_unreadable_or_from_before_checksums(root):
    (root.path("schema_gen") / ARTIFACT_FILE).write_text("")
    path = root.path("statistics_gen")
    facts = read_json(path / ARTIFACT_FILE)
    write_json(path / ARTIFACT_FILE, {name: facts[name] for name in facts.keys() - {"files", "folders", "seal"}})
    result = root.run()
    assert root.ran == ["statistics_gen", "schema_gen"]
    assert "`artifact.json` holds no checksums, because an older version wrote it" in result.warnings[0]
    assert "`artifact.json` cannot be read" in result.warnings[1]


def without_columns(folder):
    """Makes Examples like those of a version that kept no columns beside the records."""
    for file in folder.rglob("*.arrow"):
        file.unlink()
    reseal(folder)


def test_run_finds_a_flipped_bit_in_columns_when_a_step_reads_them_and_mends_it_in_the_same_run(root):
    columns = root.path("example_gen") / COLUMNS
    before = columns.read_bytes()
    flip(columns)
    assert root.run().up_to_date  # nothing has read it
    (root.path("statistics_gen") / STATISTICS).unlink()
    result = root.run()
    assert (root.ran, result.exit_code, result.error) == (["example_gen", "statistics_gen"], 0, None)
    assert f"The artifact of `example_gen` was damaged: `{COLUMNS}` has SHA-256 " in result.warnings[1]
    assert columns.read_bytes() == before
    assert root.run().up_to_date


def test_run_finds_a_flipped_bit_in_a_shard_without_columns_and_makes_it_again(root):
    shard = root.path("example_gen") / SHARD
    before = shard.read_bytes()
    without_columns(shard.parents[1])
    root.run()
    flip(shard)
    assert root.run().up_to_date  # nothing has read it
    (root.path("statistics_gen") / STATISTICS).unlink()
    result = root.run()
    assert f"The artifact of `example_gen` was damaged: `{SHARD}` has SHA-256 " in result.warnings[1]
    assert "has other content than other steps have read. Run again." in result.error  # it has columns now
    assert (shard.read_bytes(), root.run().exit_code) == (before, 0)
    assert root.run().up_to_date


def test_run_names_a_shard_that_was_cut_between_records_by_its_size(root):
    shard = root.path("example_gen") / SHARD
    os.truncate(shard, shard.stat().st_size // 270 * 269)  # the records of 270 rows have equal sizes
    result = root.run()
    assert root.ran == ["example_gen"]
    assert f"`{SHARD}` has " in result.warnings[0]


def test_run_mends_a_shard_of_the_right_size_with_fewer_records(root):
    without_columns(root.path("example_gen"))
    root.run()
    shard = root.path("example_gen") / SHARD
    size, whole = shard.stat().st_size // 270, shard.read_bytes()
    record = whole[12 : size - 4]
    filled = write_frame(record + tagged(0x7A, bytes(size - 2)))  # a field that nobody knows makes one record of two
    assert len(filled) == 2 * size
    shard.write_bytes(filled + whole[2 * size :])
    (root.path("statistics_gen") / STATISTICS).unlink()
    root.run()
    assert "example_gen" in root.ran
    assert (shard.read_bytes(), root.run().exit_code) == (whole, 0)


def test_steps_run_again_when_what_they_read_was_made_again_with_other_content(root):
    path = root.path("statistics_gen")
    flip(path / STATISTICS)
    reseal(path)
    plan = root.plan()
    assert [name for name, planned in plan.items() if not planned.done] == ["schema_gen", "example_validator"]
    assert differences(plan["schema_gen"], root.store) == ["statistics_gen was made again, with other content"]


def test_damage_that_appears_between_two_steps_is_mended_before_the_next_reads_it(root, monkeypatch):
    root.settings.append("schema_gen.max_domain=7")  # runs from schema_gen on
    path = root.path("statistics_gen")
    load, rotted = PlannedStep.load, []

    def load_and_rot(planned):
        artifact = load(planned)
        if planned.step.name == "statistics_gen" and not rotted:  # after the plan has found it whole
            rotted.append(path)
            flip(path / STATISTICS)
        return artifact

    monkeypatch.setattr(PlannedStep, "load", load_and_rot)
    result = root.run()
    assert (root.ran, result.exit_code) == (["statistics_gen", "schema_gen", "example_validator"], 0)
    assert "The artifact of `statistics_gen` was damaged" in result.warnings[0]


def test_checkpoints_go_when_what_their_training_reads_has_other_content(root):
    plan = make_plan(load_config(None, root.settings), root.store)
    folder = checkpoint_folder(plan["trainer_dense"], plan, root.store)
    (folder / "checkpoint.npz").touch()
    checkpoint_folder(plan["trainer_dense"], plan, root.store)
    assert (folder / "checkpoint.npz").exists()
    flip(root.path("statistics_gen") / STATISTICS)
    reseal(root.path("statistics_gen"))
    assert checkpoint_folder(plan["trainer_dense"], plan, root.store) == folder
    assert not (folder / "checkpoint.npz").exists()


def test_a_reference_that_is_damaged_is_set_aside_and_another_is_taken(root):
    first = root.path("statistics_gen")
    record = root.store.read_run()
    write_json(root.store.runs / record.run / "run.json", record.to_json() | {"verdict": "BLESSED"})
    root.settings = ["example_gen.num_examples=310"]
    assert root.plan()["example_validator"].references["previous"] == first
    (first / STATISTICS).unlink()
    assert root.plan()["example_validator"].references["previous"] is None
    result = root.run()
    assert f"The artifact of `statistics_gen` was damaged: `{STATISTICS}` is not there" in result.warnings[0]
    assert not first.exists()
    assert result.exit_code == 0


def test_why_says_that_an_artifact_was_removed_or_set_aside(root):
    path = root.path("schema_gen")
    moved = path.rename(root.store.root / "moved")
    assert differences(root.plan()["schema_gen"], root.store) == ["its artifact was removed"]
    root.settings = ["example_gen.num_examples=310"]
    assert differences(root.plan()["schema_gen"], root.store) == ["its artifacts were removed"]
    root.settings = ["example_gen.num_examples=300"]
    moved.rename(path)
    set_aside(path)
    assert differences(root.plan()["schema_gen"], root.store) == ["its artifact was damaged and set aside"]


def test_set_aside_takes_a_name_that_is_free_and_says_when_it_cannot_rename(root, tmp_path):
    path = root.path("schema_gen")
    assert set_aside(path).name == f".damaged-{path.name}"
    root.run()
    assert set_aside(path).name == f".damaged-{path.name}-2"
    with pytest.raises(PipelineError, match=r"is damaged and cannot be set aside: .*Make its folder writable and run"):
        set_aside(tmp_path / "nowhere")
