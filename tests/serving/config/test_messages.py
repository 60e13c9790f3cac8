from __future__ import annotations

import grpc
import pytest

from crossnet.serving.config.messages import BatchingParameters, model_server_config, read_config, server_credentials
from crossnet.serving.config.versions import ModelConfig, VersionPolicy, model_configs
from crossnet.serving.protocol.codes import grpc_message, http_status, status_of
from crossnet.serving.status import ServingError

CODE = grpc.StatusCode


def _write(tmp_path, text):
    path = tmp_path / "some.config"
    path.write_text(text)
    return path


def test_read_config_reads_a_list_of_models(tmp_path):
    path = _write(
        tmp_path,
        """model_config_list {
             config { name: "a" base_path: "/m/a" model_platform: "tensorflow" }
             config { name: "b" base_path: "/m/b" model_type: TENSORFLOW model_version_policy { latest { } } }
             config { name: "c" base_path: "/m/c" model_platform: "tensorflow"
                      model_version_policy { specific { versions: 2 versions: 1 } }
                      version_labels { key: "stable" value: 1 } }
             config { name: "d" base_path: "/m/d" model_platform: "tensorflow" model_version_policy { all { } } }
             config { name: "e" base_path: "/m/e" model_platform: "tensorflow"
                      model_version_policy { latest { num_versions: 3 } } }
           }""",
    )
    configs = {c.name: c for c in model_configs(read_config(path, model_server_config()).model_config_list)}
    assert configs["a"] == ModelConfig("a", path.__class__("/m/a"))
    assert configs["b"].policy == VersionPolicy("latest", 1)
    assert configs["c"].policy == VersionPolicy("specific", versions=(2, 1))
    assert configs["c"].labels == {"stable": 1}
    assert configs["d"].policy == VersionPolicy("all")
    assert configs["e"].policy == VersionPolicy("latest", 3)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ('base_path: "m"', r"Expected model a to have an absolute path or URI; got base_path\(\)=m"),
        ('base_path: "gs://m"', "the embedded server reads folders of this machine only"),
        ('base_path: "/m" model_platform: ""', "Illegal setting neither ModelServerConfig::model_type"),
        ('base_path: "/m" model_type: TENSORFLOW', "Illegal setting both ModelServerConfig::model_type"),
        ('base_path: "/m" model_platform: "" model_type: OTHER', "model_type choice 2 not supported"),
        ('base_path: "/m" model_version_policy { specific { } }', "version policy `specific` names no versions"),
    ],
)
def test_model_configs_refuses_what_cannot_be_served(tmp_path, entry, sentence):
    platform = "" if "model_platform" in entry else 'model_platform: "tensorflow"'
    path = _write(tmp_path, f'model_config_list {{ config {{ name: "a" {platform} {entry} }} }}')
    with pytest.raises(ServingError, match=sentence):
        model_configs(read_config(path, model_server_config()).model_config_list)


def test_read_config_says_what_is_wrong_with_the_file(tmp_path):
    with pytest.raises(ServingError, match="Error parsing text-format tensorflow.serving.BatchingParameters: 1:18 : "):
        read_config(_write(tmp_path, "max_batch_size { valu: 3 }"), BatchingParameters())
    with pytest.raises(
        ServingError, match="Cannot read the tensorflow.serving.ModelServerConfig in .*nope: .*No such file"
    ):
        read_config(tmp_path / "nope", model_server_config())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lacks server_key, server_cert. It takes the PEM texts themselves, not the names of files."),
        ('server_key: "/etc/key.pem" server_cert: "/etc/cert.pem"', "`server_key` is no PEM text."),
        ('server_key: "-----BEGIN" server_cert: "-----BEGIN" client_verify: true', "lacks custom_ca"),
        ('server_key: "-----BEGIN" server_cert: "-----BEGIN"', "`server_cert` holds no certificate in PEM."),
    ],
)
def test_server_credentials_says_what_is_missing(tmp_path, text, sentence):
    with pytest.raises(ServingError) as error:
        server_credentials(_write(tmp_path, text))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (CODE.INVALID_ARGUMENT, 400), (CODE.FAILED_PRECONDITION, 400), (CODE.OUT_OF_RANGE, 400),
        (CODE.UNAUTHENTICATED, 401), (CODE.PERMISSION_DENIED, 403), (CODE.NOT_FOUND, 404), (CODE.ALREADY_EXISTS, 409),
        (CODE.ABORTED, 409), (CODE.RESOURCE_EXHAUSTED, 429), (CODE.CANCELLED, 499), (CODE.UNIMPLEMENTED, 501),
        (CODE.UNAVAILABLE, 503), (CODE.DEADLINE_EXCEEDED, 504), (CODE.INTERNAL, 500), (CODE.UNKNOWN, 500),
        (CODE.DATA_LOSS, 500),
    ],
)  # fmt: skip
def test_http_status_of_each_code(code, status):
    assert http_status(code) == status


def test_status_of_passes_tensorflows_codes_through():
    import tensorflow as tf

    for kind, code in (
        (tf.errors.InvalidArgumentError, CODE.INVALID_ARGUMENT),
        (tf.errors.NotFoundError, CODE.NOT_FOUND),
        (tf.errors.OutOfRangeError, CODE.OUT_OF_RANGE),
        (tf.errors.ResourceExhaustedError, CODE.RESOURCE_EXHAUSTED),
    ):
        assert status_of(kind(None, None, "words")) == (code, "words")
    assert status_of(MemoryError())[0] == CODE.RESOURCE_EXHAUSTED


def test_grpc_message_is_cut_between_letters():
    assert grpc_message("a" * 1024) == "a" * 1024
    assert grpc_message("é" * 600) == "é" * 512 + "...TRUNCATED"
