"""Writes a small project of a user: kinds of models and components of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crossnet.pipeline import plugins, source_code

KINDS = '''
from dataclasses import dataclass

from crossnet import setting


@dataclass(frozen=True, kw_only=True)
class Residual:
    """The architecture of a residual network, for `[residual]`."""

    num_blocks: int = setting(2, "blocks, each `relu(W x + b) + x`", least=1)

    def network(self, x, dtype):
        import tf_keras

        from .layers import block

        for i in range(self.num_blocks):
            x = tf_keras.layers.Add(name=f"sum_{i}")([x, block(x, i, dtype)])
        return x


MODEL_KINDS = {"residual": Residual}
'''
LAYERS = """
import tf_keras


def block(x, i, dtype):
    return tf_keras.layers.Dense(x.shape[-1], "relu", dtype=dtype, name=f"residual_{i}")(x)
"""
STEPS = '''
from dataclasses import dataclass
from pathlib import Path

from crossnet import Artifact, NotBlessedError, setting
from crossnet.components.artifacts.evaluation import Evaluation
from crossnet.components.artifacts.examples import Examples


class RowCount(Artifact):
    """How many rows there are."""


class Card(Artifact):
    """A page about the champion."""


@dataclass(frozen=True, kw_only=True)
class RowCountParams:
    """How many rows there must be."""

    least: int = setting(1, "rows in all splits", least=1)


def count_rows(examples: Examples, *, output_dir: Path, params: RowCountParams) -> RowCount:
    rows = sum(examples.counts.values())
    if rows < params.least:
        raise NotBlessedError(f"There are {rows} rows, fewer than row_count.least {params.least}.")
    (output_dir / "rows.txt").write_text(f"{rows}\\n")
    return RowCount(output_dir, counts={"rows": rows})


def write_card(evaluation: Evaluation, row_count: RowCount, *, output_dir: Path) -> Card:
    (output_dir / "card.md").write_text(f"{evaluation.champion}, {row_count.counts['rows']} rows\\n")
    return Card(output_dir, counts={"lines": 1})


COMPONENTS = {"row_count": count_rows, "card": write_card}
'''


@contextmanager
def own_project(folder: Path, **sources: str) -> Iterator[Path]:
    """Yields the folder of a package `shop` with modules `kinds`, `layers` and `steps`, or those that `sources` says.

    Python forgets the package afterwards.
    """
    package = folder / "shop"
    package.mkdir()
    for name, text in ({"kinds": KINDS, "layers": LAYERS, "steps": STEPS, "__init__": ""} | sources).items():
        (package / f"{name}.py").write_text(text)
    path = [*sys.path]
    try:
        yield package
    finally:
        sys.path[:] = path
        plugins._added.clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
            del sys.modules[name]
        source_code.forget(ours=False)
