"""Bringing the neighbours up: images, registry, pushes, database, object store, scanner, tenants.

Owns: the order. Every step looks at what is there, so that a second run changes nothing.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import progress
from cluster.client import Cluster
from cluster.images import build, push, recipes
from cluster.neighbours import accounts, buckets, registry, secrets
from cluster.neighbours.advisories import database, publish, updates
from cluster.neighbours.site import NAMESPACE, Site, render

STORAGE_PORT, SCANNER_PORT = 8333, 4954
_PATIENCE_SECONDS = 120


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

    `storage` is a URL, `scanner` host:port, `registry` host:port[/path], `images` references by digest by
    name, `pull_config` the docker config that pulls them.
    """

    storage: str
    registry: str
    scanner: str
    ca_bundle: str
    images: dict[str, str]
    tenants: dict[str, Tenant]
    accounts: accounts.Accounts
    pull_config: str


class Arrival:
    """The neighbours of a running cluster on their way: first `steps` are run, then `result` says where."""

    def __init__(
        self, site: Site, place: registry.Place | None, tenants: Sequence[str], images: Sequence[str] = ()
    ) -> None:
        """Plan for a site.

        Args:
            site: where the neighbours run.
            place: the registry that is there, or None to run one of our own.
            tenants: namespaces that get a bucket and Secrets.
            images: what is pushed beside what the neighbours need; the usual ones where none is named.
        """
        self._site, self._tenants, self._runs_registry = site, tuple(tenants), place is None
        self._accounts = accounts.ensure(site.folder / "accounts.json", tenants)
        self._place = place or registry.own(site, self._accounts)
        wanted = {*(images or recipes.USUAL), "seaweedfs", "trivy"} - {"registry"}
        self._pushed = [name for name in recipes.IMAGES if name in wanted]
        self._builder = build.Builder([*self._pushed, *(["registry"] if self._runs_registry else [])])
        self._secrets = secrets.own(site, self._accounts, self._place.pull_config, self._ca_bundle)
        self._database: database.Database | None = None

    def steps(self) -> list[progress.Step]:
        """What must run, in an order that `progress` finds from what waits for what."""
        pusher = push.Pusher(self._place.target, self._builder.cache)
        own = [
            progress.Step("registry", self._start_registry, ("neighbours", *build.layer_steps("registry")))
        ]
        first = "registry" if self._runs_registry else "neighbours"
        system = build.step_name(recipes.SYSTEM)
        return [
            *self._builder.steps(),
            progress.Step("neighbours", self._prepare),
            *(own if self._runs_registry else []),
            *(
                pusher.step(name, self._image(name), (first, *build.layer_steps(name)))
                for name in self._pushed
            ),
            progress.Step("vulnerability database", self._publish_database, (first, system)),
            progress.Step("object store", self._start_storage, (push.step_name("seaweedfs"),)),
            progress.Step(
                "scanner", self._start_scanner, (push.step_name("trivy"), "vulnerability database")
            ),
            *(
                progress.Step(f"tenant: {name}", self._welcome(name), ("object store",))
                for name in self._tenants
            ),
        ]

    def result(self) -> Neighbours:
        """Where everything is, when the steps are done."""
        target = self._place.target
        return Neighbours(
            storage=f"https://{self._site.host('seaweedfs')}:{STORAGE_PORT}",
            registry=target.prefix,
            scanner=f"{self._site.host('trivy')}:{SCANNER_PORT}",
            ca_bundle=self._ca_bundle,
            images={name: self._reference(name) for name in self._pushed},
            tenants={name: Tenant(name, name) for name in self._tenants},
            accounts=self._accounts,
            pull_config=self._place.pull_config,
        )

    @property
    def _ca_bundle(self) -> str:
        """Our own authority's certificate and, of a registry that was given, its own."""
        given = self._place.target.ca_bundle
        return self._site.ca_bundle if given in self._site.ca_bundle else f"{self._site.ca_bundle}\n{given}"

    def _prepare(self, report: progress.Report) -> str:
        report("making their namespace")
        self._apply(secrets.as_list(self._secrets[NAMESPACE]))
        return f"in namespace {NAMESPACE}"

    def _image(self, name: str) -> Callable[[], build.Built]:
        return lambda: self._builder.image(name)

    def _start_registry(self, report: progress.Report) -> str:
        assert self._site.cluster is not None, "a registry of our own runs on our own cluster"
        report("importing its image")
        image = registry.import_image(
            self._site.cluster, self._builder.image("registry"), self._builder.cache
        )
        return self._start("registry", report, IMAGE=image)

    def _publish_database(self, report: progress.Report) -> str:
        folder, records = self._builder.cache.root / "advisories", self._builder.records

        def gather() -> list[Path]:
            report("looking for newer packages")
            return [*records.glob("*.gz"), *updates.changelogs(records, folder / records.name)]

        made = database.ensure(folder, records.name, gather, dt.datetime.now(dt.UTC))
        publish.publish(made, self._place.target)
        self._database = made
        return f"made {made.made:%H:%M:%S}, {made.digest[:19]}"

    def _start_storage(self, report: progress.Report) -> str:
        return self._start("seaweedfs", report, IMAGE=self._reference("seaweedfs"))

    def _start_scanner(self, report: progress.Report) -> str:
        assert self._database is not None
        where = f"{self._place.target.prefix}/{publish.REPOSITORY}"
        image, digest = self._reference("trivy"), self._database.digest
        return self._start("trivy", report, IMAGE=image, DATABASE=where, DATABASE_DIGEST=digest)

    def _welcome(self, namespace: str) -> Callable[[progress.Report], str]:
        def welcome(report: progress.Report) -> str:
            configs = {secrets.PUSH: self._place.push_config, secrets.PULL: self._place.pull_config}
            account = self._accounts.tenants[namespace]
            self._apply(secrets.as_list(secrets.tenant(namespace, account, configs)))
            report("making the bucket")
            return buckets.ensure(self._site.kubectl, namespace)

        return welcome

    def _reference(self, image: str) -> str:
        return self._place.target.reference(self._builder.image(image))

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
    """Bring the neighbours up on our own cluster and say where they are; a second run changes nothing.

    Raises ClusterError, RegistryError: with what could not be done.
    """
    return _arrive(Arrival(Site.of_cluster(cluster), None, tenants, images))


def up_elsewhere(
    kubeconfig: Path, place: registry.Place, tenants: Sequence[str] = (), images: Sequence[str] = ()
) -> Neighbours:
    """Bring object store and scanner up on somebody else's cluster, with a registry that is there already.

    What they hold is gone with their pods. Raises ClusterError, RegistryError: with what could not be done.
    """
    return _arrive(Arrival(Site.of_kubeconfig(kubeconfig), place, tenants, images))


def _arrive(arrival: Arrival) -> Neighbours:
    progress.show(arrival.steps())
    return arrival.result()
