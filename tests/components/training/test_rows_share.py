"""What workers that share the rows read and keep of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.artifacts.examples import Examples
from crossnet.components.features import Feature, read_schema
from crossnet.components.networks.input_choice import make_preprocessing
from crossnet.components.networks.preprocessing import Transform
from crossnet.components.params.trainer import TrainerParams
from crossnet.components.training import rows as module
from crossnet.components.training.rows import Rows, read_rows
from crossnet.components.training.sharing import Sharing
from support.meetings import sharing
from support.training_fixtures import make_artifacts, mixed_table

ROWS = 301


def prepared(folder: Path, weight: str) -> tuple[Examples, Transform, Feature]:
    table = {**mixed_table(ROWS), "w": [float(i % 3) for i in range(ROWS)]}
    examples, schema, statistics = make_artifacts(folder, table, table, weight=weight)
    features, label = read_schema(schema.proto())
    return (
        examples,
        Transform(make_preprocessing(features, label, statistics.proto("train"), params=TrainerParams())),
        label,
    )


@pytest.mark.parametrize("weight", ["", "w"])
@pytest.mark.parametrize("cache_mib", [0, 64])
def test_workers_keep_their_rows_alone_and_together_all_of_them(
    tmp_path: Path, cache_mib: int, weight: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_ROWS", 16)
    examples, transform, label = prepared(tmp_path, weight)
    tf.constant(0)  # TensorFlow begins in this thread

    def read(folder: Path, workers: Sharing | None) -> Any:
        folder.mkdir()
        with read_rows(
            examples, "train", transform, label, scratch=folder, cache_mib=cache_mib, sharing=workers
        ) as rows:
            kept = sum(path.stat().st_size for path in folder.rglob("*.bin"))
            return kept, rows.places(np.arange(len(rows))), values(rows)

    def values(rows: Rows) -> list[Any]:
        weights = [] if rows.weight is None else [rows.weight]
        return [part[0 : len(rows)] for part in (*rows.inputs, rows.label, *weights)]

    kept, places, expected = read(tmp_path / "one", None)
    found = sharing(3, lambda workers: read(tmp_path / str(workers.index), workers))
    order = np.argsort(np.concatenate([part[1] for part in found]))
    assert np.concatenate([part[1] for part in found])[order].tolist() == places.tolist()
    for ours, theirs in zip(zip(*(part[2] for part in found), strict=True), expected, strict=True):
        np.testing.assert_allclose(np.concatenate(ours)[order], theirs, rtol=1e-6)
    assert sum(part[0] for part in found) == kept
    if cache_mib == 0:
        assert max(part[0] for part in found) < 0.4 * kept
