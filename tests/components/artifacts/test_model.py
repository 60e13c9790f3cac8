from crossnet.components.artifacts.model import HISTORY_FILE, SERVING_FOLDER, Model
from crossnet.components.files import write_json


def test_model_says_where_the_savedmodel_is_and_how_it_was_trained(tmp_path):
    write_json(tmp_path / HISTORY_FILE, {"loss": [0.5, 0.25]})
    model = Model(tmp_path, {"parameters": 16}, {"kind": "cross_layer", "checksum": "ab"})
    assert (SERVING_FOLDER, HISTORY_FILE) == ("Format-Serving", "history.json")
    assert model.serving_path == tmp_path / "Format-Serving"
    assert (model.kind, model.num_parameters, model.checksum) == ("cross_layer", 16, "ab")
    assert model.history == {"loss": [0.5, 0.25]}


def test_model_tells_on_the_screen_which_features_it_does_not_see(tmp_path):
    assert Model(tmp_path, {}, {"notes": ["`name` is left out"]}).outcome().warnings == ("`name` is left out",)
    assert Model(tmp_path, {}, {}).outcome().warnings == ()
