"""The environment that says which workers train together, and environments that do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossnet.components.errors import SettingsError
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.cluster import HOSTS, INDEX, TF_CONFIG, Cluster, find_cluster

TWO = TrainerParams(strategy="multi_worker")


def tf_config(*, type_: Any = "worker", index: Any = 1, **cluster: Any) -> dict[str, str]:
    cluster = cluster or {"worker": ["host-a:2222", "host-b:2222"]}
    return {TF_CONFIG: json.dumps({"cluster": cluster, "task": {"type": type_, "index": index}})}


def test_other_strategies_need_no_workers() -> None:
    assert find_cluster(TrainerParams(), tf_config()) is None
    assert find_cluster(TrainerParams(strategy="mirrored"), {}) is None


@pytest.mark.parametrize(
    ("environment", "addresses", "index"),
    [
        (tf_config(), ("host-a:2222", "host-b:2222"), 1),
        (tf_config(index="1"), ("host-a:2222", "host-b:2222"), 1),
        (tf_config(chief=["h:1"], worker=["h:2"], type_="chief", index=0), ("h:1", "h:2"), 0),
        (tf_config(worker=["h:2"], chief=["h:1"], type_="worker", index=0), ("h:1", "h:2"), 1),
        ({HOSTS: "train-{index}.workers:2222", INDEX: "0"}, ("train-0.workers:2222", "train-1.workers:2222"), 0),
        (
            {HOSTS: "train-{index}:1", INDEX: "0", **tf_config()},  # what TensorFlow knows comes first
            ("host-a:2222", "host-b:2222"),
            1,
        ),
    ],
)
def test_the_environment_says_who_trains(environment: dict[str, str], addresses: tuple[str, ...], index: int) -> None:
    assert find_cluster(TWO, environment) == Cluster(addresses, index)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "the environment names no workers: neither TF_CONFIG nor CROSSNET_WORKER_HOSTS is set"),
        ({TF_CONFIG: "{"}, "TF_CONFIG is not JSON: Expecting property name"),
        ({TF_CONFIG: "[]"}, "`cluster` must name the workers"),
        (tf_config(index=2), "does not name this worker, worker 2: `cluster.worker` has 2 addresses, counted from 0"),
        (
            tf_config(type_="ps"),
            '`task` must say who this worker is: type (worker or chief) and index. Received {"type',
        ),
        (tf_config(index=True), "`task` must say who this worker is"),
        (tf_config(index=None), "`task` must say who this worker is"),
        (tf_config(type_="chief", index=0), "does not name this worker, chief 0: `cluster.chief` has 0 addresses"),
        (tf_config(worker="host-a:2222"), '`cluster.worker` must be a list of host:port. Received "host-a:2222"'),
        (tf_config(worker=["host-a", "h:0"]), "`cluster.worker`: 'host-a' must be host:port, such as host-a:2222."),
        (tf_config(worker=["h:70000", "h:1"]), "'h:70000' must be host:port"),
        (tf_config(worker=["h:1", "h:1"]), "`cluster` names h:1 twice"),
        (tf_config(worker=["h:1"], ps=["h:2"], index=0), "`cluster.ps` is unknown: all are workers here"),
        (tf_config(chief=["h:1", "h:2"], worker=[], type_="chief"), "`cluster.chief` must name one"),
        (tf_config(worker=["h:1"], index=0), "`trainer.replicas` is 2, but TF_CONFIG names 1 worker. Weights depend"),
        ({HOSTS: "train:1", INDEX: "0"}, "CROSSNET_WORKER_HOSTS must be host:port with {index} in it"),
        ({HOSTS: "train-{index}", INDEX: "0"}, "Received 'train-{index}'"),
        ({HOSTS: "t-{index}:1"}, "JOB_COMPLETION_INDEX must be this worker's number, from 0 to 1"),
        ({HOSTS: "t-{index}:1", INDEX: "2"}, "(`trainer.replicas` is 2). Received '2'. Kubernetes sets it"),
    ],
)
def test_what_is_wrong_with_the_environment_is_told(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        find_cluster(TWO, environment)
    assert sentence in str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        find_cluster(TWO, tf_config(worker=["a", "b"], type_="boss"))
    assert str(error.value).count("must be host:port") == 2
    assert "`task` must say" in str(error.value)
    assert str(error.value).endswith('"task": {"type": "worker", "index": 0}}\'.')


def test_workers_are_named_with_their_addresses() -> None:
    cluster = Cluster(("Host-A:1", "[::1]:2", "c:3"), 0)
    assert cluster.names([1, 2]) == "worker 1 ([::1]:2) and worker 2 (c:3)"
    assert cluster.names([0], start=True) == "Worker 0 (Host-A:1)"
    assert cluster.host_and_port(1) == ("::1", 2)
    assert (cluster.is_chief, cluster.others) == (True, [1, 2])
