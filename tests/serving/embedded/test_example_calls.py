"""Classify, Regress and MultiInference on a loaded model: what they answer, and the words of each refusal."""

from __future__ import annotations

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from crossnet.serving.embedded import example_calls
from crossnet.serving.embedded.example_calls import CLASSIFY_METHOD, REGRESS_METHOD
from crossnet.serving.status import ServingError
from support.serving_models import save_graph, save_model, set_method_name

CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "1", scale=3.0)


# ---- Regress ----


def regression(*rows, context=None):
    """A RegressionRequest with one example per dict of features."""
    request = regression_pb2.RegressionRequest()
    request.model_spec.signature_name = "regress"
    kind = request.input.example_list if context is None else request.input.example_list_with_context
    examples = [kind.examples.add() for _ in rows]
    if context is not None:
        rows, examples = (*rows, context), [*examples, kind.context]
    for row, example in zip(rows, examples, strict=True):
        for name, value in row.items():
            example.features.feature[name].float_list.value.append(value)
    return request


def values_of(result):
    return [each.value for each in result.regressions]


def test_regress_merges_the_context_into_each_example(path, load):
    request = regression({"x0": 1.0}, {"x0": 2.0, "x1": 0.5}, context={"x1": 4.0})
    name, result = example_calls.regress(load(path), request, check_method=True)
    assert (name, values_of(result)) == ("regress", [7.0, 6.5])


def test_regress_does_not_multiply_a_large_context_by_its_examples(path, load):
    request = regression(*[{}] * 20, context={"x1": 4.0})
    request.input.example_list_with_context.context.features.feature["more"].bytes_list.value.append(b"x" * 2**20)
    with pytest.raises(
        ServingError, match="^tensor parsing error: inputs: the inputs of a request may imply at most 16"
    ):
        example_calls.regress(load(path), request)


def test_regress_refuses_with_the_contracts_words(path, load):
    model, request = load(path), regression({"x0": 1.0})
    request.model_spec.signature_name = "S"
    with pytest.raises(ServingError, match="^No signature was found with the name: S$"):
        example_calls.regress(model, request)
    request.model_spec.signature_name = ""
    sentence = "^Expected regression signature method_name to be tensorflow/serving/regress. Was: tensorflow/serving/pr"
    with pytest.raises(ServingError, match=sentence):
        example_calls.regress(model, request, check_method=True)
    with pytest.raises(ServingError, match=r"^Expected one input Tensor\.$"):  # the name of its method is not asked
        example_calls.regress(model, request)
    with pytest.raises(ServingError, match=r"^Input is empty\.$"):
        example_calls.regress(model, regression())


@pytest.mark.parametrize(
    ("build", "inputs", "code", "sentence"),
    [
        (lambda inputs, x: {"outputs": tf.zeros([2])}, "inputs x", CODE.INVALID_ARGUMENT, "Expected one input Tensor."),
        (
            lambda inputs: {"outputs": tf.zeros([2]), "z": tf.zeros([2])}, "inputs",
            CODE.INVALID_ARGUMENT, "Expected one output Tensor.",
        ),
        (
            lambda x: {"outputs": tf.zeros([2])}, "x",
            CODE.FAILED_PRECONDITION, "No regression inputs found in SignatureDef: inputs {",
        ),
        (
            lambda inputs: {"y": tf.zeros([2])}, "inputs",
            CODE.FAILED_PRECONDITION, "No regression outputs found in SignatureDef: inputs {",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([2, 3])}, "inputs", CODE.INVALID_ARGUMENT,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [2,3]",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([])}, "inputs", CODE.INVALID_ARGUMENT,
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got []",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([5])}, "inputs",
            CODE.INVALID_ARGUMENT, "Input batch size did not match output batch size: 2 vs. 5",
        ),
        (
            lambda inputs: {"outputs": tf.zeros([2], tf.float64)}, "inputs",
            CODE.INVALID_ARGUMENT, "Expected output Tensor of DT_FLOAT.  Got: DT_DOUBLE",
        ),
    ],
)  # fmt: skip
def test_regress_refuses_a_signature_that_is_not_a_regression(tmp_path, load, build, inputs, code, sentence):
    save_graph(tmp_path / "1", build, **{name: (tf.string, [None]) for name in inputs.split()})
    set_method_name(tmp_path / "1", "serving_default", REGRESS_METHOD)
    request = regression({"x0": 1.0}, {"x0": 2.0})
    request.model_spec.signature_name = ""
    with pytest.raises(ServingError) as error:
        example_calls.regress(load(tmp_path / "1"), request)
    assert error.value.code == code
    assert str(error.value).startswith(sentence)


def test_regress_flattens_a_column_of_predictions(tmp_path, load):
    build = lambda inputs: {"outputs": tf.constant([[1.5], [2.5]])}  # noqa: E731
    save_graph(tmp_path / "1", build, inputs=(tf.string, [None]))
    set_method_name(tmp_path / "1", "serving_default", REGRESS_METHOD)
    request = regression({}, {})
    request.model_spec.signature_name = ""
    name, result = example_calls.regress(load(tmp_path / "1"), request)
    assert (name, values_of(result)) == ("serving_default", [1.5, 2.5])


# ---- Classify ----


def two_classes(inputs):
    """Labels and scores of two classes for each example: its number of bytes, and half of it."""
    sizes = tf.cast(tf.strings.length(inputs), tf.float32)
    labels = tf.tile(tf.constant([["no", "yes"]]), [tf.size(inputs), 1])
    return {"classes": labels, "scores": tf.stack([sizes, sizes / 2], axis=1)}


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return save_graph(tmp_path_factory.mktemp("classes") / "1", two_classes, inputs=(tf.string, [None]))


def classification(*rows):
    request = classification_pb2.ClassificationRequest()
    request.input.CopyFrom(regression(*rows).input)
    return request


def classes_of(result):
    return [[(found.label, found.score) for found in row.classes] for row in result.classifications]


def test_classify_answers_labels_and_scores_by_example(classifier, load):
    request = classification({}, {"x0": 1.0})
    size = request.input.example_list.examples[1].ByteSize()
    name, result = example_calls.classify(load(classifier), request)
    assert name == "serving_default"
    assert classes_of(result) == [[("no", 0.0), ("yes", 0.0)], [("no", size), ("yes", size / 2)]]


@pytest.mark.parametrize("kept", ["classes", "scores"])
def test_classify_answers_with_one_of_the_two_outputs(tmp_path, load, kept):
    save_graph(tmp_path / "1", lambda inputs: {kept: two_classes(inputs)[kept]}, inputs=(tf.string, [None]))
    _, result = example_calls.classify(load(tmp_path / "1"), classification({}))
    assert classes_of(result) == [[("no", 0.0), ("yes", 0.0)] if kept == "classes" else [("", 0.0), ("", 0.0)]]


@pytest.mark.parametrize(
    ("outputs", "code", "sentence"),
    [
        (lambda: dict.fromkeys("abc", tf.zeros([1, 2])), CODE.INVALID_ARGUMENT,
         "Expected one or two output Tensors, found 3"),
        (lambda: {"z": tf.zeros([1, 2])}, CODE.FAILED_PRECONDITION,
         'Expected classification signature outputs to contain at least one of "classes" or "scores".'),
        (lambda: {"scores": tf.zeros([1])}, CODE.INVALID_ARGUMENT,
         "Expected Tensor shape: [batch_size num_classes] but got [1]"),
        (lambda: {"scores": tf.zeros([1, 2], tf.float64)}, CODE.INVALID_ARGUMENT,
         "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        (lambda: {"classes": tf.zeros([1, 2])}, CODE.INVALID_ARGUMENT,
         "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        (lambda: {"scores": tf.zeros([3, 2])}, CODE.INVALID_ARGUMENT, "Expected scores output batch size of 1. Got: 3"),
        (lambda: {"scores": tf.zeros([1, 2]), "classes": tf.constant([["a", "b", "c"]])}, CODE.INVALID_ARGUMENT,
         "Tensors class and score should match in dim_size(1). Got 3 vs. 2"),
        (lambda: {"classes": tf.constant([[b"\xff"]])}, CODE.INVALID_ARGUMENT, "A class label is not UTF-8"),
    ],
)  # fmt: skip
def test_classify_refuses_a_signature_that_does_not_classify(tmp_path, load, outputs, code, sentence):
    save_graph(tmp_path / "1", lambda inputs: outputs(), inputs=(tf.string, [None]))
    with pytest.raises(ServingError) as error:
        example_calls.classify(load(tmp_path / "1"), classification({}))
    assert error.value.code == code
    assert str(error.value).startswith(sentence)


def test_classify_refuses_another_method_only_when_asked_to(classifier, load):
    with pytest.raises(ServingError, match=f"method_name to be {CLASSIFY_METHOD}. Was: tensorflow/serving/predict"):
        example_calls.classify(load(classifier), classification({}), check_method=True)


# ---- MultiInference ----


def tasks(*methods, rows=({},)):
    """A MultiInferenceRequest with a task for each (method, signature) or (method, signature, model)."""
    request = inference_pb2.MultiInferenceRequest()
    for method, signature, *model in methods:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model[0] if model else "demo"
        task.model_spec.signature_name = signature
    request.input.CopyFrom(regression(*rows).input)
    return request


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A model with a classifier and a regression of the same examples, and a regression of others."""
    folder = tmp_path_factory.mktemp("both") / "1"
    module = tf.Module()
    spec = [tf.TensorSpec([None], tf.string, "inputs")]
    module.classes = tf.function(two_classes, input_signature=spec)
    module.value = tf.function(lambda inputs: {"outputs": tf.cast(tf.strings.length(inputs), tf.float32)}, spec)
    signatures = {name: getattr(module, name).get_concrete_function() for name in ("classes", "value")}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    share_input(folder, "classes", "value")
    return folder


def share_input(folder, first, second):
    """Gives both signatures the first one's input tensor, as an Estimator's export does."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = model.meta_graphs[0]
    old, new = (graph.signature_def[name].inputs["inputs"].name for name in (second, first))
    graph.signature_def[second].inputs["inputs"].name = new
    for node in graph.graph_def.node:
        for i, name in enumerate(node.input):
            if name == old.partition(":")[0]:
                node.input[i] = new.partition(":")[0]
    file.write_bytes(model.SerializeToString())


def test_multi_inference_answers_each_task(both, load):
    request = tasks((CLASSIFY_METHOD, "classes"), (REGRESS_METHOD, "value"), rows=({}, {"x0": 1.0}))
    size = request.input.example_list.examples[1].ByteSize()
    response = example_calls.multi_inference(load(both), 7, request)
    first, second = response.results
    assert classes_of(first.classification_result)[1] == [("no", size), ("yes", size / 2)]
    assert values_of(second.regression_result) == [0.0, size]
    spec = second.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("demo", 7, "value")


@pytest.mark.parametrize(
    ("methods", "code", "sentence"),
    [
        ([(REGRESS_METHOD, "value", "")], CODE.INVALID_ARGUMENT, "Found ModelSpec with an empty model name."),
        ([(REGRESS_METHOD, "value"), (REGRESS_METHOD, "value", "other")], CODE.INVALID_ARGUMENT,
         "All ModelSpecs in a MultiInferenceRequest must access the same model name."),
        ([(REGRESS_METHOD, "value"), (REGRESS_METHOD, "value")], CODE.INVALID_ARGUMENT,
         "Duplicate evaluation of signature: value"),
        ([(REGRESS_METHOD, "S")], CODE.INVALID_ARGUMENT, "Requested signature not found in model graph: S"),
        ([("M", "value")], CODE.UNIMPLEMENTED, "Unsupported signature method_name: M"),
        ([(REGRESS_METHOD, "classes")], CODE.INVALID_ARGUMENT, "Expected one output Tensor."),
    ],
)  # fmt: skip
def test_multi_inference_refuses_with_the_contracts_words(both, load, methods, code, sentence):
    with pytest.raises(ServingError) as error:
        example_calls.multi_inference(load(both), 1, tasks(*methods))
    assert (error.value.code, str(error.value)) == (code, sentence)


def test_multi_inference_feeds_each_signature_of_tensorflow_2_its_own_input(tmp_path, load):
    module = tf.Module()
    spec = [tf.TensorSpec([None], tf.string, "inputs")]
    module.a = tf.function(lambda inputs: {"outputs": tf.zeros(tf.shape(inputs))}, input_signature=spec)
    module.b = tf.function(lambda inputs: {"outputs": tf.ones(tf.shape(inputs))}, input_signature=spec)
    signatures = {name: getattr(module, name).get_concrete_function() for name in ("a", "b")}
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=signatures)
    asked = tasks((REGRESS_METHOD, "a"), (REGRESS_METHOD, "b"))
    response = example_calls.multi_inference(load(tmp_path / "1"), 1, asked)
    assert [{each.value for each in result.regression_result.regressions} for result in response.results] == [{0}, {1}]
