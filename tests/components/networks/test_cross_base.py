from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from crossnet.components.networks.cross_gated import CrossGated
from crossnet.components.networks.cross_mix import CrossMix
from crossnet.components.networks.layers import CrossLayer

KINDS = [CrossLayer, CrossMix, CrossGated]
X = np.arange(20, dtype=np.float32).reshape(5, 4) / 20


def ones(**arguments: Any) -> CrossLayer:
    return CrossLayer(kernel_initializer="ones", **arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("as_x0", [np.asarray, tf.constant])
@pytest.mark.parametrize("as_x", [np.asarray, tf.constant])
def test_layer_takes_numpy_and_tensors_of_every_real_dtype(dtype: str, as_x0: Any, as_x: Any) -> None:
    x0, x = np.array([[0, 1, 1]], dtype), np.array([[1, 0, 1]], dtype)
    y = ones()(as_x0(x0), as_x(x))
    assert y.dtype == tf.float32
    np.testing.assert_array_equal(y, [[1, 2, 3]])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_both_inputs_are_cast_to_the_dtype_in_which_the_layer_computes(policy: str) -> None:
    layer = ones(dtype=policy)
    y = layer(X, X)
    assert y.dtype == layer.compute_dtype
    np.testing.assert_allclose(y, ones()(X), rtol=0.02 if "mixed" in policy else 1e-6)


def test_whole_numbers_are_taken_in_a_functional_model() -> None:
    inputs = tf_keras.Input((3,), dtype="int64")
    model = tf_keras.Model(inputs, ones()(inputs, ones()(inputs)))
    np.testing.assert_array_equal(model(np.array([[1, 2, 0]])), [[4 + 12, 8 + 24, 0]])


@pytest.mark.parametrize("x", [None, 2 * X], ids=["x0 alone", "x0 and x"])
def test_ragged_rows_equal_the_rows_one_by_one(x: Any) -> None:
    layer = ones()
    ragged = [tf.RaggedTensor.from_row_lengths(part, [2, 0, 3]) for part in ([X] if x is None else [X, x])]
    y = layer(*ragged)
    assert y.row_lengths().numpy().tolist() == [2, 0, 3]
    np.testing.assert_allclose(y.flat_values, layer(X, x), rtol=1e-6)


def test_ragged_inputs_of_a_model_and_of_whole_numbers_are_taken() -> None:
    inputs = tf_keras.Input((None, 4), ragged=True, dtype="int32")
    layer = ones()
    model = tf_keras.Model(inputs, layer(inputs))
    whole = np.arange(8, dtype=np.int32).reshape(2, 4)
    y = model(tf.RaggedTensor.from_row_lengths(whole, [2]))
    np.testing.assert_array_equal(y[0], layer(whole))


def test_mask_of_the_first_input_is_passed_on() -> None:
    embedded = tf_keras.layers.Embedding(5, 4, mask_zero=True)(tf.constant([[1, 0]]))
    assert ones()(embedded)._keras_mask.numpy().tolist() == [[True, False]]


RAGGED = tf.RaggedTensor.from_row_lengths(X, [2, 3])
REFUSED = {
    "another width": ((np.ones((2, 5)),), r"`x0` has 5 features, but the layer `crosses` was built for 4\. Received"),
    "another width of x": ((X, X[:, :3]), r"Received `x0` of shape \(5, 4\) and `x` of shape \(5, 3\)"),
    "one column beside four": ((X, X[:, :1]), r"Received `x0` of shape \(5, 4\) and `x` of shape \(5, 1\)"),
    "other rows": ((X, X[:3]), r"must have the same shape\. Received `x0` of shape \(5, 4\) and `x` of shape \(3, 4\)"),
    "one of them ragged": ((RAGGED, X), r"must both be ragged, or neither\. Call to_tensor\(\)"),
    "sparse": ((tf.sparse.from_dense(X),), r"`x0` is sparse\. Give it as tf\.sparse\.to_dense\(x0\)"),
    "sparse x": ((X, tf.sparse.from_dense(X)), r"`x` is sparse"),
    "text": ((np.array([["a", "b", "c", "d"]]),), r"`x0` must hold numbers\. Received string"),
    "complex": ((X, X + 1j), r"`x` must hold numbers\. Received complex"),
}


@pytest.mark.parametrize(("inputs", "sentence"), REFUSED.values(), ids=REFUSED)
def test_inputs_that_do_not_fit_are_refused_in_words(inputs: Any, sentence: str) -> None:
    layer = ones(name="crosses")
    layer.build((None, 4))
    with pytest.raises(ValueError, match=sentence):
        layer(*inputs)


def test_ragged_rows_of_other_lengths_are_refused_in_words() -> None:
    other = tf.RaggedTensor.from_row_lengths(X, [3, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"rows of the same lengths, but differ in ragged dim.* 1"):
        ones()(RAGGED, other)


UNBUILDABLE = {
    "two in a list": ([X, X], r"must be one tensor\. Received a list of 2: give the second tensor as `x`"),
    "two in a tuple": ((X, X), r"must be one tensor\. Received a tuple of 2"),
    "a dictionary": ({"a": X}, r"must be one tensor\. Received a dict of 1"),
    "one row": (X[0], r"`x0` must be of shape \(batch, \.\.\., width\)\. Received shape \(4,\)"),
    "ragged in the width": (tf.ragged.constant([[1.0], [2.0, 3.0]]), r"must be known\. Received shape \(2, None\)"),
}


@pytest.mark.parametrize(("x0", "sentence"), UNBUILDABLE.values(), ids=UNBUILDABLE)
def test_first_input_that_has_no_width_is_refused_in_words(x0: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ones()(x0)


def test_inputs_of_unknown_shape_are_taken_once_the_layer_is_built() -> None:
    layer = ones()
    layer.build((None, 4))
    of_any_shape = tf.function(layer, input_signature=[tf.TensorSpec(None)])
    np.testing.assert_allclose(of_any_shape(X), layer(X), rtol=1e-6)


def test_initializer_that_is_a_function_is_taken() -> None:
    layer = CrossLayer(kernel_initializer=lambda shape, dtype=None: tf.ones(shape, dtype))
    np.testing.assert_allclose(layer(X), ones()(X))


def contract(kind: Any, **arguments: Any) -> Any:
    """A layer of a kind with every argument set, whose weights are not at their first values."""
    arguments = {"kernel_initializer": tf_keras.initializers.HeNormal(seed=3), "kernel_regularizer": "l2"} | arguments
    layer = kind(2, bias_initializer="ones", bias_regularizer="l1", **arguments)
    layer.build((None, 4))
    random = np.random.default_rng(2)
    layer.set_weights([random.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    return layer


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_what_a_cross_layer_takes(kind: Any) -> None:
    layer = contract(kind)
    expected = layer(tf.constant(X), tf.constant(X[::-1].copy()))
    ragged = [tf.RaggedTensor.from_row_lengths(part, [2, 0, 3]) for part in (X, X[::-1])]
    np.testing.assert_allclose(layer(X, X[::-1].astype(np.float64)), expected, rtol=1e-6)
    np.testing.assert_allclose(layer(*ragged).flat_values, expected, rtol=1e-5)
    deep = np.stack([X, X[::-1]], axis=1)
    np.testing.assert_allclose(layer(deep)[:, 0], layer(X), rtol=1e-5)
    assert layer(np.array([[1, 2, 3, 4]])).dtype == tf.float32
    with pytest.raises(ValueError, match=r"has 5 features, but the layer .* was built for 4"):
        layer(np.ones((2, 5)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_computes_in_the_dtype_of_a_mixed_policy(kind: Any) -> None:
    layer = contract(kind, dtype="mixed_bfloat16")
    assert {weight.dtype for weight in layer.weights} == {tf.float32}
    y = layer(X, X)
    assert y.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(y, tf.float32), contract(kind)(X, X), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("members", [None, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_its_config_clone_and_save(kind: Any, members: int | None, tmp_path: Any) -> None:
    inputs = tf_keras.Input((4,))
    layer = contract(kind, members=members)
    model = tf_keras.Model(inputs, layer(inputs))
    assert kind.from_config(layer.get_config()).get_config() == layer.get_config()
    clone = tf_keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(X), model(X))
    np.testing.assert_allclose(sum(clone.losses), sum(model.losses), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(tf_keras.models.load_model(tmp_path / "model.keras")(X), model(X))


@pytest.mark.parametrize("kind", KINDS)
def test_members_compute_what_layers_of_their_own_compute(kind: Any) -> None:
    layer = contract(kind, members=3)
    shared, own = layer(X), layer(X, layer(X))
    assert shared.shape == own.shape == (3, 5, 4)
    for k in range(3):
        alone = contract(kind)
        alone.set_weights([weight[k] for weight in layer.get_weights()])
        np.testing.assert_allclose(shared[k], alone(X), rtol=1e-5)
        np.testing.assert_allclose(own[k], alone(X, alone(X)), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_members_start_from_weights_of_their_own(kind: Any) -> None:
    layer = kind(2, members=3, kernel_initializer=tf_keras.initializers.HeNormal(seed=3))
    layer.build((None, 4))
    assert len({member.tobytes() for member in layer.get_weights()[0]}) == 3


@pytest.mark.parametrize(
    ("x0", "sentence"),
    [
        (
            np.ones((2, 5, 4)),
            r"`x0` has rows for 2 members, but the layer `crosses` has 3\. Received shape \(2, 5, 4\)",
        ),
        (np.ones((1, 3, 5, 4)), r"With `members`, `x0` must be \(batch, d\) or \(members, batch, d\), and not ragged"),
        (RAGGED, r"With `members`, `x0` must be \(batch, d\) or"),
    ],
)
def test_rows_for_another_number_of_members_are_refused(x0: Any, sentence: str) -> None:
    layer = contract(CrossLayer, members=3, name="crosses")
    with pytest.raises(ValueError, match=sentence):
        layer(x0)


def test_members_must_be_a_whole_number() -> None:
    with pytest.raises(
        ValueError, match=r"`members` must be a whole number of at least 1\. Received 0\. Use None for one"
    ):
        CrossLayer(members=0)
