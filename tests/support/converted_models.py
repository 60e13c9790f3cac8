"""Exports models with each kind of column and network, and makes rows for them, odd values included."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from crossnet.components.evaluation.session import ServingSession
from crossnet.components.networks.columns import KeyColumn, LeftOut, NumberColumn, TextColumn
from crossnet.components.networks.export import export_model
from crossnet.components.networks.exported import ExportedModel
from crossnet.components.networks.linear_member import LinearMember
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams, CrossMixParams, DenseParams
from crossnet.serving.protocol.dtypes import Array

YEAR_2024 = 1_704_067_200
NUMBERS = Preprocessing(
    numbers=(NumberColumn("a", "FLOAT", True, mean=0.5, scale=0.3), NumberColumn("_b", "FLOAT", True)),
    texts=(),
    label_mean=100.0,
    label_scale=10.0,
)
MISSING = dataclasses.replace(
    NUMBERS,
    numbers=(
        *NUMBERS.numbers,
        NumberColumn("n", "INT", True, mean=10.2, scale=2.0),
        NumberColumn("hole", "FLOAT", False, mean=3.0, fill=3.0),
        NumberColumn("count", "INT", False, mean=7.3, scale=4.0, fill=7.0),
    ),
    clip=True,
    label_range=(50.0, 150.0),
)
TEXTS = dataclasses.replace(
    NUMBERS,
    texts=(
        TextColumn("class", True, ("x", "süd"), 2),
        TextColumn("s", False, ("", "z"), 1),
    ),
)
DATES = dataclasses.replace(
    MISSING,
    numbers=(
        *MISSING.numbers,
        NumberColumn("t", "INT", True, YEAR_2024, 3e7, cycles=("year", "week", "day"), unit="s"),
        NumberColumn("maybe", "INT", False, YEAR_2024, 3e7, YEAR_2024, cycles=("year",), unit="s"),
        NumberColumn("ns", "INT", True, YEAR_2024 * 1e9, 3e16, cycles=("year", "day"), unit="ns"),
        NumberColumn("clock", "INT", True, 700.0, 300.0, cycles=("day",), unit="hhmm"),
        NumberColumn("at", "INT", True, 40000.0, 20000.0, cycles=("day",), unit="hhmmss"),
        NumberColumn("sometimes", "INT", False, 700.0, 300.0, 700.0, cycles=("day",), unit="hhmm"),
    ),
)
KEYS = dataclasses.replace(
    NUMBERS,
    numbers=(*NUMBERS.numbers, NumberColumn("k", "INT", True)),
    keys=(
        KeyColumn("k", True, (3, 5, 2**40), 2),
        KeyColumn("ko", False, (1, 7, 2**30), 2),
        KeyColumn("ke", False, (2**30,), 1),
    ),
    left_out=(LeftOut("u", "BYTES", True, "is unique"), LeftOut("ui", "INT", True, "is unique")),
)
BINS = dataclasses.replace(
    NUMBERS,
    numbers=(dataclasses.replace(NUMBERS.numbers[0], edges=(-1.0, 0.0, 0.5, 1.0)), NUMBERS.numbers[1]),
    number_dim=2,
    clip=True,
)
EVERY = dataclasses.replace(
    DATES, texts=TEXTS.texts, keys=KEYS.keys, left_out=KEYS.left_out, numbers=(*DATES.numbers, KEYS.numbers[-1])
)
CASES: dict[str, tuple[Preprocessing, str, Any, int]] = {
    "numbers": (NUMBERS, "cross_layer", CrossLayerParams(num_layers=2), 1),
    "missing": (MISSING, "dense", DenseParams(), 1),
    "texts": (TEXTS, "cross_mix", CrossMixParams(), 1),
    "dates": (DATES, "cross_gated", CrossLayerParams(structure="parallel", deep_units=(8, 4)), 1),
    "keys": (KEYS, "cross_layer", CrossLayerParams(num_layers=2, projection_dim=1), 3),
    "bins": (BINS, "dense", DenseParams(), 3),
    "every": (EVERY, "cross_layer", CrossLayerParams(num_layers=2), 3),
    "reference": (EVERY, "tfrs_cross", CrossLayerParams(), 1),
}


def network_of(case: str) -> tuple[tf_keras.Model, dict[str, Any]]:
    """Returns the network of a case, with drawn weights and biases, and its description."""
    preprocessing, kind, architecture, members = CASES[case]
    network = build_network(
        kind,
        architecture,
        num_numbers=len(preprocessing.number_names),
        tables=preprocessing.tables,
        edges=preprocessing.edges,
        number_dim=preprocessing.number_dim,
        members=members if members > 1 else None,
    )
    initialize(network, seed=1)
    random = np.random.default_rng(2)
    for variable in network.trainable_variables:
        variable.assign_add(random.normal(0, 0.1, variable.shape).astype(np.float32))
    description = dict(describe(kind, architecture, network))
    return network, description | (_blend(preprocessing) if members > 1 else {})


def _blend(preprocessing: Preprocessing) -> dict[str, Any]:
    """Returns the shares of three members and of a linear model, and that model."""
    random = np.random.default_rng(3)
    numbers = random.normal(0, 0.1, len(preprocessing.number_names))
    tables = tuple(random.normal(0, 0.1, column.rows) for column in preprocessing.texts)
    clipped = len(preprocessing.numbers) * preprocessing.clip
    return {"shares": [0.25, 0.25, 0.3, 0.2], "linear": LinearMember(numbers, tables, 0.1, clipped).to_json()}


def in_memory(case: str) -> tuple[ExportedModel, tf_keras.Model]:
    """Returns what `read_exported` returns of a case, without a file, and its network."""
    network, description = network_of(case)
    weights = [variable.numpy() for variable in network.trainable_variables]
    return ExportedModel(Path("nowhere"), description, CASES[case][0], weights), network


def export_case(case: str, folder: Path) -> Path:
    """Exports the model of a case into `folder`, and returns it."""
    network, description = network_of(case)
    export_model(network, Transform(CASES[case][0]), folder, description=description)
    return folder


def rows_of(case: str, count: int = 64) -> dict[str, Array]:
    """Returns rows for a case: missing and unseen values, whole numbers at the ends of int64, NaN and infinities."""
    random, columns = np.random.default_rng(0), dict[str, Array]()
    ends = [-(2**63), 2**63 - 1, 0, -1]
    for feature in CASES[case][0].features:
        name = feature.name
        if feature.is_text:
            columns[name] = random.choice(
                np.array([b"x", "süd".encode(), b"unseen", b"z", b"", b"\xff"], object), count
            )
        elif name.startswith("k"):
            columns[name] = random.choice([3, 5, 1, 7, 2**20, -4], count).astype(feature.dtype)
        elif feature.dtype == "int64":
            spread = {"t": 2**33, "ns": 2**62, "clock": 2500, "at": 250_000}.get(name, 40)
            columns[name] = random.integers(-spread, spread, count)
            columns[name][: len(ends)] = ends
        else:
            centre, spread = {"maybe": (YEAR_2024, 10**8), "sometimes": (1200, 800)}.get(name, (2, 3))
            columns[name] = random.normal(centre, spread, count).astype(np.float32)
            columns[name] = np.round(columns[name]) if feature.type == "INT" else columns[name]
            if not feature.required:
                columns[name][random.random(count) < 0.3] = np.nan
    columns["a"][-3:] = [np.nan, np.inf, -np.inf]
    return columns


def assert_same_answers(model: Any, folder: Path, rows: dict[str, Any]) -> None:
    """Asserts that a converted model answers as the SavedModel in a folder, for many rows and for one."""
    with ServingSession(folder) as session:
        expected = session.predict(rows)
    np.testing.assert_allclose(model.predict(rows), expected, rtol=3e-5)  # some are sums of terms that cancel
    assert np.unique(expected).size > 30
    one = {name: values[:1] for name, values in rows.items()}
    np.testing.assert_allclose(model.predict(one), expected[:1], rtol=3e-5)
