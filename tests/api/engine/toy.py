"""A toy kind with a toy decision: a Chain is done when its Jobs, one after the other, have succeeded.

The engine, the cluster layer and kopf around it are the real ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from compression_contract.keys import ANNOTATION_INPUT_HASH, LABEL_ROLE
from compression_operator.cluster.client import Client
from compression_operator.cluster.projections import identity_of
from compression_operator.cluster.reader import Reader
from compression_operator.cluster.resources import ResourceType
from compression_operator.core.actions import Create, Decision, Delete, Notice
from compression_operator.core.observed import ChildJob, Identity
from compression_operator.engine.controller import Key, Look, Observation

CHAIN = ResourceType("toy.example.com", "v1", "Chain", "chains")

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{CHAIN.plural}.{CHAIN.group}"},
    "spec": {
        "group": CHAIN.group,
        "names": {"kind": CHAIN.kind, "plural": CHAIN.plural, "singular": "chain", "listKind": "ChainList"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": CHAIN.version,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class ObservedChain:
    identity: Identity
    length: int
    note: str
    status: dict[str, Any]
    children: tuple[ChildJob, ...]
    conflicts: frozenset[str]


def job_name(chain: str, stage: int) -> str:
    return f"{chain}-{stage}"


def job(identity: Identity, stage: int) -> dict[str, Any]:
    labels = {LABEL_ROLE: "train"}
    container = {"name": "main", "image": "registry.invalid/none@sha256:" + "0" * 64}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(identity.name, stage),
            "namespace": identity.namespace,
            "labels": labels,
            "annotations": {ANNOTATION_INPUT_HASH: f"hash-{stage}"},
            "ownerReferences": [
                {
                    "apiVersion": CHAIN.api_version,
                    "kind": CHAIN.kind,
                    "name": identity.name,
                    "uid": identity.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }


def decide(chain: ObservedChain, now: datetime) -> Decision:
    done = int(chain.status.get("done", 0))
    if chain.status.get("phase") in ("Succeeded", "Failed"):
        old = [child for child in chain.children if not child.deleting]
        return Decision(
            status=chain.status,
            notices=_ending(chain.status),
            actions=tuple(
                Delete("batch/v1", "Job", chain.identity.namespace, child.name, child.uid) for child in old
            ),
        )
    children = {child.name: child for child in chain.children}
    while done < chain.length:
        child = children.get(job_name(chain.identity.name, done))
        if child is not None and child.lost:
            return _failed(chain, done, "ChildLost")
        end = next((pod.terminated for pod in child.pods if pod.terminated), None) if child else None
        if end is None:
            break
        if end.exit_code:
            return _failed(chain, done, end.reason)
        done += 1
    if done == chain.length:
        status = {"done": done, "phase": "Succeeded", "note": chain.note}
        return Decision(status=status, notices=_ending(status))
    name = job_name(chain.identity.name, done)
    if f"Job/{name}" in chain.conflicts:
        return _failed(chain, done, "NameConflict")
    status = {"done": done, "phase": "Running", "intent": {"job": name}, "note": chain.note}
    if name in children:
        return Decision(status=status)
    return Decision(status=status, actions=(Create(job(chain.identity, done)),))


def _failed(chain: ObservedChain, done: int, reason: str) -> Decision:
    status = {"done": done, "phase": "Failed", "reason": reason, "note": chain.note}
    return Decision(status=status, notices=_ending(status))


def _ending(status: dict[str, Any]) -> tuple[Notice, ...]:
    """Said in every pass over an ended chain, so that a crash before the Event loses nothing."""
    if status["phase"] == "Succeeded":
        return (Notice("done", "Succeeded", f"all {status['done']} stages are done"),)
    return (Notice("failed", status["reason"], f"stage {status['done']} failed", "Warning"),)


class ChainController:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def observe(self, key: Key, look: Look) -> Observation[ObservedChain] | None:
        raw, fresh = await self._reader.own(CHAIN, key.namespace, key.name, fresh=look.fresh)
        if raw is None:
            return None
        identity = identity_of(raw)
        chain = ObservedChain(
            identity,
            int(raw["spec"]["length"]),
            str(raw["spec"].get("note", "")),
            raw["status"],
            await self._reader.children(key.namespace, identity.uid),
            look.conflicts,
        )
        return Observation(identity, raw["status"], fresh, chain)

    def decide(self, subject: ObservedChain, now: datetime) -> Decision:
        return decide(subject, now)


def controllers(reader: Reader, client: Client) -> dict[str, ChainController]:
    return {CHAIN.kind: ChainController(reader)}


def chain(name: str, length: int, **spec: Any) -> str:
    return json.dumps(
        {
            "apiVersion": CHAIN.api_version,
            "kind": CHAIN.kind,
            "metadata": {"name": name},
            "spec": {"length": length, **spec},
        }
    )
