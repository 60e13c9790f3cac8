"""Says which processes train one network, and which of them this is.

Loads no TensorFlow: what is wrong is said before that begins.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossnet.components.errors import SettingsError
from crossnet.components.formats import counted
from crossnet.components.params.trainer import MULTI_WORKER, TrainerParams

TF_CONFIG = "TF_CONFIG"
HOSTS = "CROSSNET_WORKER_HOSTS"
INDEX = "JOB_COMPLETION_INDEX"
PLACE = "{index}"
_EXAMPLE = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
_HOSTS_EXAMPLE = f"train-{PLACE}.workers:2222"
_CHIEF, _WORKER = _ROLES = ("chief", "worker")  # in the order in which they are numbered


@dataclass(frozen=True)
class Cluster:
    """The workers of one training.

    Attributes:
      addresses: `host:port` of each; others reach it there, and it listens on the port.
      index: The place of this process among them.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this is worker 0, which alone writes."""
        return self.index == 0

    @property
    def others(self) -> list[int]:
        """The places of all but this process."""
        return [i for i in range(len(self.addresses)) if i != self.index]

    def host_and_port(self, index: int) -> tuple[str, int]:
        """Returns where a worker is reached."""
        host, _, port = self.addresses[index].rpartition(":")
        return host.strip("[]"), int(port)

    def names(self, indices: Sequence[int], *, start: bool = False) -> str:
        """Returns workers in words, such as "worker 1 (host-b:2222)", with a capital at the start of a sentence."""
        *named, last = [f"worker {index} ({self.addresses[index]})" for index in indices]
        text = f"{', '.join(named)} and {last}" if named else last
        return f"W{text[1:]}" if start else text


def find_cluster(params: TrainerParams, environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Returns the workers that train together; None where the settings name no others.

    TF_CONFIG says who they are, or else CROSSNET_WORKER_HOSTS, a pattern such as `train-{index}.workers:2222`, together
    with JOB_COMPLETION_INDEX, which Kubernetes gives each pod of an Indexed Job.

    Args:
      params: How to train; `replicas` says how many workers there must be.
      environment: The environment variables.

    Raises:
      SettingsError: The environment does not say who they are, with all that is wrong with it.
    """
    if params.strategy != MULTI_WORKER:
        return None
    if environment.get(TF_CONFIG, "").strip():
        cluster, where = _from_tf_config(environment[TF_CONFIG]), f"{TF_CONFIG} names"
    elif environment.get(HOSTS, "").strip():
        cluster, where = _from_pattern(environment, params.replicas), f"{HOSTS} stands for"
    else:
        raise SettingsError(
            f"`trainer.strategy` is {MULTI_WORKER}, and the environment names no workers: neither {TF_CONFIG} nor "
            f"{HOSTS} is set. Set on each worker {TF_CONFIG}, such as '{_EXAMPLE}', or {HOSTS}, such as "
            f"'{_HOSTS_EXAMPLE}', and {INDEX}; or set `trainer.strategy` to one_device."
        )
    if len(cluster.addresses) != params.replicas:
        raise SettingsError(
            f"`trainer.replicas` is {params.replicas}, but {where} {counted(len(cluster.addresses), 'worker')}. "
            "Weights depend on their number: set both to the same, at least 2."
        )
    return cluster


def _from_pattern(environment: Mapping[str, str], count: int) -> Cluster:
    pattern, index = environment[HOSTS].strip(), environment.get(INDEX, "").strip()
    problems = []
    if PLACE not in pattern or _address_problem(pattern.replace(PLACE, "0")):
        problems.append(
            f"{HOSTS} must be host:port with {PLACE} in it, such as '{_HOSTS_EXAMPLE}'. Received '{pattern}'."
        )
    if not index.isdecimal() or int(index) >= count:
        problems.append(
            f"{INDEX} must be this worker's number, from 0 to {count - 1} (`trainer.replicas` is {count}). "
            f"Received '{index}'. Kubernetes sets it in the pods of an Indexed Job."
        )
    if problems:
        raise SettingsError(" ".join(problems))
    return Cluster(tuple(pattern.replace(PLACE, str(i)) for i in range(count)), int(index))


def _from_tf_config(text: str) -> Cluster:
    try:
        config = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"{TF_CONFIG} is not JSON: {error}. {_expected()}") from None
    roles, task = _part(config, "cluster"), _part(config, "task")
    problems = list(_role_problems(roles))
    role, index = task.get("type"), task.get("index")
    if isinstance(index, str) and index.isdecimal():
        index = int(index)
    if role not in _ROLES or not isinstance(index, int) or isinstance(index, bool):
        problems.append(
            f"`task` must say who this worker is: type (worker or chief) and index. Received {json.dumps(task)}."
        )
    elif not problems and not 0 <= index < len(roles.get(role, [])):
        problems.append(
            f"`cluster` does not name this worker, {role} {index}: `cluster.{role}` has "
            f"{counted(len(roles.get(role, [])), 'address', 'addresses')}, counted from 0."
        )
    if problems or index is None:
        raise SettingsError(f"{TF_CONFIG} does not say who trains. {' '.join(problems)} {_expected()}")
    chiefs = roles.get(_CHIEF, [])
    return Cluster((*chiefs, *roles.get(_WORKER, [])), index + (0 if role == _CHIEF else len(chiefs)))


def _role_problems(roles: Mapping[str, Any]) -> Iterator[str]:
    if not roles:
        yield "`cluster` must name the workers."
    addresses: list[str] = []
    for role, found in roles.items():
        if role not in _ROLES:
            yield f"`cluster.{role}` is unknown: all are workers here, and the first of them may be called the chief."
        elif not isinstance(found, list) or not all(isinstance(address, str) for address in found):
            yield f"`cluster.{role}` must be a list of host:port. Received {json.dumps(found)}."
        else:
            yield from (f"`cluster.{role}`: {problem}" for address in found if (problem := _address_problem(address)))
            addresses += found
    if isinstance(chiefs := roles.get(_CHIEF), list) and len(chiefs) > 1:
        yield f"`cluster.{_CHIEF}` must name one."
    for address in sorted({address for address in addresses if addresses.count(address) > 1}):
        yield f"`cluster` names {address} twice."


def _part(config: Any, name: str) -> dict[str, Any]:
    part = config.get(name) if isinstance(config, dict) else None
    return part if isinstance(part, dict) else {}


def _address_problem(address: str) -> str:
    """Returns what is wrong with an address; "" for nothing."""
    match = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})", address)
    if match and 0 < int(match[1]) < 2**16:
        return ""
    return f"'{address}' must be host:port, such as host-a:2222."


def _expected() -> str:
    return f"Expected, with this worker's own index: '{_EXAMPLE}'."
