"""The session that judges a model: as strict as a server, and clear about what it refuses."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

from crossnet.components.errors import ExportError
from crossnet.components.evaluation.session import ServingSession, SharedSession
from crossnet.components.features import Feature
from support.gate_fixtures import export, truth

FEATURES = tuple(Feature(f"x{i}", "FLOAT") for i in range(3))


def test_session_answers_as_the_exported_function(tmp_path):
    columns = {f"x{i}": np.array([0.5, 1.0, 2.0], np.float32) * i for i in range(3)}
    with ServingSession(export(tmp_path / "m", FEATURES, truth)) as session:
        assert session.inputs == {"x0": "float32", "x1": "float32", "x2": "float32"}
        answer = session.predict(columns | {"unused": np.zeros(3)})
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, truth(columns))


def test_another_process_opens_the_model_once_for_all_its_jobs(tmp_path):
    columns = {f"x{i}": np.full(2, i, np.float32) for i in range(3)}
    with ServingSession(export(tmp_path / "m", FEATURES, truth)) as session:
        data = pickle.dumps(session)
    first, second = pickle.loads(data), pickle.loads(data)
    np.testing.assert_array_equal(first.predict(columns), truth(columns))
    shutil.rmtree(tmp_path / "m")
    np.testing.assert_array_equal(second.predict(columns), truth(columns))
    with pytest.raises(ExportError, match="does not load as tensorflow_model_server loads it"):
        SharedSession(tmp_path / "m2").predict(columns)


def test_session_takes_whole_numbers_and_text(tmp_path):
    import tensorflow as tf

    features = (Feature("year", "INT"), Feature("zone", "BYTES"))
    path = export(
        tmp_path / "m", features,
        lambda c: tf.cast(c["year"], tf.float32) + tf.cast(tf.strings.length(c["zone"]), tf.float32),
    )  # fmt: skip
    with ServingSession(path) as session:
        assert session.inputs == {"year": "int64", "zone": "string"}
        values = session.predict({"year": np.array([1, 2]), "zone": np.array([b"", b"abc"], object)})
    assert values.tolist() == [1.0, 5.0]


def test_session_refuses_a_folder_that_is_no_saved_model(tmp_path):
    with pytest.raises(ExportError, match=r"does not load as tensorflow_model_server loads it: .*Export it again"):
        ServingSession(tmp_path)


def test_session_refuses_a_saved_model_without_its_weights(tmp_path):
    import tensorflow as tf

    weight = tf.Variable(2.0)
    path = export(tmp_path / "m", FEATURES, lambda c: c["x0"] * weight, weight)
    (path / "variables" / "variables.index").unlink()
    with pytest.raises(ExportError, match="does not load as tensorflow_model_server loads it"), ServingSession(path):
        pass


def test_session_refuses_another_output_name_and_lists_what_there_is(tmp_path):
    path = export(tmp_path / "m", FEATURES, truth, output="output_0")
    with pytest.raises(ExportError, match=r"not have the signature `serving_default` with the output `prediction`\. "
                                          r"Received: .*serving_default -> output_0"):  # fmt: skip
        ServingSession(path)


def test_session_refuses_an_answer_of_another_shape(tmp_path):
    path = export(tmp_path / "m", FEATURES, lambda c: c["x0"][:, None])
    columns = {f"x{i}": np.zeros(2, np.float32) for i in range(3)}
    with (
        ServingSession(path) as session,
        pytest.raises(ExportError, match=r"answers 2 rows with float32 \(2, 1\), expected float32 \(2,\)"),
    ):
        session.predict(columns)


def test_session_says_that_a_model_does_not_answer(tmp_path):
    import tensorflow as tf

    path = export(tmp_path / "m", FEATURES, lambda c: tf.debugging.check_numerics(c["x0"], "bad"))
    columns = {f"x{i}": np.full(2, np.nan, np.float32) for i in range(3)}
    with ServingSession(path) as session, pytest.raises(ExportError, match="does not answer 2 rows: InvalidArgument"):
        session.predict(columns)
