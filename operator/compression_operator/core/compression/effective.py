"""The effective plan of a job: what its author wrote over the runtime's defaults over the built-in ones.

Owns filling in what was left open. It is done once, written into the status, and read back from there: a
runtime that is edited later does not move a running job. Must not judge what was written (see `admission`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compression_contract.tasks import METRICS
from compression_operator.api.compressionjob.evaluation import Evaluation, Metric, Target
from compression_operator.api.compressionjob.inputs import FROM_CODE, Storage, Task
from compression_operator.api.compressionjob.methods import PTQ, QAT, Distill
from compression_operator.api.compressionjob.pipeline import Export, Step, When
from compression_operator.api.compressionjob.release import Packaging
from compression_operator.api.compressionjob.spec import CompressionJobSpec
from compression_operator.api.compressionjob.status import Resolved, RuntimeSnapshot
from compression_operator.core.compression.observed import Runtime

REDISTILLATION_FACTOR = 2
"""The last resort of the default plan trains this many times as long."""
MAX_EPOCHS = 10_000


@dataclass(frozen=True, slots=True)
class Effective:
    """A job's spec with every section filled in, and the images and addresses that are frozen for the run."""

    spec: CompressionJobSpec
    resolved: Resolved
    snapshot: RuntimeSnapshot

    @property
    def steps(self) -> tuple[Step, ...]:
        """The plan, in order."""
        return (self.resolved.pipeline.steps if self.resolved.pipeline else None) or ()

    def step(self, name: str) -> Step:
        """The step of that name; asking for one that the plan lacks is a defect."""
        return next(step for step in self.steps if step.name == name)

    @property
    def evaluation(self) -> Evaluation:
        """How candidates are measured."""
        return self.resolved.evaluation or Evaluation()

    @property
    def targets(self) -> tuple[Target, ...]:
        """The deployed configurations to measure in."""
        return self.evaluation.targets or ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured; the first is the main one."""
        return self.evaluation.metrics or ()

    @property
    def packaging(self) -> Packaging:
        """How the model becomes an image."""
        return self.resolved.packaging or Packaging()

    @property
    def storage(self) -> Storage:
        """Where results are kept."""
        return self.resolved.storage or Storage()

    @property
    def repository(self) -> str:
        """Where this job pushes."""
        return self.packaging.repository or ""

    @property
    def export_formats(self) -> tuple[str, ...]:
        """Which files are made of a candidate."""
        return (self.resolved.export or Export()).formats or ()

    @property
    def onnx_opset(self) -> int:
        """Version of the ONNX operator set."""
        return (self.resolved.export or Export()).onnx_opset

    @property
    def storage_prefix(self) -> str:
        """Where this job writes."""
        return self.storage.prefix or ""

    @property
    def shipped_target(self) -> str:
        """Name of the evaluation target whose file is shipped."""
        return self.packaging.target or self.targets[0].name

    def ancestor(self, step: Step) -> Step | None:
        """The step that trained the float model `step` works on: itself if it trains; None: a stored one."""
        while step.type in ("PTQ", "QAT"):
            if not step.from_:
                return None
            step = self.step(step.from_)
        return step

    def chain(self, step: Step) -> Iterator[Step]:
        """`step`, the step it starts from, and so on back to the first."""
        yield step
        while step.from_:
            step = self.step(step.from_)
            yield step

    def uncut(self, step: Step) -> Step | None:
        """The step that trained the float model of `step` before any filter was cut; None: a stored one."""
        cuts = [each for each in self.chain(step) if each.type == "Prune"]
        if not cuts:
            return self.ancestor(step)
        return self.step(cuts[-1].from_) if cuts[-1].from_ else None

    def distillation(self, step: Step) -> Distill | None:
        """The settings of the last distillation before `step`; None where there was none."""
        return next((each.distill for each in self.chain(step) if each.distill is not None), None)

    def architecture(self, step: Step) -> str:
        """The network that a Distill step trains: its own, or that of the step it starts from."""
        named = (each.student_arch for each in self.chain(step) if each.student_arch)
        return next(named, self.spec.student.arch or "")

    @property
    def teachers_used(self) -> tuple[str, ...]:
        """Names of the teachers that some step distils from, in the author's order."""
        named = {name for step in self.steps if step.distill for name in step.distill.teachers or ()}
        return tuple(teacher.name for teacher in self.spec.teachers if teacher.name in named)


def fill(spec: CompressionJobSpec, runtime: Runtime, namespace: str) -> Resolved:
    """All sections that may be left open, complete."""
    defaults = runtime.spec.defaults
    evaluation = spec.evaluation.model_copy(
        update={
            "targets": spec.evaluation.targets or defaults.evaluation.targets,
            "metrics": tuple(
                _directed(metric, spec.task)
                for metric in spec.evaluation.metrics or defaults.evaluation.metrics.of(spec.task)
            ),
        }
    )
    endpoint = runtime.spec.allow.endpoint(spec.storage.endpoint_name)
    base = runtime.spec.serving_base(spec.packaging.serving_base)
    return Resolved(
        storage=Storage(
            prefix=spec.storage.prefix or defaults.storage_prefix_of(namespace),
            endpoint_name=endpoint.name if endpoint else spec.storage.endpoint_name,
            secret_ref=spec.storage.secret_ref or defaults.secrets.storage,
        ),
        pipeline=spec.pipeline.model_copy(update={"steps": _steps(spec, runtime)}),
        export=Export.model_validate(
            {**spec.export.model_dump(), "formats": spec.export.formats or defaults.export.formats}
        ),
        evaluation=evaluation,
        packaging=Packaging(
            target=spec.packaging.target or (evaluation.targets or ())[0].name,
            serving_base=base.name if base else spec.packaging.serving_base,
            repository=spec.packaging.repository or defaults.repository_of(namespace, spec.model.name),
            push_secret_ref=spec.packaging.push_secret_ref or defaults.secrets.registry,
            labels=spec.packaging.labels,
        ),
        # What is left open, or is the author's own code, which only trains, the dataset's manifest says.
        reader=None if spec.dataset.reader == FROM_CODE else spec.dataset.reader,
    )


def _directed(metric: Metric, task: Task) -> Metric:
    """The metric with its better direction; one that the task does not have is left to `admission`."""
    return metric.model_copy(update={"direction": metric.direction or METRICS[task].get(metric.name)})


def snapshot(runtime: Runtime, resolved: Resolved) -> RuntimeSnapshot:
    """The runtime's images and addresses, frozen. `resolved` must have been admitted."""
    spec, tools = runtime.spec, runtime.spec.tools
    storage, packaging = resolved.storage or Storage(), resolved.packaging or Packaging()
    endpoint = spec.allow.endpoint(storage.endpoint_name)
    base = spec.serving_base(packaging.serving_base)
    targets = (resolved.evaluation or Evaluation()).targets or ()
    evaluators = {
        item.name: item.image for item in spec.evaluators if item.name in {t.runtime for t in targets}
    }
    return RuntimeSnapshot(
        name=runtime.name,
        generation=runtime.generation,
        runner=spec.runner.image,
        evaluators=evaluators,
        serving_base=base.image if base else "",
        tools=tools.image,
        endpoint=endpoint.url if endpoint else None,
        region=endpoint.region if endpoint else None,
        scanner=f"{'https' if tools.scanner_tls else 'http'}://{tools.scanner_service}",
    )


def _steps(spec: CompressionJobSpec, runtime: Runtime) -> tuple[Step, ...]:
    steps = spec.pipeline.steps or default_plan(spec, runtime.spec.methods)
    return tuple(_filled(step, spec) for step in steps)


def _filled(step: Step, spec: CompressionJobSpec) -> Step:
    update: dict[str, object] = {"candidate": step.is_candidate}
    if step.distill is not None:
        update["distill"] = step.distill.model_copy(
            update={
                "teachers": step.distill.teachers or tuple(teacher.name for teacher in spec.teachers),
                "epochs": step.distill.epochs or spec.student.schedule_epochs,
            }
        )
    return step.model_copy(update=update)


def default_plan(spec: CompressionJobSpec, methods: tuple[str, ...]) -> tuple[Step, ...]:
    """What runs when the author names no steps: the cheap way first, each dearer one only if it is needed.

    Distillation where there are teachers; PTQ; QAT when PTQ missed a gate; when both missed, one longer
    distillation with PTQ. Where the best is asked for, QAT competes with PTQ instead of standing in for it.
    """
    best = spec.pipeline.selection == "Best"
    distils = bool(spec.teachers) and "Distill" in methods
    source = "distill" if distils else ""
    steps = [Step(name="distill", type="Distill", distill=Distill())] if distils else []
    steps.append(Step(name="ptq", type="PTQ", from_=source, ptq=PTQ()))
    missed: tuple[str, ...] = ("ptq",)
    if "QAT" in methods:
        when = When() if best else When(unmet=missed)
        steps.append(Step(name="qat", type="QAT", from_=source, when=when, qat=QAT()))
        missed = (*missed, "qat")
    if distils:
        epochs = min(spec.student.schedule_epochs * REDISTILLATION_FACTOR, MAX_EPOCHS)
        longer = Distill(epochs=epochs)
        steps.append(Step(name="redistill", type="Distill", when=When(unmet=missed), distill=longer))
        steps.append(Step(name="ptq-2", type="PTQ", from_="redistill", when=When(unmet=missed), ptq=PTQ()))
    return tuple(steps)
