from __future__ import annotations

import pytest

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.signature import Signature, TensorSpec, read_metadata, read_signatures
from crossnet.serving.status import InvalidRequestError, ServerError
from support.fake_server import FLOAT, INT64, RIDES, STRING, signature_definition

OUTPUT = {"prediction": (FLOAT, [-1])}


def response(**definitions):
    answer = messages.GetModelMetadataResponse()
    answer.model_spec.name = "rides"
    answer.model_spec.version.value = 7
    found = messages.SignatureDefMap()
    for name, definition in definitions.items():
        found.signature_def[name].CopyFrom(definition)
    answer.metadata["signature_def"].value = found.SerializeToString()
    return answer


def test_metadata_holds_the_signatures_as_plain_objects():
    metadata = read_metadata(response(serving_default=signature_definition(RIDES, OUTPUT)))
    assert metadata.model_name == "rides"
    assert metadata.version == 7
    assert metadata.title == "`rides` version 7"
    assert metadata.signatures == {
        "serving_default": Signature(
            name="serving_default",
            method_name="tensorflow/serving/predict",
            inputs={
                "age": TensorSpec(INT64, (None,)),
                "miles": TensorSpec(FLOAT, (None,)),
                "zone": TensorSpec(STRING, (None,)),
            },
            outputs={"prediction": TensorSpec(FLOAT, (None,))},
        )
    }


def test_unknown_signature_is_reported_with_the_known_ones():
    metadata = read_metadata(response(b=signature_definition(RIDES, OUTPUT), a=signature_definition(RIDES, OUTPUT)))
    with pytest.raises(InvalidRequestError, match=r"`rides` version 7 has no signature `c`\. It has: `a`, `b`\."):
        metadata.signature("c")


def test_tensorflows_own_signature_is_left_out():
    assert read_signatures({"__saved_model_init_op": signature_definition({}, {})}) == {}


def test_defaults_make_an_input_optional():
    definition = signature_definition(RIDES, OUTPUT)
    definition.defaults["zone"].dtype = STRING
    assert read_signatures({"s": definition})["s"].optional == {"zone"}


def test_unknown_rank_is_any_shape():
    definition = signature_definition({"x": (FLOAT, [])}, OUTPUT)
    definition.inputs["x"].tensor_shape.unknown_rank = True
    assert read_signatures({"s": definition})["s"].inputs["x"].shape is None


def test_metadata_that_cannot_be_read_is_reported():
    answer = response()
    answer.metadata["signature_def"].value = b"\xff\xff"
    with pytest.raises(ServerError, match="signatures that cannot be read"):
        read_metadata(answer)


@pytest.mark.parametrize(
    ("inputs", "outputs", "batched"),
    [
        ({"x": (FLOAT, [-1, 3])}, OUTPUT, True),
        ({"x": (FLOAT, [2, 3])}, OUTPUT, False),
        ({"x": (FLOAT, [-1])}, {"mean": (FLOAT, [])}, False),
        ({}, OUTPUT, False),
    ],
)
def test_signature_is_batched_when_every_first_dimension_counts_rows(inputs, outputs, batched):
    assert read_signatures({"s": signature_definition(inputs, outputs)})["s"].is_batched is batched


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (TensorSpec(FLOAT, (None, 3)), "float32 [rows, 3]"),
        (TensorSpec(STRING, (None, None)), "text [rows, any]"),
        (TensorSpec(INT64, ()), "int64 []"),
        (TensorSpec(FLOAT, None), "float32 of any rank"),
    ],
)
def test_spec_reads_as_words(spec, words):
    assert str(spec) == words
