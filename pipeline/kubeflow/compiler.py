"""Compiles the graph of steps into a pipeline of Kubeflow Pipelines 2.

Needs the extra `kfp`. Each step is a task that runs `crossnet step` in its own container; Kubeflow starts, watches and
repeats them. Its cache and ours agree: what a task depends on beside its settings is our fingerprint, an input.
"""

from pathlib import Path
from typing import Any, NamedTuple

from crossnet.components.errors import SettingsError
from crossnet.pipeline.config import Config
from crossnet.pipeline.graph import Step, build_graph
from crossnet.pipeline.kubeflow.deployment import Deployment
from crossnet.pipeline.kubeflow.tasks import refuse_plugins, to_parameter

try:
    from kfp import compiler, dsl
    from kfp import kubernetes as cluster
except ImportError as error:  # pragma: no cover - the core environment has no kfp
    raise SettingsError(
        "Kubeflow Pipelines is not installed. Install it: pip install 'crossnet-pipeline[kfp]', best in an environment "
        "of its own, because it takes an older protobuf."
    ) from error

NAME = "crossnet"
_GATE, _BEHIND_THE_GATE = "evaluator", ("infra_validator", "pusher")


def compile_pipeline(config: Config, deployment: Deployment, output: Path) -> None:
    """Writes the pipeline as KFP v2 IR, which `kfp run create` and the pages of Kubeflow take.

    Args:
      config: All settings. Paths in it are those that containers see. They are the pipeline's parameter `config`, so
        that one file runs with other settings too, as long as the steps are the same.
      deployment: Where and with what the tasks run.
      output: A .yaml file.

    Raises:
      SettingsError: `deployment.check()` does, or the config has steps of a user's project.
      OSError: The file cannot be written.
    """
    deployment.check()
    refuse_plugins(config)
    compiler.Compiler().compile(make_pipeline(config, deployment), str(output))


def make_pipeline(config: Config, deployment: Deployment) -> Any:
    """Returns the pipeline, a function of kfp.dsl with the parameters `config` (JSON) and `root`."""
    steps = build_graph(config, serving_dir=config.pusher.serving_dir or "")
    component = dsl.component(base_image=deployment.image, install_kfp_package=False)
    # A condition on a task finds it by the name of its function, so the gate has one of its own.
    run, evaluate = component(_step), component(_evaluator)

    @dsl.pipeline(  # type: ignore[untyped-decorator]
        name=NAME, description="Rows to a model in service; nothing is pushed that the gate has not passed."
    )
    def pipeline(config: str = to_parameter(config), root: str = deployment.root) -> None:
        planned = _ready(component(_plan)(config=config, root=root), "plan", deployment, cached=False)
        made: dict[str, Any] = {}

        def add(step: Step) -> None:
            name = step.name
            given = {"config": config, "root": root, "fingerprint": planned.outputs[name]}
            task = evaluate(**given) if name == _GATE else run(step=name, **given)
            # A push may have been taken back, which no input tells.
            made[name] = _ready(task, name, deployment, cached=name != "pusher")
            made[name].after(*(made[before] for before in dict.fromkeys((*step.input_steps, *step.after))))

        for step in steps:
            if step.name not in _BEHIND_THE_GATE:
                add(step)
        verdict = made[_GATE].outputs["Output"]
        with dsl.If(verdict == "BLESSED", name="gate-is-open"):
            for step in steps:
                if step.name in _BEHIND_THE_GATE:
                    add(step)
        with dsl.If(verdict != "BLESSED", name="gate-is-closed"):
            # A task that fails: a run that pushed nothing must not look like a success.
            closed = component(_gate_closed)(config=config, root=root)
            _ready(closed, "gate_closed", deployment, cached=False, retries=0)

    return pipeline


def _ready(
    task: Any,
    name: str,
    deployment: Deployment,
    *,
    cached: bool,
    retries: int | None = None,
) -> Any:
    """Gives a task its name on Kubeflow's pages, and what it may use."""
    task.set_display_name(name)
    task.set_caching_options(cached)
    if deployment.cpu:
        task.set_cpu_request(deployment.cpu).set_cpu_limit(deployment.cpu)
    if deployment.memory:
        task.set_memory_request(deployment.memory).set_memory_limit(deployment.memory)
    if number := deployment.retries if retries is None else retries:
        task.set_retry(num_retries=number, backoff_duration="10s", backoff_factor=2)
    if deployment.volume:
        claim, _, path = deployment.volume.partition(":")
        cluster.mount_pvc(task, pvc_name=claim, mount_path=path)
    return task


# The sources of these functions stand in the compiled file, without the rest of this module; kfp calls them in the
# containers with what their annotations say.


def _plan(config: str, root: str) -> NamedTuple(  # type: ignore[valid-type]
    "Fingerprints",
    [
        ("example_gen", str),
        ("statistics_gen", str),
        ("schema_gen", str),
        ("example_validator", str),
        ("reference_lightgbm", str),
        ("trainer_cross_layer", str),
        ("trainer_tfrs_cross", str),
        ("trainer_dense", str),
        ("trainer_cross_mix", str),
        ("trainer_cross_gated", str),
        ("evaluator", str),
        ("infra_validator", str),
        ("pusher", str),
    ],
):
    from typing import Any, NamedTuple

    from crossnet.pipeline.kubeflow.tasks import plan_steps

    planned = plan_steps(config, root)
    steps = "example_gen statistics_gen schema_gen example_validator reference_lightgbm trainer_cross_layer"
    steps += " trainer_tfrs_cross trainer_dense trainer_cross_mix trainer_cross_gated evaluator infra_validator pusher"
    fingerprints: Any = NamedTuple("Fingerprints", [(step, str) for step in steps.split()])  # type: ignore[misc]
    return fingerprints(**{step: planned.get(step, "") for step in steps.split()})


def _step(step: str, config: str, root: str, fingerprint: str, artifact: dsl.Output[dsl.Artifact]) -> None:
    from crossnet.pipeline.kubeflow.tasks import run_task

    _, artifact.metadata = run_task(step, config, root, artifact.path)


def _evaluator(config: str, root: str, fingerprint: str, artifact: dsl.Output[dsl.Artifact]) -> str:
    from crossnet.pipeline.kubeflow.tasks import run_task

    verdict, artifact.metadata = run_task("evaluator", config, root, artifact.path)
    return verdict


def _gate_closed(config: str, root: str) -> None:
    from crossnet.pipeline.kubeflow.tasks import close_gate

    close_gate(config, root)
