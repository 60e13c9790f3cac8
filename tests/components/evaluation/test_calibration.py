from __future__ import annotations

import numpy as np

from crossnet.components.evaluation.calibration import calibration


def write(folder, predictions, labels):
    np.save(folder / "p.npy", np.array(predictions, np.float32))
    np.save(folder / "y.npy", np.array(labels, np.float32))
    return calibration(folder / "p.npy", folder / "y.npy", bins=2)


def test_calibration_compares_means_by_prediction(tmp_path):
    low, high = write(tmp_path, [1, 2, 3, 4], [1, 1, 5, 5])
    assert low == {"rows": 2, "low": 1, "high": 2, "mean_prediction": 1.5, "mean_label": 1}
    assert high == {"rows": 2, "low": 3, "high": 4, "mean_prediction": 3.5, "mean_label": 5}


def test_calibration_of_a_dead_model_is_one_bin_and_nan_is_left_out(tmp_path):
    assert write(tmp_path, [3, 3, np.nan], [1, 2, 100]) == [
        {"rows": 2, "low": 3, "high": 3, "mean_prediction": 3, "mean_label": 1.5}
    ]
    assert write(tmp_path, [np.nan], [1]) == []
