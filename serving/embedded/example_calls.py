"""Answers Classify, Regress and MultiInference, whose rows are tf.Examples.

Both ports and the warm-up use it. The order of the checks, the codes and the messages are those of the real server.
Sources: tensorflow/serving servables/tensorflow/classifier.cc, regressor.cc and multi_inference.cc.
"""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import classification_pb2, inference_pb2, regression_pb2

from crossnet.serving.embedded import predictor
from crossnet.serving.embedded.codec import ImpliedValues
from crossnet.serving.embedded.model import DEFAULT_SIGNATURE, LoadedModel
from crossnet.serving.protocol.bounded_text import cut, cut_message
from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.dtypes import Array, as_bytes
from crossnet.serving.protocol.session import GraphSignature
from crossnet.serving.status import ServingError

CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"
_INPUTS, _OUTPUTS, _CLASSES, _SCORES = "inputs", "outputs", "classes", "scores"


def classify(model: LoadedModel, request: Any, *, check_method: bool = False) -> tuple[str, Any]:
    """Answers a ClassificationRequest.

    Args:
      model: The version that the request's ModelSpec names.
      request: A ClassificationRequest.
      check_method: Refuse a signature whose method is another (`--enable_signature_method_name_check`).

    Returns:
      The resolved name of the signature, and a ClassificationResult with one Classifications for each example.

    Raises:
      ServingError: The signature does not classify, or the request does not fit it.
      tf.errors.OpError: The graph does not take the examples.
    """
    signature = _named_signature(model, request)
    _check_classification(signature, check_method=check_method)
    return signature.name, _classified(model, signature, _serialized_examples(request.input))


def regress(model: LoadedModel, request: Any, *, check_method: bool = False) -> tuple[str, Any]:
    """Answers a RegressionRequest: as `classify`, with a RegressionResult, one float32 for each example."""
    signature = _named_signature(model, request)
    _check_regression(signature, check_method=check_method)
    return signature.name, _regressed(model, signature, _serialized_examples(request.input))


def multi_inference(model: LoadedModel, version: int, request: Any, *, check_method: bool = False) -> Any:
    """Answers a MultiInferenceRequest, whose tasks classify or regress the same examples.

    Args:
      model: The version that the first task's ModelSpec names.
      version: Its number, for the answer.
      request: A MultiInferenceRequest.
      check_method: As in `classify`.

    Returns:
      A MultiInferenceResponse with one result for each task.

    Raises:
      ServingError: A task does not fit the model or the other tasks.
      tf.errors.OpError: The graph does not take the examples.
    """
    works: list[tuple[Any, GraphSignature]] = []
    for task in request.tasks:
        signature = _task_signature(model, request, task, [known.name for _, known in works])
        if task.method_name == CLASSIFY_METHOD:
            _check_classification(signature, check_method=check_method)
        elif task.method_name == REGRESS_METHOD:
            _check_regression(signature, check_method=check_method)
        else:
            raise ServingError(
                f"Unsupported signature method_name: {cut(task.method_name)}", grpc.StatusCode.UNIMPLEMENTED
            )
        works.append((task, signature))
    examples = _serialized_examples(request.input)
    response = inference_pb2.MultiInferenceResponse()
    for task, signature in works:
        result = response.results.add()
        if task.method_name == CLASSIFY_METHOD:
            result.classification_result.CopyFrom(_classified(model, signature, examples))
        else:
            result.regression_result.CopyFrom(_regressed(model, signature, examples))
        result.model_spec.name = task.model_spec.name
        result.model_spec.version.value = version
        result.model_spec.signature_name = signature.name
    return response


def _task_signature(model: LoadedModel, request: Any, task: Any, seen: list[str]) -> GraphSignature:
    if not task.model_spec.name:
        raise invalid("Found ModelSpec with an empty model name.")
    if task.model_spec.name != request.tasks[0].model_spec.name:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    name = task.model_spec.signature_name or DEFAULT_SIGNATURE
    if name in seen:
        raise invalid(f"Duplicate evaluation of signature: {cut(name)}")
    if (signature := model.signatures.get(name)) is None:
        raise invalid(f"Requested signature not found in model graph: {cut(name)}")
    return signature


def _named_signature(model: LoadedModel, request: Any) -> GraphSignature:
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    if (signature := model.signatures.get(name)) is None:
        raise invalid(f"No signature was found with the name: {cut(name)}")
    return signature


def _check_classification(signature: GraphSignature, *, check_method: bool) -> None:
    _check_inputs(signature, "classification", CLASSIFY_METHOD if check_method else "")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    _find_input(signature, "classification")
    if _CLASSES not in signature.outputs and _SCORES not in signature.outputs:
        raise _precondition(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". Signature '
            f"was: {signature.definition}"
        )


def _check_regression(signature: GraphSignature, *, check_method: bool) -> None:
    _check_inputs(signature, "regression", REGRESS_METHOD if check_method else "")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    _find_input(signature, "regression")
    if _OUTPUTS not in signature.outputs:
        raise _precondition(f"No regression outputs found in SignatureDef: {signature.definition}")


def _check_inputs(signature: GraphSignature, kind: str, method: str) -> None:
    if method and signature.definition.method_name != method:
        raise invalid(f"Expected {kind} signature method_name to be {method}. Was: {signature.definition.method_name}")
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")


def _find_input(signature: GraphSignature, kind: str) -> None:
    if _INPUTS not in signature.inputs:
        raise _precondition(f"No {kind} inputs found in SignatureDef: {signature.definition}")


def _precondition(message: str) -> ServingError:
    return ServingError(cut_message(message), grpc.StatusCode.FAILED_PRECONDITION)


def _classified(model: LoadedModel, signature: GraphSignature, examples: Array) -> Any:
    """Returns a ClassificationResult: labels, scores or both, by example and class."""
    wanted = tuple(sorted({_CLASSES, _SCORES} & signature.outputs.keys()))
    answers = predictor.run(model, signature, [examples], wanted)
    for name, values in answers.items():
        if values.ndim != 2:
            raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(values)}")
        kind = "object" if name == _CLASSES else "float32"
        if values.dtype != np.dtype(kind):
            expected = "DT_STRING" if name == _CLASSES else "DT_FLOAT"
            raise invalid(f"Expected {name} Tensor of {expected}. Got: {_type_name(values)}")
        if len(values) != len(examples):
            raise invalid(f"Expected {name} output batch size of {len(examples)}. Got: {len(values)}")
    widths = {name: values.shape[1] for name, values in answers.items()}
    if len(set(widths.values())) > 1:
        raise invalid(
            f"Tensors class and score should match in dim_size(1). Got {widths[_CLASSES]} vs. {widths[_SCORES]}"
        )
    result = classification_pb2.ClassificationResult()
    labels, scores = (answers[name].tolist() if name in answers else None for name in (_CLASSES, _SCORES))
    for row in range(len(examples)):
        classifications = result.classifications.add()
        for column in range(widths[wanted[0]]):
            found = classifications.classes.add()
            if labels:
                found.label = _label(labels[row][column])
            if scores:
                found.score = scores[row][column]
    return result


def _label(value: bytes | str) -> str:
    try:
        return as_bytes(value).decode()
    except UnicodeDecodeError:
        raise invalid("A class label is not UTF-8, which a ClassificationResponse cannot carry.") from None


def _regressed(model: LoadedModel, signature: GraphSignature, examples: Array) -> Any:
    """Returns a RegressionResult with one value for each example."""
    values = predictor.run(model, signature, [examples], (_OUTPUTS,))[_OUTPUTS]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if len(values) != len(examples):
        raise invalid(f"Input batch size did not match output batch size: {len(examples)} vs. {len(values)}")
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type_name(values)}")
    result = regression_pb2.RegressionResult()
    for value in values.reshape(-1).tolist():
        result.regressions.add(value=value)
    return result


def _serialized_examples(given: Any) -> Array:
    """Returns each tf.Example of an Input, serialized; the context, if there is one, is merged into each."""
    if given.WhichOneof("kind") == "example_list_with_context":
        listed = given.example_list_with_context
        ImpliedValues().add(listed.context.ByteSize() * max(0, len(listed.examples) - 1), "inputs")
        merged = []
        for example in listed.examples:
            whole = type(example)()
            whole.CopyFrom(listed.context)
            whole.MergeFrom(example)
            merged.append(whole.SerializeToString())
    else:
        merged = [example.SerializeToString() for example in given.example_list.examples]
    if not merged:
        raise invalid("Input is empty.")
    array = np.empty(len(merged), np.object_)
    array[:] = merged
    return array


def _shape(values: Array) -> str:
    return f"[{','.join(map(str, values.shape))}]"


def _type_name(values: Array) -> str:
    return f"DT_{predictor.type_word(values.dtype).upper()}"
