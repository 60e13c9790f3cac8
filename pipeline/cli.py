"""`crossnet`: results on standard output, progress on standard error, exit codes 0, 1, 2 and 3.

This file has the only `try` that turns errors into text; anything else that is raised is a bug and shows its traceback.
What a command needs is imported inside it, so that `--help` is quick.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from components.errors import PipelineError

ROOT = "crossnet_root"


def main() -> None:
    """Runs the command line and exits."""
    # TensorFlow's C++ speaks on standard error while it is imported. A run keeps what it says in its log file.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if {"serve", "predict"} & set(sys.argv[1:2]) else "0")
    cli(prog_name="crossnet")


def fails_in_words(command: Callable[..., int | None]) -> Callable[..., None]:
    """Makes a command exit with its return value, and with one sentence where an error was to be expected."""

    @functools.wraps(command)
    def wrapper(*args: Any, **options: Any) -> None:
        try:
            code = command(*args, **options) or 0
        except Exception as error:
            # ServingError is no PipelineError: `serving` knows nothing of `components`. Both carry an exit code.
            code = getattr(error, "exit_code", None) or 0
            if not code or isinstance(error, click.ClickException):
                raise
            if options.get("as_json"):
                click.echo(json.dumps({"error": str(error)}))
            click.echo(str(error), err=True)
        sys.exit(code)

    return wrapper


def root_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --root."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False),
        default=ROOT,
        envvar="CROSSNET_ROOT",
        show_default=True,
        show_envvar=True,
        help="Folder for artifacts, runs and pushed models.",
    )(command)


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --config and --set."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override one setting, such as trainer.epochs=20. May be repeated.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        help="A TOML file, or a shipped one: default, article, csv.",
    )(command)


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Adds --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="crossnet-pipeline", prog_name="crossnet")
def cli() -> None:
    """Rows in, a gated and served model out: trains cross networks and a Dense baseline, pushes what passes.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the gate is closed.
    """


@cli.command()
@config_options
@root_option
@click.option("--run", "name", metavar="NAME", help="Name of the run. [default: the time]")
@click.option("--until", metavar="STEP", help="Stop after this step.")
@click.option("--force", metavar="REASON", default="", help="Push in spite of the gate; the reason is recorded.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@click.option("--verbose", "-v", is_flag=True, help="Also show what the steps log.")
@json_option
@fails_in_words
def run(
    config_file: Path | None,
    overrides: tuple[str, ...],
    root: Path,
    name: str | None,
    until: str | None,
    force: str,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Run the pipeline; what is finished is reused."""
    from pipeline import screen
    from pipeline.config import load_config
    from pipeline.console import Reporter
    from pipeline.runner import RunResult, run_pipeline

    try:
        result = run_pipeline(
            load_config(config_file, overrides),
            root,
            name=name,
            until=until,
            force=force,
            reporter=Reporter(quiet=quiet, verbose=verbose),
        )
    except PipelineError as error:
        if not as_json:
            raise
        result = RunResult("", str(root.absolute()), exit_code=error.exit_code, error=str(error))
    if as_json:
        click.echo(json.dumps(result.to_json()))
    elif result.run:
        screen.print_result(result)
    if result.error:
        click.echo(result.error, err=True)
    return result.exit_code


@cli.command()
@config_options
@root_option
@click.option("--until", metavar="STEP", help="Stop after this step.")
@fails_in_words
def plan(config_file: Path | None, overrides: tuple[str, ...], root: Path, until: str | None) -> None:
    """Show what `run` would do, and why."""
    from pipeline import screen
    from pipeline.config import load_config
    from pipeline.plan import make_plan
    from pipeline.store import Store

    store = Store(root)
    screen.print_plan(make_plan(load_config(config_file, overrides), store, until=until), store)


@cli.command()
@click.argument("step")
@config_options
@root_option
@fails_in_words
def why(step: str, config_file: Path | None, overrides: tuple[str, ...], root: Path) -> None:
    """Say what differs, if STEP would run again."""
    from pipeline import screen
    from pipeline.config import load_config
    from pipeline.plan import make_plan
    from pipeline.store import Store

    store = Store(root)
    screen.print_why(make_plan(load_config(config_file, overrides), store, until=step), step, store)


@cli.command()
@root_option
@json_option
@fails_in_words
def runs(root: Path, as_json: bool) -> None:
    """List past runs, the newest first."""
    from pipeline import screen
    from pipeline.store import Store

    store = Store(root)
    facts = [store.read_run(name) for name in store.run_names()]
    if as_json:
        click.echo(json.dumps({"runs": facts}))
    else:
        screen.print_runs(facts, store)


@cli.command()
@click.argument("name", metavar="[RUN]", required=False)
@root_option
@json_option
@fails_in_words
def show(name: str | None, root: Path, as_json: bool) -> None:
    """Show one run: steps, artifacts, times, verdict. [default: the newest]"""
    from pipeline import screen
    from pipeline.store import Store

    store = Store(root)
    facts = store.read_run(name)
    if as_json:
        click.echo(json.dumps(facts))
    else:
        screen.print_run(facts, store)


@cli.command()
@click.argument("name", metavar="[RUN]", required=False)
@root_option
@fails_in_words
def report(name: str | None, root: Path) -> None:
    """Write report.html of one run, and the index of all. [default: the newest]"""
    from pipeline.report import write_index, write_report
    from pipeline.store import Store

    store = Store(root)
    click.echo(write_report(store, str(store.read_run(name)["run"])))
    click.echo(write_index(store))


@cli.command()
@config_options
@root_option
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Trainings of each model.")
@click.option("--strong-dense", metavar="N,N,...", default="", help="A further Dense net with these hidden layers.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@json_option
@fails_in_words
def compare(
    config_file: Path | None,
    overrides: tuple[str, ...],
    root: Path,
    seeds: int,
    strong_dense: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train every model with several seeds: the article's table."""
    from components.artifacts import json_value
    from pipeline.compare import compare as compare_models
    from pipeline.config import load_config
    from pipeline.console import Reporter
    from pipeline.store import utc_now

    try:
        units = [int(part) for part in strong_dense.split(",") if part]
    except ValueError:
        raise click.BadParameter(f"whole numbers with commas, such as 64,64; received '{strong_dense}'") from None
    config = load_config(config_file, overrides)
    folder = root / "compare" / utc_now()[:19].replace("-", "").replace(":", "")
    folder.mkdir(parents=True, exist_ok=True)
    reporter = Reporter(quiet=quiet)
    with reporter.logging_to(folder / "log.txt"):
        comparison = compare_models(config, seeds=seeds, output_dir=folder, strong_units=units, progress=reporter.line)
    click.echo(json.dumps(json_value(comparison.rows)) if as_json else comparison.text)


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@root_option
@click.option(
    "--server",
    type=click.Choice(["auto", "binary", "embedded", "docker"]),
    default="auto",
    show_default=True,
    help="auto: tensorflow_model_server where it is installed, else embedded.",
)
@click.pass_context
@fails_in_words
def serve(context: click.Context, root: Path, server: str) -> int:
    """Serve what was pushed over gRPC and REST.

    All flags of tensorflow_model_server are taken, written as --name=value.

    Example: crossnet serve --port=8500 --rest_api_port=8501
    """
    from serving.launcher import serve as launch

    return launch(context.args, root=root, server=server)


@cli.command()
@click.option("--rows", required=True, metavar="FILE", help="JSON lines, CSV or TFRecord; - for standard input.")
@click.option("--output", type=click.Path(path_type=Path), help="[default: standard output]")
@click.option("--target", default="localhost:8500", show_default=True, help="host:port, or unix:PATH.")
@click.option("--model", "model_name", default="crossnet", show_default=True, help="The model's name.")
@click.option("--version", type=int, help="Ask this version. [default: the one the server chooses]")
@click.option("--label", help="Ask the version with this label.")
@click.option("--timeout", "timeout_seconds", default=10.0, show_default=True, help="Seconds for each call.")
@click.option("--wait", "wait_seconds", type=float, default=0.0, help="Seconds to wait for the model to be ready.")
@click.option("--batch-size", default=1000, show_default=True, help="Rows per call.")
@click.option("--format", "file_format", type=click.Choice(["jsonl", "csv", "tfrecord"]), help="[default: by name]")
@click.option("--signature", "signature_name", help="[default: serving_default; TFRecord: serving_examples]")
@click.option("--ignore-extra", is_flag=True, help="Let columns pass that are no features, such as the label.")
@click.option("--tls-ca", type=click.Path(path_type=Path, exists=True), help="Certificate authority: turns TLS on.")
@click.option("--tls-cert", type=click.Path(path_type=Path, exists=True), help="Certificate of this client.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), help="Its key.")
@click.option("--offline", type=click.Path(path_type=Path, exists=True), help="A model's folder, instead of a server.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
@fails_in_words
def predict(
    wait_seconds: float, tls_ca: Path | None, tls_cert: Path | None, tls_key: Path | None, quiet: bool, **options: Any
) -> None:
    """Add predictions to a file of rows, asking a server over gRPC."""
    from pipeline import screen
    from serving.client import PredictionClient, Tls
    from serving.predict import predict_rows

    tls = Tls(ca=tls_ca, certificate=tls_cert, key=tls_key) if tls_ca or tls_cert else None
    if wait_seconds and not options["offline"]:
        names = ("target", "model_name", "version", "label")
        with PredictionClient(**{name: options[name] for name in names}, tls=tls) as client:
            client.wait_ready(wait_seconds)
    with screen.counting("rows", quiet=quiet) as progress:
        summary = predict_rows(**options, tls=tls, progress=progress)
    if not quiet:
        versions = ", ".join(map(str, summary.versions))
        click.echo(f"{summary.rows:,} rows in {summary.seconds:.1f} s, answered by version {versions}.", err=True)


@cli.command()
@root_option
@click.option("--model", "model_name", default="crossnet", show_default=True, help="The model's name.")
@click.option("--serving-dir", type=click.Path(path_type=Path), help="[default: <root>/serving_models]")
@click.option("--reason", default="", help="Why; kept beside the version.")
@fails_in_words
def rollback(root: Path, model_name: str, serving_dir: Path | None, reason: str) -> None:
    """Take the newest version out of service.

    Servers go back to the one before within a poll.
    """
    from components.pusher import roll_back

    folder = (serving_dir or root / "serving_models") / model_name
    gone, back = roll_back(folder, reason)
    click.echo(f"Version {gone} of `{model_name}` is out of service.")
    click.echo(f"Version {back} is in service again." if back else "No version is in service now.")


@cli.command()
@root_option
@click.option("--keep", type=click.IntRange(min=1), default=10, show_default=True, help="Newest runs kept whole.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@fails_in_words
def gc(root: Path, keep: int, dry_run: bool) -> None:
    """Remove artifacts that nothing kept needs."""
    from pipeline.gc import collect_garbage
    from pipeline.store import Store

    store = Store(root)
    with store.locked():
        removed, size = collect_garbage(store, keep=keep, dry_run=dry_run)
    for path in removed:
        click.echo(path.relative_to(store.root))
    click.echo(f"{'Would remove' if dry_run else 'Removed'} {len(removed)} folders, {size / 2**20:.1f} MiB.")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--label", required=True, help="The column to predict.")
@click.option("--output", type=click.Path(path_type=Path), help="[default: the file's name with .toml, here]")
@fails_in_words
def init(file: Path, label: str, output: Path | None) -> None:
    """Look at a CSV and write a commented config for it."""
    from pipeline.init import look_at, write_config

    output = output or Path(f"{file.name.partition('.')[0]}.toml")
    write_config(file, look_at(file, label), output)
    click.echo(f"Wrote {output}. Next: crossnet run --config {output}")


@cli.command()
@fails_in_words
def doctor() -> int:
    """Show what is installed, what is missing and how to mend it."""
    from pipeline import screen
    from pipeline.doctor import examine

    findings = examine()
    screen.print_findings(findings)
    return int(any(finding.ok is False for finding in findings))
