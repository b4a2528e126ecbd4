"""Receipts: what a stage's valid result means for the status.

Owns one function per kind of work. Each checks that the result speaks of what was asked, since it is data
from outside: a digest that is not the one gated, scanned or pushed before is a failure, never a receipt.
"""

from __future__ import annotations

from pydantic import ValidationError

from compression_contract.exitcodes import ExitClass
from compression_contract.results import (
    EvaluateFacts,
    PackageFacts,
    PreflightFacts,
    ResolveFacts,
    ScanFacts,
    StageResult,
)
from compression_operator.api.compressionjob.status import (
    ImageStatus,
    Resolved,
    ScanStatus,
    TeacherStatus,
)
from compression_operator.api.meta import Counts
from compression_operator.core.compression import image_gates, judgement
from compression_operator.core.compression.measurements import artifact_of, text
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.plan import Part, Task, candidate_of
from compression_operator.core.compression.words import On, Why
from compression_operator.core.outcomes import Failed


def record(passage: Passage, task: Task, result: StageResult) -> Failed | None:
    """Write down what a result says; a failure if it cannot be what was asked for."""
    before = passage.status
    try:
        return _record(passage, task, result)
    except ValidationError as error:
        # Well formed for the contract and yet beyond what a status may hold: still data, not a defect.
        passage.status = before
        first = error.errors(include_input=False, include_url=False)[0]
        return mismatch(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}")


def _record(passage: Passage, task: Task, result: StageResult) -> Failed | None:
    match result.facts:
        case ResolveFacts() as facts:
            return _resolved(passage, facts)
        case PreflightFacts() as facts:
            return _preflight(passage, facts)
        case EvaluateFacts() as facts:
            return judgement.measured(passage, task, facts, result)
        case PackageFacts() as facts:
            return _packaged(passage, facts)
        case ScanFacts() as facts:
            return _scanned(passage, facts, result)
        case _:
            return _trained(passage, task, result)


def mismatch(message: str) -> Failed:
    """The result is well formed and yet about something else: trying again would not help."""
    return Failed(ExitClass.PERMANENT, "ResultMismatch", message, typed=True)


def _resolved(passage: Passage, facts: ResolveFacts) -> Failed | None:
    plan = passage.plan
    wrong = _other_content(passage, facts)
    if wrong:
        return mismatch(wrong)
    problem = _other_shape(passage, facts)
    if problem:
        return Failed(ExitClass.PERMANENT, "ShapeMismatch", problem, typed=True)
    teachers = [{"name": name, "digest": facts.teacher_digests[name]} for name in plan.teachers_used]
    found = {
        "datasetDigest": facts.dataset_digest,
        "studentDigest": facts.student_digest,
        "codeDigest": facts.code_digest,
        "teacherDigests": teachers,
        "inputShape": facts.input_shape,
        "numClasses": facts.num_classes,
        "samples": facts.samples,
        "reader": plan.resolved.reader or facts.reader or None,
    }
    passage.update(resolved=Resolved.model_validate({**plan.resolved.to_dict(), **found}))
    return None


def _other_content(passage: Passage, facts: ResolveFacts) -> str:
    """What was not resolved, or to another digest than the author's; empty if all is well."""
    spec, names = passage.observed.spec, passage.plan.teachers_used
    asked: list[tuple[str, str | None, str | None]] = [
        ("dataset", spec.dataset.digest, facts.dataset_digest),
        *((t.name, t.digest, facts.teacher_digests.get(t.name)) for t in spec.teachers if t.name in names),
    ]
    if spec.student.uri is not None:
        asked.append(("student", spec.student.digest, facts.student_digest))
    if spec.code is not None:
        asked.append(("code", spec.code.digest, facts.code_digest))
    for name, wanted, found in asked:
        if found is None:
            return f"{name} was not resolved"
        if wanted is not None and wanted != found:
            return f"{name} has digest {found}, the job asks for {wanted}"
    return ""


def _other_shape(passage: Passage, facts: ResolveFacts) -> str:
    """How the dataset differs from what the author says of it; empty if it does not."""
    student = passage.observed.spec.student
    if student.input_shape is not None and student.input_shape != facts.input_shape:
        return (
            f"student.inputShape is {list(student.input_shape)}, the dataset holds samples of "
            f"{list(facts.input_shape)}: leave it out, or name another dataset"
        )
    if student.num_classes is not None and student.num_classes != facts.num_classes:
        return (
            f"student.numClasses is {student.num_classes}, the dataset has {facts.num_classes}: "
            "leave it out, or name another dataset"
        )
    return ""


def _preflight(passage: Passage, facts: PreflightFacts) -> Failed | None:
    plan = passage.plan
    main, found = plan.metrics[0], {item.name: item for item in facts.teachers}
    if facts.metric != main.name:
        return mismatch(f"teachers were measured by {facts.metric}, the job's main metric is {main.name}")
    missing = [name for name in plan.teachers_used if name not in found]
    if missing:
        return mismatch(f"teacher {missing[0]} was not measured")
    passage.update(
        teachers=tuple(
            TeacherStatus(name=name, value=text(found[name].value), samples=found[name].samples)
            for name in plan.teachers_used
        )
    )
    for teacher in plan.spec.teachers:
        if teacher.name not in plan.teachers_used or teacher.min_metric is None:
            continue
        value, least = found[teacher.name].value, teacher.min_metric
        weak = value < least if main.direction == "HigherIsBetter" else value > least
        if weak:
            message = (
                f"teacher {teacher.name} reaches {main.name} {text(value)}, its minMetric is {text(least)}: "
                "train it longer, or name another"
            )
            passage.say(On.EVALUATED, "False", Why.TEACHER_TOO_WEAK, message)
            passage.fail(Why.TEACHER_TOO_WEAK, message)
            return None
    return None


def _trained(passage: Passage, task: Task, result: StageResult) -> Failed | None:
    artifact = artifact_of(result)
    passage.put(task, artifact=artifact)
    if passage.plan.step(task.step).is_candidate:
        passage.put_candidate(task.step, state="Pending", artifact=artifact)
    return None


def _packaged(passage: Passage, facts: PackageFacts) -> Failed | None:
    selected = passage.status.selected
    candidate = candidate_of(passage.status, selected.step) if selected is not None else None
    results = candidate.results if candidate is not None else ()
    measured = next((item for item in results if selected and item.target == selected.target), None)
    if measured is None or facts.model_digest != measured.model_digest:
        return mismatch("the pushed model is not the file that was measured")
    if facts.golden_digest != measured.golden_digest:
        return mismatch("the pushed golden outputs are not those of the measurement")
    if facts.repository != passage.plan.repository:
        return mismatch(f"pushed to {facts.repository} instead of {passage.plan.repository}")
    image = ImageStatus(
        repository=facts.repository,
        tag=facts.tag,
        manifest_digest=facts.manifest_digest,
        layer_digest=facts.layer_digest,
        bytes=facts.image_bytes,
        layer_bytes=facts.layer_bytes,
    )
    passage.update(image=image)
    passage.say(On.PACKAGED, "True", Why.PUSHED, f"{facts.repository}@{facts.manifest_digest}")
    return None


def _scanned(passage: Passage, facts: ScanFacts, result: StageResult) -> Failed | None:
    image = passage.status.image
    if image is None or facts.image_digest != image.manifest_digest:
        return mismatch("the scanned image is not the one that was pushed")
    counts = facts.counts
    passage.update(
        scan=ScanStatus(
            scanned_at=facts.scanned_at,
            scanner=facts.scanner[:64],
            db_updated_at=facts.database_updated_at,
            os=f"{facts.os_family} {facts.os_name}".strip()[:64] or None,
            end_of_life=facts.end_of_life,
            counts=Counts(
                critical=counts.critical,
                high=counts.high,
                medium=counts.medium,
                low=counts.low,
                unknown=counts.unknown,
            ),
            unfixed=facts.unfixed,
            suppressed=facts.suppressed,
            expired_exceptions=tuple(word[:64] for word in facts.expired_exceptions),
            report_uri=None if result.artifact is None else result.artifact.uri,
            sbom_digest=facts.sbom_digest,
        )
    )
    passage.put(Task(Part.SCAN), artifact=artifact_of(result))
    passage.say(On.SCANNED, "True", Why.SCANNED, f"{facts.scanner} found {_findings(facts)}")
    if passage.observed.runtime is None:
        raise LookupError("findings cannot be judged without the administrator's floor")
    image_gates.judge_image(passage, facts, passage.observed.runtime.spec.floor.vulnerabilities)
    return None


def _findings(facts: ScanFacts) -> str:
    counts = facts.counts
    return f"{counts.critical} critical, {counts.high} high, {counts.medium} medium, {counts.low} low"
