"""Sends one HTTP request as `curl` does, on machines without it.

Takes the options that our pages use: `-s` (no progress), `-f` (exit with 22 on an HTTP error), `-d DATA` (POST).
"""

from __future__ import annotations

import getopt
import sys
import urllib.error
import urllib.request

CANNOT_CONNECT, HTTP_ERROR = 7, 22  # curl's own exit codes


def main(arguments: list[str]) -> int:
    """Prints the body of the response; returns the exit code."""
    found, (url,) = getopt.getopt(arguments, "sfd:")
    options = dict(found)
    data = options["-d"].encode() if "-d" in options else None
    try:
        with urllib.request.urlopen(url if "://" in url else f"http://{url}", data) as response:
            body = response.read()
    except urllib.error.HTTPError as error:
        if "-f" in options:
            return HTTP_ERROR
        body = error.read()
    except urllib.error.URLError:
        return CANNOT_CONNECT
    sys.stdout.buffer.write(body)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
