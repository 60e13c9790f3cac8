"""Measures ours beside a named alternative, in turn, in one run."""
