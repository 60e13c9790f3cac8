"""Compares `support/curl.py`, which sends the pages' requests where `curl` is not installed, with `curl`."""

import http.server
import shutil
import subprocess
import sys
import threading

import pytest

from support import REPOSITORY

CURL = REPOSITORY / "tests" / "support" / "curl.py"


class EchoHandler(http.server.BaseHTTPRequestHandler):
    """Answers with the request; the path /fail with 400."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400 if self.path == "/fail" else 200)
        self.end_headers()
        self.wfile.write(f"{self.path} {self.headers['Content-Type']} {body.decode()}".encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def echo():
    with http.server.HTTPServer(("127.0.0.1", 0), EchoHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "curl",
    [
        [sys.executable, str(CURL)],
        pytest.param(["curl"], marks=pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")),
    ],
    ids=["ours", "curl"],
)
@pytest.mark.parametrize(
    ("options", "path", "code", "printed"),
    [
        (["-sf"], "/v1/models", 0, '/v1/models application/x-www-form-urlencoded {"a": "é"}'),
        (["-s"], "/fail", 0, '/fail application/x-www-form-urlencoded {"a": "é"}'),
        (["-sf"], "/fail", 22, ""),
    ],
)
def test_a_request_is_the_same_with_and_without_curl(echo, curl, options, path, code, printed):
    command = [*curl, *options, "-d", '{"a": "é"}', echo + path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, printed)
