"""The command line: bring the neighbours of a running cluster up, and print where they are."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from cluster import instance
from cluster.client import Cluster
from cluster.errors import ClusterError
from cluster.images import push
from cluster.neighbours import lifecycle, registry
from compression_jobs.registry import RegistryError


def main() -> int:
    """Do what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="cluster.neighbours", description=__doc__)
    parser.add_argument("verb", choices=["up"])
    parser.add_argument("--name", default=instance.DEFAULT, help="the cluster's name")
    parser.add_argument("--tenant", action="append", default=[], help="a namespace to serve; repeatable")
    parser.add_argument("--image", action="append", default=[], help="push only these; repeatable")
    elsewhere = parser.add_argument_group("on a cluster that is there already")
    elsewhere.add_argument("--kubeconfig", type=Path, help="its kubeconfig")
    elsewhere.add_argument("--registry", help="host[:port][/path] to push images to; it must be there too")
    elsewhere.add_argument("--config", type=Path, default=push.login(), help="docker config with the account")
    elsewhere.add_argument("--ca", type=Path, help="PEM certificates of the registry to trust")
    chosen = parser.parse_args()
    if bool(chosen.kubeconfig) != bool(chosen.registry):
        parser.error("--kubeconfig and --registry belong together")
    try:
        if chosen.kubeconfig:
            place = registry.given(chosen.registry, chosen.config, chosen.ca.read_text() if chosen.ca else "")
            found = lifecycle.up_elsewhere(chosen.kubeconfig, place, chosen.tenant, chosen.image)
        else:
            found = lifecycle.up(Cluster(chosen.name), chosen.tenant, chosen.image)
    except (ClusterError, RegistryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    public = dataclasses.asdict(found)
    del public["accounts"], public["pull_config"]
    print(json.dumps(public, indent=2, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
