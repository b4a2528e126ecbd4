"""The gates that need the pushed image: its findings and its size.

Owns the implicit gate: the administrator's floor, and the default thresholds, hold even where the author asks
for no Vulnerability gate or only for a dry run of one.
"""

from __future__ import annotations

from typing import Final

from compression_contract.results import ScanFacts
from compression_operator.api.compressionjob.gates import Gate, VulnerabilityGate
from compression_operator.api.compressionjob.status import GateStatus
from compression_operator.api.compressionruntime import VulnerabilityFloor
from compression_operator.core.compression.gates.judge import blocks_on_findings, entry, judged_on_image
from compression_operator.core.compression.gates.resources import Sizes, judge_size
from compression_operator.core.compression.gates.verdicts import Ruling
from compression_operator.core.compression.gates.vulnerability import (
    ScanRules,
    judge_vulnerability,
    limits_of,
)
from compression_operator.core.compression.passage import Passage
from compression_operator.core.compression.words import On, Why
from compression_operator.core.conditions import ConditionStatus

IMPLICIT_GATE: Final = "vulnerabilities"
UNKNOWABLE: Final = frozenset({"Inconclusive", "Error"})


def judge_image(passage: Passage, facts: ScanFacts, floor: VulnerabilityFloor) -> None:
    """Judge the gates on the image and say whether all gates passed; a job whose image fails ends here.

    `floor` is the administrator's as it is now, not as it was at the start: a stricter one holds at once.
    """
    entries = {item.name: item for item in passage.status.gates}
    blocking: list[GateStatus] = []
    for gate, rules in _gates(passage, floor):
        found = entry(gate, passage.plan.shipped_target, _ruling(passage, gate, rules, facts), None)
        entries[gate.name] = found
        if not gate.dry_run:
            blocking.append(found)
    passage.update(gates=tuple(entries.values()))
    failing = [item for item in blocking if item.verdict != "Pass"]
    if not failing:
        passage.say(On.GATES_PASSED, "True", Why.PASSED, f"{len(entries)} gates were judged")
        return
    # A certain failure says more than an open question.
    worst = next((item for item in failing if item.verdict == "Fail"), failing[0])
    message = f"gate {worst.name}: {worst.message}"
    status: ConditionStatus = "Unknown" if worst.verdict in UNKNOWABLE else "False"
    passage.say(On.GATES_PASSED, status, worst.reason or Why.INCONCLUSIVE, message)
    passage.fail(Why.GATE_FAILED, message)


def _ruling(passage: Passage, gate: Gate, rules: ScanRules, facts: ScanFacts) -> Ruling:
    if gate.size is not None:
        image, baseline = passage.status.image, passage.status.baseline
        deployed = (image.bytes if image is not None else None) or 0
        return judge_size(gate.size, Sizes(deployed, baseline.bytes if baseline is not None else None))
    return judge_vulnerability(rules, facts)


def _gates(passage: Passage, floor: VulnerabilityFloor) -> list[tuple[Gate, ScanRules]]:
    """The gates to judge with the limits of each; the last one may be implicit."""
    spec = passage.plan.spec
    own = _rules(passage, limits_of(spec.scan.thresholds, floor))
    found = [(gate, own) for gate in spec.gates if judged_on_image(gate)]
    mine = [gate for gate, _ in found if gate.type == "Vulnerability"]
    if any(blocks_on_findings(gate) for gate in mine):
        return found
    taken = {gate.name for gate in spec.gates}
    free = (name for name in (IMPLICIT_GATE, *(f"{IMPLICIT_GATE}-{n}" for n in range(len(taken)))))
    name = next(name for name in free if name not in taken)
    # An author who asks for a dry run loosens the job's own thresholds, never the administrator's.
    rules = _rules(passage, limits_of(floor)) if mine else own
    return [*found, (Gate(name=name, type="Vulnerability", vulnerability=VulnerabilityGate()), rules)]


def _rules(passage: Passage, limits: dict[str, int]) -> ScanRules:
    scan = passage.plan.spec.scan
    return ScanRules(limits, scan.max_database_age, scan.fail_on_end_of_life)
