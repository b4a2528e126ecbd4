"""The registry that images go to: the one that runs beside the operator, or one that is there already."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.images import archive, build, push, store
from cluster.neighbours.accounts import Accounts
from cluster.neighbours.site import Site
from compression_jobs.registry import DockerConfig, Repository

PORT = 5000


@dataclass(frozen=True)
class Place:
    """Where images are pushed to, and the docker configs with which pods push and pull there."""

    target: push.Target
    push_config: str
    pull_config: str


def own(site: Site, accounts: Accounts) -> Place:
    """The registry that runs beside the operator, with an account for pushing and one for pulling."""
    host = f"{site.host('registry')}:{PORT}"
    configs = [accounts.docker_config(account, host) for account in (accounts.push, accounts.pull)]
    site.certificate("registry")
    target = push.Target(host, DockerConfig.parse(configs[0].encode()), site.ca_bundle)
    return Place(target, *configs)


def given(prefix: str, config: Path, ca_bundle: str = "") -> Place:
    """A registry that is there already: `prefix` is host[:port][/path], `config` a docker config file.

    Raises ClusterError when the file has no account for that host: pods need one that they can carry.
    """
    repository = Repository.parse(f"{prefix}/image")
    known = DockerConfig.read(config)
    account = known.account_for(repository.host, repository.name)
    if account is None:
        raise ClusterError(
            f"{config} has no account for {repository.host}: `docker login {repository.host}` without a "
            "credential helper, or set DOCKER_CONFIG"
        )
    text = json.dumps(
        {"auths": {repository.host: {"username": account.username, "password": account.password}}}
    )
    return Place(push.Target(prefix, known, ca_bundle), text, text)


def import_image(cluster: Cluster, image: build.Built, cache: store.Store) -> str:
    """Bring an image onto the node without a registry; returns its name there."""
    name = archive.reference(image)
    if name not in cluster.ctr("images", "list", "--quiet").split():
        with tempfile.TemporaryDirectory() as folder:
            archive.write(image, Path(folder), cache)
            cluster.ctr_import(Path(folder) / f"{image.name}.tar")
    return name
