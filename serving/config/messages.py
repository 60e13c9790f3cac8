"""Reads the text-format configuration files of tensorflow_model_server.

tensorflow-serving-api ships `ModelServerConfig` only; the other messages are declared here, with the official names and
types, in a separate descriptor pool. Sources: tensorflow/serving config/{ssl_config,monitoring_config}.proto,
servables/tensorflow/session_bundle_config.proto.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from google.protobuf import text_format

from crossnet.serving.protocol.codes import invalid
from crossnet.serving.protocol.descriptors import message_classes
from crossnet.serving.protocol.pem import SERVER_NAMES, pem_problems
from crossnet.serving.protocol.printable import shown
from crossnet.serving.status import ServingError

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"  # the real server's default (util/prometheus_exporter.cc)

_MESSAGES = message_classes(
    {
        "google.protobuf.BoolValue": ("bool value = 1",),
        "google.protobuf.Int64Value": ("int64 value = 1",),
        "google.protobuf.StringValue": ("string value = 1",),
        "tensorflow.serving.SSLConfig": (
            "string server_key = 1",
            "string server_cert = 2",
            "string custom_ca = 3",
            "bool client_verify = 4",
        ),
        "tensorflow.serving.PrometheusConfig": ("bool enable = 1", "string path = 2"),
        "tensorflow.serving.MonitoringConfig": ("PrometheusConfig prometheus_config = 1",),
        "tensorflow.serving.BatchingParameters": (
            "google.protobuf.Int64Value max_batch_size = 1",
            "google.protobuf.Int64Value batch_timeout_micros = 2",
            "google.protobuf.Int64Value max_enqueued_batches = 3",
            "google.protobuf.Int64Value num_batch_threads = 4",
            "google.protobuf.StringValue thread_pool_name = 5",
            "repeated int64 allowed_batch_sizes = 6",
            "bool pad_variable_length_inputs = 7",
            "google.protobuf.BoolValue enable_large_batch_splitting = 8",
            "google.protobuf.Int64Value max_execution_batch_size = 9",
        ),
    }
)
SSLConfig = _MESSAGES["tensorflow.serving.SSLConfig"]
MonitoringConfig = _MESSAGES["tensorflow.serving.MonitoringConfig"]
BatchingParameters = _MESSAGES["tensorflow.serving.BatchingParameters"]


def model_server_config() -> Any:
    """Returns an empty ModelServerConfig."""
    from tensorflow_serving.config import model_server_config_pb2

    return model_server_config_pb2.ModelServerConfig()


def read_config(path: str | Path, message: Any) -> Any:
    """Returns `message`, filled from a text-format file.

    Raises:
      ServingError: The file cannot be read or does not parse; a parse error has the real server's text.
    """
    kind = message.DESCRIPTOR.full_name
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ServingError(f"Cannot read the {kind} in {path}: {error}", grpc.StatusCode.NOT_FOUND) from error
    try:
        return text_format.Parse(content.decode(), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise invalid(f"Error parsing text-format {kind}: {error} Invalid protobuf file: '{path}'") from error


def server_credentials(path: str | Path) -> Any:
    """Returns the gRPC server credentials from an `--ssl_config_file`, which contains PEM texts, not paths.

    Raises:
      ServingError: The file does not parse, a required field is missing, or a field is not a valid PEM text.
    """
    config = read_config(path, SSLConfig())
    missing = [name for name in ("server_key", "server_cert") if not getattr(config, name)]
    if config.client_verify and not config.custom_ca:
        missing.append("custom_ca (needed for client_verify)")
    if missing:
        raise invalid(f"{path} lacks {', '.join(missing)}. Give the PEM texts themselves, not file names.")
    for name in ("server_key", "server_cert", "custom_ca"):
        if (text := getattr(config, name)) and "-----BEGIN" not in text:
            raise invalid(f"{path}: `{name}` is not a PEM text. Give the text itself, not a file name.")
    ca, certificate, key = config.custom_ca.encode() or None, config.server_cert.encode(), config.server_key.encode()
    if problems := pem_problems(ca, certificate, key, names=SERVER_NAMES):
        raise invalid(f"{path}: {' '.join(problems)}")
    return grpc.ssl_server_credentials(
        [(key, certificate)],
        root_certificates=ca,
        require_client_auth=config.client_verify,
    )


def prometheus_path(path: str | Path) -> str:
    """Returns where a `--monitoring_config_file` wants the metrics on the REST port; "" where they are off.

    Raises:
      ServingError: The file does not parse, or the path is not one.
    """
    config = read_config(path, MonitoringConfig()).prometheus_config
    if not config.enable:
        return ""
    where = str(config.path or PROMETHEUS_PATH)
    if not where.startswith("/") or where.lower().startswith("/v1/") or not where.isascii() or set(where) & set("?# "):
        raise invalid(
            f"{path}: the path of `prometheus_config` is {shown(where)}. Expected one that begins with `/`, is not "
            f"below `/v1/`, and has neither `?`, `#`, blanks nor letters beyond ASCII, such as `{PROMETHEUS_PATH}`."
        )
    return where
