"""From the contract's description of distillation to an objective.

Owns fetching teachers, and the order in which an objective is put together. Must not know formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from compression_contract.artifacts import ArtifactKind, ArtifactRef
from compression_contract.methods import Distillation, TaskName, TeacherInput
from compression_jobs.context import StageContext
from compression_jobs.errors import InvalidData, InvalidInput
from compression_jobs.losses.supervision import supervision
from compression_jobs.readers import DatasetFacts
from compression_jobs.tasks import task
from compression_jobs.training import imitations, teaching
from compression_jobs.training.data import Data
from compression_jobs.training.inner_tensors import LAYERS_FACT
from compression_jobs.training.objectives import Distilled, Objective, Truth
from compression_jobs.training.taps import shapes
from compression_jobs.training.teacher_outputs import OutputStore, Samples
from compression_jobs.training.teachers import OUTPUT, PROGRAM, WEIGHTS, Teacher
from compression_jobs.training.teaching import Shape, Taught

FILES: Final = frozenset({PROGRAM, WEIGHTS})


@dataclass(frozen=True, slots=True)
class TeacherSource:
    """Where teachers come from, and what they must answer."""

    context: StageContext[Any]
    task: TaskName
    facts: DatasetFacts

    def open(self, given: TeacherInput, layers: Sequence[str] = ()) -> Teacher:
        """A teacher, ready to answer and to show some inner layers.

        Raises:
            InvalidInput: TeacherFormatUnsupported, LayerUnknown.
            InvalidData: WrongArtifactKind, DigestMismatch, FileMissing, and those of Teacher.
            NotFound, Denied, Unavailable: the store's answer.
        """
        if given.format != "PaddleInference":
            raise InvalidInput(
                "TeacherFormatUnsupported",
                f"Teacher {given.name} is stored as {given.format}, which is a pickle that could run code "
                "here; save it by paddle.jit.save and say PaddleInference.",
            )
        reference = ArtifactRef(uri=given.uri, digest=given.digest)
        artifact = self.context.fetch(reference, ArtifactKind.TEACHER, only=FILES)
        for path in sorted(FILES):
            artifact.file(path)
        record = artifact.manifest.facts.get(LAYERS_FACT, {})
        wanted = task(self.task, self.facts).output_shape(self.facts)
        return Teacher(given.name, artifact.folder, wanted, layers, _record(record))


def objective(
    context: StageContext[Any],
    data: Data,
    task_name: TaskName,
    network: Any,
    given: Distillation | None,
    *,
    cache: bool = True,
) -> Objective:
    """What to train by: truth and teachers, or truth alone where there are no teachers.

    Args:
        context: of the stage; its parameters name the dataset and the author's code.
        data: the open dataset.
        task_name: what the network is for.
        network: to be trained, with its fake quantisers if it has any: the shapes of its features count.
        given: the distillation, if any.
        cache: compute teachers' outputs once, before training, and keep them where `given.cache` says.

    Raises:
        InvalidInput: LayerUnknown, LayersDiffer, LayerHasNoFeature, TeacherFormatUnsupported, TaskMismatch.
        InvalidData: ShapesDiffer, and what is wrong with teachers.
        NotFound, Denied, Unavailable: the store's answer.
    """
    supervised, split = supervision(task_name, data.facts), data.training.split
    if given is None or not given.teachers:
        return Truth(supervised, split)
    store = _store(context, data, given)
    names = [teacher.name for teacher in given.teachers]
    asked = [imitations.teacher_and_layer(feature.teacher, names) for feature in given.features]
    students = list(dict.fromkeys(feature.student for feature in given.features))
    output, features = shapes(network, split.inputs(data.training.samples[:1]), students)
    source = TeacherSource(context, task_name, data.facts)
    prepare = teaching.kept_or_live if cache else teaching.live
    taught = {
        teacher.name: prepare(
            store,
            source.open,
            teacher,
            list(dict.fromkeys(layer for name, layer in asked if name == teacher.name)),
        )
        for teacher in given.teachers
    }
    answers = [taught[name][OUTPUT] for name in names]
    _require_alike(output, names, answers)
    return Distilled(
        supervision=supervised,
        split=split,
        soft=teaching.mixture(store, supervised, given, answers),
        temperature=given.temperature,
        scale_by_temperature_squared=given.scale_by_temperature_squared,
        alpha=given.alpha,
        imitations=imitations.build(given.features, features, taught),
    )


def _store(context: StageContext[Any], data: Data, given: Distillation) -> OutputStore:
    dataset, code = context.parameters.dataset, getattr(context.parameters, "code", None)
    samples = Samples(
        split=data.training.split,
        indices=data.training.samples,
        dataset=dataset.digest,
        reader=dataset.reader,
        name=dataset.splits.train,
        code=None if code is None else code.digest,
    )
    return OutputStore(context, samples, given.cache if context.storage is not None else None)


def _require_alike(output: Shape, names: Sequence[str], answers: Sequence[Taught]) -> None:
    for name, answer in zip(names, answers, strict=True):
        if answer.shape != output:
            raise InvalidData(
                "ShapesDiffer",
                f"Teacher {name} answers with {list(answer.shape)}, the student with {list(output)}; "
                "use a teacher or a student of the other's form.",
            )


def _record(fact: Any) -> dict[str, str]:
    """The record of layers in a manifest; data from outside, so only what is well formed counts."""
    if not isinstance(fact, dict):
        return {}
    return {str(path): name for path, name in fact.items() if isinstance(name, str)}
