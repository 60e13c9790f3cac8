"""Builds networks of a user's project once, before the first step."""

from __future__ import annotations

import os
from pathlib import Path

from crossnet.components.errors import OwnCodeError, SettingsError, TrainingError
from crossnet.pipeline.component_call import load_component
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.plan import Plan

WIDTH = 16  # numbers; the table's own are not known yet


def try_networks(plan: Plan, reporter: Reporter) -> None:
    """Builds the network of each user's kind that has to be trained, for inputs that are made up.

    Raises:
      SettingsError: It cannot be built, or has weights that cannot be exported. What depends on how many inputs there
        are, a ValueError of the user's code, is left to the trainer.
    """
    steps = [planned.step for planned in plan.values() if planned.step.code and not planned.done]
    if not steps:
        return
    with reporter.logging_to(Path(os.devnull)):  # what TensorFlow says when it begins
        load_component(steps[0], reporter)
        from crossnet.components.networks.models import build_network

        for step in steps:
            model, compute = step.settings["model"], step.settings["params"].precision
            try:
                build_network(model.kind, model.architecture, num_numbers=WIDTH, compute=compute)
            except OwnCodeError as error:
                if not isinstance(error.__cause__, ValueError):
                    raise SettingsError(str(error)) from error
            except TrainingError as error:
                raise SettingsError(str(error)) from error
