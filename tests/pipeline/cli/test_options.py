import errno
import json
import os
import signal
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from crossnet.components import interrupts
from crossnet.components.errors import DataError, NotBlessedError, SettingsError
from crossnet.pipeline.cli import cli
from crossnet.pipeline.cli.options import config_options, json_option, prints_errors, root_option
from crossnet.serving.status import UsageError
from support.toy_steps import Interrupted


def invoke(command, *arguments, **options):
    return CliRunner().invoke(command, arguments, **options)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_command_exits_with_what_it_returns(returned, code):
    @click.command()
    @prints_errors
    def command():
        click.echo("a result")
        return returned

    done = invoke(command)
    assert (done.exit_code, done.stdout, done.stderr) == (code, "a result\n", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DataError("rows.csv:3 is short."), 1),
        (SettingsError("Unknown setting."), 2),
        (NotBlessedError("The gate is closed."), 3),
        (UsageError("`target` has no port."), 2),
    ],
)
def test_expected_error_is_one_line_and_its_exit_code(error, code):
    @click.command()
    @json_option
    @prints_errors
    def command(as_json):
        raise error

    done = invoke(command)
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"{error}\n")
    done = invoke(command, "--json")
    assert (done.exit_code, json.loads(done.stdout), done.stderr) == (code, {"error": str(error)}, f"{error}\n")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("error", [None, DataError("the server ended")])
def test_interruption_is_one_sentence_and_its_exit_code(number, code, error):
    @click.command()
    @json_option
    @prints_errors
    def repair(as_json):
        Interrupted(number)  # Python swallows it
        if error:
            raise error

    for options in ((), ("--json",)):
        with interrupts.noticed():
            done = invoke(repair, *options)
        sentence = "Interrupted in `crossnet repair`."
        assert (done.exit_code, done.stderr) == (code, f"{sentence}\n")
        assert done.stdout == (json.dumps({"error": sentence}) + "\n" if options else "")


@pytest.mark.usefixtures("interruptible")
def test_signal_after_the_end_of_a_command_changes_nothing():
    @click.command()
    @prints_errors
    def command():
        return 3

    with interrupts.noticed():
        done = invoke(command)
        os.kill(os.getpid(), signal.SIGTERM)
        interrupts.check()
    assert done.exit_code == 3


def test_bug_keeps_its_traceback():
    @click.command()
    @prints_errors
    def command():
        raise ZeroDivisionError("a bug")

    assert isinstance(invoke(command).exception, ZeroDivisionError)


def test_wrong_usage_is_left_to_click():
    @click.command()
    @json_option
    @prints_errors
    def command(as_json):
        raise click.BadParameter("expected a reason.", param_hint="--force")

    done = invoke(command, "--json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Invalid value for --force: expected a reason." in done.stderr


def test_root_is_the_option_else_the_environment_else_a_folder_here(tmp_path):
    @click.command()
    @root_option
    def command(root):
        assert isinstance(root, Path)
        click.echo(root)

    assert invoke(command).stdout == "crossnet_root\n"
    assert invoke(command, env={"CROSSNET_ROOT": "elsewhere"}).stdout == "elsewhere\n"
    assert invoke(command, "--root", "here", env={"CROSSNET_ROOT": "elsewhere"}).stdout == "here\n"
    (tmp_path / "file").touch()
    done = invoke(command, "--root", str(tmp_path / "file"))
    assert done.exit_code == 2
    assert "is a file" in done.stderr


def test_settings_are_repeated_and_keep_their_order():
    @click.command()
    @config_options
    def command(config_file, overrides):
        click.echo(f"{config_file!r} {overrides}")

    assert invoke(command).stdout == "None ()\n"
    done = invoke(command, "--set", "b=2", "--config", "rides.toml", "--set", "a=[1, 2]")
    assert done.stdout == f"{Path('rides.toml')!r} ('b=2', 'a=[1, 2]')\n"


def test_what_the_system_refuses_is_one_sentence_also_as_json(tmp_path):
    @click.command("report")
    @root_option
    @json_option
    @prints_errors
    def command(root, as_json):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(root / "runs"))

    done = invoke(command, "--root", str(tmp_path), "--json")
    assert done.exit_code == 1
    assert done.stderr == f"{json.loads(done.stdout)['error']}\n"
    assert done.stderr.startswith(
        f"`crossnet command` failed: `{tmp_path}/runs` is on a file system that is read-only. Make it writable, or "
    )


def test_a_root_may_be_the_uri_of_a_folder(tmp_path):
    for arguments in (["runs"], ["rollback"]):
        here, there = (
            CliRunner().invoke(cli, [*arguments, "--root", root]) for root in (str(tmp_path), tmp_path.as_uri())
        )
        assert (here.exit_code, here.output) == (there.exit_code, there.output)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["tune", "--root", "s3://key:secret@"], "--root: `s3://` names no bucket and no folder."),
        (
            ["runs", "--root", "ftp://host/root"],
            "--root: `ftp://host/root` cannot be read: Unrecognized file",
        ),
        (
            ["run", "--set", "pusher.serving_dir=s3://key:secret@b"],
            "`serving_dir` is a folder, not a URI. Received",
        ),
    ],
)
def test_a_root_that_no_store_can_have_is_refused(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    words = " ".join(result.output.split())
    assert sentence in words
    assert "secret" not in words
    assert not list(tmp_path.iterdir())


def test_a_terminal_gets_long_errors_wrapped_at_words(tmp_path, monkeypatch, capsys):
    def err(*arguments):
        with pytest.raises(SystemExit):
            cli([*arguments, "--root", str(tmp_path)])
        return capsys.readouterr().err.splitlines()

    calls = [("rollback", "--model", "none"), ("rollback", "--model", "a/b"), ("runs", "--limit", "x" * 40)]
    plain = [err(*call) for call in calls]
    monkeypatch.setattr("crossnet.pipeline.wrapping.columns", lambda stream: 70)
    for call, whole in zip(calls, plain, strict=True):
        lines = err(*call)
        words = [word for line in lines for word in line.split()]
        assert words == [word for line in whole for word in line.split()]
        assert len(lines) > len(whole)
        assert all(len(line) <= 70 or len(line.split()) == 1 for line in lines)
