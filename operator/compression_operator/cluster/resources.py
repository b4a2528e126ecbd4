"""The kinds of object that the operator reads or writes, and where the API server keeps them.

Owns paths. Must not know what is in an object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from compression_contract.keys import GROUP, VERSION


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource of the API server."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of a collection or an object; every part is quoted."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(quote(part, safe="") for part in parts)


COMPRESSION_JOB: Final = ResourceType(GROUP, VERSION, "CompressionJob", "compressionjobs")
COMPRESSION_RUNTIME: Final = ResourceType(
    GROUP, VERSION, "CompressionRuntime", "compressionruntimes", namespaced=False
)
MODEL_VERSION: Final = ResourceType(GROUP, VERSION, "ModelVersion", "modelversions")
SERVING_TARGET: Final = ResourceType(GROUP, VERSION, "ServingTarget", "servingtargets")
PROMOTION: Final = ResourceType(GROUP, VERSION, "Promotion", "promotions")
OWN_KINDS: Final = (COMPRESSION_RUNTIME, COMPRESSION_JOB, MODEL_VERSION, SERVING_TARGET, PROMOTION)

JOB: Final = ResourceType("batch", "v1", "Job", "jobs")
POD: Final = ResourceType("", "v1", "Pod", "pods")
DEPLOYMENT: Final = ResourceType("apps", "v1", "Deployment", "deployments")
CONFIG_MAP: Final = ResourceType("", "v1", "ConfigMap", "configmaps")
SERVICE: Final = ResourceType("", "v1", "Service", "services")
NAMESPACE: Final = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
EVENT: Final = ResourceType("", "v1", "Event", "events")
LEASE: Final = ResourceType("coordination.k8s.io", "v1", "Lease", "leases")
ACCESS_REVIEW: Final = ResourceType(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)
ADMISSION_POLICY: Final = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicy",
    "validatingadmissionpolicies",
    namespaced=False,
)
ADMISSION_BINDING: Final = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingAdmissionPolicyBinding",
    "validatingadmissionpolicybindings",
    namespaced=False,
)

_BY_KIND: Final = {
    (resource.api_version, resource.kind): resource
    for resource in (*OWN_KINDS, JOB, POD, DEPLOYMENT, CONFIG_MAP, SERVICE, NAMESPACE, EVENT, LEASE)
}


def resource_of(api_version: str, kind: str) -> ResourceType:
    """The resource of an object.

    Raises:
        KeyError: the operator does not handle this kind.
    """
    return _BY_KIND[api_version, kind]
