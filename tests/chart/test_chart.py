"""What the chart renders, with the real Helm."""

from __future__ import annotations

import json

import pytest
import yaml

from compression_contract.tasks import METRICS
from compression_operator.api import CompressionRuntime
from compression_operator.api.generate import CRDS, ROOT
from compression_operator.cluster.admission import LABEL_POLICY, REQUIRED
from compression_operator.settings import PREFIX, Settings
from support.chart import CHART, NAMESPACE, OPERATOR, RELEASE, helm, image, of_kind, rendered

FORMATS = {"onnxruntime": {"ONNX", "ONNXQDQ"}, "paddle-inference": {"PaddleInference"}}


@pytest.fixture(scope="module")
def objects():
    return rendered()


def one(objects, kind, name=None):
    found = [item for item in of_kind(objects, kind) if name in (None, item["metadata"]["name"])]
    assert len(found) == 1, [item["metadata"]["name"] for item in of_kind(objects, kind)]
    return found[0]


def test_the_chart_is_sound():
    result = helm("lint", None, "--strict")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images.runner": "registry.example.com/platform/runner:1.0"}, "does not match pattern"),
        ({"images.operator": ""}, "/images/operator"),
        ({"runtime.storge": {}}, "additional properties 'storge' not allowed"),
        ({"runtime.storage.url": ""}, "set runtime.storage.url to the address of your S3 service"),
        ({"runtime.scanner.service": "http://trivy:4954"}, "/runtime/scanner/service"),
        ({"runtime.secrets": {"storage": "database-password"}}, "does not match pattern '^compression-s3-'"),
        ({"tenants.0.namespace": "Team A"}, "/tenants/0/namespace"),
        ({"tenants.0.promotion": True}, "additional properties 'promotion' not allowed"),
        ({"admission.extraImagePrefixes": ["registry.example.com"]}, "/admission/extraImagePrefixes/0"),
        ({"log.level": "LOUD"}, "/log/level"),
    ],
)
def test_wrong_values_are_named(changes, sentence):
    result = helm("template", changes)
    assert result.returncode != 0
    assert sentence in result.stderr


def _described(schema, path=""):
    for name, child in schema.get("properties", {}).items():
        yield f"{path}.{name}", child
        yield from _described(child, f"{path}.{name}")
    if "items" in schema:
        yield from _described(schema["items"], f"{path}[]")


def test_every_value_is_explained_and_none_goes_unchecked():
    schema = json.loads((CHART / "values.schema.json").read_text())
    silent = [path for path, child in _described(schema) if not child.get("description")]
    assert silent == []
    loose = [
        path
        for path, child in _described(schema)
        if "properties" in child and child.get("additionalProperties") is not False
    ]
    assert loose == []


def test_the_crds_are_those_of_the_repository_and_stay_when_the_chart_goes(objects):
    installed = {item["metadata"]["name"]: item for item in of_kind(objects, "CustomResourceDefinition")}
    shipped = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / CRDS).glob("*.yaml")}
    assert len(installed) == len(shipped) == 5
    for crd in shipped.values():
        copy = installed[crd["metadata"]["name"]]
        assert copy["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert copy == crd


def test_the_runtime_is_one_the_operator_can_read(objects):
    runtime = CompressionRuntime.parse(one(objects, "CompressionRuntime"))
    assert runtime.metadata.name == "default"
    assert runtime.spec.runner.image == image("runner")
    assert runtime.spec.defaults.repository_of("team-a", "m") == "registry.example.com/team-a/m"
    assert runtime.spec.allow.allows_repository("team-a", "registry.example.com/team-a/m")
    assert not runtime.spec.allow.allows_repository("team-a", "registry.example.com/team-b/m")


def test_a_runtime_takes_further_fields():
    changes = {
        "runtime.spec": {"methods": ["PTQ"], "floor": {"vulnerabilities": {"critical": 0}}},
        "runtime.caBundle": "-----BEGIN CERTIFICATE-----",
        "runtime.allowedNamespaces": {"ml": "true"},
    }
    spec = CompressionRuntime.parse(one(rendered(changes), "CompressionRuntime")).spec
    assert spec.methods == ("PTQ",)
    assert spec.floor.vulnerabilities.critical == 0
    assert spec.trust.ca_bundle.startswith("-----BEGIN")
    assert spec.allowed_namespaces is not None
    assert spec.allowed_namespaces.match_labels == {"ml": "true"}


def test_the_kind_that_is_not_there_yet_is_made_after_its_crd():
    first = one(rendered(), "CompressionRuntime")
    later = one(
        rendered(None, "--api-versions=compression.modelops.dev/v1alpha1/CompressionRuntime"),
        "CompressionRuntime",
    )
    assert first["metadata"]["annotations"]["helm.sh/hook"] == "post-install,post-upgrade"
    assert "helm.sh/hook" not in later["metadata"]["annotations"]
    # Without these Helm refuses to take the object over at the next upgrade.
    assert later["metadata"]["annotations"]["meta.helm.sh/release-name"] == RELEASE
    assert later["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_the_operators_pod_is_restricted(objects):
    deployment = one(objects, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == image("operator")
    assert container["resources"]["limits"]["memory"]


def test_probes_ask_where_the_operator_answers(objects):
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    live, ready = container["livenessProbe"]["httpGet"], container["readinessProbe"]["httpGet"]
    assert (live["path"], ports[live["port"]]) == ("/healthz", Settings().liveness_port)
    assert (ready["path"], ports[ready["port"]]) == ("/readyz", Settings().metrics_port)


def test_every_setting_in_the_deployment_is_one_that_the_operator_knows(objects):
    (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    names = {entry["name"] for entry in container["env"]}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert names <= known
    assert f"{PREFIX}INSECURE_NO_ADMISSION" not in names


def _rules(objects):
    for role in of_kind(objects, "ClusterRole") + of_kind(objects, "Role"):
        for rule in role["rules"]:
            yield role["metadata"]["name"], rule


def test_no_role_reads_secrets_or_says_everything(objects):
    for name, rule in _rules(objects):
        assert "secrets" not in rule["resources"], name
        assert "pods/exec" not in rule["resources"], name
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], name
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), name


def test_the_operator_writes_nothing_outside_tenants_but_its_own_kinds_and_events(objects):
    writing = {"create", "update", "patch", "delete", "deletecollection"}
    role = one(objects, "ClusterRole", RELEASE)
    foreign = [
        (rule["resources"], rule["verbs"])
        for rule in role["rules"]
        if rule["apiGroups"] != ["compression.modelops.dev"] and writing & set(rule["verbs"])
    ]
    assert foreign == [(["events"], ["create"]), (["selfsubjectaccessreviews"], ["create"])]


def test_a_tenant_lets_the_operator_do_what_a_run_needs_and_no_more(objects):
    rules = one(objects, "ClusterRole", "compression-tenant")["rules"]
    assert {(rule["resources"][0], *rule["verbs"]) for rule in rules} == {
        ("jobs", "create", "delete"),
        ("services", "create", "get"),
        ("pods/log", "get"),
    }


def test_rights_on_jobs_and_deployments_are_given_in_tenants_only(objects):
    everywhere = {item["roleRef"]["name"] for item in of_kind(objects, "ClusterRoleBinding")}
    assert not everywhere & {"compression-tenant", "promotion-target"}
    given = {
        (item["metadata"]["namespace"], item["roleRef"]["name"])
        for item in of_kind(objects, "RoleBinding")
        if item["roleRef"]["kind"] == "ClusterRole"
    }
    assert given == {
        ("team-a", "compression-tenant"),
        ("team-a", "promotion-target"),
        ("team-b", "compression-tenant"),
    }
    subjects = [item["subjects"] for item in of_kind(objects, "RoleBinding")]
    account = {"kind": "ServiceAccount", "name": RELEASE, "namespace": NAMESPACE}
    assert subjects == [[account]] * len(subjects)


def test_tenants_pods_get_an_account_without_token(objects):
    accounts = {
        item["metadata"]["namespace"]: item["automountServiceAccountToken"]
        for item in of_kind(objects, "ServiceAccount")
        if item["metadata"]["name"] == "compression-runner"
    }
    assert accounts == {"team-a": False, "team-b": False}


def test_each_policy_that_the_operator_asks_for_is_there_and_bound(objects):
    policies = of_kind(objects, "ValidatingAdmissionPolicy")
    bindings = of_kind(objects, "ValidatingAdmissionPolicyBinding")
    labels = {item["metadata"]["labels"][LABEL_POLICY] for item in policies}
    assert labels >= REQUIRED
    bound = {item["spec"]["policyName"]: item["spec"]["validationActions"] for item in bindings}
    assert bound == {item["metadata"]["name"]: ["Deny"] for item in policies}
    assert {item["spec"]["failurePolicy"] for item in policies} == {"Fail"}


def test_policies_speak_of_the_operators_account_and_the_platforms_images(objects):
    text = json.dumps(of_kind(objects, "ValidatingAdmissionPolicy"))
    assert OPERATOR in text
    for name in ("runner", "evaluator", "tools"):
        assert f"'{image(name).split('@')[0]}@'" in text


def test_the_default_evaluators_compute_every_metric(objects):
    evaluators = {item["name"]: item for item in one(objects, "CompressionRuntime")["spec"]["evaluators"]}
    assert {name: item["image"] for name, item in evaluators.items()} == {
        "onnxruntime": image("evaluator"),
        "paddle-inference": image("runner"),
    }
    for name, evaluator in evaluators.items():
        assert set(evaluator["metrics"]) == {metric for known in METRICS.values() for metric in known}
        assert set(evaluator["formats"]) == FORMATS[name]


def test_openvino_is_an_evaluator_where_its_image_is_given():
    bound = rendered({"images.evaluatorOpenvino": image("openvino")})
    evaluators = one(bound, "CompressionRuntime")["spec"]["evaluators"]
    assert [item["image"] for item in evaluators if item["name"] == "openvino"] == [image("openvino")]
    assert "/openvino@'" in json.dumps(of_kind(bound, "ValidatingAdmissionPolicy"))


def test_policies_can_be_left_out_only_by_telling_the_operator():
    bare = rendered({"admission.enabled": False})
    assert of_kind(bare, "ValidatingAdmissionPolicy") == []
    (container,) = one(bare, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": f"{PREFIX}INSECURE_NO_ADMISSION", "value": "true"} in container["env"]


@pytest.mark.parametrize(
    ("changes", "kind", "count"),
    [
        ({}, "ServiceMonitor", 0),
        ({"metrics.serviceMonitor.enabled": True}, "ServiceMonitor", 1),
        ({"networkPolicy.enabled": False}, "NetworkPolicy", 0),
        ({"runtime.create": False, "runtime.storage.url": ""}, "CompressionRuntime", 0),
        ({"crds.install": False}, "CustomResourceDefinition", 0),
        ({"serviceAccount.create": False, "tenants": []}, "ServiceAccount", 0),
    ],
)
def test_parts_can_be_chosen(changes, kind, count):
    assert len(of_kind(rendered(changes), kind)) == count


def test_the_network_policy_shuts_out_cloud_metadata(objects):
    policy = one(objects, "NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    (egress,) = policy["spec"]["egress"]
    assert egress["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]
    assert {port["port"] for port in egress["ports"]} == {443, 6443}


def test_names_stay_short_for_a_long_release_name(objects):
    for item in objects:
        for name in [item["metadata"]["name"], *item["metadata"].get("labels", {}).values()]:
            assert len(name) <= 253
    assert len(one(objects, "Deployment")["metadata"]["name"]) <= 40
