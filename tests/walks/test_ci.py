"""Checks that CI, the hooks and `make` run the same commands."""

import contextlib
import json
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from support import REPOSITORY
from support.project import allowed_pythons

MAKEFILE = (REPOSITORY / "Makefile").read_text()
WORKFLOWS = REPOSITORY / ".github" / "workflows"
TEMPLATES = REPOSITORY / ".github" / "ISSUE_TEMPLATE"


def read_yaml(path):
    return yaml.safe_load(path.read_text())


def phony_targets():
    (names,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.M)
    return set(names.split()) - {"same-python"}


def recipe(target):
    """Returns the commands of a target, such as `$(V)/mypy`."""
    (lines,) = re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.M)
    return [line.strip("\t@") for line in lines.splitlines()]


def run(*command, **environment):
    kept = {name: value for name, value in os.environ.items() if not re.search("MAKE|^PYTHON$|COVERAGE|^COV_", name)}
    return subprocess.run(
        command, cwd=REPOSITORY, env={**kept, **environment}, capture_output=True, text=True, timeout=60
    )


def test_ci_runs_on_the_pythons_of_the_package():
    job = read_yaml(WORKFLOWS / "ci.yml")["jobs"]["run"]
    assert job["strategy"]["matrix"]["python"] == allowed_pythons()
    (step,) = [step for step in job["steps"] if "run" in step]
    assert step["run"] == ".ci/run"
    assert step["env"] == {"PYTHON": "python${{ matrix.python }}"}
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_ci_builds_the_site_and_keeps_it():
    *_, build, keep = read_yaml(WORKFLOWS / "ci.yml")["jobs"]["docs"]["steps"]
    assert build["run"] == "make docs"
    assert keep["with"]["path"] == "site"


def test_the_newest_dependencies_are_tried_every_week():
    workflow = read_yaml(WORKFLOWS / "newest-dependencies.yml")
    (schedule,) = workflow[True]["schedule"]  # YAML reads `on` as true
    minute, hour, day, month, weekday = schedule["cron"].split()
    assert (day, month) == ("*", "*")
    assert all(field.isdecimal() for field in (minute, hour, weekday))
    job = workflow["jobs"]["run"]
    assert set(job["strategy"]["matrix"]["python"]) == {allowed_pythons()[0], allowed_pythons()[-1]}
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert (commands[0], commands[-1]) == ("make lock LOCK_FLAGS=--upgrade", ".ci/run")
    for name in ("audit", "neighbours"):
        assert [step["run"] for step in workflow["jobs"][name]["steps"] if "run" in step] == [f"make {name}"]


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
def test_workflows_may_only_read_and_their_actions_have_versions(path):
    workflow = read_yaml(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert all(re.search(r"@v\d+$", step["uses"]) for step in job["steps"] if "uses" in step)


def test_issue_forms_have_what_github_asks_for():
    forms = [read_yaml(path) for path in TEMPLATES.glob("*.yml") if path.name != "config.yml"]
    assert len(forms) == 2
    for form in forms:
        assert form["name"]
        assert form["description"]
        names = [field["id"] for field in form["body"]]
        assert len(set(names)) == len(names)
        assert all(field["type"] == "textarea" and field["attributes"]["label"] for field in form["body"])
    (link,) = read_yaml(TEMPLATES / "config.yml")["contact_links"]
    assert {"name", "url", "about"} == link.keys()
    assert (REPOSITORY / "SECURITY.md").exists()


def test_hooks_run_what_make_lint_runs():
    (repository,) = read_yaml(REPOSITORY / ".pre-commit-config.yaml")["repos"]
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries.pop() == "git diff --check HEAD"
    linted = [re.sub(r" (--check|\.|\$\(MANIFESTS\))(?= |$)", "", line) for line in recipe("lint")]
    assert entries == [line.replace("$(V)", ".venv/bin") for line in linted]


def test_coverage_counts_the_files_behind_the_links(tmp_path):
    def coverage(*command):
        return run(sys.executable, "-m", "coverage", *command, COVERAGE_FILE=str(tmp_path / "data"))

    assert coverage("run", "-m", "crossnet", "--help").returncode == 0
    assert coverage("combine").returncode == 0
    report = tmp_path / "report.json"
    done = coverage("json", "-o", str(report))
    assert done.returncode == 2  # one command reaches less than the floor
    assert "is less than fail-under=90" in done.stdout
    files = json.loads(report.read_text())["files"]
    assert files["pipeline/cli/__init__.py"]["summary"]["percent_covered"] > 0
    assert files["components/trainer.py"]["summary"]["percent_covered"] == 0  # not imported, and counted
    assert {name.partition("/")[0] for name in files} == {"components", "crossnet", "pipeline", "serving"}
    assert not [name for name in files if name.startswith(("crossnet/pipeline", "crossnet/components"))]


def test_make_help_has_a_line_for_each_target():
    lines = run("make", "help").stdout.splitlines()
    listed = {line.split()[1]: line.split(maxsplit=2)[2] for line in lines}
    assert listed.keys() == phony_targets()
    assert all(len(does) > 10 for does in listed.values())


def test_build_md_and_ci_name_targets_that_exist():
    text = (REPOSITORY / "BUILD.md").read_text()
    table = set(re.findall(r"^\| `make ([\w-]+)` \|", text, re.M))
    assert table == phony_targets()
    commands = re.findall(r"^make ([\w-]+)", (REPOSITORY / ".ci" / "run").read_text(), re.M)
    assert commands == ["test", "lint", "docs", "test-slow", "test-slow", "scale", "clients"]


def test_make_refuses_a_python_that_is_not_the_one_of_the_environment(tmp_path):
    other = tmp_path / "python3"
    other.write_text("#!/bin/sh\necho Python 3.10.1\n")
    other.chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    mine = tmp_path / ".venv" / "bin" / "python"
    mine.write_text("#!/bin/sh\necho Python 3.11.7\n")
    mine.chmod(0o755)
    command = ("make", "-f", str(REPOSITORY / "Makefile"), "-C", str(tmp_path), "same-python")
    assert run(*command).returncode == 0
    refused = run(*command, PYTHON=str(other))
    assert refused.returncode == 2
    assert f".venv has Python 3.11.7, and {other} is Python 3.10.1. Remove .venv first: make clean" in refused.stderr
    assert run(*command, PYTHON=str(mine)).returncode == 0


@pytest.mark.parametrize(
    ("target", "lock"), [(".venv/.run", "requirements.lock"), (".venv/.dev", "requirements-dev.lock")]
)
def test_make_says_what_it_installs(tmp_path, target, lock):
    """`uv` only makes the environment here; a terminal is a pseudo-terminal."""
    for name in ("pyproject.toml", lock):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in ("crossnet", "components", "pipeline", "serving"):
        (tmp_path / name).mkdir()
    tool = tmp_path / "uv"
    tool.write_text(
        f'#!/bin/sh\ncase "$1 $*" in venv*) mkdir -p .venv/bin; ln -s "{sys.executable}" .venv/bin/python ;;\n'
        "*lock) sleep 1.2 ;; esac\n"
    )
    tool.chmod(0o755)
    command = ["make", "-f", str(REPOSITORY / "Makefile"), f"UV={tool}", f"PYTHON={sys.executable}", target]
    reader, terminal = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=terminal, stderr=terminal, timeout=60)
    os.close(terminal)
    printed = b""
    with contextlib.suppress(OSError):  # the end of a pseudo-terminal
        while piece := os.read(reader, 4096):
            printed += piece
    os.close(reader)
    assert done.returncode == 0, printed
    count = sum(re.match(r"[a-z].*==", line) is not None for line in (tmp_path / lock).read_text().splitlines())
    lines = printed.decode().splitlines()
    assert lines[0].startswith(f"Installing the {count} packages of {lock} into .venv: ")
    assert "  1 s" in lines
    assert lines[-1].endswith("\x1b[K")
