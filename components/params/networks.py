"""Settings of the networks: the architecture of each model kind."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.setting import setting

MODEL_KINDS = ("cross_layer", "tfrs_cross", "dense")


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


Architecture = CrossLayerParams | DenseParams


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """The model that one Trainer makes.

    Attributes:
      kind: One of `MODEL_KINDS`.
      architecture: The settings of that kind of network.
      model_name: The name that clients ask for; the model's warm-up requests carry it.
    """

    kind: str
    architecture: Architecture
    model_name: str = "crossnet"
