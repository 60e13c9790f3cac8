"""The flags of tensorflow_model_server, and what the embedded server makes of each.

Syntax is the real one's: `--name=value`, booleans also bare. A flag is given (it works), harmless (accepted, without
effect here, and nobody would notice), said (accepted; a sentence on stderr tells what is missing here) or refused (the
server does not start, because someone relies on it). Source: tensorflow/serving model_servers/main.cc and server.h.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crossnet.serving.protocol.suggestions import did_you_mean
from crossnet.serving.status import UsageError

log = logging.getLogger(__name__)

_REAL = "Use the real server for it: `crossnet serve --server=binary` or `--server=docker`."


@dataclass(frozen=True)
class ServerFlags:
    """Settings of the server; names and defaults are tensorflow_model_server's. Flags without effect are not listed.

    `port=0` without a socket path takes a free port, where the real server refuses to start.
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
    enable_grpc_healthcheck_service: bool = False
    enable_serialization_as_tensor_content: bool = False
    saved_model_tags: str = "serve"
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    version: bool = False
    host: str = "127.0.0.1"


_GIVEN = {field.name: field for field in dataclasses.fields(ServerFlags)}
EXTRA_FLAG = "host"  # the one that the real server does not have

_HARMLESS = frozenset(
    {
        "num_load_threads", "num_unload_threads", "per_process_gpu_memory_fraction",
        "flush_filesystem_caches", "remove_unused_fields_from_bundle_metagraph", "enable_signature_method_name_check",
        "enable_profiler", "num_tflite_pools", "num_tflite_interpreters_per_pool",
    }
)  # fmt: skip

# Name -> what is missing here, said when the flag is set to something else than its default.
_SAID = {
    "monitoring_config_file": "The embedded server has no Prometheus metrics",
    "enable_batching": "The embedded server does not batch requests; send more rows per request",
    "batching_parameters_file": "The embedded server does not batch requests; send more rows per request",
    "prefer_tflite_model": "The embedded server does not run TFLite models and serves the SavedModel",
    "tensorflow_session_config_file": "The embedded server takes no session config",
}
_REFUSED = {
    "use_alts_credentials": "The embedded server has no ALTS; without it connections would be plain",
    "platform_config_file": "The embedded server has one platform, tensorflow, with its own settings",
    "enable_per_model_batching_parameters": "The embedded server does not batch requests",
    "thread_pool_factory_config_file": "The embedded server has no thread pool factories",
    "mixed_precision": "The embedded server computes in the model's own precision",
    "skip_initialize_tpu": "The embedded server knows no TPU",
    "xla_cpu_compilation_enabled": "The embedded server does not compile with XLA",
    "xla_gpu_compilation_enabled": "The embedded server does not compile with XLA",
}
_LARGEST_NUMBER = 1e9  # seconds; the clock of a wait ends somewhat later
_OFF = frozenset({"", "false", "0"})
KNOWN_FLAGS = frozenset(_GIVEN) | _HARMLESS | frozenset(_SAID) | frozenset(_REFUSED)


def split_flags(arguments: Sequence[str]) -> dict[str, str]:
    """Returns name -> value of `--name=value` arguments, in order; a bare `--name` is "true".

    Raises:
      UsageError: Something is not a flag, or none that exists. Lists all of them, with the nearest known name.
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


def parse_flags(arguments: Sequence[str]) -> ServerFlags:
    """Reads the server's arguments.

    Args:
      arguments: What stands after the command, such as `["--port=8500", "--model_base_path=/models/rides"]`.

    Raises:
      UsageError: Flags are unknown, have values of the wrong type, do not go together or are refused here.
    """
    flags = split_flags(arguments)
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, text in flags.items():
        if name in _GIVEN:
            try:
                values[name] = _convert(type(_GIVEN[name].default), text)
            except ValueError as error:
                problems.append(f"`--{name}={text}`: {error}.")
        elif name in _REFUSED and text.lower() not in _OFF:
            problems.append(f"`--{name}={text}` is refused. {_REFUSED[name]}. {_REAL}")
        elif name in _SAID and text.lower() not in _OFF:
            log.warning("`--%s` has no effect here. %s. %s", name, _SAID[name], _REAL)
    settings = ServerFlags(**values)
    problems.extend(_disagreements(settings, flags))
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
        if abs(number := float(text)) <= _LARGEST_NUMBER:  # NaN is not
            return number
        raise ValueError
    except ValueError:
        expected = "a whole number" if kind is int else f"a number of at most {_LARGEST_NUMBER:g}"
        raise ValueError(f"expected {expected}") from None


def _disagreements(settings: ServerFlags, flags: dict[str, str]) -> list[str]:
    """Returns a sentence for each flag that is out of range or does not go with another."""
    if settings.version:
        return []
    problems = []
    for name in ("port", "rest_api_port"):
        if not 0 <= (value := getattr(settings, name)) <= 65535:
            problems.append(f"`--{name}={value}`: expected a port, 0 to 65535.")
    for name in (
        *("rest_api_timeout_in_ms", "rest_api_num_threads", "grpc_max_threads"),
        *("max_num_load_retries", "load_retry_interval_micros"),
    ):
        if (value := getattr(settings, name)) < 0:
            problems.append(f"`--{name}={value}`: expected 0 or more.")
    if not settings.model_base_path and not settings.model_config_file:
        problems.append("Nothing to serve. Give `--model_base_path=FOLDER` or `--model_config_file=FILE`.")
    if flags.get("batching_parameters_file") and flags.get("enable_batching", "false").lower() in _OFF:
        problems.append("--batching_parameters_file is set without setting --enable_batching to true.")
    parallelism = [settings.tensorflow_session_parallelism, settings.tensorflow_intra_op_parallelism]
    if all([*parallelism, settings.tensorflow_inter_op_parallelism]):
        problems.append(
            "--tensorflow_session_parallelism cannot be set together with --tensorflow_inter_op_parallelism "
            "and --tensorflow_intra_op_parallelism."
        )
    return problems
