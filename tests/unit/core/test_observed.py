"""Projections answer small questions about themselves."""

from __future__ import annotations

from compression_operator.core.observed import DeploymentView


def test_a_deployments_image_is_that_of_the_named_container():
    template = {"spec": {"containers": [{"name": "server", "image": "a"}, {"name": "sidecar"}]}}
    view = DeploymentView(
        name="d",
        uid="u",
        resource_version="1",
        generation=1,
        observed_generation=1,
        replicas=1,
        updated=1,
        available=1,
        ready=1,
        total=1,
        progress_deadline_exceeded=False,
        labels={},
        annotations={},
        selector={},
        template=template,
    )
    assert view.image("server") == "a"
    assert view.image("sidecar") == ""
    assert view.image("other") is None
