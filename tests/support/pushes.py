"""Pushes made-up models, in this process or in one of its own."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.infra_validation import InfraValidation
from crossnet.components.artifacts.model import Model
from crossnet.components.errors import PipelineError
from crossnet.components.files import folder_checksum
from crossnet.components.params.pusher import PusherParams
from crossnet.components.pusher import push_model
from support import REPOSITORY


def make_model(folder, content):
    """Writes a model whose graph is the text `content` below `folder` and returns it."""
    (folder / "Format-Serving" / "variables").mkdir(parents=True)
    (folder / "Format-Serving" / "saved_model.pb").write_text(content)
    (folder / "Format-Serving" / "variables" / "variables.index").write_text("weights")
    checksum = folder_checksum(folder / "Format-Serving")
    return Model(folder, {"parameters": 16}, {"kind": "cross_layer", "checksum": checksum}, f"fp-{content}")


def push(model, folder, serving_dir, *, blessed=True, infra=True, force=""):
    """Pushes `model`, with the verdicts and the PushedModel below `folder`."""
    evaluation, validation, out = (folder / name for name in ("evaluation", "validation", "pushed"))
    for path, mark in ((evaluation, "BLESSED" if blessed else "NOT_BLESSED"), (validation, "INFRA_")):
        path.mkdir(parents=True)
        (path / mark).touch()
    (validation / ("INFRA_BLESSED" if infra else "INFRA_NOT_BLESSED")).touch()
    out.mkdir()
    reasons = [] if blessed else ["NOT_BLESSED: too high."]
    return push_model(
        Evaluation(evaluation, {}, {"champion": "cross_layer" if blessed else None, "reasons": reasons}),
        InfraValidation(validation, {}, {"model": "cross_layer", "reasons": [] if infra else ["INFRA: no."]}),
        {"cross_layer": model},
        output_dir=out,
        params=PusherParams(),
        serving_dir=str(serving_dir),
        force=force,
    )


def environment():
    """The environment of a Python process that finds this package and these helpers."""
    return {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"}


@contextmanager
def pusher(root, serving_dir, *, before="", umask=-1):
    """A process that pushes a model whose bytes are the line for each line that it reads, and prints the version.

    Args:
      root: Where its models are.
      serving_dir: Where it pushes them.
      before: Python that it runs first.
      umask: Its umask; -1: that of this process.
    """
    code = f"{before}\nfrom support.pushes import main\nmain({str(root)!r}, {str(serving_dir)!r})"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        umask=umask,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.stdin.close()


def main(root, serving_dir):
    """Pushes the models that standard input names."""

    def say(text):
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    say("ready")
    for number, line in enumerate(sys.stdin):
        folder = Path(root) / str(number)
        model = make_model(folder / "model", line.strip())
        try:
            say(push(model, folder, serving_dir).version)
        except PipelineError as error:
            say(error)
