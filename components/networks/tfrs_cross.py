"""Finds the reference layer, `tfrs.layers.dcn.Cross`, where its library is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any

KIND = "tfrs_cross"
PACKAGE = "tensorflow-recommenders"
MODULE = "tensorflow_recommenders"


def tfrs_problem(kinds: Iterable[str]) -> str:
    """Returns why the reference, if it is among `kinds`, cannot be trained here; "" where it can.

    It only looks for the package: neither that nor TensorFlow is imported.
    """
    if KIND not in kinds or importlib.util.find_spec(MODULE):
        return ""
    return (
        f"The model `{KIND}` needs the package {PACKAGE}, which is not installed. Install it with "
        f"`pip install {PACKAGE}`, or take `{KIND}` out of `models`."
    )


def tfrs_cross_class() -> Any:
    """Returns the class `tfrs.layers.dcn.Cross`. Its library loads here: most models do without it."""
    import tensorflow_recommenders as tfrs

    return tfrs.layers.dcn.Cross
