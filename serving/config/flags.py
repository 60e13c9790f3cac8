"""Parses the flags of tensorflow_model_server for the embedded server.

The syntax is the same: `--name=value`, booleans also without a value. The embedded server supports a flag; ignores it,
when the difference cannot be noticed; warns that it has no effect; or rejects it and does not start, when the user
relies on it. Source: tensorflow/serving model_servers/main.cc and server.h.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossnet.serving.config.versions import place_of
from crossnet.serving.protocol.printable import shown
from crossnet.serving.protocol.suggestions import did_you_mean
from crossnet.serving.status import ServingError, UsageError
from crossnet.serving.storage.uris import shown_uri

LOGGER = logging.getLogger(__name__)

_USE_REAL_SERVER = "Use the real server for it: `crossnet serve --server=binary` or `--server=docker`."


@dataclass(frozen=True)
class ServerFlags:
    """Settings of the server; names and defaults are tensorflow_model_server's, except for `OWN_FLAGS`.

    Flags without effect are left out.

    `port=0` without a socket path takes a free port; the real server does not start then.
    """

    port: int = 8500
    grpc_socket_path: str = ""
    rest_api_port: int = 0
    rest_api_num_threads: int = 0
    rest_api_timeout_in_ms: int = 30000
    rest_api_enable_cors_support: bool = False
    model_name: str = "default"
    model_base_path: str = ""
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    file_system_poll_wait_seconds: float = 1.0
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = 0
    allow_version_labels_for_unavailable_models: bool = False
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    ssl_config_file: str = ""
    monitoring_config_file: str = ""
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_grpc_healthcheck_service: bool = False
    enable_serialization_as_tensor_content: bool = False
    enable_signature_method_name_check: bool = False
    saved_model_tags: str = "serve"
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    version: bool = False
    host: str = "127.0.0.1"
    allow_reload: str = "auto"
    rest_api_max_body_mib: int = 64
    request_log_dir: str = ""
    request_log_sampling_rate: float = 1.0
    model_cache_dir: str = ""


_SUPPORTED = {field.name: field for field in dataclasses.fields(ServerFlags)}
# Flags that the real server does not have -> what it does instead; they are not passed on to it.
OWN_FLAGS = {
    "host": "listens on every address of this machine",
    "allow_reload": "takes every HandleReloadConfigRequest",
    "rest_api_max_body_mib": "does not have this limit",
    "request_log_dir": "does not log requests; a `PredictionClient(log=...)` does",
    "request_log_sampling_rate": "does not log requests",
    "model_cache_dir": "reads stores itself, where it can, and keeps no copy",
}
_RELOAD_CHOICES = {"auto": "auto", "true": "true", "1": "true", "false": "false", "0": "false"}

_IGNORED = frozenset(
    {
        "num_load_threads", "num_unload_threads", "per_process_gpu_memory_fraction",
        "flush_filesystem_caches", "remove_unused_fields_from_bundle_metagraph",
        "enable_profiler", "num_tflite_pools", "num_tflite_interpreters_per_pool",
    }
)  # fmt: skip

# Name -> what the embedded server lacks; logged when the flag is set.
_WARNINGS = {
    "prefer_tflite_model": "The embedded server does not run TFLite models and serves the SavedModel",
    "tensorflow_session_config_file": "The embedded server does not read a session config",
}
_REJECTED = {
    "use_alts_credentials": "The embedded server has no ALTS; without it connections would be plain",
    "platform_config_file": "The embedded server has one platform, tensorflow, with its own settings",
    "enable_per_model_batching_parameters": "The embedded server has the same batching parameters for all models",
    "thread_pool_factory_config_file": "The embedded server has no thread pool factories",
    "mixed_precision": "The embedded server computes in the model's own precision",
    "skip_initialize_tpu": "The embedded server does not support TPUs",
    "xla_cpu_compilation_enabled": "The embedded server does not compile with XLA",
    "xla_gpu_compilation_enabled": "The embedded server does not compile with XLA",
}
_MAX_SECONDS = 1e9  # Python's waits overflow above `threading.TIMEOUT_MAX`, about 9e9
_FALSE_VALUES = frozenset({"", "false", "0"})
KNOWN_FLAGS = frozenset(_SUPPORTED) | _IGNORED | frozenset(_WARNINGS) | frozenset(_REJECTED)


def split_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Returns name -> value of `--name=value` arguments, in order; a bare `--name` is "true".

    Raises:
      UsageError: An argument is not a flag, or the flag does not exist. The message lists every such argument, with the
        nearest known name.
    """
    flags: dict[str, str] = {}
    problems = []
    for position, argument in enumerate(arguments):
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--"):
            before = arguments[position - 1] if position else ""
            if before.startswith("--") and "=" not in before and before.removeprefix("--") in KNOWN_FLAGS:
                problems.append(
                    f"Write `{before}={argument}`: a flag takes its value after `=`, as in the real server."
                )
            else:
                problems.append(f"`{argument}` is not a flag. Flags are written as `--name=value`.")
        elif name not in KNOWN_FLAGS:
            hint = did_you_mean(name, sorted(KNOWN_FLAGS), prefix="--")
            problems.append(f"unknown argument: `--{name}`.{hint or ' `tensorflow_model_server --help` lists them.'}")
        else:
            flags[name] = value if equals else "true"
    if problems:
        raise UsageError("\n".join(problems))
    return flags


def parse_flags(arguments: Sequence[str], *, warn: bool = True) -> ServerFlags:
    """Reads the server's arguments.

    Args:
      arguments: The arguments after the command, such as `["--port=8500", "--model_base_path=/models/rides"]`.
      warn: Whether to log which flags have no effect.

    Raises:
      UsageError: A flag is unknown, has an invalid value, conflicts with another one or is not supported here.
    """
    flags = split_flags(arguments)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, text in flags.items():
        if name in _SUPPORTED:
            try:
                values[name] = _convert(type(_SUPPORTED[name].default), text)
            except ValueError as error:
                problems.append(f"`--{name}={text}`: {error}.")
        elif name in _REJECTED and text.lower() not in _FALSE_VALUES:
            problems.append(f"`--{name}={text}` is not supported. {_REJECTED[name]}. {_USE_REAL_SERVER}")
        elif warn and name in _WARNINGS and text.lower() not in _FALSE_VALUES:
            LOGGER.warning("`--%s` has no effect here. %s. %s", name, _WARNINGS[name], _USE_REAL_SERVER)
    if (reload := values.get("allow_reload", "auto")).lower() in _RELOAD_CHOICES:
        values["allow_reload"] = _RELOAD_CHOICES[reload.lower()]
    else:
        problems.append(f"`--allow_reload={shown(reload)}`: expected `auto`, `true` or `false`.")
    settings = ServerFlags(**values)
    problems.extend(_problems_with(settings, flags))
    if problems:
        raise UsageError("\n".join(problems))
    return settings


def _convert(kind: type, text: str) -> Any:
    if kind is str:
        return text
    if kind is bool:
        if text.lower() in ("true", "1", ""):
            return True
        if text.lower() in ("false", "0"):
            return False
        raise ValueError("expected `true` or `false`")
    try:
        if kind is int:
            return int(text)
        if abs(number := float(text)) <= _MAX_SECONDS:  # False for NaN
            return number
        raise ValueError
    except ValueError:
        expected = "a whole number" if kind is int else f"a number of at most {_MAX_SECONDS:g}"
        raise ValueError(f"expected {expected}") from None


def _problems_with(settings: ServerFlags, flags: dict[str, str]) -> list[str]:
    """Returns a sentence for each flag that is out of range or conflicts with another."""
    if settings.version:
        return []
    problems = []
    for name in ("port", "rest_api_port"):
        if not 0 <= (value := getattr(settings, name)) <= 65535:
            problems.append(f"`--{name}={value}`: expected a port, 0 to 65535.")
    if settings.rest_api_max_body_mib < 1:
        problems.append(f"`--rest_api_max_body_mib={settings.rest_api_max_body_mib}`: expected 1 or more.")
    if not 0 <= settings.request_log_sampling_rate <= 1:
        problems.append(f"`--request_log_sampling_rate={settings.request_log_sampling_rate:g}`: expected 0 to 1.")
    if "request_log_sampling_rate" in flags and not settings.request_log_dir:
        problems.append("`--request_log_sampling_rate` is set without `--request_log_dir`, which turns the log on.")
    for name in (
        *("rest_api_timeout_in_ms", "rest_api_num_threads", "grpc_max_threads"),
        *("max_num_load_retries", "load_retry_interval_micros"),
    ):
        if (value := getattr(settings, name)) < 0:
            problems.append(f"`--{name}={value}`: expected 0 or more.")
    if not settings.model_config_file:
        try:
            place_of(settings.model_name, settings.model_base_path)
        except ServingError as error:
            problems.append(f"`--model_base_path={shown(shown_uri(settings.model_base_path))}`: {error}")
    if not settings.model_base_path and not settings.model_config_file:
        problems.append("Nothing to serve. Give `--model_base_path=FOLDER` or `--model_config_file=FILE`.")
    if settings.batching_parameters_file and not settings.enable_batching:
        problems.append("--batching_parameters_file is set without setting --enable_batching to true.")
    parallelism = [settings.tensorflow_session_parallelism, settings.tensorflow_intra_op_parallelism]
    if all([*parallelism, settings.tensorflow_inter_op_parallelism]):
        problems.append(
            "--tensorflow_session_parallelism cannot be set together with --tensorflow_inter_op_parallelism "
            "and --tensorflow_intra_op_parallelism."
        )
    return problems
