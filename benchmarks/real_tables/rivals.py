"""Trains the rivals on the rows that ours trained on.

Each is as its package has it by default, with one thread. `early` stops when the validation rows, a part of train that
is then not trained on, have not become better for `PATIENCE` rounds; it keeps the best round.

    python -m benchmarks.real_tables.rivals FILE.csv CODES.npy LABEL NAME ...

prints one JSON line for each name: its eval RMSE and the CPU seconds of its training and predictions.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRAIN, EVAL, VALIDATION = 0, 1, 4  # 2 and 3 are test and dropped: see crossnet.components.sources.provenance
PATIENCE = 50
MOST_ROUNDS = 1000  # CatBoost's default
MOST_CATEGORIES = 255  # of HistGradientBoosting
RECIPE = 1  # of this file; results of another are measured again

Frame = Any  # a pandas.DataFrame
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Features and labels of one split."""

    x: Frame
    y: Numbers


@dataclass(frozen=True)
class Task:
    """What a rival is given; `fit` and `validation` are the two parts of `train`."""

    train: Rows
    evaluation: Rows
    fit: Rows
    validation: Rows


def read_task(csv: Path, codes: NDArray[np.uint8], label: str) -> Task:
    """Reads a CSV; text is a category with the values of train, and a date the seconds since 1970."""
    import pandas as pd

    frame = pd.read_csv(csv)
    y = frame.pop(label).to_numpy(np.float64)
    is_train = (codes == TRAIN) | (codes == VALIDATION)
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column):
            continue
        times = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True)
        if times.notna().sum() == column.notna().sum():
            frame[name] = (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
        else:
            known = sorted(set(column[is_train].dropna()))
            frame[name] = pd.Categorical(column.where(column.isin(known)), categories=known)

    def rows(chosen: NDArray[np.bool_]) -> Rows:
        return Rows(frame[chosen], y[chosen])

    return Task(rows(is_train), rows(codes == EVAL), rows(codes == TRAIN), rows(codes == VALIDATION))


def mean(task: Task) -> Numbers:
    """Predicts the mean of train."""
    return np.full(len(task.evaluation.y), task.train.y.mean())


def ridge(task: Task) -> Numbers:
    """Fits scikit-learn's Ridge on standardised numbers, holes filled and marked, and text as one-hot."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    inputs = make_column_transformer(
        (
            make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="category")),
    )
    model = make_pipeline(inputs, Ridge()).fit(task.train.x, task.train.y)
    found: Numbers = model.predict(task.evaluation.x)
    return found


def lightgbm(task: Task, *, early: bool) -> Numbers:
    """Fits LGBMRegressor."""
    from lightgbm import LGBMRegressor, early_stopping

    options = {"n_jobs": 1, "verbose": -1}
    if early:
        model = LGBMRegressor(n_estimators=MOST_ROUNDS, **options).fit(
            task.fit.x,
            task.fit.y,
            eval_set=[(task.validation.x, task.validation.y)],
            callbacks=[early_stopping(PATIENCE, verbose=False)],
        )
    else:
        model = LGBMRegressor(**options).fit(task.train.x, task.train.y)
    return np.asarray(model.predict(task.evaluation.x))


def hist(task: Task, *, early: bool) -> Numbers:
    """Fits HistGradientBoostingRegressor; a text column of more than 255 values is given as numbers, in their order."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    def inputs(rows: Rows) -> Frame:
        x = rows.x.copy()
        for name in x.select_dtypes("category"):
            if len(x[name].cat.categories) > MOST_CATEGORIES:
                x[name] = x[name].cat.codes.replace(-1, np.nan)
        return x

    if early:
        model = HistGradientBoostingRegressor(max_iter=MOST_ROUNDS, early_stopping=True, n_iter_no_change=PATIENCE)
        model.fit(inputs(task.fit), task.fit.y, X_val=inputs(task.validation), y_val=task.validation.y)
        best = max(int(np.argmax(model.validation_score_)), 1)  # it keeps all rounds; the first score is of none
        stages = model.staged_predict(inputs(task.evaluation))
        return np.asarray(next(itertools.islice(stages, best - 1, None)))
    model = HistGradientBoostingRegressor(early_stopping=False).fit(inputs(task.train), task.train.y)
    return np.asarray(model.predict(inputs(task.evaluation)))


def catboost(task: Task, *, early: bool) -> Numbers:
    """Fits CatBoostRegressor."""
    from catboost import CatBoostRegressor, Pool

    def pool(rows: Rows) -> Any:
        x = rows.x.copy()
        texts = list(x.select_dtypes("category"))
        for name in texts:
            x[name] = x[name].astype(object).fillna("")
        return Pool(x, rows.y, cat_features=texts)

    options = {"thread_count": 1, "verbose": False, "allow_writing_files": False}
    if early:
        model = CatBoostRegressor(iterations=MOST_ROUNDS, early_stopping_rounds=PATIENCE, **options)
        model.fit(pool(task.fit), eval_set=pool(task.validation))
    else:
        model = CatBoostRegressor(**options).fit(pool(task.train))
    return np.asarray(model.predict(pool(task.evaluation)))


RIVALS: dict[str, Callable[[Task], Numbers]] = {
    "mean": mean,
    "ridge": ridge,
    "lightgbm": lambda task: lightgbm(task, early=False),
    "lightgbm early": lambda task: lightgbm(task, early=True),
    "hist": lambda task: hist(task, early=False),
    "hist early": lambda task: hist(task, early=True),
    "catboost": lambda task: catboost(task, early=False),
    "catboost early": lambda task: catboost(task, early=True),
}
EARLY = tuple(name for name in RIVALS if name.endswith(" early"))


def main(csv: str, codes: str, label: str, *names: str) -> None:
    """Prints a JSON line for each rival."""
    warnings.simplefilter("ignore")
    task = read_task(Path(csv), np.load(codes), label)
    for name in names:
        _import(name)
        start = time.process_time()
        errors = RIVALS[name](task) - task.evaluation.y
        found = {"rmse": float(np.sqrt(np.mean(errors**2))), "cpu": time.process_time() - start}
        print(json.dumps({"rival": name} | found), flush=True)


def _import(name: str) -> None:
    package = {"lightgbm": "lightgbm", "catboost": "catboost"}.get(name.split()[0], "sklearn.ensemble")
    __import__(package)


if __name__ == "__main__":
    main(*sys.argv[1:])
