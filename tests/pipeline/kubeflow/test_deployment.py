import pytest

from crossnet.components.errors import SettingsError
from crossnet.pipeline.kubeflow.deployment import Deployment

RIGHT = {"image": "registry.example.com/crossnet:0.1.0", "root": "/srv/rides"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"root": "s3://bucket/rides"},
        {"volume": "rides:/srv", "cpu": "2", "memory": "4Gi"},
        {"cpu": "500m", "memory": "1.5G"},
        {"cpu": "0.5"},
    ],
)
def test_a_deployment_that_can_run_is_taken(more):
    Deployment(**{**RIGHT, **more}).check()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"image": " "}, "--image expects the name of an image. Received ` `."),
        (
            {"root": "crossnet_root"},
            "--root expects a path from `/`, as containers see it, or the URI of a folder in a store. Received "
            "`crossnet_root`.",
        ),
        ({"volume": "rides"}, "--volume expects a PersistentVolumeClaim and where to mount it, such as rides:/srv. R"),
        ({"volume": "rides:srv"}, "Received `rides:srv`."),
        ({"volume": "Rides_1:/srv"}, "Received `Rides_1:/srv`."),
        ({"cpu": "two"}, "--cpu expects cores, such as 2 or 500m. Received `two`."),
        ({"memory": "4 GB"}, "--memory expects a size, such as 4Gi. Received `4 GB`."),
    ],
)
def test_what_cannot_run_is_refused(wrong, words):
    with pytest.raises(SettingsError) as raised:
        Deployment(**{**RIGHT, **wrong}).check()
    assert words in str(raised.value)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SettingsError) as raised:
        Deployment(image="", root="a", volume="b", cpu="c", memory="d").check()
    assert [line.split()[0] for line in str(raised.value).splitlines()] == [
        "--image",
        "--root",
        "--volume",
        "--cpu",
        "--memory",
    ]
