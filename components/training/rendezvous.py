"""Brings the workers of a training together before TensorFlow waits for them.

TensorFlow waits without a word for a worker that never starts. So all of them meet first: each listens on its port and
calls the chief, who sees that all are there, that they were told the same, and that each reaches each other.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

from crossnet.components.errors import PipelineError, TrainingError
from crossnet.components.formats import number
from crossnet.components.training.cluster import Cluster
from crossnet.components.training.links import Link, LostError

_CALL_SECONDS = 5.0  # for one connection, and for what is said first on it
_PAUSE_SECONDS = 0.25
_SLACK_SECONDS = 30.0  # what the chief may need beyond the time in which all have to come
_SHOWN = 100  # characters of a value that differs


def meet(cluster: Cluster, facts: Mapping[str, Any], seconds: float) -> dict[int, Link]:
    """Waits until all workers are there.

    Args:
      cluster: The workers.
      facts: What all of them must have been told alike, JSON values by name.
      seconds: In which time all have to come.

    Returns:
      The open connections: to the chief those of all others by index, to any other the chief's.

    Raises:
      TrainingError: Some did not come in time, cannot be reached, or were told something else.
    """
    told = json.loads(json.dumps(facts))
    with _listening(cluster) as listener:
        until = time.monotonic() + seconds
        if not cluster.is_chief:
            return {0: _join(cluster, told, seconds, until)}
        links: dict[int, Link] = {}
        try:
            _gather(cluster, told, seconds, until, listener, links)
            while not _reach_each_other(cluster, links):
                _gather(cluster, told, seconds, until, listener, links)
            for index, link in links.items():
                _say(cluster, index, link, begin=True)
        except BaseException as error:
            for link in links.values():
                if isinstance(error, PipelineError):  # else, as after a signal, they wait for another chief
                    with contextlib.suppress(LostError):
                        link.say(error=str(error))
                link.close()
            raise
        return links


def _gather(
    cluster: Cluster,
    facts: Mapping[str, Any],
    seconds: float,
    until: float,
    listener: socket.socket,
    links: dict[int, Link],
) -> None:
    """Waits, as the chief, for the calls of all others, and puts them into `links`."""
    while waiting := [index for index in cluster.others if index not in links]:
        left = until - time.monotonic()
        if left <= 0:
            raise TrainingError(_missing(cluster, waiting, seconds))
        watched: list[Any] = [listener, *links.values()]
        ready = select.select(watched, [], [], left)[0]
        for index, link in list(links.items()):
            if link in ready:  # it has nothing to say yet: it has ended, and may come again
                link.close()
                del links[index]
        if listener in ready:
            _let_in(cluster, facts, listener, links)


def _let_in(cluster: Cluster, facts: Mapping[str, Any], listener: socket.socket, links: dict[int, Link]) -> None:
    """Takes a call; one that is not a worker's is closed."""
    connection, _ = listener.accept()
    link = Link(connection)
    try:
        hello = link.hear(_CALL_SECONDS)
        index, told = hello.get("worker"), hello.get("facts")
        if index not in cluster.others or not isinstance(told, dict):
            raise LostError("it is not a worker of this training")
    except LostError:
        link.close()
        return
    problem = ""
    if index in links:
        problem = f"Two processes say that they are {cluster.names([index])}. Give each worker an index of its own."
    elif differences := _differences(told, facts, index):
        problem = (
            f"{cluster.names([index], start=True)} was told of another training: {differences}. Start all workers with "
            "the same config and settings, on the same root, with the same versions installed."
        )
    links.setdefault(index, link)
    if problem:
        if links[index] is not link:
            with contextlib.suppress(LostError):
                link.say(error=problem)
            link.close()
        raise TrainingError(problem)


def _reach_each_other(cluster: Cluster, links: dict[int, Link]) -> bool:
    """Whether all are still there after each has tried to reach each other; who is not is taken from `links`.

    Raises:
      TrainingError: One cannot reach another.
    """
    for link in links.values():
        with contextlib.suppress(LostError):
            link.say(meet=True)
    unreached = {0: _unreached(cluster)}
    for index, link in list(links.items()):
        try:
            unreached[index] = link.hear(_SLACK_SECONDS).get("unreached") or []
        except LostError:  # it may come again
            link.close()
            del links[index]
    if len(unreached) < len(cluster.addresses):
        return False
    problems = [
        f"{cluster.names([index])} cannot reach {cluster.names(missing)}"
        for index, missing in unreached.items()
        if missing
    ]
    if problems:
        raise TrainingError(
            f"The workers have come together, but {'; '.join(problems)}. Each must reach each other at its address: "
            "check the addresses and what the network lets through."
        )
    return True


def _join(cluster: Cluster, facts: Mapping[str, Any], seconds: float, until: float) -> Link:
    """Calls the chief until he says that all are there."""
    while (left := until - time.monotonic()) > 0:
        link, answer = None, {}
        try:
            link = Link(socket.create_connection(cluster.host_and_port(0), timeout=min(left, _CALL_SECONDS)))
            link.say(worker=cluster.index, facts=facts)
            answer = link.hear(seconds + _SLACK_SECONDS)
            while "meet" in answer:
                link.say(unreached=_unreached(cluster))
                answer = link.hear(seconds + _SLACK_SECONDS)
        except OSError:  # he is not there yet, or was started again
            pass
        if link and answer.get("begin"):
            return link
        if link:
            link.close()
        if "error" in answer:
            raise TrainingError(str(answer["error"]))
        time.sleep(min(_PAUSE_SECONDS, max(until - time.monotonic(), 0)))
    raise TrainingError(_missing(cluster, [0], seconds))


def _unreached(cluster: Cluster) -> list[int]:
    """Returns the workers whose ports this one cannot reach; all of them listen."""
    found = []
    for index in cluster.others:
        try:
            socket.create_connection(cluster.host_and_port(index), timeout=_CALL_SECONDS).close()
        except OSError:
            found.append(index)
    return found


@contextlib.contextmanager
def _listening(cluster: Cluster) -> Iterator[socket.socket]:
    """Inside, this worker listens on its port.

    Raises:
      TrainingError: The port is taken.
    """
    port = cluster.host_and_port(cluster.index)[1]
    family: Any = {"family": socket.AF_INET6, "dualstack_ipv6": True} if socket.has_dualstack_ipv6() else {}
    try:
        listener = socket.create_server(("", port), backlog=len(cluster.addresses) + 16, **family)
    except OSError as error:
        raise TrainingError(
            f"{cluster.names([cluster.index], start=True)} cannot listen on its port {port}: "
            f"{error.strerror or error}. End what uses the port, such as an earlier attempt or a worker with the same "
            "index, or name another port."
        ) from error
    with listener:
        yield listener


def _say(cluster: Cluster, index: int, link: Link, **message: Any) -> None:
    try:
        link.say(**message)
    except LostError as error:
        raise TrainingError(ended(cluster, [index])) from error


def _missing(cluster: Cluster, indices: list[int], seconds: float) -> str:
    return (
        f"{cluster.names(indices, start=True)} did not answer within {number(seconds)} s "
        "(`trainer.start_timeout_seconds`). Start the same command on every worker, and check that each can reach the "
        "others at these addresses."
    )


def ended(cluster: Cluster, indices: list[int]) -> str:
    """Says that workers have ended too early, and what to do."""
    return (
        f"{cluster.names(indices, start=True)} ended before the training did: it failed or was killed, and its own "
        "output may say why. Start the step again on every worker; it goes on from the last checkpoint."
    )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any], index: int) -> str:
    """Returns what a worker was told otherwise than the chief, in words; "" for nothing."""
    found = []
    for name in dict.fromkeys([*here, *there]):
        values = [json.dumps(facts.get(name))[:_SHOWN] for facts in (there, here)]
        if there.get(name) != here.get(name):
            found.append(f"`{name}` is {values[0]} for worker {index} and {values[1]} for worker 0")
    return "; ".join(found)
