"""Packs the client alone into a wheel of its own.

`make client-wheel` runs `python -m crossnet.pipeline.client_wheel`. The distribution is `crossnet-client`, its package
`crossnet_client`: the files of `crossnet.serving.client` and what they import, under other names. It shares no file
with the full wheel, so that both can be installed together. The bytes depend on the files alone.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import re
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import click

from crossnet.components.errors import PipelineError
from crossnet.pipeline.cli.options import prints_errors, say

SOURCES = Path(__file__).resolve().parent.parent
NEEDS = ("grpcio", "protobuf", "numpy")
_DISTRIBUTION, _PACKAGE, _CLIENT = "crossnet-client", "crossnet_client", "crossnet.serving.client"
_OURS = re.compile(r"\bcrossnet\.(?=(serving|lazy)\b)(serving\.)?")
_OLDEST = (1980, 1, 1, 0, 0, 0)  # of a time in a zip file

_ABOUT = """\
Calls TensorFlow Serving's gRPC API, without TensorFlow: checks names, types and shapes before it sends, retries what
may be sent again, and has a deadline on every call.

```python
from crossnet_client import PredictionClient

with PredictionClient("localhost:8500", model_name="crossnet") as client:
    answer = client.predict({"x0": [0.5, 1.0], "x1": [0.25, 0.0], "x2": [1.0, 0.0]})
    print(answer.version, answer.values)
```

`AsyncPredictionClient` has the same methods for asyncio. The errors are in `crossnet_client.status`. `RequestLog` needs
a POSIX system.
"""


def build(folder: Path, sources: Path = SOURCES) -> Path:
    """Writes the wheel and returns its path.

    Args:
      folder: Where it goes; made where it does not exist.
      sources: A checkout of the project.

    Raises:
      PipelineError: `sources` is not a checkout, or the wheel cannot be written.
    """
    try:
        project = tomllib.loads((sources / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        files = {**_modules(sources), **_information(project, (sources / "LICENSE").read_bytes())}
        name = f"{_PACKAGE}-{project['version']}"
        files[f"{name}.dist-info/RECORD"] = _record(files, f"{name}.dist-info")
    except FileNotFoundError as error:
        raise PipelineError(
            f"`{error.filename}` is not there. The client's wheel is made from a checkout of the project: run `make "
            "client-wheel` in one."
        ) from error
    path = folder / f"{name}-py3-none-any.whl"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as wheel:
            for file, content in files.items():
                item = zipfile.ZipInfo(file, _OLDEST)
                item.external_attr = 0o644 << 16
                wheel.writestr(item, content, zipfile.ZIP_DEFLATED)
    except OSError as error:
        raise PipelineError(f"Cannot write `{path}`: {error.strerror}. Name a folder with room: --out.") from error
    return path


def _modules(sources: Path) -> dict[str, bytes]:
    """Returns the package's files: the client, all modules that it imports, and the packages that hold these."""
    names, found = [_CLIENT, *_below(sources, _CLIENT)], {}
    while names:
        name = names.pop()
        if name in found or (file := _file(sources, name)) is None:
            continue
        text = found[name] = file.read_text(encoding="utf-8")
        names += [module for module in _imported(text) if module.startswith("crossnet.")]
    files = {f"{_PACKAGE}/__init__.py": _renamed(found[_CLIENT]), f"{_PACKAGE}/py.typed": b""}
    for name, text in found.items():
        package, module = _file(sources, name), _OURS.sub(f"{_PACKAGE}.", name).replace(".", "/")
        assert package is not None
        files[f"{module}/__init__.py" if package.name == "__init__.py" else f"{module}.py"] = _renamed(text)
    files[f"{_PACKAGE}/protocol/__init__.py"] = _renamed((sources / "serving/protocol/__init__.py").read_text())
    return dict(sorted(files.items()))


def _below(sources: Path, package: str) -> list[str]:
    folder = sources.joinpath(*package.split(".")[1:])
    return [f"{package}.{file.stem}" for file in sorted(folder.glob("*.py")) if file.stem != "__init__"]


def _file(sources: Path, module: str) -> Path | None:
    """Returns the file of one of our modules; None where the name is one in a module."""
    parts = module.split(".")[1:]
    base = sources.joinpath(*parts) if parts[0] == "serving" else sources.joinpath("crossnet", *parts)
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


def _imported(text: str) -> set[str]:
    """Returns all names that a module imports, and the modules that they may be in, or be."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)]
    return {
        name for node in nodes for alias in node.names for name in (f"{node.module}", f"{node.module}.{alias.name}")
    }


def _renamed(text: str) -> bytes:
    return _OURS.sub(f"{_PACKAGE}.", text).encode()


def _information(project: Mapping[str, object], licence: bytes) -> dict[str, bytes]:
    """Returns the files of `.dist-info` but RECORD; `project` is that of pyproject.toml."""
    given = project["dependencies"]
    assert isinstance(given, list)
    needs = [need for need in given if re.split(r"[^\w-]", need)[0] in NEEDS]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {_DISTRIBUTION}",
        f"Version: {project['version']}",
        "Summary: Calls TensorFlow Serving without TensorFlow.",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {need}" for need in needs),
        "Classifier: Typing :: Typed",
        "Description-Content-Type: text/markdown",
    ]
    folder = f"{_PACKAGE}-{project['version']}.dist-info"
    return {
        f"{folder}/METADATA": ("\n".join(lines) + f"\n\n{_ABOUT}").encode(),
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nGenerator: crossnet\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{folder}/licenses/LICENSE": licence,
    }


def _record(files: Mapping[str, bytes], folder: str) -> bytes:
    """Returns RECORD: the SHA-256 and the size of each file."""
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{folder}/RECORD,,", ""]).encode()


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default="dist", show_default=True, help="The wheel's folder.")
@prints_errors
def client_wheel(out: Path) -> None:
    """Write the wheel of the client."""
    say(build(out))


if __name__ == "__main__":
    client_wheel()
