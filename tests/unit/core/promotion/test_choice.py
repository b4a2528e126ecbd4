"""Which Promotion may start at a target, and which may not: consent, order, freshness, ownership."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compression_contract.base import digest_of
from compression_operator.api.promotion import Approval
from compression_operator.core.promotion.versions import satisfies
from unit.core.promotion.world import OLD, World, live, template, until_settling, version


def approve(world: World, user: str, decision: str = "Approve", content: str = "new") -> None:
    """Add one person's word to the waiting Promotion."""
    spec = world.promotions["fmnist-new"].spec
    entry = Approval(user=user, decision=decision, image_digest=digest_of(content.encode()))
    world.change(spec=spec.model_copy(update={"approvals": (*spec.approvals, entry)}))


REFUSED = {
    "there is no such release": ({"version": None}, "NotAccepted"),
    "it is another model's": ({"version": version(model="other")}, "NotAccepted"),
    "the record has another digest": ({"version": version("other")}, "DigestMismatch"),
    "it was revoked": (
        {"version": version(revoked={"reason": "bad data", "at": "2026-11-22T09:30:00Z", "by": "alice"})},
        "Revoked",
    ),
    "its version is out of range": ({"version": version(version="2.0.0")}, "VersionNotAccepted"),
    "it has no version where one is asked for": ({"version": version(version=None)}, "VersionNotAccepted"),
    "it was scanned too long ago": (
        {"version": version(scan={"counts": {}, "scannedAt": "2026-11-01T00:00:00Z"})},
        "ScanTooOld",
    ),
    "it has a critical finding": (
        {"version": version(scan={"counts": {"critical": 1}, "scannedAt": "2026-11-22T09:00:00Z"})},
        "Vulnerable",
    ),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_release_that_the_target_does_not_take_fails_with_its_reason(change, reason):
    world = World().settle()
    world.spec["accepts"]["versions"] = ">=1.0.0 <2.0.0"
    world.ask().change(**change).settle()
    assert (world.state(), world.reason(), world.image) == ("Failed", reason, OLD)
    assert world.status.watermark is None
    assert world.status.active is None


def test_a_release_of_another_namespace_needs_to_be_listed_and_gets_the_answer_of_an_absent_one():
    elsewhere = {"modelVersionRef": {"namespace": "team-b", "name": "fmnist-new"}}
    world = World().settle().ask(**elsewhere).settle()
    absent = World().settle().ask(**elsewhere).change(version=None).settle()
    assert world.reason() == "NotAccepted"
    assert world.promotions["fmnist-new"].status.failure == absent.promotions["fmnist-new"].status.failure
    world = World().settle()
    world.spec["accepts"]["fromNamespaces"] = ["team-b"]
    assert world.ask(**elsewhere).settle().state() == "Preflight"


def test_a_target_without_a_limit_for_a_severity_does_not_count_it():
    world = World().settle()
    world.spec["accepts"]["maxVulnerabilities"] = {"critical": -1}
    counts = {"critical": 3, "high": 9}
    found = version(scan={"counts": counts, "scannedAt": "2026-11-22T09:00:00Z"})
    assert world.ask().change(version=found).settle().state() == "Preflight"


@pytest.mark.parametrize("released", [True, False], ids=["paused", "not released"])
def test_one_that_waits_can_be_aborted_at_once_and_stands_in_nobodys_way(released):
    world = World().settle()
    world.spec["paused"] = True
    world.ask(created=9, release=released).settle()
    assert world.state() == "Waiting"
    spec = world.promotions["fmnist-new"].spec
    world.change(spec=spec.model_copy(update={"abort": True})).settle()
    assert (world.state(), world.reason(), world.image) == ("Aborted", "Aborted", OLD)
    assert world.status.watermark is None
    world.spec["paused"] = False
    world.ask("older", created=1).settle()
    assert world.state("older") == "Preflight"


def test_only_signed_releases_where_a_signature_is_asked_for():
    world = World().settle()
    world.spec["accepts"]["requireSignature"] = True
    world.ask().settle()
    assert world.reason() == "SignatureRequired"
    signed = version(signature={"hook": "kms", "digest": digest_of(b"s")})
    world.ask("signed", created=1).change("signed", version=signed).settle()
    assert world.state("signed") == "Preflight"


def test_a_slow_old_job_never_overwrites_a_newer_release():
    world = until_settling(World().settle()).probe_ends().settle()
    world.ask("old", content="older", created=-60).settle()
    assert world.state("old") == "Superseded"
    assert world.status.watermark is not None
    assert world.status.watermark.model_version == "fmnist-new"


def test_of_several_that_wait_the_newest_goes_and_the_others_are_superseded():
    world = World().settle().ask("a", created=1).ask("b", created=3).ask("c", created=2).settle()
    assert [world.state(name) for name in "abc"] == ["Superseded", "Preflight", "Superseded"]


def test_an_explicit_rollback_goes_below_the_watermark_and_before_the_others():
    world = until_settling(World().settle()).probe_ends().settle()
    world.ask("newer", content="newer", created=60).ask("back", content="old", created=-60, intent="Rollback")
    world.settle()
    assert (world.state("back"), world.state("newer")) == ("Preflight", "Waiting")


def test_the_order_key_of_a_promotion_counts_before_its_age():
    world = (
        World().settle().ask("a", created=5, orderKey="2026-11-22T10:00:01Z/x").ask("b", created=2).settle()
    )
    assert (world.state("a"), world.state("b")) == ("Superseded", "Preflight")


def test_one_that_lost_the_lock_after_raising_the_watermark_goes_on():
    world = World().settle().ask().settle()
    world.status = world.status.model_copy(update={"active": None})
    assert world.settle().state() == "Preflight"
    assert world.status.active is not None


def test_a_lock_whose_holder_is_gone_is_free_again():
    world = World().settle().ask().settle()
    del world.promotions["fmnist-new"]
    world.settle()
    assert world.status.active is None


def test_a_wave_that_is_not_open_waits():
    world = World().settle().ask(release=False).settle()
    assert (world.state(), world.status.active) == ("Waiting", None)


def test_a_release_that_is_live_already_succeeds_without_effects():
    world = until_settling(World().settle()).probe_ends().settle()
    world.writes.clear()
    world.ask("again", created=5).settle()
    assert world.state("again") == "Succeeded"
    assert not [item for item in world.writes if not item.startswith("status")]


def closed(world: World) -> None:
    """The target does not let jobs promote without being asked."""
    world.spec["autoPromote"] = False


OBSTACLES = {
    "no Deployment": (lambda world: setattr(world, "deployment", None), "Target", "NotFound"),
    "no consent of the Deployment": (lambda world: world.see(labels={}), "Target", "NotOptedIn"),
    "no such container": (lambda world: world.spec.update(container="other"), "Target", "NotFound"),
    "no permission": (lambda world: setattr(world, "permitted", False), "Target", "RoleBindingMissing"),
    "paused": (lambda world: world.spec.update(paused=True), "Pause", "Ready"),
    "unasked": (closed, "Approval", "Ready"),
}


@pytest.mark.parametrize(("change", "waits_for", "ready"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_a_promotion_waits_for_is_said_on_both_sides(change, waits_for, ready):
    world = World()
    change(world)
    world.ask().settle()
    assert world.promotions["fmnist-new"].status.waiting_for == (waits_for,)
    assert next(item.reason for item in world.status.conditions if item.type == "Ready") == ready
    assert world.status.active is None


def test_a_change_by_another_hand_holds_unasked_promotions_but_not_a_persons():
    world = World().settle().see(template=template("registry.example.com/other:1")).settle()
    assert world.status.hold is not None
    assert world.status.hold.reason == "ExternalChange"
    world.ask().settle()
    assert world.promotions["fmnist-new"].status.waiting_for == ("Hold",)
    world.ask("asked", created=1, requestedBy={"kind": "User", "user": "alice"}).settle()
    assert world.state("asked") == "Preflight"


def test_an_unasked_promotion_goes_on_once_somebody_else_agrees():
    world = World().settle()
    closed(world)
    world.ask().settle()
    approve(world, "bob", content="something else")
    assert world.settle().state() == "Waiting"
    approve(world, "alice")
    assert world.settle().state() == "Preflight"


def test_who_asked_cannot_approve():
    world = World().settle()
    world.spec["approval"] = {"required": 1}
    world.ask(requestedBy={"kind": "User", "user": "alice"}).settle()
    approve(world, "alice")
    assert world.settle().state() == "Waiting"
    approve(world, "bob")
    assert world.settle().state() == "Preflight"


def test_a_rejection_ends_it():
    world = World().settle()
    closed(world)
    world.ask().settle()
    approve(world, "bob", "Reject")
    assert (world.settle().state(), world.reason()) == ("Aborted", "Rejected")


OWNERS = {
    "nobody": (None, "TakeOver", True),
    "ourselves": (("compression.modelops.dev-promoter", "Apply"), "Fail", True),
    "kubectl, to be taken over": (("kubectl-client-side-apply", "Update"), "TakeOver", True),
    "kubectl, not to be taken over": (("kubectl-client-side-apply", "Update"), "Fail", False),
    "Argo CD": (("argocd-controller", "Apply"), "TakeOver", False),
    "Flux, recorded as an update": (("kustomize-controller", "Update"), "TakeOver", False),
    "Argo CD that ignores the field": (("argocd-controller", "Apply"), "Force", True),
    "an unknown one that applies": (("agent", "Apply"), "TakeOver", False),
    "an unknown one that wrote once": (("python", "Update"), "TakeOver", True),
}


@pytest.mark.parametrize(("owner", "policy", "goes"), OWNERS.values(), ids=OWNERS)
def test_the_image_is_taken_over_only_from_writers_that_do_not_put_it_back(owner, policy, goes):
    world = World().see(image_manager=owner).settle()
    world.spec["conflictPolicy"] = policy
    world.ask().settle()
    assert world.state() == ("Preflight" if goes else "Failed")
    assert world.reason() == ("" if goes else "FieldConflict")


def with_port(port: dict[str, int]) -> dict[str, object]:
    """A template whose server has this port."""
    raw = template(OLD)
    raw["spec"]["containers"][0]["ports"] = [port]
    return raw


UNCLONABLE = {
    "host network": {**template(OLD), "spec": {**template(OLD)["spec"], "hostNetwork": True}},
    "host port": with_port({"containerPort": 8080, "hostPort": 80}),
    "a claim": {
        **template(OLD),
        "spec": {
            **template(OLD)["spec"],
            "volumes": [{"name": "x", "persistentVolumeClaim": {"claimName": "c"}}],
        },
    },
}


@pytest.mark.parametrize("raw", UNCLONABLE.values(), ids=UNCLONABLE)
def test_a_template_that_cannot_run_twice_is_refused_unless_parity_is_off(raw):
    world = World().see(template=raw).settle().ask().settle()
    assert world.reason() == "PreviewImpossible"
    world = World().see(template=raw).settle()
    world.spec["verification"] = {"parity": "Off"}
    assert world.ask().settle().state() == "Shifting"


def test_the_preview_is_found_by_no_selector_and_keeps_what_it_needs_to_start():
    world = World().settle().ask().settle()
    preview = world.promotions["fmnist-new"].preview
    assert preview is not None
    assert "app" not in preview.template["metadata"]["labels"]
    spec = preview.template["spec"]
    assert "affinity" not in spec
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert spec["containers"][1]["image"] == "registry.example.com/helper:1"
    assert preview.image("server") == world.promotions["fmnist-new"].version.image.reference
    assert preview.image("absent") is None


def test_a_deployment_that_is_not_healthy_yet_is_no_last_good_one():
    world = World(deployment=replace(live(OLD), available=0)).settle()
    assert world.status.last_good is None
    world.see(available=2).settle()
    assert world.status.last_good is not None


def test_before_anything_was_good_a_rollback_goes_to_what_was_there():
    world = World(deployment=replace(live(OLD), available=0))
    until_settling(world.settle()).probe_ends("WrongAnswers").settle()
    assert (world.state(), world.image) == ("RolledBack", OLD)


@pytest.mark.parametrize(
    ("number", "wanted", "holds"),
    [
        ("1.4.0", ">=1.0.0 <2.0.0", True),
        ("2.0.0", ">=1.0.0 <2.0.0", False),
        ("1.4.0", "1.4.0", True),
        ("1.4.1", "!=1.4.1", False),
        ("2.0.0-rc.1", "<2.0.0", True),
        ("latest", ">=1.0.0", False),
        ("1.0.0", ">=one", False),
    ],
)
def test_ranges_follow_semantic_versioning(number, wanted, holds):
    assert satisfies(number, wanted) is holds


def test_a_rejected_image_says_nothing_about_another_one():
    world = World().settle().ask("bad", content="bad").settle().preview_runs("bad", restarts=2, ready=False)
    assert world.settle().state("bad") == "Failed"
    assert world.ask(created=1).settle().state() == "Preflight"
