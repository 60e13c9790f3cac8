"""Settings of Evaluator: the rules of the gate."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.params.setting import setting

BEST = "best"


@dataclass(frozen=True, kw_only=True)
class EvaluatorParams:
    """The rules of the gate, each off where it is none. RMSE is in the label's unit."""

    max_rmse: float | None = setting(None, "highest eval RMSE", above=0)
    max_rmse_ratio: float | None = setting(None, "highest eval RMSE over the label's standard deviation", above=0)
    min_improvement: float | None = setting(
        0.0, "share by which RMSE must be below the baseline's; below 0: by which it may be above", above=-1, below=1
    )
    min_improvement_confidence: float | None = setting(
        None,
        "min_improvement has to be shown with this confidence; 0.05: it and max_linear_ratio fail only where 0.95 "
        "shows that they are missed; none: by the value",
        above=0,
        below=1,
    )
    min_eval_rows: int = setting(20, "with fewer rows in eval nothing is blessed", least=1)
    max_mean_ratio: float | None = setting(
        1.0, "eval RMSE must be below this times that of always predicting the mean of train", above=0
    )
    max_linear_ratio: float | None = setting(1.02, "highest eval RMSE over that of a linear model", above=0)
    non_inferiority_margin: float | None = setting(0.05, "share of the served model's RMSE that may be lost", above=0)
    total_margin: float | None = setting(
        0.1, "share of the RMSE of the best model ever blessed that may be lost in all", above=0
    )
    anchor: str = setting(BEST, "what total_margin is measured against: best, or a version in service")
    allow_few_groups: bool = setting(
        False, "with fewer than 20 groups in eval, judge non_inferiority and total_margin by value"
    )
    slices: tuple[tuple[str, ...], ...] = setting((), 'groups of rows, such as [["species"], ["x0:quartile"]]')
    min_slice_rows: int = setting(100, "smaller slices are reported, not judged", least=1)
    max_reuse: int | None = setting(
        None,
        "with more different Models judged by the same eval rows in this root, none is pushed",
        least=1,
        without_effect=True,
    )
    max_model_bytes: int | None = setting(None, "highest size of the exported folder", least=1)
    confidence: float = setting(0.95, "of the intervals; 1 - the family-wise error over slices", above=0, below=1)
    num_bootstrap: int = setting(2000, "resamples of the paired bootstrap", least=100)
    seed: int = setting(42, "of the bootstrap", least=0)
    batch_size: int = setting(10_000, "rows per call of the serving signature", least=1)
