"""The command line: build images, push them, or write one as an archive that containerd imports."""

import argparse
import json
import sys
from pathlib import Path

from cluster.errors import ClusterError
from cluster.images import archive, build, push, recipes, store
from compression_jobs.registry import DockerConfig, RegistryError


def main() -> int:
    """Do what the arguments say; returns the exit status."""
    arguments = _parser().parse_args()
    try:
        built = build.build(arguments.image or recipes.USUAL)
        if arguments.verb == "push":
            references = push.push(built.values(), _target(arguments), store.default())
        elif arguments.verb == "export":
            references = {
                name: archive.write(image, arguments.folder, store.default()) for name, image in built.items()
            }
        else:
            references = {name: image.digest for name, image in built.items()}
    except (ClusterError, RegistryError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    text = json.dumps(references, indent=2, sort_keys=True)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    else:
        print(text)
    return 0


def _target(arguments: argparse.Namespace) -> push.Target:
    bundle = arguments.ca.read_text() if arguments.ca else ""
    return push.Target(arguments.registry, DockerConfig.read(arguments.config), bundle)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cluster.images", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--image", action="append", choices=recipes.IMAGES, help="only this one; repeatable")
    common.add_argument("--out", type=Path, help="write the JSON of names and references here")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("build", parents=[common], help="build into the cache; prints digests")
    pushing = verbs.add_parser("push", parents=[common], help="build and push; prints references by digest")
    pushing.add_argument("--registry", required=True, help="host[:port][/path] to push to")
    pushing.add_argument("--config", type=Path, default=push.login(), help="docker config with the account")
    pushing.add_argument("--ca", type=Path, help="PEM certificates to trust beside the public ones")
    exporting = verbs.add_parser("export", parents=[common], help="build and write archives for `ctr import`")
    exporting.add_argument("--folder", type=Path, required=True, help="where the archives go")
    return parser


if __name__ == "__main__":
    sys.exit(main())
