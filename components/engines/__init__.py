"""Runs a step's independent jobs, in this process or in several."""
