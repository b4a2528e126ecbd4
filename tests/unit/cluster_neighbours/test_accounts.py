"""Accounts: generated once, kept, never shared between clusters."""

import json
import stat

import bcrypt

from cluster.neighbours import accounts


def test_they_stay_the_same_and_grow_with_the_tenants(tmp_path):
    first = accounts.ensure(tmp_path / "accounts.json", ["team-a"])
    second = accounts.ensure(tmp_path / "accounts.json", ["team-b"])
    assert second.tenants["team-a"] == first.tenants["team-a"]
    assert (second.push, second.htpasswd) == (first.push, first.htpasswd)
    assert set(second.tenants) == {"team-a", "team-b"}


def test_two_clusters_share_no_password(tmp_path):
    one, other = (accounts.ensure(tmp_path / name / "accounts.json", ["team-a"]) for name in ("one", "other"))
    assert one.tenants["team-a"].password != other.tenants["team-a"].password
    assert one.push.password != other.push.password


def test_the_file_is_for_its_owner_alone(tmp_path):
    accounts.ensure(tmp_path / "accounts.json", [])
    assert stat.S_IMODE((tmp_path / "accounts.json").stat().st_mode) == 0o600


def test_the_password_file_holds_hashes_of_both_registry_accounts(tmp_path):
    found = accounts.ensure(tmp_path / "accounts.json", [])
    lines = dict(line.split(":") for line in found.htpasswd.splitlines())
    for account in (found.push, found.pull):
        assert bcrypt.checkpw(account.password.encode(), lines[account.name].encode())
        assert account.password not in found.htpasswd


def test_a_tenant_may_act_in_its_own_bucket_only(tmp_path):
    found = accounts.ensure(tmp_path / "accounts.json", ["team-a", "team-b"])
    identities = {entry["name"]: entry for entry in json.loads(found.storage_config())["identities"]}
    assert {action.split(":")[1] for action in identities["team-a"]["actions"]} == {"team-a"}
    assert "Admin" not in str(identities["team-b"])
