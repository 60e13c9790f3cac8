from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from crossnet.components.networks.columns import NumberColumn, TextColumn
from crossnet.components.networks.export import export_model
from crossnet.components.networks.exported import read_exported
from crossnet.components.networks.linear_member import LinearMember
from crossnet.components.networks.models import build_network, describe, initialize
from crossnet.components.networks.portable import category_ids, portable_function, rebuilt
from crossnet.components.networks.preprocessing import Preprocessing, Transform
from crossnet.components.params.networks import CrossLayerParams
from crossnet.serving.protocol.session import SavedModelSession

SHARES = [0.5, 0.3, 0.2]
WORDS = ("a", "b", "c")
PREPROCESSING = Preprocessing(
    (
        NumberColumn("x", "FLOAT", True, mean=1.0, scale=2.0, edges=(-1.0, 0.0, 1.0)),
        NumberColumn("y", "FLOAT", True, mean=1.0, scale=2.0),
    ),
    (TextColumn("t", True, WORDS, 2),),
    label_mean=10.0,
    label_scale=4.0,
    number_dim=2,
    clip=True,
    label_range=(0.0, 20.0),
)
KINDS = {  # one that is computed member by member, one that is left to Keras
    "cross_layer": CrossLayerParams(structure="parallel", deep_units=(6, 5), projection_dim=2),
    "cross_gated": CrossLayerParams(structure="parallel", deep_units=(6, 5), projection_dim=2),
}


def network(kind: str) -> Any:
    sizes = {"tables": PREPROCESSING.tables, "edges": PREPROCESSING.edges, "number_dim": PREPROCESSING.number_dim}
    made = build_network(kind, KINDS[kind], num_numbers=2, members=len(SHARES), **sizes)
    initialize(made, 3)
    random = np.random.default_rng(4)
    for variable in made.trainable_variables:
        variable.assign_add(random.normal(0, 0.2, variable.shape))
    return made


def rows() -> dict[str, Any]:
    random = np.random.default_rng(5)
    words = random.choice([b"a", b"b", b"c", b"unknown", b""], 60)
    return {"x": numbers(random), "y": numbers(random), "t": words.astype(object)}


def numbers(random: np.random.Generator) -> Any:
    return random.normal(1, 2, 60).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    made, folder = network(request.param), tmp_path_factory.mktemp("export") / "model"
    description = {**describe(request.param, KINDS[request.param], made), "shares": SHARES, "members": len(SHARES)}
    export_model(made, Transform(PREPROCESSING), folder, description=description, interval={"half_width": 2.0})
    return made, folder


def answer(folder: Path, signature: str, columns: dict[str, Any]) -> dict[str, Any]:
    session = SavedModelSession(folder)
    found = session.signatures[signature]
    answers = dict(session.prepare(found, tuple(found.outputs))([columns[name] for name in found.inputs]))
    session.close()
    return answers


def test_served_members_give_the_mean_and_the_spread_of_the_trained_ones(served: tuple[Any, Path]) -> None:
    made, folder = served
    columns = rows()
    inputs = Transform(PREPROCESSING)({name: tf.constant(values) for name, values in columns.items()})
    each = made(list(inputs)).numpy().astype(np.float64)
    mean = each @ SHARES
    spread = np.sqrt((each - mean[:, None]) ** 2 @ SHARES) * 4
    prediction = np.clip(mean * 4 + 10, 0, 20)
    assert prediction.std() > 0.5
    assert spread.min() > 0.01
    found = answer(folder, "interval", columns)
    np.testing.assert_allclose(found["prediction"], prediction, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["spread"], spread, rtol=1e-4, atol=1e-5)
    plain = answer(folder, "serving_default", columns)
    assert list(plain) == ["prediction"]
    np.testing.assert_array_equal(plain["prediction"], found["prediction"])


@pytest.mark.parametrize("kind", KINDS)
def test_members_without_a_share_change_nothing(kind: str, tmp_path: Path) -> None:
    made = network(kind)
    for variable in made.trainable_variables:  # the second member answers NaN, if it is asked
        if kind == "cross_layer":
            variable.assign(np.where(np.arange(3).reshape(-1, *[1] * (variable.shape.rank - 1)) == 1, np.nan, variable))
    shares = [0.25, 0.0, 0.75]
    description = {**describe(kind, KINDS[kind], made), "shares": shares, "members": len(shares)}
    export_model(
        made, Transform(PREPROCESSING), tmp_path / "model", description=description, interval={"half_width": 2}
    )
    columns = rows()
    inputs = Transform(PREPROCESSING)({name: tf.constant(values) for name, values in columns.items()})
    each = made(list(inputs)).numpy().astype(np.float64)[:, [0, 2]]
    mean = each @ [0.25, 0.75]
    spread = np.sqrt((each - mean[:, None]) ** 2 @ [0.25, 0.75]) * 4
    found = answer(tmp_path / "model", "interval", columns)
    np.testing.assert_allclose(found["prediction"], np.clip(mean * 4 + 10, 0, 20), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["spread"], spread, rtol=1e-4, atol=1e-5)


def test_a_linear_model_may_have_the_whole_share(tmp_path: Path) -> None:
    made, linear = network("cross_layer"), LinearMember(np.array([0.5, -0.25]), (np.zeros(5),), 0.1, 2)
    shares = [0.0, 0.0, 0.0, 1.0]
    facts = {**describe("cross_layer", KINDS["cross_layer"], made), "shares": shares, "linear": linear.to_json()}
    export_model(made, Transform(PREPROCESSING), tmp_path / "model", description=facts)
    columns = rows()
    inputs = Transform(PREPROCESSING)({name: tf.constant(values) for name, values in columns.items()})
    expected = np.clip(linear.predict([part.numpy() for part in inputs]) * 4 + 10, 0, 20)
    found = answer(tmp_path / "model", "serving_default", columns)["prediction"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_served_members_do_not_answer_a_row_without_a_number(served: tuple[Any, Path]) -> None:
    columns = rows()
    columns["y"][3] = np.nan
    for values in answer(served[1], "interval", columns).values():
        assert np.isnan(values).nonzero()[0].tolist() == [3]


def test_other_runtimes_compute_the_same_of_members(served: tuple[Any, Path]) -> None:
    exported, columns = read_exported(served[1]), rows()

    def lookup(column: Any, values: tf.Tensor) -> tf.Tensor:
        ids = dict(zip(column.vocabulary, category_ids(column), strict=True))
        return tf.constant([ids.get(value.decode(), 0) for value in values.numpy()], tf.int64)

    function = portable_function(exported, rebuilt(exported), lookup)
    found = function({name: tf.constant(values) for name, values in columns.items()})
    expected = answer(served[1], "serving_default", columns)["prediction"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
