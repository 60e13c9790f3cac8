"""Makes and opens runs from Python, as the command line does."""
