"""Settings of the networks: the architecture of each model kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeGuard

from crossnet.components.params.setting import AUTO, setting


@dataclass(frozen=True, kw_only=True)
class CrossParams:
    """What the cross networks share: how many layers, and whether a deep tower stands before or beside them."""

    num_layers: int = setting(1, "cross layers, one after the other", least=1)
    use_bias: bool = setting(True, "add b")
    kernel_initializer: str = setting("glorot_uniform", "Keras initializer of the kernels")
    kernel_regularizer: float = setting(0.0, "L2 factor of the kernels", least=0)
    structure: str = setting(
        "cross", "cross layers alone, before or beside a deep tower", choices=("cross", "stacked", "parallel")
    )
    deep_units: tuple[int, ...] | str = setting(
        (), "relu layers of the deep tower; auto: two, by the rows", choices=(AUTO,), least=1
    )

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        if (self.structure == "cross") == bool(self.deep_units):
            return [
                "`structure` and `deep_units` disagree: stacked and parallel networks need deep_units, cross has none. "
                f"Received structure '{self.structure}' with deep_units {list(self.deep_units)}."
            ]
        return []


@dataclass(frozen=True, kw_only=True)
class CrossLayerParams(CrossParams):
    """The architecture of a cross network: DCN-v2, where each layer adds one degree, or GDCN, its gated form."""

    projection_dim: int | str | None = setting(
        None,
        "rank of W, at most half the inputs' width; none: full; auto: a quarter of it, at most 64, or full below 4",
        choices=(AUTO,),
        least=1,
    )
    diag_scale: float = setting(0.0, "added to the diagonal of W", least=0)
    preactivation: str = setting("linear", "Keras activation of W x + b")


@dataclass(frozen=True, kw_only=True)
class CrossMixParams(CrossParams):
    """The architecture of a cross network of mixed experts, DCN-Mix."""

    num_experts: int = setting(4, "experts of a layer; a gate says for each row how much each of them counts", least=1)
    projection_dim: int | None = setting(
        None, "inner width of an expert; none: half the inputs' width, at most 32", least=1
    )
    activation: str = setting("tanh", "Keras activation inside an expert")


@dataclass(frozen=True, kw_only=True)
class DenseParams:
    """The architecture of a fully connected network, for `[dense]`."""

    units: tuple[int, ...] | str = setting((3, 3, 3), "hidden layers; auto: two, by the rows", choices=(AUTO,), least=1)
    learning_rate: float | None = setting(None, "instead of `trainer.learning_rate`; none: that one", above=0)
    activation: str = setting("relu", "Keras activation of the hidden layers")
    kernel_initializer: str = setting("glorot_uniform", "Keras initializer of the kernels")


class OwnParams(Protocol):
    """The settings of a kind of model from a user's project, with the network that they describe."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def network(self, x: Any, dtype: str) -> Any:
        """Returns the last hidden layer's output `[batch, any]`.

        Args:
          x: Numbers, indicators of missing ones, and embeddings of text, side by side, `[batch, width]`.
          dtype: What each layer is given: the type of weights and numbers or, where `trainer.precision` says so,
            "mixed_bfloat16".
        """


Architecture = CrossLayerParams | CrossMixParams | DenseParams | OwnParams

# Each model kind, with the dataclass of its section.
ARCHITECTURES: dict[str, type[Architecture]] = {
    "cross_layer": CrossLayerParams,
    "tfrs_cross": CrossLayerParams,
    "cross_mix": CrossMixParams,
    "cross_gated": CrossLayerParams,
    "dense": DenseParams,
}
MODEL_KINDS = tuple(ARCHITECTURES)
DENSE = "dense"
DEFAULT_MODELS = ("cross_layer", "tfrs_cross", "dense")  # of a config that names none


def is_own(architecture: Architecture) -> TypeGuard[OwnParams]:
    """Whether an architecture is of a kind of model from a user's project."""
    return not isinstance(architecture, tuple(ARCHITECTURES.values()))


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """The model that one Trainer makes.

    Attributes:
      kind: One of `MODEL_KINDS`, or of a user's project.
      architecture: The settings of that kind of network.
      model_name: The name that clients ask for; the model's warm-up requests carry it.
    """

    kind: str
    architecture: Architecture
    model_name: str = "crossnet"
