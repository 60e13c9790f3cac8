"""Tells other tools of runs: OpenLineage events, and runs in MLflow."""
