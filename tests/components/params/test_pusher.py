import pytest

from crossnet.components.params.pusher import PusherParams
from crossnet.pipeline.config import load_config


@pytest.mark.parametrize("name", ["crossnet", "rides-2026.v1", "a" * 100])
def test_a_plain_model_name_has_no_problems(name):
    assert PusherParams(model_name=name).problems() == []


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 101, "Straße"])
def test_a_model_name_that_is_not_a_plain_folder_name_is_refused(name):
    (problem,) = PusherParams(model_name=name).problems()
    assert problem.startswith("`model_name` must be a plain name: letters, digits")
    assert problem.endswith(f"Received '{name}'.")


def test_the_folder_that_servers_watch_is_relative_to_the_config(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[pusher]\nserving_dir = "served"\n')
    assert load_config(file).pusher.serving_dir == str(tmp_path / "served")
