"""Compares the trainers that work at the same time with those of a serial run."""

import pytest

from crossnet.components.files import read_json
from crossnet.pipeline.config import load_config
from crossnet.pipeline.runner import run_pipeline
from support.validation_walk import digests

SETTINGS = [
    "models=['cross_layer', 'dense']",
    "example_gen.num_examples=2000",
    "trainer.epochs=2",
    "trainer.batch_size=100",
    "dense.units=[512, 512]",  # wide enough for TensorFlow to use several threads
]


@pytest.mark.slow
def test_trainers_at_the_same_time_make_what_a_serial_run_makes(tmp_path):
    made = {}
    for jobs in (1, 2):
        result = run_pipeline(load_config(None, SETTINGS), tmp_path / str(jobs), until="evaluator", jobs=jobs)
        assert result.exit_code in (0, 3)
        for name in ("trainer_cross_layer", "trainer_dense"):
            folder = tmp_path / str(jobs) / result.steps[name].artifact
            history = read_json(folder / "history.json")
            del history["seconds"]
            made[jobs, name] = digests(folder / "Format-Serving"), history
    for name in ("trainer_cross_layer", "trainer_dense"):
        assert made[1, name] == made[2, name]
