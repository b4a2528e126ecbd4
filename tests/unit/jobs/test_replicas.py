"""Which of several pods this one is."""

import pytest

from compression_jobs import replicas
from compression_jobs.errors import Misconfigured

ENVIRONMENT = {"JOB_COMPLETION_INDEX": "1", "COMPRESSION_MASTER": "run-0.peers:29500"}


def test_one_alone_needs_no_environment():
    assert replicas.from_environment({}, 1) == replicas.ALONE


def test_an_indexed_job_says_which_one_it_is():
    found = replicas.from_environment({**ENVIRONMENT, "COMPRESSION_PEER_SECONDS": "5"}, 2)
    assert found == replicas.Replica(1, 2, "run-0.peers:29500", 5.0)
    assert not found.first


@pytest.mark.parametrize(
    "changes",
    [
        {"JOB_COMPLETION_INDEX": ""},
        {"JOB_COMPLETION_INDEX": "2"},
        {"JOB_COMPLETION_INDEX": "-1"},
        {"COMPRESSION_MASTER": "host"},
        {"COMPRESSION_MASTER": ":29500"},
        {"COMPRESSION_PEER_SECONDS": "long"},
    ],
)
def test_one_that_cannot_tell_says_so(changes):
    with pytest.raises(Misconfigured) as caught:
        replicas.from_environment({**ENVIRONMENT, **changes}, 2)
    assert caught.value.reason == "ReplicaUnknown"
