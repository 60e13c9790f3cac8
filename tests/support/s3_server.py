"""Runs moto's S3 server, which `make scale` installs, for tests of stores."""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from support import REPOSITORY
from support.serving_fixtures import wait_until

COMMAND = os.environ.get("S3_SERVER") or str(REPOSITORY / ".venv-s3" / "bin" / "moto_server")
needs_s3 = pytest.mark.skipif(
    not Path(COMMAND).exists() and "S3_SERVER" not in os.environ,
    reason="`make scale` installs moto's S3 server and runs this",
)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """A server of S3's protocol, which keeps its objects in memory.

    Attributes:
      port: Where it listens.
    """

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [COMMAND, "-H", "127.0.0.1", "-p", str(self.port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def listens():
            assert self._process.poll() is None, "moto's server ended"
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                return False
            return True

        wait_until(listens, 60)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def bucket(self) -> Bucket:
        """Makes a bucket of its own for a test."""
        return Bucket(self.port)


class Bucket:
    """A bucket; `uri("a/b")` names a folder in it."""

    def __init__(self, port: int) -> None:
        from pyarrow.fs import FileSystem

        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._query = f"?endpoint_override=127.0.0.1:{port}&scheme=http"
        self.system, _ = FileSystem.from_uri(f"s3://{self.name}/x{self._query}&allow_bucket_creation=true")
        self.system.create_dir(self.name)

    def uri(self, path: str) -> str:
        return f"s3://{self.name}/{path}{self._query}"

    def put(self, path: str, content: bytes) -> None:
        with self.system.open_output_stream(f"{self.name}/{path}") as stream:
            stream.write(content)

    def put_folder(self, path: str, folder: Path) -> None:
        """Puts all files of a folder, `saved_model.pb` last."""
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        for file in sorted(files, key=lambda file: file.name == "saved_model.pb"):
            self.put(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())

    def remove(self, path: str) -> None:
        self.system.delete_dir(f"{self.name}/{path}")

    def files(self, path: str) -> list[str]:
        from pyarrow.fs import FileSelector, FileType

        found = self.system.get_file_info(FileSelector(f"{self.name}/{path}", recursive=True, allow_not_found=True))
        return sorted(info.path.removeprefix(f"{self.name}/") for info in found if info.type == FileType.File)


@contextmanager
def s3_server():
    """Runs a server, with credentials for it in the environment."""
    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    server = S3Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
