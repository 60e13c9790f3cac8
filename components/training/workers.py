"""Trains one network on several workers, each a process with one device.

Every worker reads all rows and hands TensorFlow its part of each batch, so that batches and their order are those of
one device; or reads its share of the rows alone, from which its parts come. Gradients are added up over the network
(`tf.distribute`); all workers make the same updates.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# Not public, but pinned with TensorFlow: without them a worker waits for an hour for another that dies as it starts.
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from crossnet.components import interrupts
from crossnet.components.errors import TrainingError
from crossnet.components.formats import counted
from crossnet.components.params.trainer import SHARE, TrainerParams
from crossnet.components.training.checkpoints import Checkpoints
from crossnet.components.training.cluster import Cluster, find_cluster
from crossnet.components.training.meeting import Meeting
from crossnet.components.training.replicas import Replicas, find_replicas
from crossnet.components.training.rows import Chunk
from crossnet.components.training.shared_checkpoints import SharedCheckpoints
from crossnet.components.training.sharing import Sharing

_REGISTER_MILLISECONDS = 30_000  # until all have started TensorFlow; they are at work already
_SILENCE_MILLISECONDS = 20_000  # after which a worker that stands still counts as lost
_NEWS_SECONDS = 10.0
# What TensorFlow says when another worker does not answer.
_LOSSES = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
)


class Workers(Replicas):
    """Processes that train together.

    Args:
      meeting: They have come together.
      share: Whether each reads a share of the rows alone.

    Attributes:
      is_chief: Whether this process writes what comes of the training.
    """

    def __init__(self, meeting: Meeting, *, share: bool = False) -> None:
        super().__init__(_strategy(meeting.cluster), len(meeting.cluster.addresses))
        self._meeting = meeting
        self.is_chief = meeting.cluster.is_chief
        self.sharing = Sharing(meeting) if share else None
        self._sum = tf.function(
            lambda value: self.run(lambda own: self.add_up(tf.identity(own)), [value]),  # which has a device
            input_signature=[tf.TensorSpec([None], tf.float64)],
            autograph=False,
        )

    def deal(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Returns every part of as many as there are workers."""
        return itertools.islice(chunks, self._meeting.cluster.index, None, self.count)

    def total(self, sums: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns the sums over all workers, the same bits on each of them."""
        found: npt.NDArray[np.float64] = self._sum(tf.constant(sums)).numpy()
        return found

    def checkpoints(self, own: Checkpoints | None) -> SharedCheckpoints:
        """Returns checkpoints that the chief alone writes and all go on from."""
        return SharedCheckpoints(self._meeting, own)

    def watched(self) -> AbstractContextManager[None]:
        """Returns a context in which a training ends at once when another worker does."""
        return self._meeting.watched(
            lambda: context.context().abort_collective_ops(tf.errors.UNAVAILABLE, "Another worker has ended.")
        )

    def compare(self, weights: Sequence[npt.NDArray[Any]]) -> list[str]:
        """Ends the training; returns, to the chief, which workers have other weights. Others wait until he is done.

        Raises:
          TrainingError: A worker ended too early, or the chief has failed.
        """
        digest = hashlib.sha256()
        for weight in weights:
            digest.update(np.ascontiguousarray(weight).tobytes())
        others = self._meeting.compare(digest.hexdigest())
        if not others:
            return []
        names = self._meeting.cluster.names(others, start=True)
        return [f"{names} ended with other weights than worker 0, whose model this is. Use machines of one kind."]


@contextlib.contextmanager
def training_devices(
    params: TrainerParams, told: Mapping[str, Any], *, writes: bool = True
) -> Iterator[Replicas | None]:
    """Gives what trains together as the settings say; None where one device trains alone.

    Several workers come together first, and inside, an error that comes from the loss of one is told as such.

    Args:
      params: How to train.
      told: What all workers must have been told alike, JSON values by name.
      writes: Whether the caller writes the model, as worker 0 does and no other.

    Raises:
      SettingsError: The environment does not say who the workers are.
      TrainingError: There are too few devices; workers do not come, or end too early.
    """
    cluster = find_cluster(params)
    if writes != (cluster is None or cluster.is_chief):
        raise TrainingError(
            "This worker does not write the model, worker 0 does: call `join_training` here, not `train_model`."
            if writes
            else "This process writes the model: call `train_model` here, not `join_training`."
        )
    if cluster is None:
        yield find_replicas(params)
        return
    _check_process()
    check_gpus(len(tf.config.list_physical_devices("GPU")))
    with Meeting(cluster, told, params.start_timeout_seconds) as meeting:
        try:
            yield Workers(meeting, share=params.worker_rows == SHARE)
        except tf.errors.OpError as error:
            interrupts.check()
            sentence = meeting.loss(_NEWS_SECONDS)
            if not sentence and isinstance(error, _LOSSES):
                sentence = silence(cluster, str(error))
            if not sentence:
                raise
            raise TrainingError(sentence) from error


def check_gpus(count: int) -> None:
    """Checks the number of GPUs that this process sees.

    Raises:
      TrainingError: There are several.
    """
    if count > 1:
        raise TrainingError(
            f"`trainer.strategy` is multi_worker, and this worker sees {counted(count, 'GPU')}, but trains on one. "
            "Start a worker for each of them, with its number in CUDA_VISIBLE_DEVICES and a port of its own."
        )


def silence(cluster: Cluster, text: str) -> str:
    """Says that a worker does not answer any more.

    Args:
      cluster: The workers.
      text: What TensorFlow says, which may name it.
    """
    named = {int(index) for index in re.findall(r"/job:worker/(?:replica:0/)?task:(\d+)", text)}
    lost = sorted(named & set(cluster.others))
    who = cluster.names(lost, start=True) if lost else "Another worker"
    return (
        f"{who} does not answer any more: it stands still, or the network between the workers is broken. See to it, "
        "and start the step again on every worker; it goes on from the last checkpoint."
    )


def _check_process() -> None:
    if context.context()._context_handle is not None:
        raise TrainingError(
            "TensorFlow has begun in this process already, and workers have to come together before that. Train in a "
            "process of its own, as `crossnet step` does."
        )


def _strategy(cluster: Cluster) -> tf.distribute.Strategy:
    leader = "/job:worker/replica:0/task:0"
    jobs = [coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=len(cluster.addresses))]
    context.context().configure_coordination_service(
        "standalone",
        leader,
        coordinated_jobs=jobs,
        cluster_register_timeout_in_ms=_REGISTER_MILLISECONDS,
        heartbeat_timeout_in_ms=_SILENCE_MILLISECONDS,
    )
    gpus = len(tf.config.list_physical_devices("GPU"))
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": gpus} if gpus else {},
    )
    with _own_signals():
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Inside, TensorFlow may take SIGTERM, to note it and do nothing; after it, the signal is Python's again."""
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM) or signal.SIG_DFL)
