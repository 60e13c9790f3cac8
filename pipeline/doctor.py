"""Checks what is installed and names the command that installs the rest.

It imports nothing that it looks for.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass

from crossnet.components.networks import tfrs_cross
from crossnet.pipeline.fingerprint import LIBRARIES

FIX_CORE = "make run (installs what requirements.lock pins)"


@dataclass(frozen=True)
class Finding:
    """One program, package or setting that was looked for.

    Attributes:
      name: What it is.
      state: Its version or place, or "missing".
      ok: False where the pipeline does not work without it; None where it is optional and missing.
      fix: The command that installs it, or what needs it; empty where it is there.
    """

    name: str
    state: str
    ok: bool | None
    fix: str = ""


# What pyproject.toml asks for beside the libraries whose versions enter fingerprints.
OTHERS = (
    *("grpcio", "grpcio-reflection", "google-crc32c", "orjson", "click", "rich", "jinja2", "markupsafe", "tomli-w"),
    *("starlette", "uvicorn", "httptools", "prometheus-client"),
)


def examine() -> list[Finding]:
    """Returns all findings, what is required first."""
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] < (3, 14)
    findings = [Finding("python", version, supported, "" if supported else "make PYTHON=python3.11 run")]
    findings += [_package(name) for name in (*LIBRARIES, *OTHERS)]
    legacy = os.environ.get("TF_USE_LEGACY_KERAS", "1")
    findings.append(
        Finding("Keras 2 (TF_USE_LEGACY_KERAS)", legacy, legacy == "1", "" if legacy == "1" else "unset it")
    )
    findings.append(
        _program("tensorflow_model_server", "without it `crossnet serve` uses the embedded server; see README")
    )
    findings.append(_program("docker", "only `crossnet serve --server=docker` needs it"))
    findings.append(_program("chromium", "only the report's browser test needs it: apt install chromium"))
    findings.append(
        _optional(tfrs_cross.PACKAGE, f"only the model `{tfrs_cross.KIND}` needs it: {FIX_CORE}", tfrs_cross.MODULE)
    )
    findings.append(_optional("tensorboard", "only trainer.tensorboard needs it: pip install tensorboard"))
    findings.append(_optional("pyspark", 'only engine = "spark" needs it: pip install pyspark, and Java 17'))
    findings.append(
        _optional("apache-beam", 'only engine = "beam" needs it, in an environment of its own', module="apache_beam")
    )
    findings.append(_optional("kfp", "only crossnet compile needs it, in an environment of its own"))
    return findings


def _package(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name), True)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", False, FIX_CORE)


def _optional(name: str, note: str, module: str = "") -> Finding:
    if importlib.util.find_spec(module or name) is None:
        return Finding(name, "missing", None, note)
    return Finding(name, importlib.metadata.version(name), True)


def _program(name: str, note: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, path, True) if path else Finding(name, "missing", None, note)
