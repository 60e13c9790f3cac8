"""Looks at the picture of a report that README shows, and takes one where a browser is."""

import shutil
import struct
import subprocess
import sys

import pytest

from support import REPOSITORY

SCRIPT = REPOSITORY / "docs" / "take_picture.py"
PICTURE = REPOSITORY / "docs" / "report.png"
PNG = b"\x89PNG\r\n\x1a\n"


def size(picture):
    """Returns width and height, as the header of a PNG has them."""
    return struct.unpack(">II", picture.read_bytes()[16:24])


def take(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def test_readme_shows_a_small_picture_of_a_report():
    assert "](docs/report.png)" in (REPOSITORY / "README.md").read_text()
    assert PICTURE.read_bytes().startswith(PNG)
    assert PICTURE.stat().st_size < 200_000
    assert size(PICTURE) == (1150, 1000)


@pytest.mark.skipif(not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), reason="no browser")
def test_the_script_takes_a_picture_of_a_page(tmp_path):
    page = tmp_path / "report.html"
    page.write_text("<!doctype html><body style='background: #123456'>")
    done = take(page, tmp_path / "report.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.png").read_bytes().startswith(PNG)
    assert size(tmp_path / "report.png") == size(PICTURE)
    done = take(tmp_path / "none.html", tmp_path / "none.png")
    assert done.returncode == 1
    assert "none.html is not a file; expected a run's report.html." in done.stderr
    assert not (tmp_path / "none.png").exists()


def test_the_script_without_a_browser_says_which_it_looked_for(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "a", "b"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "A browser is not on PATH, expected one of chromium, chromium-browser, google-chrome." in done.stderr
