"""What the watches have shown: our own objects as compact JSON, children as projections.

Owns the memory between events and passes. It never goes back in time: an event older than what is known is
left aside, and so is the echo of our own writes, which are put in as soon as the API server answers. Absence
here proves nothing; whoever must be sure asks the API server.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from compression_operator.cluster.projections import (
    Raw,
    child_job,
    key_of,
    owner_of,
    pod_view,
    uid_of,
    version_of,
)
from compression_operator.core.observed import ChildJob, PodView
from compression_operator.engine.controller import Key

MAX_GONE: Final = 4096
"""How many deleted uids are remembered, so that a late event does not bring them back."""
_SLIM_METADATA: Final = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
)
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def slim(raw: Raw) -> dict[str, Any]:
    """An object without bookkeeping that nobody reads: managedFields and kubectl's copy of the manifest."""
    meta = raw.get("metadata") or {}
    kept = {name: meta[name] for name in _SLIM_METADATA if meta.get(name)}
    if _LAST_APPLIED in (kept.get("annotations") or {}):
        kept["annotations"] = {k: v for k, v in kept["annotations"].items() if k != _LAST_APPLIED}
    return {"metadata": kept, "spec": raw.get("spec") or {}, "status": raw.get("status") or {}}


@dataclass(slots=True)
class _Own:
    uid: str
    version: int
    body: bytes


@dataclass(slots=True)
class _Child:
    owner: Key
    version: int
    view: ChildJob
    ours: bool = False
    """We asked for its deletion, so its end is no loss."""
    pods: dict[str, tuple[int, PodView]] = field(default_factory=dict)
    asked: bool = False
    """The API server itself was asked for its pods after it ended."""

    @property
    def told(self) -> bool:
        """Whether the pod whose result counts has been seen to end."""
        return any(pod.terminated is not None and pod.rank == 0 for _, pod in self.pods.values())


class Cache:
    """Projections by uid and own objects by key. Not for several threads."""

    def __init__(self) -> None:
        self._own: dict[Key, _Own] = {}
        self._jobs: dict[str, _Child] = {}
        self._by_owner: dict[str, set[str]] = {}
        self._orphans: dict[str, dict[str, tuple[int, PodView]]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()

    # Own objects

    def put(self, kind: str, raw: Raw) -> bool:
        """Remember an own object; False if this or a later version is known already."""
        key, uid, version = key_of(raw, kind), uid_of(raw), version_of(raw)
        known = self._own.get(key)
        if uid in self._gone or (known is not None and known.uid == uid and known.version >= version):
            return False
        self._own[key] = _Own(uid, version, orjson.dumps(slim(raw)))
        return True

    def drop(self, kind: str, raw: Raw) -> None:
        """An own object is gone, and with it what was remembered of its children."""
        key, uid = key_of(raw, kind), uid_of(raw)
        if (known := self._own.get(key)) is not None and known.uid == uid:
            del self._own[key]
        self._forget(uid)
        for job in self._by_owner.pop(uid, set()):
            self._jobs.pop(job, None)

    def get(self, key: Key) -> dict[str, Any] | None:
        """An own object as last seen; None if it is not known, or not kept."""
        known = self._own.get(key)
        return orjson.loads(known.body) if known is not None and known.body else None

    def put_to_rest(self, key: Key) -> None:
        """Nothing will be decided about the object any more: keep that it is there, not what is in it."""
        if (known := self._own.get(key)) is not None:
            known.body = b""

    def keys(self, kind: str, namespace: str | None = None) -> list[Key]:
        """The keys of all known objects of a kind, of one namespace or of all."""
        return [key for key in self._own if key.kind == kind and namespace in (None, key.namespace)]

    # Jobs

    def put_job(self, raw: Raw) -> Key | None:
        """Remember a child Job; its owner's key if that changes what a decision would see."""
        uid, version, owner = uid_of(raw), version_of(raw), owner_of(raw)
        known = self._jobs.get(uid)
        if owner is None or uid in self._gone or (known is not None and known.version >= version):
            return None
        view = child_job(raw)
        if known is not None:
            changed = view != known.view
            known.version, known.view = version, view
            return owner[0] if changed else None
        self._jobs[uid] = _Child(owner[0], version, view, pods=self._orphans.pop(uid, {}))
        self._by_owner.setdefault(owner[1], set()).add(uid)
        return owner[0]

    def drop_job(self, raw: Raw) -> Key | None:
        """A child Job is gone: forgotten if we deleted it, else kept as lost or with the result it had."""
        known = self._jobs.get(uid_of(raw))
        self._forget(uid_of(raw))
        if known is None:
            return None
        if known.ours:
            self._remove(uid_of(raw), known)
        elif known.view.complete or known.told:
            known.view = replace(known.view, deleting=True)
        else:
            known.view = replace(known.view, deleting=True, lost=True)
        return known.owner

    def deleted_by_us(self, uid: str, *, at_once: bool) -> None:
        """We asked for a Job's deletion; `at_once` if it is gone already and not just going."""
        known = self._jobs.get(uid)
        if known is None:
            return
        known.ours = True
        known.view = replace(known.view, deleting=True)
        if at_once:
            self._forget(uid)
            self._remove(uid, known)

    def _remove(self, uid: str, known: _Child) -> None:
        self._jobs.pop(uid, None)
        siblings = self._by_owner.get(known.view.owner_uid, set())
        siblings.discard(uid)
        if not siblings:
            self._by_owner.pop(known.view.owner_uid, None)

    def drop_unlisted(self, listed: Mapping[str, int], version: int) -> list[Key]:
        """Drop the Jobs that a complete list did not show, unless they are younger than the list.

        Args:
            listed: uid to resourceVersion of every Job of the list.
            version: the resourceVersion of the list itself.

        Returns:
            The keys of their owners.
        """
        missing = [
            (uid, known)
            for uid, known in self._jobs.items()
            if uid not in listed and uid not in self._gone and known.version <= version
        ]
        for uid, _ in missing:
            self.drop_job({"metadata": {"uid": uid}})
        return [known.owner for _, known in missing]

    # Pods

    def put_pod(self, raw: Raw) -> Key | None:
        """Remember a child's pod; the key of the Job's owner if a decision would see a difference."""
        owner, uid, version = owner_of(raw), uid_of(raw), version_of(raw)
        if owner is None or uid in self._gone:
            return None
        child = self._jobs.get(owner[1])
        pods = child.pods if child is not None else self._orphans.setdefault(owner[1], {})
        known = pods.get(uid)
        if known is not None and known[0] >= version:
            return None
        view = pod_view(raw)
        pods[uid] = (version, view)
        changed = known is None or known[1] != view
        return child.owner if child is not None and changed else None

    def drop_pod(self, raw: Raw) -> Key | None:
        """A pod is gone; one that had ended is kept with its Job, as its message is the result."""
        self.put_pod(raw)
        self._forget(uid_of(raw))
        owner = owner_of(raw)
        child = self._jobs.get(owner[1]) if owner is not None else None
        if child is None:
            if owner is not None:
                self._orphans.pop(owner[1], None)
            return None
        known = child.pods.get(uid_of(raw))
        if known is not None and known[1].terminated is not None:
            child.pods[uid_of(raw)] = (known[0], replace(known[1], deleting=True))
        else:
            child.pods.pop(uid_of(raw), None)
        return child.owner

    # What decisions see

    def children(self, owner_uid: str) -> tuple[ChildJob, ...]:
        """The Jobs of an owner with their pods, oldest first."""
        found = [self._jobs[uid] for uid in self._by_owner.get(owner_uid, ())]
        views = [
            replace(child.view, pods=tuple(pod for _, pod in sorted(child.pods.values(), key=_by_name)))
            for child in found
        ]
        return tuple(sorted(views, key=lambda view: (view.created, view.name)))

    def running(self, role: str) -> Iterator[tuple[Key, str, PodView]]:
        """The first pod of each Job of a role that runs now, with the Job's owner and name."""
        for child in self._jobs.values():
            view = child.view
            if view.role != role or view.complete or view.failed or view.deleting:
                continue
            for _, pod in child.pods.values():
                if pod.rank == 0 and pod.phase == "Running" and pod.terminated is None:
                    yield child.owner, view.name, pod

    def unanswered(self, owner_uid: str) -> list[ChildJob]:
        """Jobs that have ended without a pod that tells how, where nobody has asked the API server yet."""
        found = []
        for uid in self._by_owner.get(owner_uid, ()):
            child = self._jobs[uid]
            if (child.view.complete or child.view.failed) and not child.told and not child.asked:
                found.append(child.view)
        return found

    def answered(self, job_uid: str, pods: Collection[Raw]) -> None:
        """What the API server said of the pods of a Job that has ended: all of them, and no others."""
        child = self._jobs.get(job_uid)
        if child is None:
            return
        listed = {uid_of(pod) for pod in pods}
        child.pods = {u: e for u, e in child.pods.items() if u in listed or e[1].terminated is not None}
        for pod in pods:
            self.put_pod(pod)
        child.asked = True

    def counts(self) -> dict[str, int]:
        """How much is remembered, by sort."""
        return {"own": len(self._own), "jobs": len(self._jobs), "orphans": len(self._orphans)}

    def _forget(self, uid: str) -> None:
        self._gone[uid] = None
        while len(self._gone) > MAX_GONE:
            self._gone.popitem(last=False)


def _by_name(entry: tuple[int, PodView]) -> str:
    return entry[1].name
