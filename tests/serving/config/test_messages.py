from __future__ import annotations

import grpc
import pytest

from crossnet.serving.config.messages import BatchingParameters, model_server_config, read_config, server_credentials
from crossnet.serving.status import ServingError

CODE = grpc.StatusCode


def _write(tmp_path, text):
    path = tmp_path / "some.config"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_read_config_says_what_is_wrong_with_the_file(tmp_path):
    with pytest.raises(ServingError, match="Error parsing text-format tensorflow.serving.BatchingParameters: 1:18 : "):
        read_config(_write(tmp_path, "max_batch_size { valu: 3 }"), BatchingParameters())
    with pytest.raises(ServingError, match="Error parsing text-format .*: 'utf-8' codec .* position 1: .*") as error:
        read_config(_write(tmp_path, b"#\xff"), BatchingParameters())
    assert error.value.code == CODE.INVALID_ARGUMENT
    with pytest.raises(
        ServingError, match="Cannot read the tensorflow.serving.ModelServerConfig in .*nope: .*No such file"
    ):
        read_config(tmp_path / "nope", model_server_config())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lacks server_key, server_cert. Give the PEM texts themselves, not file names."),
        (
            'server_key: "/etc/key.pem" server_cert: "/etc/cert.pem"',
            "`server_key` is not a PEM text. Give the text itself, not a file name.",
        ),
        ('server_key: "-----BEGIN" server_cert: "-----BEGIN" client_verify: true', "lacks custom_ca"),
        (
            'server_key: "-----BEGIN" server_cert: "-----BEGIN"',
            "`server_cert` does not contain a certificate in PEM format.",
        ),
    ],
)
def test_server_credentials_says_what_is_missing(tmp_path, text, sentence):
    with pytest.raises(ServingError) as error:
        server_credentials(_write(tmp_path, text))
    assert sentence in str(error.value)
