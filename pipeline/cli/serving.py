"""Defines the commands that use a pushed model: serve, predict, rollback."""

from __future__ import annotations

import datetime
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossnet.components.errors import PipelineError
from crossnet.pipeline.cli.completion import complete_configs
from crossnet.pipeline.cli.csv_options import csv_options, loaded, served_folder
from crossnet.pipeline.cli.options import chosen_root, in_utf8, prints_errors, root_option, say
from crossnet.pipeline.remote.places import remote_of

if TYPE_CHECKING:
    from crossnet.serving.protocol.column_rules import ColumnRules
    from crossnet.serving.protocol.csv_format import CsvFormat

_MODELS_NAMED = 10
_MODEL_FLAGS = ("--model_name", "--model_base_path", "--model_config_file")


class _PassesOn(click.Command):
    """A command whose arguments behind `--` stay behind a `--` in `Context.args`, where click would drop it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        super().parse_args(ctx, args[:end])
        ctx.args += args[end:]
        return ctx.args


@click.command(cls=_PassesOn, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@root_option
@click.option(
    "--server",
    type=click.Choice(["auto", "binary", "embedded", "docker"]),
    default="auto",
    show_default=True,
    help="auto: tensorflow_model_server where it is installed, else embedded.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    shell_complete=complete_configs,
    help="Serve the model that this config pushes, where it pushes it.",
)
@click.pass_context
@prints_errors
def serve(context: click.Context, root: Path, server: str, config: Path | None) -> int:
    """Serve pushed models over gRPC and REST.

    Accepts all flags of tensorflow_model_server, written as --name=value. Without model flags it serves every pushed
    model; with --model_name alone or --config, only that one. What stands behind -- goes to tensorflow_model_server
    as it is.

    Example: crossnet serve --port=8500 --rest_api_port=8501
    """
    from crossnet.serving.launcher import serve as launch

    flags = list(context.args)
    if config is not None:
        given = [name for name in _MODEL_FLAGS if any(flag.partition("=")[0] == name for flag in flags)]
        if given:
            raise click.UsageError(f"`--config` names the model, and so does `{given[0]}`. Give one of them.", context)
        settings = loaded(config)
        name = settings.pusher.model_name
        model_flags = [f"--model_name={name}"]
        if settings.pusher.serving_dir:
            model_flags.append(f"--model_base_path={served_folder(settings, root) / name}")
        root, flags = chosen_root(root, settings), [*model_flags, *flags]
    if (remote := remote_of(root)) is not None:
        from crossnet.pipeline.remote.service import flags_for

        flags = flags_for(remote, flags)
    return launch(flags, root=root, server=server)


@click.command()
@click.option(
    "--rows",
    required=True,
    metavar="FILE",
    help="JSON lines, CSV, Parquet, Arrow or TFRecord; - for standard input.",
)
@click.option("--output", type=click.Path(path_type=Path), help="[default: standard output]")
@click.option("--target", default="localhost:8500", show_default=True, help="host:port, or unix:PATH.")
@click.option("--model", "model_name", help="The model's name. [default: that of --config, else crossnet]")
@click.option("--version", type=int, help="Ask this version. [default: the server's choice]")
@click.option("--label", help="Ask the version with this label.")
@click.option("--timeout", "timeout_seconds", default=10.0, show_default=True, help="Seconds that each call may take.")
@click.option("--wait", "wait_seconds", type=float, default=0.0, help="Seconds to wait for the model to be ready.")
@click.option("--batch-size", default=1000, show_default=True, help="Rows per call.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["jsonl", "csv", "parquet", "arrow", "tfrecord"]),
    help="[default: by name]",
)
@click.option("--signature", "signature_name", help="[default: serving_default; TFRecord: serving_examples]")
@click.option(
    "--ignore-extra",
    is_flag=True,
    help="Ignore all columns that are not features. The label and others that training left out are ignored anyway, "
    "where --config or the model's folder names them.",
)
@click.option(
    "--tls-ca", type=click.Path(path_type=Path, exists=True), help="Authority's certificate (PEM). Turns TLS on."
)
@click.option(
    "--tls-cert", type=click.Path(path_type=Path, exists=True), help="Client's certificate (PEM). Turns TLS on."
)
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), help="Client's private key (PEM).")
@click.option("--tls-server-name", help="Name in the server's certificate, if it is not the target's. Turns TLS on.")
@click.option(
    "--offline", type=click.Path(path_type=Path, exists=True), help="Ask the model in this folder, not a server."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="With --offline: answer a CSV or JSON lines file of 32 MiB or more in N processes, for each 3 CPU s and "
    "0.7 GB more. No byte depends on it.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1, without the output file, where a number is NaN, infinite or beyond those of training.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print no progress.")
@root_option
@prints_errors
@csv_options
def predict(
    rows: str,
    output: Path | None,
    file_format: str | None,
    signature_name: str | None,
    batch_size: int,
    ignore_extra: bool,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_server_name: str | None,
    csv_format: CsvFormat | None,
    rules: ColumnRules | None,
    workers: int,
    strict: bool,
    quiet: bool,
    **address: Any,
) -> None:
    """Add a server's predictions to a file of rows, over gRPC.

    An output file appears only when it is complete, in the format of the rows; from Parquet and Arrow also in the one
    of Parquet, Arrow, JSON lines and CSV that its name tells. A pipe or a device is written as the answers arrive.
    Values unlike those of training are counted by column, where --offline or the version below --root records them.
    """
    from crossnet.components import interrupts
    from crossnet.components.engines.local import LocalEngine
    from crossnet.components.formats import counted
    from crossnet.pipeline.cli import predicted, screen
    from crossnet.serving.bulk import predict_large_file
    from crossnet.serving.client import Tls
    from crossnet.serving.predict import ModelAddress, RowFiles

    tls = Tls(ca=tls_ca, certificate=tls_cert, key=tls_key, server_name=tls_server_name)
    answered_rows = 0

    def words(number: signal.Signals) -> interrupts.Words:
        kept = predicted.what_became_of(output, "what was answered so far is written")
        return interrupts.Words(f"Interrupted after {counted(answered_rows, 'row')}; {kept}.")

    counting, local = screen.counting("rows", quiet=quiet), LocalEngine(workers)
    with interrupts.last_words(words), predicted.naming_options(address), counting as show, local as engine:

        def progress(done: int) -> None:
            nonlocal answered_rows
            interrupts.check()
            answered_rows = done
            show(done)

        summary = predict_large_file(
            RowFiles(rows, output, file_format, csv_format, rules),
            ModelAddress(tls=tls if any(vars(tls).values()) else None, **address),
            engine.map,
            engine.width,
            signature_name=signature_name,
            batch_size=batch_size,
            ignore_extra=ignore_extra,
            progress=progress,
            judge=predicted.strict_judge(output, quiet=quiet) if strict else None,
        )
    predicted.say_summary(summary, quiet=quiet, strict=strict)


@click.command()
@root_option
@click.option("--model", "model_name", default="crossnet", show_default=True, help="The model's name.")
@click.option("--serving-dir", type=click.Path(path_type=Path), help="[default: <root>/serving_models]")
@click.option("--reason", default="", callback=in_utf8, help="Why; recorded beside the version.")
@click.option("--yes", is_flag=True, help="Also where nothing, or a damaged version, would be in service afterwards.")
@click.pass_obj
@prints_errors
def rollback(
    started: Callable[[], datetime.datetime] | None,
    root: Path,
    model_name: str,
    serving_dir: Path | None,
    reason: str,
    yes: bool,
) -> None:
    """Take the newest version out of service.

    Servers return to the version before it at their next poll. Of two calls at once, one takes a version out.
    """
    from crossnet.components.files import FOLDER_NAME, is_folder_name
    from crossnet.components.rollback import roll_back

    if not is_folder_name(model_name):
        raise click.BadParameter(f"a model's name has {FOLDER_NAME}; received '{model_name}'.", param_hint="--model")
    store = None
    if serving_dir is None and remote_of(root) is not None:
        from crossnet.pipeline.store import Store

        store = Store(root)  # fetches what the store has
    folder = (serving_dir or root / "serving_models") / model_name
    if not folder.is_dir():
        raise PipelineError(_no_such_model(folder))
    since = started() if started else None
    if store is not None:
        from crossnet.pipeline.remote.service import roll_back_there

        done = roll_back_there(store, folder, reason, confirmed=yes, started=since)
    else:
        done = roll_back(folder, reason, confirmed=yes, started=since)
    for note in done.notes:
        say(note, err=True)
    say(f"Version {done.removed} of `{model_name}` is out of service.")
    say(f"Version {done.restored} is in service again." if done.restored else "No version is in service now.")


def _no_such_model(folder: Path) -> str:
    """Returns a sentence on a model's folder that is not there, and on those that are."""
    from crossnet.pipeline.cli.predicted import model_names
    from crossnet.serving.protocol.suggestions import did_you_mean

    names = model_names(folder.parent)
    wrong = f"No model `{folder.name}` in `{folder.parent}`."
    if not names:
        return (
            f"{wrong} None was pushed there yet. Push one with `crossnet run`, or name another folder: --serving-dir."
        )
    more = f" and {len(names) - _MODELS_NAMED} more" if len(names) > _MODELS_NAMED else ""
    listed = ", ".join(f"`{name}`" for name in names[:_MODELS_NAMED])
    return f"{wrong}{did_you_mean(folder.name, names)} There are: {listed}{more}. Name one with --model."
