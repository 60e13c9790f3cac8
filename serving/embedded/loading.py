"""Loads and warms up versions as the server's flags say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.batching import BatchedModel, Batcher
from crossnet.serving.embedded.model import LoadedModel
from crossnet.serving.embedded.warmup import warm_up
from crossnet.serving.protocol.codes import status_of

if TYPE_CHECKING:
    from crossnet.serving.embedded.metrics import Metrics

# Calls run beside one another, each on one core. A table's network is too small to share among cores: to wake them took
# a third of the CPU of a call of 1,000 rows, which also took longer (docs/explanation-models.md).
INTRA_OP_THREADS = 1


class Loader:
    """Loads the model in a folder.

    Args:
      flags: The server's.
      metrics: Counts loads and warm-ups; None: they are not counted.
      batcher: Puts requests together; None: each runs alone.
    """

    def __init__(self, flags: ServerFlags, metrics: Metrics | None = None, batcher: Batcher | None = None) -> None:
        self._flags = flags
        self._metrics = metrics
        self._batcher = batcher

    def __call__(self, path: Path) -> LoadedModel:
        """Returns the model, warmed up.

        Raises:
          ServingError: It does not load, or a request of its warm-up file fails.
          tf.errors.OpError: TensorFlow cannot build the graph or read the variables.
        """
        start = time.perf_counter()
        status = "fail"
        try:
            model = self._load(path)
            status = "success"
        finally:
            if self._metrics:
                self._metrics.add_load(str(path), status, time.perf_counter() - start)
        try:
            if self._flags.enable_model_warmup:
                self._warm_up(model)
        except BaseException:
            model.close()
            raise
        return model

    def _load(self, path: Path) -> LoadedModel:
        import tensorflow as tf

        flags = self._flags
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=flags.tensorflow_intra_op_parallelism
            or flags.tensorflow_session_parallelism
            or INTRA_OP_THREADS,
            inter_op_parallelism_threads=flags.tensorflow_inter_op_parallelism or flags.tensorflow_session_parallelism,
        )
        tags = flags.saved_model_tags.split(",")
        if self._batcher is None:
            return LoadedModel(path, tags=tags, session_config=config)
        return BatchedModel(path, self._batcher, tags=tags, session_config=config)

    def _warm_up(self, model: LoadedModel) -> None:
        start = time.perf_counter()
        try:
            count, status = warm_up(model, self._flags.num_request_iterations_for_warmup), "OK"
        except Exception as error:
            count, status = 1, status_of(error)[0].name
            raise
        finally:
            if self._metrics and count:
                self._metrics.add_warm_up(str(model.path), status, time.perf_counter() - start)
