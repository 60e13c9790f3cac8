"""What the workers of a training have to be told alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossnet.components.artifacts.examples import Examples
from crossnet.components.artifacts.schema import Schema
from crossnet.components.params.networks import CrossLayerParams, ModelParams
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training.identity import identity, told
from crossnet.components.training.learned_rows import learned_rows
from crossnet.components.training.recipe import make_recipe
from crossnet.components.training.untrained import make_untrained
from support.training_fixtures import article_table, make_artifacts

MODEL = ModelParams(kind="cross_layer", architecture=CrossLayerParams())
EXAMPLES = Examples(Path("rows"), {"train": 9}, {}, "f0")


def facts(model: ModelParams = MODEL, schema: str = "f1", **params: object) -> dict[str, object]:
    return told(EXAMPLES, [Schema(Path("schema"), {}, {}, schema)], TrainerParams(**params), model)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        facts(learning_rate=0.5),
        facts(strategy="multi_worker"),
        facts(schema="f2"),
        facts(ModelParams(kind="cross_layer", architecture=CrossLayerParams(kernel_regularizer=0.1))),
    ],
    ids=["setting", "strategy", "artifact", "network"],
)
def test_what_changes_a_weight_is_told(other: dict[str, object]) -> None:
    assert other != facts()
    assert json.loads(json.dumps(other)) == other


def test_what_changes_no_weight_may_differ() -> None:
    assert facts(cache_mib=1, checkpoint_every=3, warmup_records=0, start_timeout_seconds=1.0) == facts()


def test_the_identity_of_a_checkpoint_knows_rows_and_preprocessing(tmp_path: Path) -> None:
    table = article_table(20)
    examples, schema, statistics = make_artifacts(tmp_path, table, table)
    params = make_recipe(TrainerParams(batch_size=10), 20)
    untrained = make_untrained(learned_rows(examples, statistics), schema, params, MODEL)
    found = identity(untrained, examples, params)
    assert found["train rows"] == 20
    assert found["preprocessing"] == untrained.preprocessing.to_json()
    assert found["batch_size"] == 10
    assert "warmup_records" not in found
    next((examples.path / "Split-train").iterdir()).write_bytes(b"other rows")
    assert identity(untrained, examples, params)["examples"] != found["examples"]
