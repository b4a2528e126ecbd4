"""The chart's policies are in force, and what a stage's pod says is its own."""

from __future__ import annotations

import json

import pytest

from api.subjects import (
    EDITOR,
    JOB_CONTROLLER,
    NODE,
    ROLE,
    STAGE_POD,
)
from cluster.errors import ClusterError
from compression_contract.keys import GROUP
from support.chart import rendered
from support.manifests import (
    changed,
)


def test_the_policies_have_no_type_errors(server):
    listing = json.loads(server.kubectl("get", "validatingadmissionpolicies", "-o", "json"))
    shipped = {item["metadata"]["name"] for item in rendered() if item["kind"] == "ValidatingAdmissionPolicy"}
    found = {item["metadata"]["name"]: item.get("status", {}) for item in listing["items"]}
    assert found.keys() >= shipped
    for name in shipped:
        assert found[name].get("observedGeneration"), f"{name} was not checked"
        assert found[name].get("typeChecking", {}).get("expressionWarnings", []) == [], name


def test_the_rendered_chart_is_what_the_server_accepts(server):
    text = "\n---\n".join(json.dumps(item) for item in rendered({"crds.install": False}))
    apply = ("apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-")
    answer = server.cluster.kubectl(*apply, stdin=text)
    assert "compressionruntime.compression.modelops.dev/default serverside-applied" in answer


def test_a_pods_result_comes_from_its_node_and_its_input_from_the_operator(people, stored):
    # The Job controller makes pods; here it is played, as this server runs no pods.
    manifest = stored(
        changed(STAGE_POD, {"spec.nodeName": "n1"}), user=(*JOB_CONTROLLER, "--as-group=system:masters")
    )
    name = manifest["metadata"]["name"]
    editor = ("--as=eve", "--as-group=system:masters")
    forged = {"status": {"phase": "Succeeded", "message": "top1 0.99"}}
    refusal = people.change(editor, "pod", name, forged, subresource="status")
    assert "is written by their node, not by eve" in refusal
    node = (*NODE, "--as-group=system:masters")
    assert people.change(node, "pod", name, {"status": {"phase": "Running"}}, subresource="status") == ""
    for patch in (
        {"metadata": {"annotations": {f"{GROUP}/input": '{"candidate": "mine"}'}}},
        {"metadata": {"labels": {ROLE: None}}},
        {"spec": {"activeDeadlineSeconds": 5}},
    ):
        assert "are written by the operator" in people.change(editor, "pod", name, patch)
    assert people.change(editor, "pod", name, {"metadata": {"annotations": {"note": "x"}}}) == ""


@pytest.mark.parametrize("way", ["exec", "attach", "portforward"])
def test_nobody_works_inside_a_pod_that_measures(people, way):
    def connect(name):
        path = f"/api/v1/namespaces/{people.namespace}/pods/{name}/{way}"
        with pytest.raises(ClusterError) as refusal:
            people.kubectl("create", "--raw", path, "-f", "-", stdin="{}", user=EDITOR)
        return str(refusal.value)

    assert "need the verb debug on compressionjobs" in connect("fmnist-3fa9c2-ev-0a1b2c3d-x7k2p")
    # Other pods are none of the policy's business; this one is not even there.
    assert "need the verb debug" not in connect("web-3fa9c2-x7k2p")
