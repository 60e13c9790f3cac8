"""Starts the `crossnet` command line.

Results go to standard output, progress and errors to standard error.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from crossnet.components import interrupts
from crossnet.pipeline.cli import config_files, exporting, orchestration, past, runs, serving, setup, tuning, upkeep
from crossnet.pipeline.cli.options import print_error, print_interruption, process_start
from crossnet.pipeline.cli.output import name_output
from crossnet.pipeline.threads import claim_process
from crossnet.pipeline.wrapping import fitted
from crossnet.serving.protocol.printable import printable


def main() -> None:
    """Runs the command line and exits."""
    # `run` sends TensorFlow's messages to its log file.
    if {"serve", "predict", "evaluate", "export"} & set(sys.argv[1:2]):
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    name_output()
    claim_process()
    as_json = "--json" in sys.argv
    # `serve` ends by a signal as it should.
    with interrupts.noticed(exit_code=0 if sys.argv[1:2] == ["serve"] else None, as_json=as_json):
        try:
            cli(prog_name="crossnet", obj=process_start)
        except interrupts.Interrupted as error:  # while the options were read
            print_interruption(error, as_json=as_json)
            interrupts.end(error.exit_code)
        except Exception as error:  # while the options were read, or a help text was printed
            interrupts.end(print_error(error, " ".join(sys.argv[1:2]), {"as_json": as_json}))
        except SystemExit as error:
            if isinstance(error.code, int):
                interrupts.end(error.code)
            raise


_SECTIONS = {
    "Build": ("init", "config", "plan", "why", "run", "step", "compile", "tune", "compare"),
    "Look": ("runs", "show", "report", "diff", "evaluate"),
    "Serve": ("serve", "predict", "export", "rollback"),
    "Tidy": ("verify", "gc", "doctor", "sbom"),
}
_ERROR = "Error: "  # click prints it in front of a sentence
_MAX_SENTENCE = 200  # characters of a command's first sentence


class _Commands(click.Group):
    """Commands in sections, whose usage errors can be printed: an argument may hold anything."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        named = {name for names in _SECTIONS.values() for name in names}
        for title, names in {**_SECTIONS, "More": tuple(sorted(self.commands.keys() - named))}.items():
            rows = [
                (name, self.commands[name].get_short_help_str(_MAX_SENTENCE)) for name in names if name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc]  # final, for those who read it
            text = fitted(f"{_ERROR}{error.format_message()}", sys.stderr).removeprefix(_ERROR)
            error.format_message = lambda: text  # type: ignore[method-assign]
            raise


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="crossnet-pipeline", prog_name="crossnet")
def cli() -> None:
    """Train cross networks and a dense baseline on a table, evaluate them, push and serve the one that passes.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the gate is closed, 130 and 143 interrupted by SIGINT and SIGTERM.
    """


for commands in (runs, past, tuning, orchestration, serving, exporting, setup, config_files, upkeep):
    for command in vars(commands).values():
        if isinstance(command, click.Command) and command.name not in config_files.BELOW:
            cli.add_command(command)
