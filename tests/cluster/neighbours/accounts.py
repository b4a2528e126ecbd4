"""Names and passwords: generated once for each cluster, kept in its state folder, never in the repository."""

import base64
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import bcrypt

from cluster import paths

# The passwords are random and long: a slow hash would only slow every request down.
_BCRYPT_COST = 5


@dataclass(frozen=True)
class Account:
    """A name and its password, or an access key and its secret."""

    name: str
    password: str


@dataclass(frozen=True)
class Accounts:
    """All accounts of one cluster; `tenants` are those at the object store, by namespace."""

    push: Account
    pull: Account
    storage: Account
    tenants: dict[str, Account]
    htpasswd: str

    def docker_config(self, account: Account, host: str) -> str:
        """A docker config that gives an account for a registry's host."""
        pair = base64.b64encode(f"{account.name}:{account.password}".encode()).decode()
        entry = {"username": account.name, "password": account.password, "auth": pair}
        return json.dumps({"auths": {host: entry}})

    def storage_config(self) -> str:
        """SeaweedFS' identities: the administrator, and each tenant with its own bucket."""
        everything = ("Admin", "Read", "Write", "List", "Tagging")
        identities = [_identity(self.storage, everything)]
        for namespace, account in sorted(self.tenants.items()):
            actions = tuple(f"{action}:{namespace}" for action in ("Read", "Write", "List", "Tagging"))
            identities.append(_identity(account, actions))
        return json.dumps({"identities": identities})


def ensure(path: Path, tenants: Iterable[str]) -> Accounts:
    """The accounts kept in a file, with new ones for tenants that have none yet."""
    with paths.lock(path.with_suffix(".lock")):
        accounts = _load(path) if path.exists() else _generate()
        missing = set(tenants) - set(accounts.tenants)
        accounts.tenants.update({tenant: _account(tenant) for tenant in sorted(missing)})
        paths.write(path, json.dumps(asdict(accounts)), mode=0o600)
    return accounts


def _load(path: Path) -> Accounts:
    said = json.loads(path.read_text())
    tenants = {namespace: Account(**account) for namespace, account in said["tenants"].items()}
    single = {name: Account(**said[name]) for name in ("push", "pull", "storage")}
    return Accounts(**single, tenants=tenants, htpasswd=said["htpasswd"])


def _generate() -> Accounts:
    push, pull = _account("push"), _account("pull")
    lines = (f"{account.name}:{_hash(account.password)}\n" for account in (push, pull))
    return Accounts(push, pull, _account("admin"), {}, "".join(lines))


def _account(name: str) -> Account:
    return Account(name, secrets.token_urlsafe(24))


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_COST)).decode()


def _identity(account: Account, actions: Iterable[str]) -> dict[str, object]:
    keys = {"accessKey": account.name, "secretKey": account.password}
    return {"name": account.name, "credentials": [keys], "actions": list(actions)}
