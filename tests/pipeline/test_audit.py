import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from crossnet.pipeline.audit import NotAuditedError, VulnerableError, audit, main
from support import REPOSITORY

HASH = f"--hash=sha256:{'0' * 64}"
ADVISORY = {
    "id": "GHSA-1",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.7"}]}],
        }
    ],
}


@contextmanager
def database(answer):
    """A server at whose address a pip-audit gets `answer(name, version)`, a JSON value or an HTTP status."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            value = answer(query["package"]["name"], query["version"])
            status, body = (value, b"") if isinstance(value, int) else (200, json.dumps(value).encode())
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "made.lock"
    path.write_text(
        f"jinja2==3.1.6 ; sys_platform == 'linux' \\\n    {HASH}\nclick==8.1.0 \\\n    {HASH}\n"
        f"colorama==0.4.6 ; sys_platform == 'win32' \\\n    {HASH}\n"
    )
    return path


def test_audit_counts_the_versions_that_the_database_knows_nothing_against(lock):
    asked = []
    with database(lambda *pin: asked.append(pin) or {}) as url:
        done = CliRunner().invoke(main, [str(lock), "--url", url])
    assert (done.exit_code, done.stdout) == (0, f"2 pinned versions in {lock}: no known vulnerability, says {url}.\n")
    assert sorted(asked) == [("click", "8.1.0"), ("jinja2", "3.1.6")]


def test_audit_names_what_is_vulnerable_and_where_it_is_mended(lock):
    with (
        database(lambda name, _: {"vulns": [ADVISORY]} if name == "jinja2" else {}) as url,
        pytest.raises(
            VulnerableError, match=r"jinja2 3\.1\.6: GHSA-1, mended in 3\.1\.7\n.*with 1 known vulnerability\."
        ) as e,
    ):
        audit(lock, url)
    assert e.value.exit_code == 1


@pytest.mark.parametrize("answer", [500, 404, {"message": "portal"}, "sign in"])
def test_audit_that_was_not_answered_is_not_a_pass(lock, answer):
    with database(lambda *_: answer) as url:
        done = CliRunner().invoke(main, [str(lock), "--url", url])
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith(f"NOT AUDITED: {url} could not be asked (")
    assert f"Nothing is known about the versions in `{lock}`; this is not a pass." in done.stderr


def test_audit_without_a_database_or_a_pin_is_not_a_pass(lock):
    with database(lambda *_: {}) as url:
        pass
    with pytest.raises(NotAuditedError, match="Connection refused"):
        audit(lock, url)
    lock.write_text("# nothing\n")
    with database(lambda *_: {}) as url, pytest.raises(NotAuditedError, match="this is not a pass"):
        audit(lock, url)


# What pip-audit 2.10.1 printed where the database did not know the package: on standard error
# "No known vulnerabilities found", and its exit code was 0.
SKIPPED = {"name": "click", "skip_reason": "Dependency not found on PyPI and could not be audited: click (8.1.8)"}


def test_audit_does_not_count_what_was_skipped_as_a_pass(lock, monkeypatch, tmp_path):
    printed = json.dumps({"dependencies": [SKIPPED, {"name": "rich", "version": "15.0.0", "vulns": []}], "fixes": []})
    module = tmp_path / "pip_audit.py"
    module.write_text(f"print({printed!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotAuditedError, match="1 of 2 versions could not be looked up: click"):
        audit(lock)


def test_audit_needs_pip_audit_and_says_how_to_get_it(lock, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip_audit", None)
    with pytest.raises(NotAuditedError, match="pip-audit is not installed; `make audit` installs it"):
        audit(lock)


def test_audit_can_read_the_repositorys_lock():
    with database(lambda *_: {}) as url:
        assert audit(REPOSITORY / "requirements-dev.lock", url) > 50
