"""Trains one network on several devices.

Every replica computes the gradient of its part of a batch; all of them add up their gradients, so that each makes the
same update. TensorFlow copies and adds up (`tf.distribute`).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from crossnet.components.errors import TrainingError
from crossnet.components.formats import counted
from crossnet.components.params.trainer import MIRRORED, TrainerParams
from crossnet.components.training.checkpoints import Checkpoints
from crossnet.components.training.rows import Chunk
from crossnet.components.training.shared_checkpoints import SharedCheckpoints
from crossnet.components.training.sharing import Sharing


class Replicas:
    """Devices that train together, all of them of this process; `Workers` are of several.

    Args:
      strategy: TensorFlow's name for them.
      count: How many there are.

    Attributes:
      count: How many there are.
      is_chief: Whether this process writes what comes of the training.
      sharing: Where each has a share of the rows alone; None: each reads all.
    """

    is_chief = True
    sharing: Sharing | None = None

    def __init__(self, strategy: tf.distribute.Strategy, count: int) -> None:
        self._strategy = strategy
        self.count = count

    def scope(self) -> AbstractContextManager[Any]:
        """Returns a context in which variables are made, so that each device gets its own copy of them."""
        context: AbstractContextManager[Any] = self._strategy.scope()
        return context

    def share(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns where the part of a batch of so many rows begins and ends that the asking replica takes."""
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        return number * rows // self.count, (number + 1) * rows // self.count

    def run(self, function: Callable[..., tf.Tensor], arguments: Sequence[Any]) -> tf.Tensor:
        """Calls a function in every replica and returns what the first one returns."""
        return self._strategy.experimental_local_results(self._strategy.run(function, args=tuple(arguments)))[0]

    @staticmethod
    def add_up(value: tf.Tensor) -> tf.Tensor:
        """Returns the sum over all replicas; inside `run`."""
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)

    def deal(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Returns those parts of rows that this process looks at when a sum over all of them is taken."""
        return chunks

    def total(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the sums over all rows, float64 (sums,), of those over the parts that were dealt."""
        return sums

    def checkpoints(self, own: Checkpoints | None) -> Checkpoints | SharedCheckpoints | None:
        """Returns the checkpoints of a training on these devices.

        Args:
          own: Those of this process, if it keeps any.
        """
        return own

    def watched(self) -> AbstractContextManager[None]:
        """Returns a context in which the training does not wait for a device that is lost."""
        return contextlib.nullcontext()

    def compare(self, weights: Sequence[npt.NDArray[Any]]) -> list[str]:
        """Ends the training; returns in sentences which devices have other weights."""
        return []


@functools.cache
def _strategy(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Returns the strategy of some devices, one per process: those of two would number their sums alike."""
    return tf.distribute.MirroredStrategy(list(devices))


def find_replicas(params: TrainerParams) -> Replicas | None:
    """Returns the devices of this machine that train together as the settings say; None where one device trains.

    Raises:
      TrainingError: This machine has fewer devices.
    """
    if params.strategy != MIRRORED:
        return None
    devices = choose_devices(_devices(), params.replicas)
    return Replicas(_strategy(tuple(devices)), len(devices))


def choose_devices(devices: Sequence[str], replicas: int) -> list[str]:
    """Returns the devices to train on.

    Args:
      devices: Names of all that this process has: GPUs or, without any, CPU devices.
      replicas: How many should train.

    Raises:
      TrainingError: There are fewer.
    """
    if len(devices) < replicas:
        gpus = sum("GPU" in name for name in devices)
        found = counted(gpus, "GPU") if gpus else f"{counted(len(devices) - gpus, 'CPU device')} and not one GPU"
        raise TrainingError(
            f"`trainer.strategy` is mirrored and `trainer.replicas` is {replicas}, but this machine has {found}; each "
            "replica needs a device of its own. Set `trainer.replicas` to the number of its GPUs, at least 2, or "
            "`trainer.strategy` to one_device."
        )
    return list(devices[:replicas])


def _devices() -> list[str]:
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]
