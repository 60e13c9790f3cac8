"""Writes the differences of two runs as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crossnet.pipeline.diff.text import change_text, judged, value_text
from crossnet.pipeline.report.pages import environment, write_page
from crossnet.pipeline.store import Store


def write_diff(store: Store, facts: Mapping[str, Any]) -> Path:
    """Writes `runs/<after>/diff_<before>.html` and returns its path.

    Args:
      store: The root.
      facts: What `crossnet.pipeline.diff.runs.diff_runs` has found.
    """
    jinja = environment()
    jinja.filters |= {"value": value_text, "change": change_text, "judged": judged}
    before, after = (run["run"] for run in facts["runs"])
    page = jinja.get_template("diff.html").render(facts=facts)
    return write_page(store.runs / after / f"diff_{before}.html", page)
