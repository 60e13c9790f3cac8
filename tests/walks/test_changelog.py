"""Checks that the changelog's newest version is the one of pyproject.toml."""

import datetime
import re

from packaging.version import Version

from support import REPOSITORY
from support.project import PROJECT

TEXT = (REPOSITORY / "CHANGELOG.md").read_text()
HEADING = re.compile(r"## (\d+\.\d+\.\d+) \((unreleased|\d{4}-\d{2}-\d{2})\)")


def sections():
    """Returns version, date or "unreleased", and the text of each section, in the order of the page."""
    parts = re.split(r"^(?=## )", TEXT, flags=re.M)[1:]
    matches = [HEADING.match(part) for part in parts]
    assert all(matches), "a heading must read `## 1.2.3 (unreleased)` or `## 1.2.3 (2026-12-31)`"
    return [(match[1], match[2], part[match.end() :]) for match, part in zip(matches, parts, strict=True)]


def test_the_first_section_is_of_the_version_of_the_package():
    assert sections()[0][0] == PROJECT["version"]


def test_sections_go_from_new_to_old_and_only_the_first_may_be_unreleased():
    versions = [Version(version) for version, _, _ in sections()]
    assert versions == sorted(set(versions), reverse=True)
    dates = [date for _, date, _ in sections()]
    assert "unreleased" not in dates[1:]
    released = [datetime.date.fromisoformat(date) for date in dates if date != "unreleased"]
    assert released == sorted(released, reverse=True)


def test_each_section_says_what_changed():
    assert all(re.search(r"^- \w.{10,}", text, re.M) for _, _, text in sections())
