"""Draws a run for a notebook: verdict, reasons and models."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from crossnet.components.formats import counted, number
from crossnet.pipeline.report.headline import headline
from crossnet.pipeline.run_record import RunRecord
from crossnet.serving.protocol.printable import printable

MAX_SENTENCES = 6
_COLOURS = {"good": "#1a7f37", "bad": "#cf222e", "plain": "#6e7781"}


def run_html(record: RunRecord, folder: Path) -> str:
    """Returns a fragment of HTML that loads nothing.

    Args:
      record: The run.
      folder: Its folder, of which report.html is linked.
    """
    head = headline(record)
    colour = _COLOURS.get(head["css"], _COLOURS["plain"])
    sentences = [text for text in (record.error, *record.reasons, *record.warnings) if text]
    shown = [f"<li>{_prose(text)}</li>" for text in sentences[:MAX_SENTENCES]]
    if (hidden := len(sentences) - MAX_SENTENCES) > 0:
        shown.append(f"<li>{counted(hidden, 'more sentence')} in run.json.</li>")
    parts = [
        f'<p><b style="color:{colour}">{_text(head["word"])}</b> run <code>{_text(record.run)}</code>: '
        f"{_prose(head['lead'])}</p>",
        f"<ul>{''.join(shown)}</ul>" if shown else "",
        _models(record),
        f"<p>Report: <code>{_text(folder / 'report.html')}</code></p>" if (folder / "report.html").is_file() else "",
    ]
    return f"<div>{''.join(parts)}</div>"


def _models(record: RunRecord) -> str:
    if not record.models:
        return ""
    heads = ("model", "parameters", "train RMSE", "eval RMSE", "")
    rows = [
        (
            name,
            f"{facts['num_parameters']:,}",
            number(facts["train_rmse"], 4),
            number(facts["eval_rmse"], 4),
            "champion" if name == record.champion else "",
        )
        for name, facts in record.models.items()
    ]
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: object) -> str:
    return escape(printable(str(value)))


def _prose(text: str) -> str:
    """Returns text as HTML, in which text between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(text))
