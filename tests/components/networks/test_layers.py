from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.networks.layers import CrossLayer, Embeddings
from support.tfrs_cross_golden import CASES, GOLDEN, all_golden, stack

VARIANTS: list[dict[str, Any]] = [
    {"projection_dim": rank, "diag_scale": diagonal, "use_bias": bias, "preactivation": activation}
    for rank, diagonal, bias, activation in itertools.product((None, 2), (0.0, 0.1), (True, False), (None, "tanh"))
]


def describe(variant: dict[str, Any]) -> str:
    return "-".join(str(value) for value in variant.values())


def outputs_and_gradients(layer: Any, x0: tf.Tensor, x: tf.Tensor) -> list[Any]:
    with tf.GradientTape() as tape:
        tape.watch([x0, x])
        y = layer(x0, x)
        loss = tf.reduce_sum(tf.sin(y))
    return [y, *tape.gradient(loss, [x0, x, *layer.trainable_weights])]


def test_cross_layer_multiplies_as_on_paper() -> None:
    layer = CrossLayer(kernel_initializer="ones")
    x0, x = tf.constant([[0.1, 0.2, 0.3]]), tf.constant([[0.4, 0.5, 0.6]])
    np.testing.assert_allclose(layer(x0, x), [[0.55, 0.8, 1.05]], rtol=1e-6)
    np.testing.assert_allclose(layer(x0), [[0.16, 0.32, 0.48]], rtol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("variant", VARIANTS, ids=describe)
def test_cross_layer_equals_tfrs_cross_given_its_weights(variant: Any, dtype: str, tolerance: float) -> None:
    random = np.random.default_rng(3)
    x0, x = (tf.constant(random.normal(size=(8, 6)), dtype) for _ in range(2))
    regularizers = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "bias_initializer": "ones"}
    tfrs = pytest.importorskip("tensorflow_recommenders")
    theirs = tfrs.layers.dcn.Cross(**variant, **regularizers, dtype=dtype)
    ours = CrossLayer(**variant, **regularizers, dtype=dtype)
    theirs(x0, x)
    ours.build(x0.shape)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    ours.set_weights(theirs.get_weights())
    pairs = zip(outputs_and_gradients(ours, x0, x), outputs_and_gradients(theirs, x0, x), strict=True)
    for mine, reference in pairs:
        np.testing.assert_allclose(mine, reference, rtol=0, atol=tolerance * max(1, np.abs(reference).max()))
    np.testing.assert_allclose(sum(ours.losses), sum(theirs.losses), rtol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_cross_layer_equals_tfrs_cross_also_where_that_is_not_installed(case: str) -> None:
    golden = json.loads(GOLDEN.read_text())[case]
    x0 = tf.constant(golden["x0"], tf.float64)
    layers = [CrossLayer(**golden["arguments"], dtype="float64") for _ in golden["weights"]]
    for layer, weights in zip(layers, golden["weights"], strict=True):
        layer.build(x0.shape)
        layer.set_weights([np.array(weight) for weight in weights])
    output, gradients = stack(layers, x0)
    np.testing.assert_allclose(output, golden["output"], rtol=1e-10)
    for mine, theirs in zip(gradients, golden["gradients"], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def test_golden_values_are_those_of_the_installed_library() -> None:
    pytest.importorskip("tensorflow_recommenders")
    golden = json.loads(GOLDEN.read_text())
    assert golden.keys() == CASES.keys()
    for name, case in all_golden().items():
        for key in ("arguments", "x0", "weights"):
            assert golden[name][key] == case[key]
        for mine, theirs in zip(
            [case["output"], *case["gradients"]], [golden[name]["output"], *golden[name]["gradients"]], strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-10)


def test_cross_layer_takes_inputs_of_any_rank() -> None:
    x = tf.constant(np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32))
    layer = CrossLayer(projection_dim=2)
    np.testing.assert_allclose(layer(x)[:, 2], layer(x[:, 2]), rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "shapes"),
    [({}, [(6, 6), (6,)]), ({"use_bias": False}, [(6, 6)]), ({"projection_dim": 2}, [(6, 2), (2, 6), (6,)])],
)
def test_cross_layer_has_its_weights_after_build(arguments: Any, shapes: Any) -> None:
    layer = CrossLayer(**arguments)
    layer.build((None, 6))
    assert [weight.shape for weight in layer.get_weights()] == shapes


@pytest.mark.parametrize("rank", [0, -1, 2.5, True, "two"])
def test_cross_layer_refuses_a_rank_that_is_not_a_whole_number_of_at_least_one(rank: Any) -> None:
    with pytest.raises(ValueError, match=rf"at least 1\. Received {rank}\. Use None for the full kernel\."):
        CrossLayer(projection_dim=rank)


def test_cross_layer_refuses_a_rank_that_saves_nothing() -> None:
    layer = CrossLayer(projection_dim=4)
    with pytest.raises(ValueError, match=r"half the features' width, or U V costs more than W \(48 weights against 36"):
        layer.build((None, 6))


@pytest.mark.parametrize("diag_scale", [-0.5, float("nan")])
def test_cross_layer_refuses_a_diag_scale_that_is_negative_or_not_a_number(diag_scale: float) -> None:
    with pytest.raises(ValueError, match=rf"`diag_scale` must be a number, and not negative\. Received {diag_scale}\."):
        CrossLayer(diag_scale=diag_scale)


def test_diag_scale_of_none_adds_nothing_and_is_kept_in_the_config() -> None:
    layer = CrossLayer(diag_scale=None, kernel_initializer="ones")
    np.testing.assert_allclose(layer(tf.constant([[0.1, 0.2, 0.3]])), [[0.16, 0.32, 0.48]], rtol=1e-6)
    assert CrossLayer.from_config(layer.get_config()).diag_scale is None


@pytest.mark.parametrize("rank", [None, 1, 2, 3, 5])
@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_of_tfrs_are_taken_whatever_their_rank(rank: int | None, use_bias: bool) -> None:
    tfrs = pytest.importorskip("tensorflow_recommenders")
    arguments: dict[str, Any] = {"diag_scale": 0.3, "preactivation": "tanh", "dtype": "float64"}
    theirs = tfrs.layers.dcn.Cross(rank, use_bias=use_bias, bias_initializer="ones", **arguments)
    x0, x = np.random.default_rng(2).normal(size=(2, 7, 4))
    expected = theirs(x0, tf.constant(x))
    ours = CrossLayer.from_weights(theirs.get_weights(), **arguments)
    assert ours.projection_dim == (rank if rank in (1, 2) else None)  # above d / 2, W = U V costs less
    np.testing.assert_allclose(ours(x0, x), expected, rtol=1e-12)
    assert ours.count_params() <= theirs.count_params()


@pytest.mark.parametrize("shapes", [[], [(4,)], [(4, 3)], [(4, 3), (4, 3)], [(4, 4), (3,)], [(4, 4), (4,), (4,)]])
def test_weights_of_another_kind_of_layer_are_refused(shapes: Any) -> None:
    with pytest.raises(
        ValueError, match=r"must be W \(d, d\), or U \(d, r\) and V \(r, d\), then b .* Received shapes"
    ):
        CrossLayer.from_weights([np.ones(shape) for shape in shapes])


def test_cross_layer_refuses_inputs_of_different_widths() -> None:
    with pytest.raises(ValueError, match=r"Received `x0` of shape \(1, 3\) and `x` of shape \(1, 2\)"):
        CrossLayer()(tf.ones([1, 3]), tf.ones([1, 2]))


def test_cross_layer_refuses_an_unknown_width() -> None:
    with pytest.raises(ValueError, match=r"last dimension of `x0` must be known\. Received shape \(None, None\)"):
        CrossLayer().build((None, None))


@pytest.mark.parametrize("variant", VARIANTS[::7], ids=describe)
def test_cross_layer_survives_its_config_clone_and_save(variant: Any, tmp_path: Any) -> None:
    inputs = tf_keras.Input((6,))
    layer = CrossLayer(**variant, kernel_initializer=tf_keras.initializers.HeNormal(seed=3), kernel_regularizer="l2")
    model = tf_keras.Model(inputs, layer(inputs))
    x = tf.constant(np.random.default_rng(5).normal(size=(3, 6)).astype(np.float32))
    assert CrossLayer.from_config(layer.get_config()).get_config() == layer.get_config()
    clone = tf_keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(tf_keras.models.load_model(tmp_path / "model.keras")(x), model(x))


def test_cross_layer_draws_every_kernel_anew_from_an_initializer_with_a_seed() -> None:
    initializer = tf_keras.initializers.GlorotUniform(seed=1)
    first, second = CrossLayer(kernel_initializer=initializer), CrossLayer(kernel_initializer=initializer)
    first.build((None, 4))
    second.build((None, 4))
    np.testing.assert_array_equal(first.kernel, second.kernel)


def test_embeddings_put_the_rows_of_all_tables_side_by_side() -> None:
    layer = Embeddings([(2, 1), (3, 2)])
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0], [2.0]]), np.array([[10.0, 11.0], [20.0, 21.0], [30.0, 31.0]])])
    expected = [[2.0, 10.0, 11.0], [1.0, 30.0, 31.0]]
    np.testing.assert_array_equal(layer(tf.constant([[1, 0], [0, 2]], tf.int64)), expected)
    assert Embeddings.from_config(layer.get_config()).tables == [(2, 1), (3, 2)]


@pytest.mark.parametrize("own_rows", [False, True])
def test_embeddings_of_members_are_their_own(own_rows: bool) -> None:
    tables = [np.float32([[1], [2]]), np.float32([[1, 2], [3, 4], [5, 6]])]
    layer = Embeddings([(2, 1), (3, 2)], members=2)
    ids = tf.constant([[0, 2], [1, 0]], tf.int64)
    layer(ids)
    layer.set_weights([np.stack([table, -table]) for table in tables])
    found = layer(tf.stack([ids, ids[::-1]]) if own_rows else ids)
    one = np.float32([[1, 5, 6], [2, 1, 2]])
    np.testing.assert_array_equal(found, [one, -one[::-1] if own_rows else -one])
    assert Embeddings.from_config(layer.get_config()).members == 2
