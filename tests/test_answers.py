from __future__ import annotations

import numpy as np
import pytest

from serving import messages
from serving.answers import Prediction, Timings, VersionStatus, parse, read_status
from serving.status import ServerError


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


def test_parse_tells_bytes_that_are_no_message():
    with pytest.raises(ServerError, match=r"no readable PredictResponse \(1 bytes\)"):
        parse(messages.PredictResponse, b"\xff")
