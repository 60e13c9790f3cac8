"""Starts the command line: `python -m crossnet` is `crossnet`."""

from crossnet.pipeline.cli import main

if __name__ == "__main__":
    main()
