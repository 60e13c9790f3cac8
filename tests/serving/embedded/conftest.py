"""What several tests of the embedded server use."""

from __future__ import annotations

import pytest


@pytest.fixture
def load():
    """Loads models by path and closes them after the test."""
    from crossnet.serving.embedded.model import LoadedModel

    loaded = []

    def from_path(path, **options):
        loaded.append(LoadedModel(path, **options))
        return loaded[-1]

    yield from_path
    for model in loaded:
        model.close()
