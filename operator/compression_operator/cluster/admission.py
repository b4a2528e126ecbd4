"""Whether the admission policies that keep children genuine are there and enforced.

Owns the list of policies that the operator's promises rest on. Without them, whoever may create pods in a
namespace could pass one off as an evaluator.
"""

from __future__ import annotations

from typing import Final

from compression_contract.keys import GROUP
from compression_operator.cluster.client import Client, Json
from compression_operator.cluster.resources import ADMISSION_BINDING, ADMISSION_POLICY, ResourceType

LABEL_POLICY: Final = f"{GROUP}/policy"
REQUIRED: Final = frozenset({"modelversion", "compressionjob", "role-pods", "operator"})


async def missing_policies(client: Client) -> set[str]:
    """The required policies that are not installed, or not bound with the action Deny."""
    policies = await _labelled(client, ADMISSION_POLICY)
    bindings = await _labelled(client, ADMISSION_BINDING)
    enforced = {
        policy["metadata"]["labels"][LABEL_POLICY]
        for policy in policies
        if any(
            binding["spec"].get("policyName") == policy["metadata"]["name"]
            and "Deny" in (binding["spec"].get("validationActions") or ())
            for binding in bindings
        )
    }
    return set(REQUIRED - enforced)


async def _labelled(client: Client, resource: ResourceType) -> list[Json]:
    pages = client.pages(resource, selector=LABEL_POLICY)
    return [item async for page in pages for item in page.get("items") or ()]
