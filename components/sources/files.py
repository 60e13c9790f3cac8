"""Finds the input files: a path, folder, glob, or TFX pattern.

A pattern contains {SPAN} and, if wanted, {VERSION}, as in TFX.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path

from crossnet.components.artifacts.examples import COLUMNS_PREFIX
from crossnet.components.errors import DataError
from crossnet.components.params.example_gen import ExampleGenParams
from crossnet.serving.protocol.printable import shown

FOLDERS = ("train", "eval", "test")  # of the `folders` split; test/ may be missing
PARTITION = re.compile(r"([^=/]+)=(.*)")  # a folder that names a column and its value
ENDINGS = {
    "csv": ("csv", "tsv", "tab", "txt", "data", "dat", "psv"),
    "parquet": ("parquet", "pq", "parq"),
    "arrow": ("arrow", "feather", "ipc"),
    "jsonl": ("jsonl", "ndjson", "json"),
    "tfrecord": ("tfrecord", "tfrecords", "tfr"),
}
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_FIELD = re.compile(r"\{(SPAN|VERSION)(?::(\d+))?\}")


def input_files(params: ExampleGenParams) -> list[Path]:
    """Returns the files to read, sorted; none for the synthetic source. `sql` reads the snapshot that `input` names.

    Raises:
      DataError: There is no such file, span or version, or the name of one is not UTF-8.
    """
    if params.source == "sql" and not params.input:
        raise DataError(
            "No snapshot of the rows of `example_gen.query` exists yet. `crossnet run` takes one, and plans with it."
        )
    files = [] if params.source == "synthetic" else _found(params)
    if params.source == "tfrecord":  # a pattern for the shards of Examples may match the columns beside them
        files = [file for file in files if not file.name.startswith(f"{COLUMNS_PREFIX}-")] or files
    for file in files:
        check_name(file)
    return files


def check_name(file: Path) -> None:
    """Raises DataError where a file's name is not UTF-8: no artifact could record it, and Arrow cannot open it."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        raise DataError(f"The name of `{shown(str(file), 300)}` is not UTF-8. Rename the file or its folder.") from None


def _found(params: ExampleGenParams) -> list[Path]:
    pattern = _resolve(params) if params.input_pattern else params.input
    if params.split == "folders":
        folders = [folder for folder in FOLDERS if folder != "test" or (Path(pattern) / folder).is_dir()]
        return [path for folder in folders for path in _folder_files(pattern, folder)]
    path = Path(pattern)
    if path.is_file():
        return [path]
    if path.is_dir():
        if files := table_files(path, params.source):
            return files
        raise DataError(
            f"`{path}` is a folder. Name its files, such as `{path / '*'}`, in `example_gen.input`, "
            'or set `example_gen.split = "folders"` where it holds train/ and eval/.'
        )
    files = sorted(Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
    if not files:
        kind = "No file matches" if glob.has_magic(pattern) else "No file is at"
        raise DataError(f"{kind} `{pattern}`. Name an existing file or pattern in `example_gen.input`{_near(path)}.")
    return files


def table_files(folder: Path, source: str) -> list[Path]:
    """Returns the files of a folder that is a table: with `NAME=VALUE` folders, or files of one ending; else none.

    One with train/ and eval/ is not: whether they are splits, `split` says.
    """
    files = [] if all((folder / split).is_dir() for split in FOLDERS[:2]) else visible_files(folder)
    ours = [file for file in files if ending_of(file) in ENDINGS[source]]
    if any(PARTITION.fullmatch(part) for file in files for part in file.relative_to(folder).parts[:-1]):
        return ours or files
    return files if len(ours) == len(files) else []


def ending_of(file: Path) -> str:
    """Returns the ending of a file's name, such as "csv", also before `.gz` and the like."""
    name = file.with_suffix("") if file.suffix in _COMPRESSED else file
    return name.suffix.lstrip(".").lower()


def visible_files(folder: Path) -> list[Path]:
    """Returns the files below a folder, sorted, without those in or with a name that begins with `.` or `_`."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )


def _near(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir():
        if folder == folder.parent or glob.has_magic(str(folder)):
            return ""
        folder = folder.parent
    names = sorted(child.name for child in folder.iterdir() if not child.name.startswith("."))
    first = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return f"; `{folder}` holds: {first or 'nothing'}"


def _folder_files(root: str, folder: str) -> list[Path]:
    path = Path(root) / folder
    files = visible_files(path)
    if not files:
        raise DataError(
            f'`{path}` holds no files. With `example_gen.split = "folders"`, `example_gen.input` names a folder that '
            "holds train/ and eval/ with files in each."
        )
    return files


def _resolve(params: ExampleGenParams) -> str:
    """Returns the pattern with its span and version filled in: those that the settings name, else the newest."""
    pattern = params.input_pattern
    found = _matches(pattern)
    for name, asked in (("SPAN", params.span), ("VERSION", params.version)):
        if name not in {match[1] for match in _FIELD.finditer(pattern)}:
            continue
        numbers = sorted({values[name] for _, values in found})
        if not numbers:
            raise DataError(
                f"No file matches `{pattern}`. Expected digits where {{SPAN}} and {{VERSION}} are. "
                "Fix `example_gen.input_pattern`."
            )
        number = numbers[-1] if asked is None else asked
        if number not in numbers:
            newest = ", ".join(map(str, numbers[-10:]))
            raise DataError(
                f"There is no {name.lower()} {number} for `{pattern}`; there are: {newest}. "
                f"Data of another {name.lower()} is never read in its place. Set `example_gen.{name.lower()}` to one "
                "of these, or leave it out for the newest."
            )
        # A number may be written with leading zeros: take the text of the path.
        text = next(_texts(pattern, path)[name] for path, values in found if values[name] == number)
        pattern = re.sub(rf"\{{{name}(:\d+)?\}}", text, pattern)
        found = _matches(pattern)
    return pattern


def _regex(pattern: str) -> str:
    regex, position, seen = "", 0, set()
    for field in _FIELD.finditer(pattern):
        regex += _glob_regex(pattern[position : field.start()])
        digits = rf"\d{{{field[2]}}}" if field[2] else r"\d+"
        regex += f"(?P={field[1]})" if field[1] in seen else f"(?P<{field[1]}>{digits})"
        seen.add(field[1])
        position = field.end()
    return regex + _glob_regex(pattern[position:])


def _glob_regex(text: str) -> str:
    """Returns a regular expression that matches what `glob` finds for `text`."""
    wild = {"*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*|\?|\[[^/\]]+\])", text)
    return "".join(
        wild.get(part) or (part.replace("[!", "[^", 1) if i % 2 else re.escape(part)) for i, part in enumerate(parts)
    )


def _texts(pattern: str, path: str) -> dict[str, str]:
    match = re.fullmatch(_regex(pattern), path)
    return match.groupdict() if match else {}


def _matches(pattern: str) -> list[tuple[str, dict[str, int]]]:
    """Returns the paths that match, up to the last field's folder or file, and the numbers in each."""
    found = []
    for path in glob.glob(_FIELD.sub("*", pattern)):
        if texts := _texts(pattern, path):
            found.append((path, {name: int(text) for name, text in texts.items()}))
    return found
