from __future__ import annotations

import pytest

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.loading import Loader
from crossnet.serving.embedded.metrics import Metrics
from crossnet.serving.status import ServingError
from support.serving_fixtures import predict_request
from support.serving_models import save_model


def _log(**inputs):
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict_request(**inputs))
    return log


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_model(folder / "1", warmup=[_log(x0=[1.0], x1=[2.0])])
    save_model(folder / "2", warmup=[_log(x0=[1.0])])
    return folder


def test_loader_counts_loads_and_warm_ups(folder):
    metrics = Metrics("/numbers", lambda name: True)
    load = Loader(ServerFlags(), metrics)
    load(folder / "1").close()
    with pytest.raises(ServingError, match="Warm-up record 0 of .* input size does not match"):
        load(folder / "2")
    with pytest.raises(ServingError):
        load(folder / "3")
    page = metrics.page()
    for version, status in (("1", "success"), ("2", "success"), ("3", "fail")):
        words = f'load_attempt_count{{model_path="{folder}/{version}",status="{status}"}} 1.0\n'
        assert f":tensorflow:cc:saved_model:{words}" in page
    for version, status in (("1", "OK"), ("2", "INVALID_ARGUMENT")):
        words = f'model_warmup_latency_count{{model_path="{folder}/{version}",status="{status}"}} 1.0\n'
        assert f":tensorflow:serving:{words}" in page


def test_loader_leaves_the_warm_up_out_where_it_is_off(folder):
    Loader(ServerFlags(enable_model_warmup=False))(folder / "2").close()


@pytest.mark.parametrize(
    ("flags", "threads"),
    [
        ({}, (1, 0)),
        ({"tensorflow_intra_op_parallelism": 3}, (3, 0)),
        ({"tensorflow_session_parallelism": 4}, (4, 4)),
        ({"tensorflow_inter_op_parallelism": 2}, (1, 2)),
    ],
)
def test_a_call_is_computed_on_one_core_unless_flags_say_otherwise(flags, threads, folder):
    model = Loader(ServerFlags(**flags))(folder / "1")
    config = model._session._config
    model.close()
    assert (config.intra_op_parallelism_threads, config.inter_op_parallelism_threads) == threads
