"""Reads what pyproject.toml says of the package."""

import tomllib

from packaging.specifiers import SpecifierSet

from support import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def allowed_pythons() -> list[str]:
    """Returns the versions that requires-python allows, such as ["3.11", "3.12"]."""
    allowed = SpecifierSet(PROJECT["requires-python"])
    return [f"3.{minor}" for minor in range(40) if allowed.contains(f"3.{minor}")]
