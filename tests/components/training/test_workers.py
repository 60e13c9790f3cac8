"""Workers as TensorFlow sees them; tests/pipeline/test_helping_worker.py trains on two."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.errors import SettingsError, TrainingError
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.cluster import TF_CONFIG, Cluster
from crossnet.components.training.workers import Workers, check_gpus, silence, training_devices

CLUSTER = Cluster(("a:1", "b:2", "c:3"), 1)


def test_one_device_trains_alone() -> None:
    with training_devices(TrainerParams(), {}) as replicas:
        assert replicas is None


def test_a_process_in_which_tensorflow_has_begun_is_told_so_before_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.constant(1)
    task = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv(TF_CONFIG, json.dumps(task))
    params = TrainerParams(strategy="multi_worker")
    with pytest.raises(TrainingError, match="TensorFlow has begun in this process already"):
        training_devices(params, {}, writes=False).__enter__()
    with pytest.raises(TrainingError, match="call `join_training` here"):
        training_devices(params, {}).__enter__()
    with pytest.raises(TrainingError, match="call `train_model` here"):
        training_devices(TrainerParams(), {}, writes=False).__enter__()
    monkeypatch.delenv(TF_CONFIG)
    with pytest.raises(SettingsError, match="the environment names no workers"):
        training_devices(params, {}).__enter__()


def test_a_worker_with_several_gpus_is_told_to_start_one_for_each() -> None:
    check_gpus(0)
    check_gpus(1)
    with pytest.raises(
        TrainingError, match="this worker sees 2 GPUs, but trains on one. Start a worker for each of them"
    ):
        check_gpus(2)


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("Error reported from /job:worker/task:2: unhealthy", "Worker 2 (c:3)"),
        ("from remote target /job:worker/replica:0/task:0 while /job:worker/replica:0/task:1", "Worker 0 (a:1)"),
        ("Deadline exceeded", "Another worker"),
    ],
)
def test_a_worker_that_does_not_answer_is_named_where_tensorflow_names_it(text: str, who: str) -> None:
    assert silence(CLUSTER, text).startswith(f"{who} does not answer any more")


class Told:
    """A meeting in which others have ended with another digest, or with the same."""

    cluster = CLUSTER

    def __init__(self, others: list[int]) -> None:
        self.others, self.digests = others, list[str]()

    def compare(self, digest: str) -> list[int]:
        self.digests.append(digest)
        return self.others


def workers(meeting: Any) -> Workers:
    """Workers without TensorFlow's strategy, which a process can make only once."""
    made = object.__new__(Workers)
    made._meeting, made.count = meeting, len(CLUSTER.addresses)
    return made


def test_other_weights_of_a_worker_are_told_in_a_sentence() -> None:
    meeting = Told([0, 2])
    (sentence,) = workers(meeting).compare([np.zeros(2, np.float32)])
    assert sentence.startswith("Worker 0 (a:1) and worker 2 (c:3) ended with other weights than worker 0")
    assert workers(Told([])).compare([np.zeros(2, np.float32)]) == []
    workers(meeting).compare([np.array([0, 1e-45], np.float32)])
    assert meeting.digests[0] != meeting.digests[1]


def test_parts_are_dealt_in_turn() -> None:
    chunks: Any = iter(range(8))
    assert list(workers(Told([])).deal(chunks)) == [1, 4, 7]
