"""The command line: up, down, status, kubeconfig, user."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from cluster import identities, lifecycle, readiness, services
from cluster import instance as instances
from cluster.errors import ClusterError
from cluster.instance import Instance


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed or not running, 2 wrong usage."""
    chosen = _parser().parse_args(arguments)
    console = Console(file=sys.stdout)
    try:
        return int(chosen.command(chosen, console))
    except ClusterError as error:
        Console(stderr=True).print(f"[red]error:[/] {error}", soft_wrap=True, highlight=False)
        return 1
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted; the same command goes on from here")
        # Steps that still run in threads may be cut off anywhere, as `up` and `down` can be taken up again.
        os._exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster", description=__doc__)
    parser.add_argument("--name", default=instances.DEFAULT, help="which cluster (default: %(default)s)")
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up", help="bring it up, or what is missing of it")
    up.add_argument("--control-plane-only", action="store_true", help="no node: for tests of the API alone")
    up.add_argument(
        "--audit",
        action="store_true",
        default=os.environ.get("COMPRESSION_OPERATOR_AUDIT") == "1",
        help="write a line for each API request (also COMPRESSION_OPERATOR_AUDIT=1)",
    )
    up.set_defaults(command=_up)
    commands.add_parser("down", help="end and remove it; caches stay").set_defaults(command=_down)
    commands.add_parser("status", help="show its processes").set_defaults(command=_status)
    commands.add_parser("kubeconfig", help="print the path of the kubeconfig").set_defaults(
        command=_kubeconfig
    )
    user = commands.add_parser("user", help="make a user, and print the path of its kubeconfig")
    user.add_argument("user")
    user.add_argument("--group", action="append", default=[], help="a group of the user; may be repeated")
    user.set_defaults(command=_user)
    return parser


def _up(chosen: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    for name in lifecycle.sweep():
        console.print(f"removed {name}, whose owner is gone")
    instance = instances.claim(chosen.name, control_plane_only=chosen.control_plane_only, audit=chosen.audit)
    changed = lifecycle.up(instance, console)
    what = f"up after {time.monotonic() - began:.1f} s" if changed else "was up already"
    console.print(f"{instance.name} {what}: export KUBECONFIG={instance.kubeconfig}", soft_wrap=True)
    return 0


def _down(chosen: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    instance = instances.load(chosen.name)
    if instance is None:
        console.print(f"{chosen.name} is down")
        return 0
    lifecycle.down(instance)
    console.print(f"{chosen.name} is down after {time.monotonic() - began:.1f} s")
    return 0


def _status(chosen: argparse.Namespace, console: Console) -> int:
    instance = _existing(chosen.name)
    table = Table(
        title=f"{instance.name}: {instance.url}, namespace {instance.namespace}", title_justify="left"
    )
    for heading, justify in (("process", "left"), ("state", "left"), ("pid", "right"), ("up", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for heading in ("restarts", "memory"):
        table.add_column(heading, justify="right")
    for name in services.names(instance):
        found = services.condition(instance, name)
        colour = "green" if found.state == "running" else "red"
        age = f"{time.time() - found.since:.0f} s" if found.pid else ""
        memory = f"{found.resident_bytes / 2**20:.0f} MiB" if found.pid else ""
        table.add_row(
            name, f"[{colour}]{found.state}", str(found.pid or ""), age, str(found.restarts), memory
        )
    console.print(table)
    ready = readiness.api_server(instance)
    is_up = ready and lifecycle.is_up(instance)
    console.print(f"API server {'ready' if ready else 'not ready'}; cluster {'up' if is_up else 'not up'}")
    return 0 if is_up else 1


def _kubeconfig(chosen: argparse.Namespace, console: Console) -> int:
    print(_existing(chosen.name).kubeconfig)
    return 0


def _user(chosen: argparse.Namespace, console: Console) -> int:
    print(identities.user(_existing(chosen.name), chosen.user, tuple(chosen.group)))
    return 0


def _existing(name: str) -> Instance:
    if (found := instances.load(name)) is None:
        raise ClusterError(f"there is no cluster {name}; bring it up first")
    return found
