"""Bringing the neighbours up: images, registry, pushes, database, object store, scanner, tenants.

Owns: the order. Every step looks at what is there, so that a second run changes nothing.
"""

import datetime as dt
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import progress
from cluster.client import Cluster
from cluster.images import archive, build, push, recipes
from cluster.neighbours import accounts, buckets, secrets
from cluster.neighbours.advisories import database, publish, updates
from cluster.neighbours.site import NAMESPACE, Site, render
from compression_jobs.registry import DockerConfig

REGISTRY_PORT, STORAGE_PORT, SCANNER_PORT = 5000, 8333, 4954
_PATIENCE_SECONDS = 120
_NOT_PUSHED = ("registry",)  # it is imported on the node


@dataclass(frozen=True)
class Tenant:
    """What a namespace was given: its bucket, and the names of its Secrets."""

    namespace: str
    bucket: str
    storage_secret: str = secrets.STORAGE
    push_secret: str = secrets.PUSH
    pull_secret: str = secrets.PULL


@dataclass(frozen=True)
class Neighbours:
    """Where everything is, for pods and, on our own cluster, for the host.

    `storage` is a URL, `registry` and `scanner` are host:port, `images` references by digest by name.
    """

    storage: str
    registry: str
    scanner: str
    ca_bundle: str
    images: dict[str, str]
    tenants: dict[str, Tenant]
    accounts: accounts.Accounts


class Arrival:
    """The neighbours of a running cluster on their way: first `steps` are run, then `result` says where."""

    def __init__(self, cluster: Cluster, tenants: Sequence[str], images: Sequence[str] = ()) -> None:
        """Plan for a cluster; `images` restricts what is pushed beside what the neighbours need."""
        wanted = {*(images or recipes.IMAGES), *_NOT_PUSHED, "seaweedfs", "tools"}
        self._cluster, self._tenants = cluster, tuple(tenants)
        self._builder = build.Builder([name for name in recipes.IMAGES if name in wanted])
        self._pushed = [name for name in self._builder.names if name not in _NOT_PUSHED]
        self._site = Site.of_cluster(cluster)
        self._registry = f"{self._site.host('registry')}:{REGISTRY_PORT}"
        self._accounts = accounts.ensure(self._site.folder / "accounts.json", tenants)
        self._secrets = secrets.own(self._site, self._accounts, self._registry)
        config = DockerConfig.parse(
            self._accounts.docker_config(self._accounts.push, self._registry).encode()
        )
        self._target = push.Target(self._registry, config, self._site.ca_bundle)
        self._database: database.Database | None = None

    def steps(self) -> list[progress.Step]:
        """What must run, in an order that `progress` finds from what waits for what."""
        pusher = push.Pusher(self._target, self._builder.cache)
        return [
            *self._builder.steps(),
            progress.Step("registry", self._start_registry, build.layer_steps("registry")),
            *(
                pusher.step(name, self._image(name), ("registry", *build.layer_steps(name)))
                for name in self._pushed
            ),
            progress.Step("vulnerability database", self._publish_database, ("registry",)),
            progress.Step("object store", self._start_storage, (push.step_name("seaweedfs"),)),
            progress.Step(
                "scanner", self._start_scanner, (push.step_name("tools"), "vulnerability database")
            ),
            *(
                progress.Step(f"tenant: {name}", self._welcome(name), ("object store",))
                for name in self._tenants
            ),
        ]

    def result(self) -> Neighbours:
        """Where everything is, when the steps are done."""
        return Neighbours(
            storage=f"https://{self._site.host('seaweedfs')}:{STORAGE_PORT}",
            registry=self._registry,
            scanner=f"{self._site.host('trivy')}:{SCANNER_PORT}",
            ca_bundle=self._site.ca_bundle,
            images={name: self._target.reference(self._builder.image(name)) for name in self._pushed},
            tenants={name: Tenant(name, name) for name in self._tenants},
            accounts=self._accounts,
        )

    def _image(self, name: str) -> Callable[[], build.Built]:
        return lambda: self._builder.image(name)

    def _start_registry(self, report: progress.Report) -> str:
        image = self._builder.image("registry")
        name = archive.reference(image)
        if name not in self._cluster.ctr("images", "list", "--quiet").split():
            report("importing its image")
            with tempfile.TemporaryDirectory() as folder:
                archive.write(image, Path(folder), self._builder.cache)
                self._cluster.ctr_import(Path(folder) / "registry.tar")
        self._apply(secrets.as_list([secrets.namespace_object(NAMESPACE)]))
        return self._start("registry", report, IMAGE=name)

    def _publish_database(self, report: progress.Report) -> str:
        folder, records = self._builder.cache.root / "advisories", self._builder.records

        def gather() -> list[Path]:
            report("looking for newer packages")
            return [*records.glob("*.gz"), *updates.changelogs(records, folder / records.name)]

        made = database.ensure(folder, records.name, gather, dt.datetime.now(dt.UTC))
        publish.publish(made, self._target)
        self._database = made
        return f"made {made.made:%H:%M:%S}, {made.digest[:19]}"

    def _start_storage(self, report: progress.Report) -> str:
        return self._start("seaweedfs", report, IMAGE=self._reference("seaweedfs"))

    def _start_scanner(self, report: progress.Report) -> str:
        assert self._database is not None
        where = f"{self._registry}/{publish.REPOSITORY}"
        image, digest = self._reference("tools"), self._database.digest
        return self._start("trivy", report, IMAGE=image, DATABASE=where, DATABASE_DIGEST=digest)

    def _welcome(self, namespace: str) -> Callable[[progress.Report], str]:
        def welcome(report: progress.Report) -> str:
            self._apply(secrets.as_list(secrets.tenant(namespace, self._accounts, self._registry)))
            report("making the bucket")
            return buckets.ensure(self._site.kubectl, namespace)

        return welcome

    def _reference(self, image: str) -> str:
        return self._target.reference(self._builder.image(image))

    def _start(self, name: str, report: progress.Report, **values: str) -> str:
        """Apply a neighbour's Secrets and manifest, and wait until it is ready."""
        objects = self._secrets[name]
        self._apply(secrets.as_list(objects))
        checksum = secrets.checksum(objects)
        self._apply(render(name, {**self._site.values(name), "CHECKSUM": checksum, **values}))
        report("waiting until it is ready")
        wait = f"--timeout={_PATIENCE_SECONDS}s"
        self._site.kubectl("rollout", "status", f"deployment/{name}", f"--namespace={NAMESPACE}", wait)
        return "ready"

    def _apply(self, manifest: str) -> None:
        self._site.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest)


def up(cluster: Cluster, tenants: Sequence[str] = (), images: Sequence[str] = ()) -> Neighbours:
    """Bring the neighbours up on a running cluster and say where they are; a second run changes nothing.

    Raises ClusterError, RegistryError: with what could not be done.
    """
    arrival = Arrival(cluster, tenants, images)
    progress.show(arrival.steps())
    return arrival.result()
