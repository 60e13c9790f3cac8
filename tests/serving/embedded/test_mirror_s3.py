"""Serves models from an S3 server: new versions, versions that vanish, a store that fails, a restart without it."""

from __future__ import annotations

import json
import logging

import pytest

from crossnet.serving.config.flags import ServerFlags
from crossnet.serving.embedded import mirror as module
from crossnet.serving.protocol.folder_checksum import folder_checksum
from crossnet.serving.server import Server
from support.s3_server import needs_s3, s3_server
from support.serving_fixtures import predict_request, stubs_on, versions_of, wait_until

pytestmark = needs_s3


@pytest.fixture(scope="module")
def store():
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """y = x0 + x1 as version 1, y = 2 x0 + x1 as version 2."""
    from support.serving_models import save_model

    base = tmp_path_factory.mktemp("models")
    return {number: save_model(base / str(number), scale=float(number)) for number in (1, 2)}


def push(bucket, number, folder):
    bucket.put(f"models/demo/{number}.json", json.dumps({"checksum": folder_checksum(folder)}).encode())
    bucket.put_folder(f"models/demo/{number}", folder)


def flags(bucket, tmp_path):
    return ServerFlags(
        port=0,
        model_name="demo",
        model_base_path=bucket.uri("models/demo"),
        model_cache_dir=str(tmp_path / "cache"),
        file_system_poll_wait_seconds=0.05,
    )


def answer(stubs):
    answered = stubs.predict(predict_request(x0=[10.0], x1=[1.0]))
    return answered.model_spec.version.value, answered.outputs["prediction"].float_val[0]


def test_server_follows_an_s3_bucket_and_goes_on_without_it(store, versions, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)
    bucket = store.bucket()
    push(bucket, 1, versions[1])
    with Server(flags(bucket, tmp_path)) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        assert answer(stubs) == (1, 11.0)
        push(bucket, 2, versions[2])
        wait_until(lambda: answer(stubs) == (2, 21.0))
        bucket.remove("models/demo/2")
        wait_until(lambda: answer(stubs) == (1, 11.0))
        bucket.put("models/demo/3.json", json.dumps({"checksum": "0" * 64}).encode())
        bucket.put("models/demo/3/saved_model.pb", b"damaged")
        wait_until(lambda: "Version 3 in `s3://" in caplog.text)
        assert "does not hold the files that were pushed" in caplog.text
        assert answer(stubs) == (1, 11.0)
        assert 3 not in {status.version for status in versions_of(stubs)}
        store.stop()
        wait_until(lambda: "Could not connect to server. Loaded versions are still served" in caplog.text, 60)
        assert answer(stubs) == (1, 11.0)
    with Server(flags(bucket, tmp_path)) as server, stubs_on(f"127.0.0.1:{server.port}") as stubs:
        assert answer(stubs) == (1, 11.0)  # from the copy
        store.start()  # an empty server: the bucket is gone
        wait_until(lambda: "bucket does not exist" in caplog.text, 60)
        assert answer(stubs) == (1, 11.0)
