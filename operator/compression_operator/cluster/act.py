"""Carrying out decisions: create or adopt, delete, apply one image, write a status, announce.

Owns the translation of actions into calls and of answers into the engine's few errors. Each effect is
idempotent by name and guarded by uid or resourceVersion. Must not decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, assert_never

import structlog

from compression_contract.keys import ANNOTATION_INPUT_HASH
from compression_operator.cluster.cache import Cache
from compression_operator.cluster.client import Client, Json
from compression_operator.cluster.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
    NamespaceTerminatingError,
    NotFoundError,
)
from compression_operator.cluster.events import Said, event
from compression_operator.cluster.merge import merge_patch
from compression_operator.cluster.projections import owner_of, uid_of, version_of
from compression_operator.cluster.resources import (
    DEPLOYMENT,
    EVENT,
    JOB,
    OWN_KINDS,
    ResourceType,
    resource_of,
)
from compression_operator.core.actions import Action, ApplyImage, Create, Delete, Notice, WriteStatus
from compression_operator.core.observed import Identity
from compression_operator.engine.controller import (
    GoneError,
    Key,
    NameTakenError,
    RefusedError,
    StaleError,
)

FIELD_MANAGER: Final = "compression.modelops.dev-promoter"
_log = structlog.get_logger(__name__)


class ClusterEffects:
    """The effects of decisions on a real cluster; what they return goes into the cache at once.

    The watch's echo of it is thereby old news and wakes nobody. `changed` hears instead when an object of
    ours was written on behalf of another one.
    """

    def __init__(
        self,
        client: Client,
        cache: Cache,
        clock: Callable[[], datetime],
        kinds: Mapping[str, ResourceType] | None = None,
        changed: Callable[[str, Json], None] = lambda _kind, _raw: None,
    ) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._kinds = kinds or {resource.kind: resource for resource in OWN_KINDS}
        self._changed = changed
        self._said = Said()

    async def write_status(
        self, key: Key, identity: Identity, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> bool:
        """See `Effects.write_status`."""
        resource = self._kinds[key.kind]
        try:
            stored = await self._patch_status(resource, identity, before, after)
        except ConflictError as error:
            raise StaleError(str(error)) from error
        except NotFoundError as error:
            raise GoneError(str(error)) from error
        except (ForbiddenError, InvalidError) as error:
            raise RefusedError("StatusRefused", error.message) from error
        return str(version_of(stored)) != identity.resource_version

    async def perform(self, action: Action) -> None:
        """See `Effects.perform`."""
        try:
            match action:
                case Create():
                    await self._create(action)
                case Delete():
                    await self._delete(action)
                case ApplyImage():
                    await self._apply_image(action)
                case WriteStatus():
                    await self._write_other_status(action)
                case _:
                    assert_never(action)
        except NamespaceTerminatingError as error:
            raise GoneError(str(error)) from error
        except ConflictError as error:
            raise StaleError(str(error)) from error
        except (ForbiddenError, InvalidError, FieldConflictError) as error:
            raise RefusedError(_word(action, error), error.message) from error

    async def announce(self, key: Key, identity: Identity, notice: Notice) -> None:
        """See `Effects.announce`; an Event that cannot be written is logged, as it changes nothing."""
        resource = self._kinds[key.kind]
        body = event(resource.api_version, key.kind, identity, notice, self._clock())
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        if (namespace, name) in self._said:
            return
        _log.info("event", reason=notice.reason, event_type=notice.kind, note=notice.message)
        try:
            await self._client.create(EVENT, namespace, body)
        except AlreadyExistsError:
            pass
        except ApiError as error:
            _log.warning("an Event was not written", reason=notice.reason, error=str(error))
            return
        self._said.add((namespace, name))

    async def _patch_status(
        self,
        resource: ResourceType,
        identity: Identity,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
    ) -> Json:
        body = {
            "metadata": {"resourceVersion": identity.resource_version},
            "status": merge_patch(before, after),
        }
        stored = await self._client.patch_status(resource, identity.namespace, identity.name, body)
        self._remember(resource, stored)
        return stored

    async def _create(self, action: Create) -> None:
        body = action.body
        resource = resource_of(body["apiVersion"], body["kind"])
        namespace, name = body["metadata"].get("namespace", ""), body["metadata"]["name"]
        try:
            stored = await self._client.create(resource, namespace, body)
            _log.info("created", child_kind=resource.kind, child=name)
        except AlreadyExistsError:
            stored = await self._client.get(resource, namespace, name)
            if why := _difference(body, stored):
                raise NameTakenError(resource.kind, name, why) from None
        self._remember(resource, stored)
        self._tell(resource, stored)

    async def _delete(self, action: Delete) -> None:
        resource = resource_of(action.api_version, action.kind)
        try:
            answer = await self._client.delete(
                resource, action.namespace, action.name, uid=action.uid, propagation=action.propagation
            )
            going = answer.get("kind") == resource.kind
            _log.info("deleted", child_kind=resource.kind, child=action.name)
        except (NotFoundError, ConflictError):
            # The object that was seen is no more, whatever carries its name now.
            going = False
        if resource is JOB:
            self._cache.deleted_by_us(action.uid, at_once=not going)

    async def _apply_image(self, action: ApplyImage) -> None:
        try:
            live = await self._client.get(DEPLOYMENT, action.namespace, action.deployment)
        except NotFoundError as error:
            raise StaleError(str(error)) from error
        if uid_of(live) != action.uid or str(version_of(live)) != action.resource_version:
            raise StaleError(f"Deployment {action.deployment} has changed since it was looked at")
        containers = live["spec"]["template"]["spec"]["containers"]
        if all(container["name"] != action.container for container in containers):
            # Server-side apply would add a container of that name instead of refusing.
            raise RefusedError(
                "ContainerNotFound", f"Deployment {action.deployment} has no {action.container}"
            )
        body = {
            "apiVersion": DEPLOYMENT.api_version,
            "kind": DEPLOYMENT.kind,
            "metadata": {
                "namespace": action.namespace,
                "name": action.deployment,
                "uid": action.uid,
                "resourceVersion": action.resource_version,
                "annotations": dict(action.annotations),
            },
            "spec": {
                "template": {
                    "spec": {"containers": [{"name": action.container, "image": action.image}]},
                }
            },
        }
        try:
            await self._client.apply(DEPLOYMENT, body, FIELD_MANAGER, force=action.force)
        except InvalidError as error:
            if "metadata.uid" in error.message:
                raise StaleError(str(error)) from error
            raise
        _log.info("applied image", deployment=action.deployment, image=action.image, force=action.force)

    async def _write_other_status(self, action: WriteStatus) -> None:
        resource = resource_of(action.api_version, action.kind)
        seen = self._cache.get(Key(action.kind, action.namespace, action.name))
        if seen is None or str(version_of(seen)) != action.resource_version:
            try:
                seen = await self._client.get(resource, action.namespace, action.name)
            except NotFoundError as error:
                raise StaleError(str(error)) from error
        if str(version_of(seen)) != action.resource_version:
            self._remember(resource, seen)
            raise StaleError(f"{action.kind} {action.name} has changed since it was looked at")
        before = seen.get("status") or {}
        if before == action.status:
            return
        meta = seen["metadata"]
        identity = Identity(
            namespace=action.namespace,
            name=action.name,
            uid=meta["uid"],
            generation=0,
            resource_version=action.resource_version,
            created=self._clock(),
        )
        try:
            stored = await self._patch_status(resource, identity, before, action.status)
        except (ConflictError, NotFoundError) as error:
            raise StaleError(str(error)) from error
        self._tell(resource, stored)

    def _remember(self, resource: ResourceType, stored: Json) -> None:
        if resource is JOB:
            self._cache.put_job(stored)
        elif self._kinds.get(resource.kind) is resource:
            self._cache.put(resource.kind, stored)

    def _tell(self, resource: ResourceType, stored: Json) -> None:
        if self._kinds.get(resource.kind) is resource:
            self._changed(resource.kind, stored)


def _word(action: Action, error: ApiError) -> str:
    if isinstance(error, FieldConflictError):
        return "FieldConflict"
    verb = {Create: "Create", Delete: "Delete", ApplyImage: "Apply", WriteStatus: "Status"}[type(action)]
    return f"{verb}{'Forbidden' if isinstance(error, ForbiddenError) else 'Invalid'}"


def _difference(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    """Why an existing object is not the one that was to be created; empty if it is."""
    ours, theirs = owner_of(wanted), owner_of(stored)
    if (ours[1] if ours else "") != (theirs[1] if theirs else ""):
        return f"its controller is {'/'.join(theirs[0][::2]) if theirs else 'nobody'}"
    hashes = [(o["metadata"].get("annotations") or {}).get(ANNOTATION_INPUT_HASH) for o in (wanted, stored)]
    return "" if hashes[0] == hashes[1] else "it has another input"
