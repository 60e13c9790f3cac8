from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossnet.components.networks.columns import NumberColumn
from crossnet.components.networks.export import export_model
from crossnet.components.networks.interval import Interval, read_interval
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams
from crossnet.serving.protocol.session import SavedModelSession

# Names that TensorFlow cannot trace as they are.
NAMES = ("self", "_f", "a")
INTERVAL = Interval(0.9, 2.5, 40)


def export(folder: Path, interval: Interval | None) -> Path:
    columns = tuple(NumberColumn(name, "FLOAT", True, mean=1.0, scale=2.0) for name in NAMES)
    architecture = CrossLayerParams()
    network = build_network("cross_layer", architecture, num_numbers=len(NAMES))
    initialize(network, 3)
    transform = Transform(Preprocessing(columns, (), label_mean=10.0, label_scale=4.0))
    facts = interval.to_json() if interval else None
    description = describe("cross_layer", architecture, network)
    export_model(network, transform, folder, description=description, interval=facts)
    return folder


def answer(session: SavedModelSession, signature: str, columns: dict[str, Any]) -> dict[str, Any]:
    found = session.signatures[signature]
    run = session.prepare(found, tuple(found.outputs))
    return dict(run([np.asarray(columns[name], np.float32) for name in found.inputs]))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("export") / "model", INTERVAL)


def test_interval_lies_around_the_prediction_that_serving_default_gives(exported: Path) -> None:
    session = SavedModelSession(exported)
    columns = {"self": [0.5, 2.0], "_f": [1.0, -1.0], "a": [3.0, float("nan")]}
    plain, found = answer(session, "serving_default", columns), answer(session, "interval", columns)
    assert list(plain) == ["prediction"]
    assert sorted(found) == ["lower", "prediction", "upper"]
    np.testing.assert_array_equal(found["prediction"], plain["prediction"])
    np.testing.assert_array_equal(found["lower"], plain["prediction"] - np.float32(2.5))
    np.testing.assert_array_equal(found["upper"], plain["prediction"] + np.float32(2.5))
    assert np.isnan([values[1] for values in found.values()]).all()
    session.close()


def test_interval_is_named_in_the_export_and_absent_from_models_without_one(exported: Path, tmp_path: Path) -> None:
    assert read_interval(exported) == INTERVAL
    bare = export(tmp_path / "model", None)
    assert read_interval(bare) is None
    session = SavedModelSession(bare)
    assert "interval" not in session.signatures
    session.close()
