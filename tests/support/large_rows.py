"""Writes rows that are large enough for worker processes to start."""

from pathlib import Path

from crossnet.components.engines.local import LEAST_BYTES

FILES = 4
NOTE = 1000  # characters of the text that makes the rows large


def write_large_rows(folder: Path) -> Path:
    """Writes CSV files of `a,b,note,y` into the folder, in all just above the size from which workers are used."""
    notes = [letter * NOTE for letter in "abcdefg"]
    rows = LEAST_BYTES // FILES // NOTE
    for number in range(FILES):
        lines = (f"{n},{n % 7},{notes[n % 7]},{3 * n + n % 7}" for n in range(number, number + rows * FILES, FILES))
        (folder / f"{number}.csv").write_text("a,b,note,y\n" + "\n".join(lines) + "\n")
    return folder
