"""Checks settings and rows before a training begins."""

from __future__ import annotations

import dataclasses
import importlib.util

from crossnet.components.errors import TrainingError
from crossnet.components.formats import counted, number
from crossnet.components.networks import tfrs_cross
from crossnet.components.params.networks import DENSE, DenseParams, ModelParams, is_own
from crossnet.components.params.trainer import FLOAT32, OPTIMIZERS, TrainerParams
from crossnet.components.training.learned_rows import LearnedRows, numbers_of
from crossnet.components.training.recipe import Recipe, make_recipe
from crossnet.serving.protocol.suggestions import did_you_mean

SINGLE = (DENSE, tfrs_cross.KIND)  # kinds of which "auto" trains one member
MIN_ROWS = 30  # of a train split that is learned from in part


def checked_recipe(label: str, learned: LearnedRows, params: TrainerParams, model: ModelParams) -> Recipe:
    """Returns the settings of a training, with a number wherever they may say "auto".

    Args:
      label: The column to predict.
      learned: The rows to learn from.
      params: How to train.
      model: What to train.

    Raises:
      TrainingError: Settings and data do not fit together.
    """
    if isinstance(model.architecture, DenseParams) and model.architecture.learning_rate:
        params = dataclasses.replace(params, learning_rate=model.architecture.learning_rate)
    check_training(label, learned, params)
    own = is_own(model.architecture)
    recipe = make_recipe(params, learned.count, several=model.kind not in SINGLE and not own)
    check_recipe(recipe, learned.count, model.kind, own=own)
    check_precision(recipe, model.kind)
    return recipe


def check_training(label: str, learned: LearnedRows, params: TrainerParams) -> None:
    """Checks what can be known before rows are read.

    Args:
      label: The column to predict.
      learned: The rows to learn from.
      params: How to train; what is "auto" fits.

    Raises:
      TrainingError: With every problem in one message.
    """
    rows = learned.count
    problems = params.problems()
    if rows == 0:
        problems.append("Split `train` has no rows. Check the source and `example_gen.eval_fraction`.")
    elif rows < MIN_ROWS and params.early_stopping_patience is not None:
        change = ["`trainer.early_stopping_patience` to none"]
        change += ["`trainer.interval_coverage` to none"] if params.interval_coverage is not None else []
        change += ["`trainer.members` to 1"] if params.members != 1 else []
        weighed = " whose weight is above 0" if learned.statistics.datasets[0].num_examples > rows else ""
        problems.append(
            f"Train has {counted(rows, 'row')}{weighed}, too few to hold some out: at least {MIN_ROWS} are expected. "
            f"Give more rows, or set {', '.join(change)}."
        )
    if params.interval_coverage is not None and params.early_stopping_patience is None:
        problems.append(
            "`trainer.interval_coverage` is measured on rows that are held out, and none are. Set "
            "`trainer.early_stopping_patience` to auto or a number of epochs, or `trainer.interval_coverage` to none."
        )
    if isinstance(params.epochs, int) and params.epochs < 1:
        problems.append(f"`trainer.epochs` must be at least 1. Received {params.epochs}.")
    if isinstance(params.batch_size, int) and params.batch_size < 1:
        problems.append(f"`trainer.batch_size` must be at least 1. Received {params.batch_size}.")
    elif isinstance(params.batch_size, int) and 0 < rows < params.batch_size:
        problems.append(
            f"`trainer.batch_size` is {params.batch_size:,}, but train has only {rows:,} rows. "
            f"Set it to at most {rows}; {max(1, rows // 10)} makes ten updates per epoch."
        )
    if params.optimizer not in OPTIMIZERS:
        problems.append(
            f"Unknown optimizer `{params.optimizer}`.{did_you_mean(params.optimizer, OPTIMIZERS)} "
            f"There are: {', '.join(OPTIMIZERS)}."
        )
    problems += _label_problems(label, learned)
    if params.tensorboard and importlib.util.find_spec("tensorboard") is None:
        problems.append(
            "`trainer.tensorboard` needs the package tensorboard, which is not installed. Install the extra `board`: "
            'pip install "crossnet-pipeline[board]".'
        )
    if problems:
        raise TrainingError(" ".join(problems))


def check_recipe(recipe: Recipe, rows: int, kind: str, *, own: bool = False) -> None:
    """Checks the members of a training.

    Args:
      recipe: How to train.
      rows: Rows of train.
      kind: Of the network.
      own: Whether that is of a user's project.

    Raises:
      TrainingError: There are several that cannot be trained.
    """
    if recipe.members == 1:
        return
    problem = ""
    if recipe.early_stopping_patience is None:
        problem = "but no rows are held out for them. Set `trainer.early_stopping_patience`"
    elif kind == tfrs_cross.KIND:
        problem = f"but `{kind}` trains the layer of another library, one at a time. Train `cross_layer`"
    elif own:
        problem = f"but `{kind}` is of your own project, and such a kind trains one network. Train `cross_layer`"
    elif recipe.members > rows:
        problem = f"but train has {counted(rows, 'row')}. Set at most {rows}"
    if problem:
        raise TrainingError(f"`trainer.members` is {recipe.members:,}, {problem}, or set `trainer.members` to 1.")


def check_precision(params: TrainerParams, kind: str) -> None:
    """Checks that a kind of network can be trained in the precision that the settings ask for.

    Raises:
      TrainingError: It cannot.
    """
    if params.precision != FLOAT32 and kind == tfrs_cross.KIND:
        raise TrainingError(
            f"`trainer.precision` is {params.precision}, but `{kind}` trains the layer of another library, which "
            f"computes in one precision alone. Train `cross_layer`, or set `trainer.precision` to {FLOAT32}."
        )


def _label_problems(label: str, learned: LearnedRows) -> list[str]:
    numbers = numbers_of(learned.statistics, label)
    if numbers is None or numbers.std_dev > 0 or learned.count < 2:
        return []
    return [
        f"The label `{label}` is {number(numbers.mean)} in all rows of train: there is nothing to "
        "learn. Name another column in `example_gen.label`, or other rows."
    ]
