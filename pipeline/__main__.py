"""`python -m pipeline` is `crossnet`."""

from pipeline.cli import main

main()
