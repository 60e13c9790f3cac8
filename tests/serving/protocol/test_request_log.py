"""Calls are logged off their path: none waits, none fails, and what is not written is counted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from tensorflow_serving.apis import prediction_log_pb2

from crossnet.serving.protocol import messages
from crossnet.serving.protocol.request_log import RequestLog
from crossnet.serving.protocol.tfrecord import FOOTER_BYTES, HEADER_BYTES, read_body, read_header
from crossnet.serving.status import UsageError
from support import REPOSITORY
from support.limits import files_of_at_most
from support.serving_fixtures import wait_until

REQUEST = messages.PredictRequest(output_filter=["a"]).SerializeToString()
RESPONSE = messages.PredictResponse(model_spec={"name": "rides"}).SerializeToString()


def records(folder):
    """The records of a log's closed files by file, each of which must be whole."""
    found = {}
    for path in sorted(folder.glob("requests-*.tfrecord")):
        data, found[path] = path.read_bytes(), []
        while data:
            end = HEADER_BYTES + (length := read_header(data[:HEADER_BYTES])) + FOOTER_BYTES
            record = read_body(data[HEADER_BYTES:end], length)
            found[path].append(prediction_log_pb2.PredictionLog.FromString(record))
            data = data[end:]
    return found


def logged(folder):
    return [log for logs in records(folder).values() for log in logs]


def test_record_is_the_servers_own_message(tmp_path):
    before = int(time.time())
    with RequestLog(tmp_path) as log:
        log.add("Predict", REQUEST, RESPONSE)
        log.add("Regress", b"", b"")
        log.add("Classify", b"", b"")
        log.add("MultiInference", b"", b"")
    found = logged(tmp_path)
    assert [one.WhichOneof("log_type") for one in found] == [
        *("predict_log", "regress_log", "classify_log", "multi_inference_log"),
    ]
    assert found[0].predict_log.request.SerializeToString() == REQUEST
    assert found[0].predict_log.response.SerializeToString() == RESPONSE
    assert before <= found[0].log_metadata.timestamp_secs <= time.time()
    assert found[0].log_metadata.sampling_config.sampling_rate == 1.0
    assert (log.written, log.dropped) == (4, 0)


def test_messages_may_be_written_later(tmp_path):
    with RequestLog(tmp_path) as log:
        log.add("Predict", lambda: REQUEST, lambda: RESPONSE, 10)
        log.add("Predict", lambda: REQUEST, lambda: 1 / 0, 10)
    assert [one.predict_log.request.SerializeToString() for one in logged(tmp_path)] == [REQUEST]
    assert (log.written, log.dropped) == (1, 1)


def test_calls_of_all_sizes_are_written_as_they_came(tmp_path):
    requests = [messages.PredictRequest(output_filter=["a" * 2**size]).SerializeToString() for size in range(21)]
    with RequestLog(tmp_path) as log:
        for request in requests:
            log.add("Predict", request, RESPONSE)
    assert [one.predict_log.request.SerializeToString() for one in logged(tmp_path)] == requests
    assert (log.written, log.dropped) == (len(requests), 0)


def test_log_loses_no_call_of_several_threads(tmp_path):
    sent = [
        [messages.PredictRequest(output_filter=[f"{i} {j}"]).SerializeToString() for j in range(500)] for i in range(4)
    ]
    with RequestLog(tmp_path) as log:
        threads = [
            threading.Thread(target=lambda mine=mine: [log.add("Predict", request, b"") for request in mine])
            for mine in sent
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [one.predict_log.request.SerializeToString() for one in logged(tmp_path)]
    assert sorted(found) == sorted(request for mine in sent for request in mine)


def test_calls_of_many_bytes_are_written_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("crossnet.serving.protocol.request_log._GATHER_SECONDS", 60.0)
    request = messages.PredictRequest(output_filter=["a" * 2**17]).SerializeToString()
    with RequestLog(tmp_path) as log:
        for _ in range(9):
            log.add("Predict", request, RESPONSE)
        wait_until(lambda: log.written >= 8)


@pytest.mark.parametrize(("rate", "least", "most"), [(0.0, 0, 0), (0.25, 150, 350), (1.0, 1000, 1000)])
def test_rate_is_the_share_that_is_logged(tmp_path, rate, least, most):
    with RequestLog(tmp_path, sampling_rate=rate) as log:
        for _ in range(1000):
            log.add("Predict", REQUEST, RESPONSE)
    assert least <= len(logged(tmp_path)) <= most
    assert log.dropped == 0


def test_file_is_closed_when_it_is_large(tmp_path):
    with RequestLog(tmp_path, max_file_bytes=1) as log:
        for count in (1, 2):
            log.add("Predict", REQUEST, RESPONSE)
            wait_until(lambda wanted=count: len(records(tmp_path)) == wanted)
    assert [len(found) for found in records(tmp_path).values()] == [1, 1]


def test_file_is_closed_when_it_is_old_although_no_call_comes(tmp_path):
    with RequestLog(tmp_path, max_file_seconds=0.2) as log:
        log.add("Predict", REQUEST, RESPONSE)
        wait_until(lambda: len(records(tmp_path)) == 1)


def test_calls_are_dropped_and_counted_while_the_disk_is_slow(tmp_path, monkeypatch, caplog):
    free, real = threading.Event(), os.writev
    monkeypatch.setattr(
        "crossnet.serving.protocol.log_files.os.writev", lambda *given: (free.wait(20), real(*given))[1]
    )
    with RequestLog(tmp_path, max_waiting_bytes=10 * len(REQUEST + RESPONSE)) as log:
        start = time.monotonic()
        for _ in range(100):
            log.add("Predict", REQUEST, RESPONSE)
        assert time.monotonic() - start < 5
        assert log.dropped == 90
        free.set()
    assert len(logged(tmp_path)) == log.written == 10
    assert "The request log dropped 90 calls since the last such line: the disk is slow or full" in caplog.text


def test_calls_are_dropped_and_counted_while_the_disk_is_full(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("crossnet.serving.protocol.request_log._RETRY_SECONDS", 0.0)
    with RequestLog(tmp_path) as log:
        log.add("Predict", REQUEST, RESPONSE)
        wait_until(lambda: log.written == 1)
        with files_of_at_most(20):
            log.add("Predict", REQUEST, RESPONSE)
            wait_until(lambda: log.dropped == 1)
        log.add("Predict", REQUEST, RESPONSE)
        wait_until(lambda: log.written == 2)
    assert [len(found) for found in records(tmp_path).values()] == [1, 1]
    assert "cannot be written: File too large" in caplog.text


def test_call_that_is_larger_than_what_may_wait_is_dropped(tmp_path):
    with RequestLog(tmp_path, max_waiting_bytes=1000) as log:
        log.add("Predict", b"x" * 1000, RESPONSE)
    assert (log.written, log.dropped) == (0, 1)


def test_call_after_the_end_is_dropped(tmp_path):
    log = RequestLog(tmp_path)
    log.close()
    log.close()
    log.add("Predict", REQUEST, RESPONSE)
    assert log.dropped == 1
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
import os, signal, sys, time
from crossnet.serving.protocol.request_log import RequestLog
log = RequestLog(sys.argv[1])
for _ in range(500):
    log.add("Predict", b"", b"")
while log.written < 500:
    time.sleep(0.01)
print("written", flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("end", "code"), [("killed", -signal.SIGKILL), ("ended", 0)])
def test_log_of_a_process_that_is_killed_or_forgets_to_close_it_is_whole(tmp_path, end, code):
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path, end], cwd=REPOSITORY, timeout=60, check=False)
    assert done.returncode == code
    if end == "killed":
        assert records(tmp_path) == {}
        RequestLog(tmp_path).close()
    assert len(logged(tmp_path)) == 500


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sampling_rate": 1.5}, "must be from 0 to 1; received 1.5"),
        ({"sampling_rate": float("nan")}, "must be from 0 to 1; received nan"),
        ({"max_file_bytes": 0}, "must be above zero"),
    ],
)
def test_settings_out_of_their_range_are_refused(tmp_path, settings, sentence):
    with pytest.raises(UsageError, match=sentence):
        RequestLog(tmp_path, **settings)


def test_checksums_that_are_not_installed_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    with pytest.raises(UsageError, match="A request log needs the package `google-crc32c`, which is not installed"):
        RequestLog(tmp_path)
