"""Settings of every step, one frozen dataclass each: the only place that states a default, a range or a unit.

`crossnet.pipeline.config` checks values against what `setting` says, and the reference in docs/ is generated from it.
What two settings must agree on is checked by a dataclass's `problems`, which returns one sentence per mistake, so that
all are shown at once. In TOML and `--set`, an optional setting is switched off by the word "none".
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from crossnet.components.files import FOLDER_NAME, is_folder_name

MODEL_KINDS = ("cross_layer", "tfrs_cross", "dense")
OPTIMIZERS = ("adam", "adagrad", "sgd", "rmsprop")


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> Any:
    """Returns a dataclass field with its documentation and range.

    Args:
      default: The default value.
      doc: Meaning and unit, one line.
      choices: All legal values of a text setting.
      least, above, most, below: Bounds of a number (and of each number in a tuple); a number must also be finite.
    """
    metadata = {"doc": doc, "choices": choices, "least": least, "above": above, "most": most, "below": below}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class ExampleGenParams:
    """Where rows come from and how they are split."""

    source: str = setting("synthetic", "where rows come from", choices=("synthetic", "csv", "parquet", "tfrecord"))
    input: str = setting("", "path or glob, relative to the config file; may be compressed (.gz, .bz2, .zst, .lz4)")
    input_pattern: str = setting("", "instead of `input`: a path with {SPAN} and, if wanted, {VERSION}")
    span: int | None = setting(None, "the span to read; none: the newest", least=0)
    version: int | None = setting(None, "the version of that span; none: the newest", least=0)
    label: str = setting("y", "the column to predict")
    exclude: tuple[str, ...] = setting((), "columns that are no features")
    numeric: tuple[str, ...] = setting((), "columns forced to be numbers")
    text: tuple[str, ...] = setting((), "columns forced to be text")
    split: str = setting(
        "order",
        "which rows are eval: order (the last ones), random (by row number and seed), hash (by the row's content), "
        "key (by one column's), time, folders (as given: train/ and eval/)",
        choices=("order", "random", "hash", "key", "time", "folders"),
    )
    eval_fraction: float = setting(0.1, "share of rows in eval", above=0, below=1)
    split_column: str = setting("", "the column of `key` and `time`")
    split_time: str = setting("", "`time`: rows from this moment on are eval; empty: the newest eval_fraction of rows")
    generator: str = setting("article", "synthetic: the article's rows or any number", choices=("article", "sharded"))
    num_examples: int = setting(100_000, "synthetic: rows", least=2)
    num_features: int = setting(3, "synthetic: features; those beyond the third are noise", least=3)
    seed: int = setting(42, "of synthetic rows and of the `random` split", least=0)
    num_shards: int = setting(1, "TFRecord files per split", least=1, most=99_999)
    num_workers: int = setting(1, "processes that write shards", least=1)
    compression: str = setting("none", "of the TFRecord files", choices=("none", "gzip"))

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        problems = []
        if self.source != "synthetic" and bool(self.input) == bool(self.input_pattern):
            problems.append(
                f"`source` '{self.source}' needs `input` or `input_pattern`, one of them. "
                f"Received input '{self.input}' and input_pattern '{self.input_pattern}'."
            )
        if self.split == "folders" and (self.source == "synthetic" or not self.input):
            problems.append("`split` 'folders' needs `input`, a folder that holds train/ and eval/.")
        if self.split in ("key", "time") and not self.split_column:
            problems.append(f"`split` '{self.split}' needs `split_column`, the column to split by.")
        if self.split not in ("key", "time") and self.split_column:
            problems.append(f"`split_column` is for `split` 'key' and 'time'. Received `split` '{self.split}'.")
        if self.split != "time" and self.split_time:
            problems.append(f"`split_time` is for `split` 'time'. Received `split` '{self.split}'.")
        return problems


@dataclass(frozen=True, kw_only=True)
class StatisticsGenParams:
    """How columns are summarised."""

    num_histogram_buckets: int = setting(20, "buckets of equal width, and as many quantiles", least=2, most=1000)
    num_top_values: int = setting(20, "most frequent values of a text column that are listed", least=1)
    max_vocabulary: int = setting(10_000, "distinct values of a text column kept for its vocabulary", least=1)


@dataclass(frozen=True, kw_only=True)
class SchemaGenParams:
    """Where the schema comes from."""

    schema_file: str = setting("", "a reviewed schema.pbtxt, relative to the config file; empty: infer it")
    reference: str = setting(
        "none", "last_blessed: judge the data by the last blessed run's schema", choices=("none", "last_blessed")
    )
    max_domain: int = setting(100, "text columns with at most this many distinct values get a domain", least=1)

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        if self.schema_file and self.reference != "none":
            return [
                "`schema_file` and `reference` name two schemas to judge the data by; set one of them. "
                f"Received schema_file '{self.schema_file}' and reference '{self.reference}'."
            ]
        return []


@dataclass(frozen=True, kw_only=True)
class ExampleValidatorParams:
    """Limits. Above a `warn_` limit a warning is shown; a `max_` limit, where set, stops the run."""

    max_duplicate_fraction: float | None = setting(
        None, "share of all rows that repeat an earlier one", least=0, most=1
    )
    max_leaked_fraction: float | None = setting(None, "share of eval rows that also occur in train", least=0, most=1)
    max_skew: float | None = setting(
        None, "train against eval: L-infinity (text) or Jensen-Shannon (numbers)", least=0, most=1
    )
    max_drift: float | None = setting(None, "the same against the last blessed run's train split", least=0, most=1)
    warn_skew: float = setting(0.1, "distance above which skew is shown", least=0, most=1)
    warn_drift: float = setting(0.1, "distance above which drift is shown", least=0, most=1)


@dataclass(frozen=True, kw_only=True)
class TrainerParams:
    """How every model is trained."""

    epochs: int = setting(100, "passes over train", least=1)
    batch_size: int = setting(1000, "rows per update", least=1)
    optimizer: str = setting("adam", "Keras optimizer", choices=OPTIMIZERS)
    learning_rate: float = setting(0.2, "step size at its highest", above=0)
    beta_1: float = setting(0.9, "adam: decay of the mean of gradients", least=0, below=1)
    beta_2: float = setting(0.99, "adam: decay of the mean of their squares", least=0, below=1)
    epsilon: float = setting(1e-7, "adam: added to the root of that mean; larger: steadier, slower", above=0)
    schedule: str = setting(
        "cosine", "of the learning rate; cosine reaches zero", choices=("constant", "cosine", "exponential")
    )
    warmup_fraction: float = setting(0.0, "share of updates in which the rate rises from zero", least=0, below=1)
    shuffle: bool = setting(False, "a new order of rows in each epoch; off, as in the article: in order")
    seed: int = setting(42, "of initial weights and shuffling", least=0)
    normalize: str = setting(
        "auto",
        "auto: centre features and scale them to standard deviation 1, or to less where train would leave [-5, 5]; "
        "z-score the label unless it lies in [-10, 10] and spreads by 0.1 or more",
        choices=("auto", "zscore", "none"),
    )
    embedding_dim: int | None = setting(None, "of text columns; none: by the vocabulary's size, at most 16", least=1)
    early_stopping_patience: int | None = setting(None, "epochs without a lower eval loss; none: go on", least=1)
    checkpoint_every: int = setting(10, "epochs between checkpoints", least=1)
    warm_start: str = setting("none", "none, a version in service, or the path of an exported model")
    cache_mib: int = setting(1024, "parsed rows are held in memory up to this many MiB, else streamed", least=0)
    warmup_records: int = setting(100, "train rows in the model's warm-up file", least=0, most=1000)
    tensorboard: bool = setting(False, "write logs for TensorBoard; needs the extra `board`")


@dataclass(frozen=True, kw_only=True)
class CrossLayerParams:
    """The architecture of a cross network, for `[cross_layer]` and `[tfrs_cross]`."""

    num_layers: int = setting(1, "cross layers; each adds one degree", least=1)
    projection_dim: int | None = setting(None, "rank of W, at most half the inputs' width; none: full", least=1)
    diag_scale: float = setting(0.0, "added to the diagonal of W", least=0)
    use_bias: bool = setting(True, "add b")
    preactivation: str = setting("linear", "Keras activation of W x + b")
    kernel_initializer: str = setting("glorot_uniform", "Keras initializer of W")
    kernel_regularizer: float = setting(0.0, "L2 factor of W", least=0)
    structure: str = setting(
        "cross", "cross layers alone, before or beside a deep tower", choices=("cross", "stacked", "parallel")
    )
    deep_units: tuple[int, ...] = setting((), "relu layers of the deep tower", least=1)

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        if (self.structure == "cross") == bool(self.deep_units):
            return [
                "`structure` and `deep_units` disagree: stacked and parallel networks need deep_units, cross has none. "
                f"Received structure '{self.structure}' with deep_units {list(self.deep_units)}."
            ]
        return []


@dataclass(frozen=True, kw_only=True)
class DenseParams:
    """The architecture of a fully connected network, for `[dense]`."""

    units: tuple[int, ...] = setting((3, 3, 3), "hidden layers", least=1)
    learning_rate: float | None = setting(None, "instead of `trainer.learning_rate`; none: that one", above=0)
    activation: str = setting("relu", "Keras activation of the hidden layers")
    kernel_initializer: str = setting("glorot_uniform", "Keras initializer of the kernels")


@dataclass(frozen=True, kw_only=True)
class EvaluatorParams:
    """The rules of the gate, each off where it is none. RMSE is in the label's unit."""

    max_rmse: float | None = setting(None, "highest eval RMSE", above=0)
    max_rmse_ratio: float | None = setting(None, "highest eval RMSE over the label's standard deviation", above=0)
    min_improvement: float | None = setting(0.0, "share by which RMSE must be below the baseline's", least=0, below=1)
    non_inferiority_margin: float | None = setting(0.05, "share of the served model's RMSE that may be lost", above=0)
    slices: tuple[tuple[str, ...], ...] = setting((), 'groups of rows, such as [["species"], ["x0:quartile"]]')
    min_slice_rows: int = setting(100, "smaller slices are reported, not judged", least=1)
    max_model_bytes: int | None = setting(None, "highest size of the exported folder", least=1)
    confidence: float = setting(0.95, "of the intervals; 1 - the family-wise error over slices", above=0, below=1)
    num_bootstrap: int = setting(2000, "resamples of the paired bootstrap", least=100)
    seed: int = setting(42, "of the bootstrap", least=0)
    batch_size: int = setting(10_000, "rows per call of the serving signature", least=1)


@dataclass(frozen=True, kw_only=True)
class InfraValidatorParams:
    """How the champion is tried in a server before it is pushed."""

    server: str = setting(
        "auto", "auto: tensorflow_model_server where installed", choices=("auto", "embedded", "binary")
    )
    timeout_seconds: float = setting(60.0, "for the server to become ready", above=0)
    tolerance: float = setting(1e-6, "of max(label's standard deviation, |prediction|), in the same batches", above=0)
    single_row_tolerance: float = setting(1e-4, "on the same scale, for calls of one row", above=0)
    num_single_rows: int = setting(20, "rows sent one by one", least=0)


@dataclass(frozen=True, kw_only=True)
class PusherParams:
    """Where a blessed model goes."""

    model_name: str = setting("crossnet", "the folder's name, and the name clients ask for")
    serving_dir: str = setting("", "the folder that servers watch; empty: <root>/serving_models")

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        if not is_folder_name(self.model_name):
            return [f"`model_name` must be a plain name: {FOLDER_NAME}. Received '{self.model_name}'."]
        return []
