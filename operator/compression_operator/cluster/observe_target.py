"""Observing a ServingTarget with its Deployment and its Promotions.

Owns what has to be read for a decision about a target. Deployments and the pods of Deployments are read when
a decision is due and never kept: they belong to others and change without us.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from compression_contract.keys import LABEL_ROLE, LABEL_TRACK
from compression_operator.api import CompressionRuntime, ModelVersion, Promotion, ServingTarget
from compression_operator.cluster.client import Client
from compression_operator.cluster.errors import ForbiddenError
from compression_operator.cluster.parsing import parse
from compression_operator.cluster.projections import deployment_view, identity_of
from compression_operator.cluster.reader import Reader, by_owner
from compression_operator.cluster.resources import (
    ACCESS_REVIEW,
    COMPRESSION_RUNTIME,
    DEPLOYMENT,
    MODEL_VERSION,
    POD,
    PROMOTION,
    SERVING_TARGET,
)
from compression_operator.core.observed import DeploymentView
from compression_operator.core.promotion.observed import (
    ObservedPromotion,
    ObservedTarget,
    ProbeImage,
)
from compression_operator.engine.controller import Key, Look, Observation

PROBE_RUNTIME: Final = "default"
"""The CompressionRuntime whose tools image asks a release its questions."""
PERMISSION_LIFE: Final = 60.0
"""Seconds that an answer about a right is believed."""


class ServingTargetObserver:
    """Reads what a decision about a ServingTarget looks at."""

    def __init__(self, reader: Reader, client: Client) -> None:
        self._reader = reader
        self._client = client
        self._permissions: dict[tuple[str, str], tuple[float, bool]] = {}

    async def observe(self, key: Key, look: Look) -> Observation[ObservedTarget] | None:
        """See `Controller.observe`."""
        raw, fresh = await self._reader.own(SERVING_TARGET, key.namespace, key.name, fresh=look.fresh)
        if raw is None:
            return None
        target: ServingTarget = parse(ServingTarget, raw, key)
        promotions = await self._promotions(key, fresh=look.fresh)
        # Pods are questioned, and previews exist, only while somebody holds the lock.
        active = target.status.active is not None
        deployment, previews, permitted, probe = await asyncio.gather(
            self._deployment(target, key.namespace, pods=active),
            self._previews(target, key.namespace) if active else _none(),
            self._permitted(key.namespace, target.spec.deployment_ref.name),
            self._probe(),
        )
        observed = ObservedTarget(
            identity=identity_of(raw),
            spec=target.spec,
            status=target.status,
            deployment=deployment,
            permitted=permitted,
            promotions=tuple([await self._promotion(each, previews) for each in promotions]),
            probe=probe,
        )
        return Observation(observed.identity, raw["status"], fresh, observed)

    async def _promotions(self, key: Key, *, fresh: bool) -> list[Mapping[str, Any]]:
        if fresh:
            async for page in self._client.pages(PROMOTION, key.namespace):
                for item in page.get("items") or ():
                    self._reader.cache.put(PROMOTION.kind, item)
        cache = self._reader.cache
        found = [cache.get(each) for each in cache.keys(PROMOTION.kind, key.namespace)]
        mine = [raw for raw in found if raw is not None and raw["spec"]["targetRef"]["name"] == key.name]
        return sorted(mine, key=lambda raw: str(raw["metadata"]["name"]))

    async def _promotion(
        self, raw: Mapping[str, Any], previews: Mapping[str, DeploymentView]
    ) -> ObservedPromotion:
        identity = identity_of(raw)
        promotion: Promotion = parse(Promotion, raw, Key(PROMOTION.kind, identity.namespace, identity.name))
        reference = promotion.spec.model_version_ref
        namespace = reference.namespace or identity.namespace
        version, _ = await self._reader.own(MODEL_VERSION, namespace, reference.name)
        return ObservedPromotion(
            identity=identity,
            spec=promotion.spec,
            status=promotion.status,
            version=(
                parse(ModelVersion, version, Key(MODEL_VERSION.kind, namespace, reference.name)).spec
                if version
                else None
            ),
            preview=previews.get(identity.uid),
            probes=await self._reader.children(identity.namespace, identity.uid),
        )

    async def _deployment(
        self, target: ServingTarget, namespace: str, *, pods: bool
    ) -> DeploymentView | None:
        raw = await self._reader.one(DEPLOYMENT, namespace, target.spec.deployment_ref.name)
        return None if raw is None else await self._view(raw, target.spec.container, pods=pods)

    async def _previews(self, target: ServingTarget, namespace: str) -> dict[str, DeploymentView]:
        found = by_owner(await self._reader.some(DEPLOYMENT, namespace, {LABEL_ROLE: "preview"}))
        return {uid: await self._view(raw, target.spec.container, pods=True) for uid, raw in found.items()}

    async def _view(self, raw: Mapping[str, Any], container: str, *, pods: bool) -> DeploymentView:
        view = deployment_view(raw, container)
        if not pods:
            return view
        found = await self._reader.some(POD, str(raw["metadata"]["namespace"]), view.selector)
        # A user's selector may well match our preview's pods; these carry their track, the live ones none.
        track = view.selector.get(LABEL_TRACK)
        own = [pod for pod in found if (pod["metadata"].get("labels") or {}).get(LABEL_TRACK) == track]
        return deployment_view(raw, container, own)

    async def _permitted(self, namespace: str, deployment: str) -> bool:
        known = self._permissions.get((namespace, deployment))
        if known is not None and time.monotonic() - known[0] < PERMISSION_LIFE:
            return known[1]
        attributes = {
            "group": DEPLOYMENT.group,
            "resource": DEPLOYMENT.plural,
            "verb": "patch",
            "namespace": namespace,
            "name": deployment,
        }
        review = {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.kind,
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = await self._client.create(ACCESS_REVIEW, "", review)
        except ForbiddenError:
            answer = {}
        allowed = bool((answer.get("status") or {}).get("allowed"))
        self._permissions[namespace, deployment] = (time.monotonic(), allowed)
        return allowed

    async def _probe(self) -> ProbeImage | None:
        raw, _ = await self._reader.own(COMPRESSION_RUNTIME, "", PROBE_RUNTIME)
        if raw is None:
            return None
        runtime: CompressionRuntime = parse(
            CompressionRuntime, raw, Key(COMPRESSION_RUNTIME.kind, "", PROBE_RUNTIME)
        )
        return ProbeImage(image=runtime.spec.tools.image)


async def _none() -> dict[str, DeploymentView]:
    return {}
