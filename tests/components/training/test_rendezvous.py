"""Workers that come together, in threads of this process, and some that do not."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from crossnet.components.errors import TrainingError
from crossnet.components.training import rendezvous
from crossnet.components.training.cluster import Cluster
from crossnet.components.training.links import Link
from crossnet.components.training.rendezvous import meet
from support.arena import free_port

ENOUGH = 30.0


def addresses(count: int) -> tuple[str, ...]:
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return tuple(f"127.0.0.1:{port}" for port in found)


def start(
    pool: ThreadPoolExecutor, names: tuple[str, ...], index: int, facts: Mapping[str, Any], seconds: float = ENOUGH
) -> Future[dict[int, Link]]:
    return pool.submit(meet, Cluster(names, index), facts, seconds)


def test_three_workers_come_together_in_any_order() -> None:
    names = addresses(3)
    with ThreadPoolExecutor(3) as pool:
        started = {index: start(pool, names, index, {"seed": 1}) for index in (2, 0, 1)}
        links = {index: future.result(ENOUGH) for index, future in started.items()}
    assert {index: set(found) for index, found in links.items()} == {0: {1, 2}, 1: {0}, 2: {0}}
    links[0][2].say(hello=2)
    assert links[2][0].hear(5) == {"hello": 2}
    with socket.create_server(("", int(names[0].rpartition(":")[2]))):  # TensorFlow's own server comes next
        links[1][0].say(still="open")
        assert links[0][1].hear(5) == {"still": "open"}
    for found in links.values():
        for link in found.values():
            link.close()


def test_who_does_not_come_is_named_in_time_to_all() -> None:
    names = addresses(3)
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        chief, other = start(pool, names, 0, {}, 1.0), start(pool, names, 1, {}, ENOUGH)
        for future in (chief, other):
            with pytest.raises(TrainingError) as error:
                future.result(ENOUGH)
            assert str(error.value).startswith(f"Worker 2 ({names[2]}) did not answer within 1 s")
    assert time.monotonic() - begun < ENOUGH


def test_a_chief_that_does_not_come_is_named() -> None:
    names = addresses(2)
    with pytest.raises(TrainingError, match=r"Worker 0 \(127.0.0.1:\d+\) did not answer within 0.1 s"):
        meet(Cluster(names, 1), {}, 0.1)


def test_a_worker_that_was_told_something_else_is_told_so() -> None:
    names = addresses(2)
    with ThreadPoolExecutor(2) as pool:
        started = [start(pool, names, i, {"seed": i, "counts": {"train": 9}}) for i in (0, 1)]
        for future in started:
            with pytest.raises(TrainingError) as error:
                future.result(ENOUGH)
            assert (
                f"Worker 1 ({names[1]}) was told of another training: `seed` is 1 for worker 1 and 0 for worker 0."
                in str(error.value)
            )
            assert "counts" not in str(error.value)


def test_two_processes_with_one_index_are_told_so() -> None:
    names = addresses(3)
    with ThreadPoolExecutor(1) as pool:
        chief = start(pool, names, 0, {})
        twins = []
        for _ in range(2):
            twins.append(_call(names[0]))
            twins[-1].say(worker=1, facts={})
        sentence = rf"Two processes say that they are worker 1 \({names[1]}\)"
        with pytest.raises(TrainingError, match=sentence):
            chief.result(ENOUGH)
        assert sentence[:40] in twins[0].hear(5)["error"]
    for link in twins:
        link.close()


def _call(address: str) -> Link:
    host, _, port = address.rpartition(":")
    until = time.monotonic() + ENOUGH
    while True:
        try:
            return Link(socket.create_connection((host, int(port))))
        except ConnectionRefusedError:
            assert time.monotonic() < until


def test_strangers_and_workers_that_come_again_do_not_disturb() -> None:
    names = addresses(2)
    with ThreadPoolExecutor(2) as pool:
        chief = start(pool, names, 0, {})
        stranger = _call(names[0])
        stranger.send(b"{}")  # it does not say who it is
        early = _call(names[0])
        early.say(worker=1, facts={})
        early.close()  # killed, and started again
        other = start(pool, names, 1, {})
        assert {*chief.result(ENOUGH), *other.result(ENOUGH)} == {0, 1}
    for link in (stranger, *chief.result().values(), *other.result().values()):
        link.close()


def test_a_worker_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    names = addresses(3)
    unreached = rendezvous._unreached
    monkeypatch.setattr(
        rendezvous, "_unreached", lambda cluster: [2] if cluster.index == 1 else unreached(cluster)
    )  # a firewall between two of three
    with ThreadPoolExecutor(3) as pool:
        started = [start(pool, names, index, {}) for index in range(3)]
        for future in started:
            with pytest.raises(TrainingError) as error:
                future.result(ENOUGH)
            assert f"but worker 1 ({names[1]}) cannot reach worker 2 ({names[2]})." in str(error.value)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(TrainingError, match=rf"Worker 1 \(h:{port}\) cannot listen on its port {port}: "):
            meet(Cluster(("h:1", f"h:{port}"), 1), {}, 5.0)
