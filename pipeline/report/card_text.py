"""Writes a model card as Markdown."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

from crossnet.components.artifacts.pushed_model import PushedModel
from crossnet.components.errors import MissingArtifactError
from crossnet.components.files import write_file
from crossnet.components.model_folder import CARD, FolderBusyError, locked, read_record
from crossnet.components.model_folder import write_card as write_beside
from crossnet.pipeline.report.card import Card, make_card
from crossnet.pipeline.report.card_origin import Table
from crossnet.pipeline.report.run import Run
from crossnet.serving.protocol.printable import printable

CARD_FILE = "model_card.md"
WAIT_SECONDS = 1.0  # for another process that works in the serving folder
MAX_CELL = 400  # characters
_SPECIAL = re.compile(r"[\\`*\[\]<>|#&]|(?<!\w)_|_(?!\w)")
_CODE = re.compile(r"(`[^`\n]+`)")


def run_card(run: Run) -> str:
    """Returns the card of a run as Markdown.

    Raises:
      MissingArtifactError: The run has not judged a model.
    """
    card = make_card(run)
    if card is None:
        step = next((name for name in ("example_gen", "evaluator") if name not in run.artifacts), "evaluator")
        raise MissingArtifactError(
            f"Run `{run.name}` has no model card: {run.why_missing(step)} Call `crossnet run`, which judges a model."
        )
    return card_text(card)


def write_card(run: Run, card: Card, folder: Path) -> Path:
    """Writes the card of a run into its folder and returns its path.

    A copy goes beside the version that the run pushed, as `<version>.md`, unless one is there: servers skip names that
    are not whole numbers. Where that folder is busy or cannot be written, the copy is left out.
    """
    text = card_text(card)
    write_file(folder / CARD_FILE, text)
    pushed = run.get(PushedModel, "pusher")
    if pushed is not None:
        with contextlib.suppress(OSError, FolderBusyError):
            _copy(text, pushed)
    return folder / CARD_FILE


def card_text(card: Card) -> str:
    """Returns a card as Markdown: one heading for each part, sentences as a list, a table in GitHub's form."""
    blocks = [f"# Model card: {_prose(card.title)}"]
    for part in card.parts:
        blocks.append(f"## {part.title}")
        if part.lines:
            blocks.append("\n".join(f"- {_prose(line)}" for line in part.lines))
        if part.table:
            blocks += [_prose(part.table.caption), _table(part.table)]
    return printable("\n\n".join(blocks) + "\n")


def _copy(text: str, pushed: PushedModel) -> None:
    folder = pushed.destination.parent
    if (folder / f"{pushed.version}{CARD}").exists() or not pushed.destination.is_dir():
        return
    with locked(folder, wait_seconds=WAIT_SECONDS):
        if read_record(folder, pushed.version).get("model") == pushed.model:
            write_beside(folder, pushed.version, text)


def _table(table: Table) -> str:
    rule = ["---:" if i in table.right else "---" for i in range(len(table.heads))]
    rows: list[Sequence[str]] = [[_prose(head) for head in table.heads], rule]
    rows += [
        [_prose(cell if len(cell) <= MAX_CELL else f"{cell[: MAX_CELL - 1]}…") for cell in row] for row in table.rows
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _prose(text: str) -> str:
    """Returns text in which what stands between backticks is code, and all else means itself."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part.replace("|", "\\|") if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", text)
