"""Reads an HTML page for tests: its elements and its text."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path

VOID = {"meta", "link", "br", "img"}


class Page(html.parser.HTMLParser):
    """A page as its elements; fails on an element that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "br":
            self.texts.append(" ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag not in ("code", "span", "small", "b", "a"):
            self.texts.append(" ")

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    def all(self, tag, **attributes):
        return [a for name, a in self.elements if name == tag and attributes.items() <= a.items()]


def read_page(path: Path) -> Page:
    """Returns the page that a file holds."""
    return Page(path.read_text(encoding="utf-8"))
