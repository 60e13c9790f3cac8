"""Answers become arrays, versions and origins, with and without parsing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crossnet.serving.client.answers import AnswerReader, Prediction, Timings, VersionStatus, parse, read_status
from crossnet.serving.protocol import messages
from crossnet.serving.status import ServerError


def prediction(**outputs):
    return Prediction(outputs, 7, "serving_default", Timings(0.0, 0.0, 0.0))


def test_values_are_those_of_the_only_output():
    values = np.ones(2, np.float32)
    assert prediction(prediction=values).values is values


def test_values_of_several_outputs_are_not_guessed():
    with pytest.raises(ValueError, match="several outputs: a, b. Take one from `outputs`"):
        _ = prediction(a=np.ones(1), b=np.ones(1)).values


def test_read_status_names_states_and_errors():
    response = messages.GetModelStatusResponse()
    response.model_version_status.add(version=3, state=30)
    ended = response.model_version_status.add(version=4, state=50)
    ended.status.error_code, ended.status.error_message = 13, "variables are missing"
    response.model_version_status.add(version=5, state=77)
    assert read_status(response.SerializeToString()) == (
        VersionStatus(5, "STATE_77"),
        VersionStatus(4, "END", 13, "variables are missing"),
        VersionStatus(3, "AVAILABLE"),
    )


def test_outputs_come_in_the_order_of_their_names_parsed_or_with_a_template():
    values = {name: np.ones(2, np.float32) for name in "bdacfe"}
    message = answer(values)
    answers = AnswerReader()
    orders = [list(answers.read(message)[0]) for _ in range(20)]
    assert answers._templates.find(message) is not None
    assert orders == [sorted(values)] * 20


def test_parse_tells_bytes_that_are_no_message():
    with pytest.raises(ServerError, match=r"answer of 1 bytes is not a PredictResponse. Check that"):
        parse(messages.PredictResponse, b"\xff")


def answer(outputs, version=3, signature="serving_default", content=False):
    response = messages.PredictResponse()
    response.model_spec.name, response.model_spec.version.value = "rides", version
    response.model_spec.signature_name = signature
    for name, array in outputs.items():
        tensor = response.outputs[name]
        tensor.dtype = messages.DATA_TYPES["DT_FLOAT" if array.dtype == np.float32 else "DT_INT64"]
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        if content:
            tensor.tensor_content = array.tobytes()
        else:
            (tensor.float_val if array.dtype == np.float32 else tensor.int64_val).extend(array.ravel().tolist())
    return response.SerializeToString(deterministic=True)


FLOATS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=5))


@settings(deadline=None)
@given(outputs=st.dictionaries(st.text(min_size=1, max_size=8), FLOATS, min_size=1, max_size=3), data=st.data())
def test_repeated_answers_are_read_as_the_first_one_is(outputs, data):
    answers = AnswerReader()
    for _ in range(4):
        content = data.draw(st.booleans())
        drawn = {name: data.draw(hnp.arrays(np.float32, array.shape)) for name, array in outputs.items()}
        found, origin = answers.read(answer(drawn, content=content))
        assert origin == (3, "serving_default")
        assert found.keys() == drawn.keys()
        for name, array in drawn.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            assert found[name].tobytes() == array.tobytes()
            assert found[name].flags.writeable  # an array of the caller's own


def test_answer_of_another_version_is_never_taken_for_a_known_one(monkeypatch):
    values = np.float32([1.5, 2.5])
    answers, parsed = AnswerReader(), []
    monkeypatch.setattr("crossnet.serving.client.answers.parse", lambda *given: parsed.append(1) or parse(*given))
    for version in (3, 3, 4, 4, 3):
        found, origin = answers.read(answer({"prediction": values}, version))
        assert (found["prediction"].tolist(), origin.version) == ([1.5, 2.5], version)
    assert len(parsed) == 3  # the first of version 3 taught the others of version 3
    assert answers.read(answer({"prediction": values}, 3, "other"))[1].signature_name == "other"
    for numbers in ([1, 2], [3, 4]):  # whole numbers are written one by one, and parsed
        assert answers.read(answer({"count": np.int64(numbers)}))[0]["count"].tolist() == numbers
