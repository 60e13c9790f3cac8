"""Runs a trainer on a worker that writes nothing."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from crossnet.components import interrupts
from crossnet.components.artifacts.model import Model
from crossnet.components.errors import PipelineError, SettingsError, TrainingError
from crossnet.components.params.trainer import MULTI_WORKER
from crossnet.components.training.cluster import Cluster, find_cluster
from crossnet.pipeline.component_call import call_component, load_component
from crossnet.pipeline.config import Config
from crossnet.pipeline.console import Reporter
from crossnet.pipeline.faults import explained
from crossnet.pipeline.graph import build_graph
from crossnet.pipeline.plan import Plan, PlannedStep, check_others_done, make_plan
from crossnet.pipeline.recording import RunResult
from crossnet.pipeline.store import Store

FUNCTION = "crossnet.components.trainer:join_training"
_SEEN_SECONDS = 60.0  # until a shared folder shows here what was renamed on another machine
_LOOK_SECONDS = 0.5


def cluster_of(config: Config, step: str) -> Cluster | None:
    """Returns the workers that make a step together; None where one process makes it.

    Raises:
      SettingsError: The environment does not say who they are.
    """
    is_trainer = any(known.name == step and known.output is Model for known in build_graph(config))
    return find_cluster(config.trainer) if is_trainer else None


def refuse_run(config: Config, plan: Plan) -> None:
    """Checks that `crossnet run` has no trainer to run that several workers make together.

    Raises:
      PipelineError: It has.
    """
    waiting = [name for name, planned in plan.items() if planned.step.output is Model and not planned.done]
    if config.trainer.strategy == MULTI_WORKER and waiting:
        steps = " and ".join(f"`crossnet step {name}`" for name in waiting)
        raise PipelineError(
            f"`trainer.strategy` is {MULTI_WORKER}, so `crossnet run` does not train: a trainer is run by "
            f"`crossnet step` on every worker. Call `crossnet run --until example_validator`, then {steps} on each "
            "worker, then `crossnet run` again."
        )


def refuse_compiling(config: Config) -> None:
    """Checks that a pipeline of one container for each step can run all of them.

    Raises:
      SettingsError: A trainer needs several.
    """
    if config.trainer.strategy == MULTI_WORKER:
        raise SettingsError(
            f"`trainer.strategy` is {MULTI_WORKER}, and a compiled pipeline runs each step in one container. Set it to "
            "one_device or mirrored, or train by `crossnet step` in an Indexed Job "
            "(pipeline/deploy/kubernetes/workers.yaml)."
        )


def help_with(config: Config, store: Store, step: str, cluster: Cluster, reporter: Reporter) -> RunResult:
    """Does the part of a step that a worker other than worker 0 has; nothing is recorded.

    Raises:
      PipelineError: A step before it has to run first, or the training has failed.
    """
    with explained("The step", store.root):
        plan = make_plan(config, store, until=step)
        check_others_done(plan, store, force=False)
        if plan[step].done:
            reporter.line(f"{step:<19} reused")
        else:
            _train(plan[step], plan, store, cluster, reporter)
    return RunResult(root=str(store.root))


def _train(planned: PlannedStep, plan: Plan, store: Store, cluster: Cluster, reporter: Reporter) -> None:
    """Trains with worker 0 until it has made the artifact.

    Args:
      planned: The trainer, whose artifact is not there yet.
      plan: The steps before it, which are done.
      store: The root, which is only read.
      cluster: The workers.
      reporter: Where progress is shown.

    Raises:
      PipelineError: The training has failed, or worker 0 has not made the artifact final.
    """
    name, who = planned.step.name, f"worker {cluster.index} of {len(cluster.addresses)}"
    words = interrupts.Words(f"Interrupted in `{name}`, as {who}, which writes nothing.")

    def interrupted(_: signal.Signals) -> interrupts.Words:
        return words

    start = time.perf_counter()
    with interrupts.last_words(interrupted), tempfile.TemporaryDirectory(prefix="crossnet-worker-") as folder:
        for source in planned.step.input_steps:
            store.fetch_rows(plan[source].path)
        references = {
            argument: None if found is None else planned.step.references[argument].load(found)
            for argument, found in planned.references.items()
        }
        step = replace(planned.step, function=FUNCTION, checkpoints=False, data=None, references={})
        with reporter.working(name), explained(f"`{name}`", Path(folder)), reporter.logging_to(Path(os.devnull)):
            load_component(step, reporter)
            made = {source: plan[source].load() for source in planned.step.input_steps}
            call_component(step, made, output_dir=Path(folder), references=references)
        _wait_for(planned, store)
    reporter.line(f"{name:<19} {'helped':<6} {time.perf_counter() - start:6.1f} s  {who}")


def _wait_for(planned: PlannedStep, store: Store) -> None:
    """Waits until the artifact is seen here, which worker 0 is making final."""
    until = time.monotonic() + _SEEN_SECONDS
    while not store.is_finished(planned.step.name, planned.fingerprint):
        if time.monotonic() > until:
            raise TrainingError(
                f"Worker 0 has trained the model of `{planned.step.name}`, but its artifact is not in `{store.root}` "
                f"after {_SEEN_SECONDS:.0f} s: worker 0 failed as it ended, or works in another root. Its own output "
                "says why."
            )
        time.sleep(_LOOK_SECONDS)
        if store.remote:
            store.remote.pull()
