from __future__ import annotations

import pytest

from crossnet.serving.config.flags import KNOWN_FLAGS, OWN_FLAGS, ServerFlags, parse_flags
from crossnet.serving.status import UsageError

BASE = "--model_base_path=/m"
# The flags of tensorflow/serving model_servers/main.cc.
REAL_FLAGS = """
    port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms rest_api_enable_cors_support
    model_name model_base_path model_config_file model_config_file_poll_wait_seconds file_system_poll_wait_seconds
    monitoring_config_file enable_batching batching_parameters_file grpc_channel_arguments prefer_tflite_model
    grpc_max_threads allow_version_labels_for_unavailable_models enable_model_warmup num_request_iterations_for_warmup
    max_num_load_retries load_retry_interval_micros num_load_threads num_unload_threads ssl_config_file
    use_alts_credentials enable_grpc_healthcheck_service enable_serialization_as_tensor_content saved_model_tags
    tensorflow_session_parallelism tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism
    tensorflow_session_config_file platform_config_file per_process_gpu_memory_fraction flush_filesystem_caches
    remove_unused_fields_from_bundle_metagraph enable_signature_method_name_check enable_per_model_batching_parameters
    enable_profiler num_tflite_pools num_tflite_interpreters_per_pool thread_pool_factory_config_file mixed_precision
    skip_initialize_tpu xla_cpu_compilation_enabled xla_gpu_compilation_enabled version
"""


def test_flags_are_the_real_ones_and_own_ones():
    assert set(REAL_FLAGS.split()) | set(OWN_FLAGS) == KNOWN_FLAGS
    assert not set(REAL_FLAGS.split()) & set(OWN_FLAGS)


def test_flags_have_the_real_defaults():
    flags = parse_flags([BASE])
    assert (flags.port, flags.rest_api_port, flags.model_name) == (8500, 0, "default")
    assert (flags.file_system_poll_wait_seconds, flags.max_num_load_retries) == (1, 5)
    assert (flags.load_retry_interval_micros, flags.rest_api_timeout_in_ms) == (60_000_000, 30_000)
    assert (flags.enable_model_warmup, flags.saved_model_tags, flags.host) == (True, "serve", "127.0.0.1")
    assert (flags.allow_reload, flags.rest_api_max_body_mib) == ("auto", 64)  # our own


def test_flags_are_read_with_their_types():
    flags = parse_flags(
        [BASE, "--port=1", "--enable_grpc_healthcheck_service", "--enable_model_warmup=false", "--model_name=a=b",
         "--file_system_poll_wait_seconds=0.5", "--rest_api_enable_cors_support=1"]
    )  # fmt: skip
    assert flags == ServerFlags(
        port=1, enable_grpc_healthcheck_service=True, enable_model_warmup=False, model_name="a=b",
        file_system_poll_wait_seconds=0.5, rest_api_enable_cors_support=True, model_base_path="/m",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "choice"),
    [([], "auto"), (["--allow_reload"], "true"), (["--allow_reload=0"], "false"), (["--allow_reload=AUTO"], "auto")],
)
def test_reload_is_allowed_refused_or_decided_by_the_address(flags, choice):
    assert parse_flags([BASE, *flags]).allow_reload == choice


@pytest.mark.parametrize(
    "flag", ["num_load_threads=2", "enable_profiler=true", "flush_filesystem_caches", "num_tflite_pools=1"]
)
def test_ignored_flags_are_accepted_without_a_warning(flag, caplog):
    assert parse_flags([BASE, f"--{flag}"]) == ServerFlags(model_base_path="/m")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--prefer_tflite_model=true"], "does not run TFLite models and serves the SavedModel"),
        (["--tensorflow_session_config_file=/f"], "does not read a session config"),
    ],
)
def test_flags_without_effect_are_logged_as_a_warning(flags, sentence, caplog):
    assert parse_flags([BASE, *flags]) == ServerFlags(model_base_path="/m")
    assert sentence in caplog.text
    caplog.clear()
    parse_flags([BASE, *[f"{flag.partition('=')[0]}=" for flag in flags]])
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prot=1"], "unknown argument: `--prot`. Did you mean `--port`?"),
        (["--zzzzzzzz"], "unknown argument: `--zzzzzzzz`. `tensorflow_model_server --help` lists them."),
        (["--port", "8500"], "Write `--port=8500`: a flag takes its value after `=`, as in the real server."),
        (["serve"], "`serve` is not a flag. Flags are written as `--name=value`."),
        (["--port=a"], "`--port=a`: expected a whole number."),
        (["--file_system_poll_wait_seconds=inf"], "`--file_system_poll_wait_seconds=inf`: expected a number of"),
        (["--file_system_poll_wait_seconds=nan"], "`--file_system_poll_wait_seconds=nan`: expected a number of"),
        (["--port=70000"], "`--port=70000`: expected a port, 0 to 65535."),
        (["--enable_model_warmup=maybe"], "`--enable_model_warmup=maybe`: expected `true` or `false`."),
        (["--allow_reload=maybe"], "`--allow_reload=maybe`: expected `auto`, `true` or `false`."),
        (["--rest_api_max_body_mib=0"], "`--rest_api_max_body_mib=0`: expected 1 or more."),
        (["--max_num_load_retries=-1"], "`--max_num_load_retries=-1`: expected 0 or more."),
        (["--use_alts_credentials=true"], "`--use_alts_credentials=true` is not supported. The embedded server has"),
        (["--platform_config_file=/f"], "`--platform_config_file=/f` is not supported."),
        (["--mixed_precision=bfloat16"], "is not supported. The embedded server computes in the model's own"),
        (["--batching_parameters_file=/f"], "--batching_parameters_file is set without setting --enable_batching"),
        (
            ["--tensorflow_session_parallelism=1", "--tensorflow_intra_op_parallelism=1",
             "--tensorflow_inter_op_parallelism=1"],
            "--tensorflow_session_parallelism cannot be set together with",
        ),
    ],
)  # fmt: skip
def test_invalid_flags_are_rejected(arguments, sentence):
    with pytest.raises(UsageError) as error:
        parse_flags([BASE, *arguments])
    assert sentence in str(error.value)
    assert error.value.exit_code == 2


def test_unsupported_flags_that_are_off_are_accepted():
    off = ["--use_alts_credentials=false", "--mixed_precision=", "--xla_cpu_compilation_enabled=false"]
    assert parse_flags([BASE, *off]) == ServerFlags(model_base_path="/m")


def test_flags_list_every_mistake_at_once():
    with pytest.raises(UsageError) as error:
        parse_flags(["--port=x", "--mixed_precision=a", "--rest_api_port=-1"])
    assert len(str(error.value).split("\n")) == 4  # and there is nothing to serve


@pytest.mark.parametrize("path", ["ftp://models/rides", "s3:///m", "abfs://m"])
def test_base_path_that_pyarrow_does_not_know_is_refused_at_once(path):
    with pytest.raises(UsageError, match=f"`--model_base_path={path}`: `{path}` cannot be read: .* Expected the URI"):
        parse_flags([f"--model_base_path={path}"])
    assert parse_flags([f"--model_base_path={path}", "--model_config_file=/f"]).model_config_file  # the path is ignored


def test_base_path_may_be_in_a_store_and_its_secrets_are_not_shown():
    assert parse_flags(["--model_base_path=s3://b/m"]).model_base_path == "s3://b/m"
    with pytest.raises(UsageError) as error:
        parse_flags(["--model_base_path=s3://key:secret@b/m?colour=red"])
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--request_log_dir=/log", "--request_log_sampling_rate=1.5"],
            "`--request_log_sampling_rate=1.5`: expected 0",
        ),
        (["--request_log_dir=/log", "--request_log_sampling_rate=nan"], "expected a number"),
        (["--request_log_sampling_rate=0.5"], "is set without `--request_log_dir`, which turns the log on"),
    ],
)
def test_request_log_flags_are_checked(flags, sentence):
    with pytest.raises(UsageError, match=sentence):
        parse_flags([BASE, *flags])
    assert parse_flags([BASE, "--request_log_dir=/log"]).request_log_sampling_rate == 1.0
