"""Reports the progress of a training, in the log and to TensorBoard."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from crossnet.components.formats import number
from crossnet.components.training.fit import History
from crossnet.components.training.recipe import Recipe

LOGGER = logging.getLogger(__name__)
LINES = 20  # in the log, per training of as many epochs or more


class Progress:
    """Logs about `LINES` epochs of a training, and writes every epoch for TensorBoard where that is asked for.

    Args:
      params: How the network is trained.
      output_dir: TensorBoard's logs go to its folder `logs`.
    """

    def __init__(self, params: Recipe, output_dir: Path) -> None:
        self.params = params
        self.writer = tf.summary.create_file_writer(str(output_dir / "logs")) if params.tensorboard else None

    def __enter__(self) -> Callable[[int, History], None]:
        return self.report

    def __exit__(self, *_: object) -> None:
        if self.writer:
            self.writer.close()

    def report(self, epoch: int, history: History) -> None:
        """Reports a finished epoch."""
        values = {name: series[-1] for name, series in history.items() if series}
        if (epoch + 1) % max(1, self.params.epochs // LINES) == 0:
            text = ", ".join(
                f"{name} {number(values[name], 4)}"
                for name in ("loss", "validation_loss", "eval_loss")
                if name in values
            )
            done = {"share": (epoch + 1) / self.params.epochs}  # the screen tells the time left from it
            LOGGER.info("epoch %d of %d: %s", epoch + 1, self.params.epochs, text, extra=done)
        if self.writer:
            with self.writer.as_default(step=epoch + 1):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
