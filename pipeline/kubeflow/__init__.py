"""Runs the pipeline's steps as tasks of Kubeflow Pipelines."""
