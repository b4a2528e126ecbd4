"""The command line: bring the neighbours of a running cluster up, and print where they are."""

import argparse
import dataclasses
import json
import sys

from cluster import instance
from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.neighbours import lifecycle
from compression_jobs.registry import RegistryError


def main() -> int:
    """Do what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="cluster.neighbours", description=__doc__)
    parser.add_argument("verb", choices=["up"])
    parser.add_argument("--name", default=instance.DEFAULT, help="the cluster's name")
    parser.add_argument("--tenant", action="append", default=[], help="a namespace to serve; repeatable")
    parser.add_argument("--image", action="append", default=[], help="push only these; repeatable")
    chosen = parser.parse_args()
    try:
        found = lifecycle.up(Cluster(chosen.name), chosen.tenant, chosen.image)
    except (ClusterError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    public = dataclasses.asdict(found)
    del public["accounts"]
    print(json.dumps(public, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
