"""What the steps of the plan are asked to do: distil, prune, quantise after training, quantise in training.

Owns the translation of a step's settings to the contract's words, and what a step inherits from the
distillation before it. Must not know how the document reaches the pod.
"""

from __future__ import annotations

from typing import Final

from compression_contract.inputs import DistillInput, PruneInput, PTQInput, QATInput, StageParameters
from compression_contract.methods import Distillation, Optimizer, StudentInput
from compression_operator.api.compressionjob.methods import PTQ, QAT, Distill, Prune
from compression_operator.api.compressionjob.pipeline import Step
from compression_operator.api.compressionjob.status import CompressionJobStatus
from compression_operator.core.compression.effective import Effective
from compression_operator.core.compression.sources import (
    code_of,
    made_by,
    plain,
    source_of,
    stored_student,
    teachers_of,
    training_data_of,
)

TEACHER_OUTPUTS: Final = "teacher-outputs"
"""Folder under the job's storage prefix; within it everything is named by digest, so that jobs share it."""


def step_parameters(step: Step, plan: Effective, status: CompressionJobStatus) -> StageParameters:
    """The parameters of a step whose source has left its receipt in `status`."""
    if step.ptq is not None:
        return _ptq(step, step.ptq, plan, status)
    if step.qat is not None:
        return _qat(step, step.qat, plan, status)
    if step.prune is not None:
        return _prune(step, step.prune, plan, status)
    return _distill(step, step.distill or Distill(), plan, status)


def _common(plan: Effective) -> dict[str, object]:
    """What every step is told."""
    code = code_of(plan)
    return {
        "task": plan.spec.task,
        "dataset": training_data_of(plan).wire(),
        "onnx_opset": plan.onnx_opset,
        "formats": plan.export_formats,
        **({} if code is None else {"code": code.wire()}),
    }


def _distill(step: Step, distill: Distill, plan: Effective, status: CompressionJobStatus) -> DistillInput:
    source = made_by(step.from_, status) if step.from_ else stored_student(plan)
    student = StudentInput(
        arch=plan.architecture(step),
        num_classes=plan.resolved.num_classes or 1,
        input_shape=plan.resolved.input_shape or (),
        artifact=source,
    )
    fields = {
        **_common(plan),
        "student": student.wire(),
        "distillation": _distillation(distill, plan).wire(),
        "epochs": distill.epochs or plan.spec.student.schedule_epochs,
        "optimizer": plain(distill.optimizer),
        "cache_teacher_outputs": distill.cache_teacher_outputs,
        "replicas": distill.replicas,
    }
    return DistillInput.model_validate(fields)


def _distillation(distill: Distill, plan: Effective) -> Distillation:
    settings = distill.model_dump(
        mode="json",
        exclude_none=True,
        include={"combine", "temperature", "scale_by_temperature_squared", "alpha", "features"},
    )
    teachers = [teacher.wire() for teacher in teachers_of(plan, distill.teachers or ())]
    cache = f"{plan.storage_prefix}/{TEACHER_OUTPUTS}" if distill.cache_teacher_outputs else None
    return Distillation.model_validate({**settings, "teachers": teachers, "cache": cache})


def _prune(step: Step, prune: Prune, plan: Effective, status: CompressionJobStatus) -> PruneInput:
    distill = plan.distillation(step)
    optimizer = Optimizer() if distill is None else Optimizer.model_validate(plain(distill.optimizer))
    fields = {
        **_common(plan),
        "source": source_of(step, plan, status).wire(),
        "pruning": {
            "criterion": prune.criterion,
            "ratio": prune.ratio,
            "exclude": prune.exclude or (),
        },
        "finetune_epochs": prune.finetune_epochs,
        "optimizer": {**optimizer.wire(), "learningRate": prune.learning_rate},
        "replicas": prune.replicas,
    }
    if distill is not None:
        fields["distillation"] = _distillation(distill, plan).wire()
    return PruneInput.model_validate(fields)


def _ptq(step: Step, ptq: PTQ, plan: Effective, status: CompressionJobStatus) -> PTQInput:
    settings = ptq.model_dump(mode="json", exclude_none=True, exclude={"bits"})
    fields = {
        **settings,
        **_common(plan),
        "source": source_of(step, plan, status).wire(),
        "weight_bits": ptq.bits.weight,
    }
    return PTQInput.model_validate(fields)


def _qat(step: Step, qat: QAT, plan: Effective, status: CompressionJobStatus) -> QATInput:
    distill = plan.distillation(step)
    fields = {
        **_common(plan),
        "source": source_of(step, plan, status).wire(),
        "epochs": qat.length(plan.spec.student.schedule_epochs),
        "learning_rate": qat.learning_rate,
        "quanters": plain(qat.quanters),
        "freeze_batch_norm_after": qat.freeze_batch_norm_after,
        "replicas": qat.replicas,
    }
    if distill is not None:
        fields["batch_size"] = distill.optimizer.batch_size
        if qat.keep_distillation:
            fields["distillation"] = _distillation(distill, plan).wire()
    return QATInput.model_validate(fields)
