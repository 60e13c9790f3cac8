from crossnet.components.artifacts.reference_model import PREDICTIONS_FILE, ReferenceModel


def test_a_reference_says_what_its_line_of_the_table_shows(tmp_path):
    counts, properties = {"leaves": 62}, {"kind": "lightgbm", "train_rmse": 0.5, "train_seconds": 0.25}
    found = ReferenceModel(tmp_path, counts, properties)
    assert found.metrics == {"num_parameters": 62, "train_rmse": 0.5, "train_seconds": 0.25}
    assert (found.kind, found.predictions_path) == ("lightgbm", tmp_path / PREDICTIONS_FILE)
