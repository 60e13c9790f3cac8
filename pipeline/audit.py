"""Asks an advisory database about the versions that a lock pins.

`make audit` runs `python -m crossnet.pipeline.audit`. Exit codes: 0 the database knows of no vulnerability in any
pinned version, 1 it knows of some, 4 not audited: it could not be asked, or not about every version. pip-audit asks;
what it skips counts as a pass there, and not here.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from crossnet.components.errors import PipelineError
from crossnet.components.formats import counted

DATABASE = "https://api.osv.dev/v1/query"
_MAX_SECONDS = 600
_MAX_CHARACTERS = 400  # of what pip-audit said last
_NAMES_SHOWN = 5


class VulnerableError(PipelineError):
    """A pinned version has a known vulnerability."""


class NotAuditedError(PipelineError):
    """The database could not be asked about every pinned version. That is not a pass."""

    exit_code = 4


def audit(lock: Path, url: str = DATABASE) -> int:
    """Asks the database about each version that the lock pins for this machine and returns how many there are.

    Args:
      lock: A file of pinned requirements with hashes.
      url: The query address of an OSV database.

    Raises:
      VulnerableError: The database knows of a vulnerability.
      NotAuditedError: The database could not be asked about every version.
    """
    if importlib.util.find_spec("pip_audit") is None:
        raise _not_audited(lock, "pip-audit is not installed; `make audit` installs it")
    options = ["--disable-pip", "--progress-spinner=off", "--format=json", "--desc=off", "--vulnerability-service=osv"]
    command = [sys.executable, "-m", "pip_audit", *options, f"--osv-url={url}", f"--requirement={lock}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MAX_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise _not_audited(lock, f"{url} did not answer within {_MAX_SECONDS} s") from None
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        raise _not_audited(lock, f"{url} could not be asked ({said[-1][:_MAX_CHARACTERS]})") from None
    return _judge(lock, answers)


def _judge(lock: Path, answers: list[Mapping[str, Any]]) -> int:
    """Returns how many versions there are, all of them known and none of them vulnerable."""
    skipped = [answer for answer in answers if "skip_reason" in answer]
    lines = [
        f"{answer['name']} {answer['version']}: {found['id']}, {_mended(found['fix_versions'])}"
        for answer in answers
        for found in answer.get("vulns", ())
    ]
    if lines:
        known = counted(len(lines), "known vulnerability", "known vulnerabilities")
        unknown = f" {counted(len(skipped), 'other version')} could not be looked up." if skipped else ""
        raise VulnerableError(
            "\n".join(lines) + f"\n`{lock}` pins versions with {known}.{unknown} Call `make lock LOCK_FLAGS=--upgrade`."
        )
    if skipped or not answers:
        names = ", ".join(answer["name"] for answer in skipped[:_NAMES_SHOWN])
        raise _not_audited(
            lock, f"{len(skipped)} of {counted(len(answers), 'version')} could not be looked up: {names}"
        )
    return len(answers)


def _mended(versions: list[str]) -> str:
    return f"mended in {', '.join(versions)}" if versions else "not mended in any release"


def _not_audited(lock: Path, why: str) -> NotAuditedError:
    return NotAuditedError(
        f"NOT AUDITED: {why}. Nothing is known about the versions in `{lock}`; this is not a pass. Call again where "
        "the network allows, or name another database with --url."
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("lock", type=click.Path(path_type=Path, exists=True), default="requirements-dev.lock")
@click.option("--url", default=DATABASE, show_default=True, help="The query address of an OSV database.")
def main(lock: Path, url: str) -> None:
    """Ask an advisory database about the versions that LOCK pins. [default: requirements-dev.lock]"""
    try:
        count = audit(lock, url)
    except PipelineError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    click.echo(f"{counted(count, 'pinned version')} in {lock}: no known vulnerability, says {url}.")


if __name__ == "__main__":
    main()
