"""Settings of Trainer: how every network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.presets import PRESETS
from crossnet.components.params.setting import AUTO, PathKind, setting

ONE_DEVICE, MIRRORED, MULTI_WORKER = STRATEGIES = ("one_device", "mirrored", "multi_worker")
ALL_ROWS, SHARE = WORKER_ROWS = ("all", "share")
FLOAT32, MIXED_BFLOAT16 = PRECISIONS = ("float32", "mixed_bfloat16")
OPTIMIZERS = ("adam", "adamw", "adagrad", "sgd", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class TrainerParams:
    """How every model is trained."""

    preset: str = setting(
        "polynomial",
        "the defaults of settings that are left out: article (to the letter), polynomial (those of the tables below), "
        "table (for a table of your own)",
        choices=PRESETS,
        without_effect=True,
    )
    epochs: int | str = setting(100, "passes over train; auto: by the rows", choices=(AUTO,), least=1)
    batch_size: int | str = setting(
        1000, "rows per update; auto: a fortieth of train, from 32 to 1024", choices=(AUTO,), least=1
    )
    optimizer: str = setting("adam", "Keras optimizer", choices=OPTIMIZERS)
    learning_rate: float | str = setting(0.2, "step size at its highest; auto: by the rows", choices=(AUTO,), above=0)
    beta_1: float = setting(0.9, "adam: decay of the mean of gradients", least=0, below=1)
    beta_2: float = setting(0.99, "adam: decay of the mean of their squares", least=0, below=1)
    epsilon: float = setting(1e-7, "adam: added to the root of that mean; larger: steadier, slower", above=0)
    weight_decay: tuple[float, ...] | str = setting(
        (1.0,),
        "adamw: each update takes this, times the learning rate, of every weight that is not a bias; members take "
        "several in turn; auto: two, by the rows",
        choices=(AUTO,),
        least=0,
    )
    schedule: str = setting(
        "cosine", "of the learning rate; cosine reaches zero", choices=("constant", "cosine", "exponential")
    )
    warmup_fraction: float = setting(0.0, "share of updates in which the rate rises from zero", least=0, below=1)
    shuffle: bool = setting(False, "a new order of rows in each epoch; off, as in the article: in order")
    shuffle_mib: int = setting(
        32,
        "rows that are put into a new order at once, as they are kept in memory; of a larger table, from many places",
        least=1,
        only_with=("shuffle", (True,)),
    )
    seed: int = setting(42, "of initial weights and shuffling", least=0)
    normalize: str = setting(
        "auto",
        "auto: centre features and scale them to standard deviation 1, or to less where train would leave [-5, 5]; "
        "z-score the label unless it lies in [-10, 10] and spreads by 0.1 or more; robust: median and quartiles, "
        "clipped smoothly to [-3, 3], a column of one value left out",
        choices=("auto", "zscore", "robust", "none"),
    )
    number_bins: int | str = setting(
        0,
        "bins of each number's piecewise-linear embedding, with robust; 0: none; auto: 8 to 16, by the rows",
        choices=(AUTO,),
        least=0,
    )
    number_dim: int | str = setting(AUTO, "of that embedding; auto: 2 to 4, by the rows", choices=(AUTO,), least=1)
    embed_whole_numbers: bool = setting(
        False, "with robust: whole numbers that have 9 to 200 values or look like keys are categories as well"
    )
    min_count: int | str = setting(
        1,
        "train rows of a value that is a category of its own, not other; auto: 2 to 5, by the rows",
        choices=(AUTO,),
        least=1,
    )
    date_parts: bool = setting(False, "with robust: times are seen as sine and cosine of year, week and day too")
    clip_predictions: bool = setting(
        False, "to the labels of train and a tenth of their deviation beyond; further where most of a blend is linear"
    )
    embedding_dim: int | None = setting(None, "of text columns; none: by the vocabulary's size, at most 16", least=1)
    early_stopping_patience: int | str | None = setting(
        None,
        "epochs without a lower loss on rows of train that are held out, after which training stops; the best epoch is "
        "kept; auto: by the epochs; none: all rows of train are trained on, to the end",
        choices=(AUTO,),
        least=1,
    )
    validation_fraction: float = setting(
        0.125, "share of train that is held out, where `early_stopping_patience` is set", above=0, most=0.5
    )
    interval_coverage: float | None = setting(
        None,
        "share of labels that the intervals of the signature `interval` should hold, measured on held-out rows; none: "
        "the model has no such signature",
        above=0,
        below=1,
    )
    members: int | str = setting(
        1,
        "networks side by side, each with other rows held out; their predictions are blended; auto: by the rows, and "
        "1 for dense and tfrs_cross",
        choices=(AUTO,),
        least=1,
    )
    blend_linear: bool = setting(
        False,
        "of several members: a linear model, ridge regression on the same inputs, is one more, with the share that "
        "held-out rows give it",
    )
    checkpoint_every: int = setting(10, "epochs between checkpoints", least=1, without_effect=True)
    checkpoint_updates: int = setting(
        10_000, "updates between checkpoints within a long epoch", least=1, without_effect=True
    )
    warm_start: str = setting(
        "none", "none, a version in service, or the path of an exported model", path=PathKind.MODEL
    )
    strategy: str = setting(
        ONE_DEVICE,
        "one_device; mirrored: each batch is shared by several GPUs of this machine; multi_worker: by several workers, "
        "on each of which `crossnet step` runs",
        choices=STRATEGIES,
    )
    replicas: int = setting(
        2,
        "GPUs, or workers, that share a batch; weights depend on their number",
        least=2,
        only_with=("strategy", (MIRRORED, MULTI_WORKER)),
    )
    worker_rows: str = setting(
        ALL_ROWS,
        "multi_worker: what each worker reads and keeps; all: every row, so that batches are those of one device; "
        "share: some blocks of rows alone, where all would not fit on its disk",
        choices=WORKER_ROWS,
        only_with=("worker_rows", (SHARE,)),  # the default enters no fingerprint
    )
    start_timeout_seconds: float = setting(
        300.0, "multi_worker: how long workers wait until all of them are there", above=0, without_effect=True
    )
    precision: str = setting(
        FLOAT32,
        "in training; mixed_bfloat16: cross layers and towers compute in bfloat16, for GPUs that are faster in it; "
        "weights, inputs, output and the exported model stay float32",
        choices=PRECISIONS,
        only_with=("precision", (MIXED_BFLOAT16,)),  # the default enters no fingerprint
    )
    cache_mib: int = setting(
        64,
        "parsed rows of a split are held in memory up to this many MiB, else in files beside the artifact",
        least=0,
        without_effect=True,
    )
    warmup_records: int = setting(100, "train rows in the model's warm-up file", least=0, most=1000)
    tensorboard: bool = setting(False, "write logs for TensorBoard; needs the extra `board`")

    def problems(self) -> list[str]:
        """Returns in sentences which settings do not fit together."""
        if self.worker_rows == ALL_ROWS or self.strategy == MULTI_WORKER:
            return []
        return [
            f"`trainer.worker_rows` is {self.worker_rows}, but `trainer.strategy` is {self.strategy}: one process reads"
            f" all rows. Set `trainer.worker_rows` to {ALL_ROWS}, or `trainer.strategy` to {MULTI_WORKER}."
        ]
