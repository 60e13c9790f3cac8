"""Takes the picture of a report that README shows: docs/report.png, with headless Chromium.

.venv/bin/python docs/take_picture.py crossnet_root/runs/<run>/report.html docs/report.png
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SIZE = (1150, 1000)  # of the window, in pixels: the top of the page
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def take_picture(report: Path, picture: Path) -> None:
    """Writes what a window of SIZE shows of a page.

    Args:
      report: A page in HTML.
      picture: The PNG to write.

    Raises:
      SystemExit: A browser is not there, or it failed.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"A browser is not on PATH, expected one of {', '.join(BROWSERS)}. On Debian: apt install chromium")
    if not report.is_file():
        sys.exit(f"{report} is not a file; expected a run's report.html.")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
            *(f"--user-data-dir={profile}", f"--window-size={SIZE[0]},{SIZE[1]}", "--force-device-scale-factor=1"),
            *(f"--screenshot={picture.resolve()}", report.resolve().as_uri()),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or not picture.is_file():
        sys.exit(f"{browser} took no picture:\n{done.stderr}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]))
