"""The people and accounts that the rights are about, and objects they try to make."""

from __future__ import annotations

from compression_contract.keys import GROUP
from support.chart import OPERATOR, image
from support.manifests import changed

AUTHOR = ("--as=ada",)
SERVING = ("--as=sam",)
APPROVER = ("--as=anna",)
EDITOR = ("--as=eve",)
"""May edit everything in the namespace by the cluster's own role, and nothing more."""
AS_OPERATOR = (f"--as={OPERATOR}",)
NODE = ("--as=system:node:n1", "--as-group=system:nodes")
JOB_CONTROLLER = ("--as=system:serviceaccount:kube-system:job-controller",)

ROLE = f"{GROUP}/role"
BINDINGS = {
    "ada": "compression-author",
    "sam": "compression-serving-team",
    "anna": "compression-approver",
    "eve": "edit",
}
OWN = (
    ("own-secret", "ada", "get", "secrets/compression-s3-team-a"),
    # The serving team changes its own Deployments; nothing in the chart gives that.
    ("own-deployment", "sam", "patch", "deployments.apps/fmnist"),
)
"""Rights that people have apart from the chart's roles: name, user, verb, object."""
POD = {
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "serviceAccountName": "compression-runner",
    "automountServiceAccountToken": False,
    "restartPolicy": "Never",
    "containers": [
        {
            "name": "stage",
            "image": image("evaluator"),
            "command": ["python3", "-m", "compression_jobs", "evaluate"],
            "resources": {"limits": {"memory": "1Gi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        }
    ],
    "volumes": [
        {"name": "scratch", "emptyDir": {}},
        {"name": "s3", "secret": {"secretName": "compression-s3-team-a"}},
    ],
}
STAGE_JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "stage", "labels": {ROLE: "evaluate"}},
    "spec": {
        "backoffLimit": 0,
        "template": {"metadata": {"labels": {ROLE: "evaluate"}}, "spec": POD},
    },
}
_COURIER = {
    **{key: POD["containers"][0][key] for key in ("resources", "securityContext")},
    "image": image("tools"),
    "volumeMounts": [{"name": "s3", "mountPath": "/var/run/secrets/compression/s3"}],
}
TRAINING = changed(
    STAGE_JOB,
    {
        "metadata.labels": {ROLE: "train"},
        "spec.template.metadata.labels": {ROLE: "train"},
        "spec.template.spec.initContainers": [
            {**_COURIER, "name": "fetch", "command": ["python3", "-m", "compression_jobs", "fetch"]},
            {
                **_COURIER,
                "name": "store",
                "command": ["python3", "-m", "compression_jobs", "store"],
                "restartPolicy": "Always",
            },
        ],
    },
)
"""A Job whose stage runs an author's code."""
RANKS_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "ranks-first-3fa9c2",
        "ownerReferences": [
            {"apiVersion": f"{GROUP}/v1alpha1", "kind": "CompressionJob", "name": "first", "uid": "3fa9c2d1"}
        ],
    },
    "spec": {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {f"{GROUP}/job-uid": "3fa9c2d1", ROLE: "train"},
        "ports": [{"name": "training", "port": 29500}],
    },
}
STAGE_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stage-pod", "labels": {ROLE: "evaluate"}, "annotations": {f"{GROUP}/input": "{}"}},
    "spec": POD,
}
SERVING_DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "fmnist", "labels": {f"{GROUP}/promotable": "true"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "fmnist"}},
        "template": {
            "metadata": {"labels": {"app": "fmnist"}},
            "spec": {
                "containers": [
                    {"name": "server", "image": "registry.example.com/team-a/fmnist:1", "env": []},
                    {"name": "sidecar", "image": "registry.example.com/team-a/sidecar:1"},
                ]
            },
        },
    },
}
PREVIEW = changed(
    SERVING_DEPLOYMENT,
    {
        "metadata": {"name": "fmnist-preview", "labels": {ROLE: "preview"}},
        "spec.replicas": 1,
        "spec.selector.matchLabels": {f"{GROUP}/track": "preview"},
        "spec.template.metadata.labels": {f"{GROUP}/track": "preview"},
        "spec.template.spec.containers.0.image": image("fmnist"),
    },
)


CONTAINER = "spec.template.spec.containers.0"
"""Path of a Job's only container, and of a Deployment's first."""
PODSPEC = "spec.template.spec"
"""Path of the pod within a Job or a Deployment."""
