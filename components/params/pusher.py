"""Settings of Pusher: where a blessed model goes."""

from __future__ import annotations

from dataclasses import dataclass

from crossnet.components.files import FOLDER_NAME, is_folder_name
from crossnet.components.params.setting import PathKind, setting
from crossnet.serving.storage.uris import is_uri, shown_uri


@dataclass(frozen=True, kw_only=True)
class PusherParams:
    """Where a blessed model goes."""

    model_name: str = setting("crossnet", "the folder's name, and the name clients ask for")
    serving_dir: str = setting("", "the folder that servers watch; empty: <root>/serving_models", path=PathKind.OUTPUT)

    def problems(self) -> list[str]:
        """Returns what does not fit together."""
        if not is_folder_name(self.model_name):
            return [f"`model_name` must be a plain name: {FOLDER_NAME}. Received '{self.model_name}'."]
        if is_uri(self.serving_dir):
            return [
                f"`serving_dir` is a folder, not a URI. Received '{shown_uri(self.serving_dir)}'. Leave it empty and "
                "name the store with --root: versions are pushed to serving_models/<model_name>/ below it."
            ]
        return []
