"""Batches of requests: put together, told apart, refused and late."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from crossnet.serving.config.batching import BatchSettings
from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded.batching import BatchedModel, Batcher, BatchQueue
from crossnet.serving.embedded.current_call import CALL
from crossnet.serving.embedded.metrics import Metrics
from crossnet.serving.server import Server
from crossnet.serving.status import ServingError
from support.serving_fixtures import predict_request, stubs_on, wait_until
from support.serving_models import save_graph

CODE = grpc.StatusCode


class Doubling:
    """Doubles its input, refuses negative numbers, and holds each run back until `gate` is open.

    Attributes:
      ran: The input of each run.
    """

    def __init__(self):
        self.gate = threading.Event()
        self.started = threading.Semaphore(0)
        self.ran = []

    def __call__(self, inputs):
        self.ran.append(inputs[0])
        self.started.release()
        assert self.gate.wait(20)
        if (inputs[0] < 0).any():
            raise ServingError("negative", CODE.INVALID_ARGUMENT)
        return {"y": inputs[0] * 2}


@pytest.fixture
def batching():
    """Makes a queue with one thread, whose first run waits until `open()`; calls it from threads."""
    started = []

    class Started:
        def __init__(self, metrics=None, **settings):
            self.model = Doubling()
            self.batcher = Batcher(BatchSettings(**{"num_batch_threads": 1, **settings}), metrics)
            self.queue = BatchQueue(self.batcher, "serving_default", self.model)
            self.pool = ThreadPoolExecutor(16)
            started.append(self)

        def call(self, *values, seconds=None, dtype=np.float32):
            def work():
                CALL.deadline = None if seconds is None else time.monotonic() + seconds
                return self.queue.run([np.array(values, dtype)])["y"]

            return self.pool.submit(work)

        def busy(self):
            """Occupies the thread with a request, so that what comes next waits."""
            first = self.call(0.0)
            assert self.model.started.acquire(timeout=20)
            return first

        def waiting(self, rows):
            wait_until(lambda: sum(batch.rows for batch in list(self.batcher._waiting)) == rows)

    yield Started
    for one in started:
        one.model.gate.set()
        one.batcher.close()
        one.pool.shutdown()


def test_requests_that_wait_together_run_together(batching):
    b = batching()
    first = b.busy()
    calls = [b.call(1.0), b.call(2.0, 3.0), b.call(4.0)]
    b.waiting(4)
    b.model.gate.set()
    assert [list(call.result(20)) for call in (first, *calls)] == [[0.0], [2.0], [4.0, 6.0], [8.0]]
    assert [len(ran) for ran in b.model.ran] == [1, 4]


def test_rows_of_other_shapes_and_types_never_run_together(batching):
    b = batching()
    b.busy()
    calls = [b.call([1.0, 2.0]), b.call([3.0]), b.call([4.0, 5.0]), b.call([6.0], dtype=np.float64)]
    b.waiting(4)
    b.model.gate.set()
    assert [call.result(20).tolist() for call in calls] == [[[2.0, 4.0]], [[6.0]], [[8.0, 10.0]], [[12.0]]]
    assert sorted((ran.shape, ran.dtype.name) for ran in b.model.ran[1:]) == [
        ((1, 1), "float32"),
        ((1, 1), "float64"),
        ((2, 2), "float32"),
    ]


def test_full_queue_answers_unavailable(batching):
    b = batching(max_batch_size=2, max_execution_batch_size=2, max_enqueued_batches=2)
    b.busy()
    calls = [b.call(float(number)) for number in range(4)]
    b.waiting(4)
    with pytest.raises(
        ServingError, match="^The batch scheduling queue to which this task was submitted is full$"
    ) as e:
        b.call(9.0).result(20)
    assert e.value.code is CODE.UNAVAILABLE
    b.model.gate.set()
    assert sorted(call.result(20)[0] for call in calls) == [0.0, 2.0, 4.0, 6.0]


def test_deadline_in_the_queue_is_kept_and_the_model_not_asked(batching):
    b = batching()
    b.busy()
    other = b.call(1.0)
    with pytest.raises(ServingError, match="deadline passed while the request waited for a batch") as error:
        b.call(7.0, seconds=0.02).result(20)  # while the thread is still busy
    assert error.value.code is CODE.DEADLINE_EXCEEDED
    b.model.gate.set()
    assert list(other.result(20)) == [2.0]
    assert [ran.tolist() for ran in b.model.ran] == [[0.0], [1.0]]


def test_request_that_runs_is_waited_for_although_its_deadline_passes(batching):
    b = batching()
    call = b.call(3.0, seconds=0.02)
    assert b.model.started.acquire(timeout=20)
    assert not call.done()  # its model must stay loaded until the run has ended
    b.model.gate.set()
    assert list(call.result(20)) == [6.0]


def test_error_of_one_request_is_not_the_others(batching):
    b = batching()
    b.busy()
    good, bad, also_good = b.call(1.0), b.call(-1.0), b.call(2.0, 3.0)
    b.waiting(4)
    b.model.gate.set()
    assert list(good.result(20)) == [2.0]
    assert list(also_good.result(20)) == [4.0, 6.0]
    with pytest.raises(ServingError, match="negative"):
        bad.result(20)


def test_batch_is_filled_up_to_an_allowed_size_with_a_row_of_it(batching):
    metrics = Metrics("/numbers", lambda name: True)
    b = batching(metrics, max_batch_size=8, max_execution_batch_size=8, allowed_batch_sizes=(4, 8))
    b.model.gate.set()
    assert list(b.call(5.0, 6.0).result(20)) == [10.0, 12.0]
    assert b.model.ran[0].tolist() == [5.0, 6.0, 5.0, 5.0]
    page = metrics.page()
    assert ':crossnet:serving:batch_rows_bucket{le="4",signature="serving_default"} 1.0\n' in page
    assert ':tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name=""} 1.0\n' in page


def test_large_request_is_split_and_put_together_again(batching):
    b = batching(max_batch_size=10, max_execution_batch_size=4, split=True)
    b.model.gate.set()
    assert list(b.call(*range(10)).result(20)) == [2.0 * number for number in range(10)]
    assert [len(ran) for ran in b.model.ran] == [4, 4, 2]
    with pytest.raises(ServingError, match="^Task size 11 is larger than maximum input batch size 10$") as error:
        b.call(*range(11)).result(20)
    assert error.value.code is CODE.INVALID_ARGUMENT


def test_parts_of_a_request_that_do_not_all_fit_are_refused_together(batching):
    b = batching(max_batch_size=10, max_execution_batch_size=4, split=True, max_enqueued_batches=2)
    b.busy()
    with pytest.raises(ServingError, match="is full"):
        b.call(*range(10)).result(20)
    b.waiting(0)


def test_batch_waits_for_company_until_it_is_full_or_its_time_is_over(batching):
    b = batching(max_batch_size=2, max_execution_batch_size=2, batch_timeout_micros=60_000_000)
    b.model.gate.set()
    first = b.call(1.0)
    b.waiting(1)
    second = b.call(2.0)
    assert [list(call.result(20)) for call in (first, second)] == [[2.0], [4.0]]
    assert [len(ran) for ran in b.model.ran] == [2]
    alone = batching(batch_timeout_micros=1000)
    alone.model.gate.set()
    assert list(alone.call(1.0).result(20)) == [2.0]


def test_what_waits_still_runs_when_the_batcher_closes_and_nothing_after(batching):
    b = batching(batch_timeout_micros=60_000_000)
    b.model.gate.set()
    call = b.call(1.0)
    b.waiting(1)
    b.batcher.close()
    assert list(call.result(20)) == [2.0]
    with pytest.raises(ServingError, match="The server is shutting down"):
        b.call(1.0).result(20)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ([np.float32(1)], "must have at least one dimension"),
        ([np.ones(2), np.ones(3)], "must have equal 0th-dimension size"),
    ],
)
def test_inputs_without_rows_in_common_are_refused(batching, inputs, sentence):
    with pytest.raises(ServingError, match=f"^Batching Run.. input tensors {sentence}$") as error:
        batching().queue.run([np.asarray(array) for array in inputs])
    assert error.value.code is CODE.INVALID_ARGUMENT


def test_empty_request_runs_alone(batching):
    b = batching()
    b.model.gate.set()
    assert b.queue.run([np.ones((0, 3))])["y"].shape == (0, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`rows`: a product and a sum of 40 columns. `fixed`: a model of exactly two rows."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("batched")
    weights = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    save_graph(
        folder / "rows" / "1",
        lambda x: {"y": tf.tanh(tf.matmul(x, weights)), "s": tf.reduce_sum(x, 1)},
        x=(tf.float32, [None, 40]),
    )
    save_graph(folder / "fixed" / "1", lambda x: {"y": tf.cumsum(x)}, x=(tf.float32, [2]))
    return folder


def test_answers_are_those_of_a_batch_run_by_hand(folder, load):
    plain = load(folder / "rows" / "1")
    batcher = Batcher(BatchSettings(num_batch_threads=1, max_batch_size=12, max_execution_batch_size=12,
                                    batch_timeout_micros=60_000_000))  # fmt: skip
    model = BatchedModel(folder / "rows" / "1", batcher)
    signature = model.signatures["serving_default"]
    rows = np.random.default_rng(1).normal(size=(12, 40)).astype(np.float32)
    parts = [rows[:1], rows[1:5], rows[5:]]
    with ThreadPoolExecutor(3) as pool:
        calls = []
        for number, part in enumerate(parts):
            calls.append(pool.submit(model.run, signature, [part], ("s", "y")))
            wait_until(lambda n=number: n == 2 or sum(len(b.tasks) for b in list(batcher._waiting)) == n + 1)
        answers = [call.result(20) for call in calls]
    whole = plain.run(plain.signatures["serving_default"], [rows], ("s", "y"))
    for alias, values in whole.items():
        assert np.concatenate([answer[alias] for answer in answers]).tobytes() == values.tobytes()
    assert list(model.run(signature, [rows[:2]], ("s",))) == ["s"]  # a part of the outputs does not wait for a batch
    batcher.close()
    model.close()


def test_signature_of_a_fixed_number_of_rows_runs_without_batches(folder):
    batcher = Batcher(BatchSettings(batch_timeout_micros=60_000_000))
    model = BatchedModel(folder / "fixed" / "1", batcher)
    signature = model.signatures["serving_default"]
    assert model.run(signature, [np.array([1, 2], np.float32)], ("y",))["y"].tolist() == [1.0, 3.0]
    batcher.close()
    model.close()


def test_server_with_batches_answers_each_call_with_its_own_rows(folder, tmp_path):
    parameters = tmp_path / "batching.config"
    parameters.write_text("max_batch_size { value: 8 } num_batch_threads { value: 1 }")
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = ServerFlags(
        port=0, model_base_path=str(folder / "rows"), enable_batching=True, batching_parameters_file=str(parameters),
        monitoring_config_file=str(monitoring),
    )  # fmt: skip
    rows = np.random.default_rng(2).normal(size=(48, 40)).astype(np.float32)

    with Server(flags, rest=True) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs, ThreadPoolExecutor(16) as p:

        def ask(row):
            return list(stubs.predict(predict_request("default", x=row[None])).outputs["s"].float_val)

        answers = list(p.map(ask, rows))
        page = server._metrics.page()
        ask(rows[0])
    np.testing.assert_allclose(np.ravel(answers), rows.sum(1), rtol=1e-4, atol=1e-5)
    (count,) = [line for line in page.splitlines() if line.startswith(":crossnet:serving:batch_rows_sum{")]
    assert count.endswith(" 48.0")
    (batches,) = [line for line in page.splitlines() if line.startswith(":crossnet:serving:batch_rows_count{")]
    assert float(batches.split()[-1]) < 48  # 16 calls at a time and one thread: some ran together


def test_server_refuses_batching_parameters_that_it_cannot_keep(tmp_path):
    parameters = tmp_path / "batching.config"
    parameters.write_text("max_batch { value: 8 }")
    flags = ServerFlags(port=0, model_base_path="/m", enable_batching=True, batching_parameters_file=str(parameters))
    with pytest.raises(
        ServingError, match="Failed to start server. Error: INVALID_ARGUMENT: .*no field named .max_batch"
    ):
        Server(flags).start()
