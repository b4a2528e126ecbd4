"""Writes `crds/` and the chart's copies of it from the models: `python -m compression_operator.api.generate`.

With `--check` it writes nothing and exits 1 where a file is not what the models say.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from compression_operator.api import KINDS
from compression_operator.api.crd import custom_resource_definition

ROOT = Path(__file__).resolve().parents[3]
CRDS = Path("crds")
CHART = Path("charts/compression-operator/templates/crds")
HEADER = "# Generated from operator/compression_operator/api by `make generate`; edit the models instead.\n"


class _Dumper(yaml.SafeDumper):
    """Plain YAML: no anchors, and lists indented as kubectl prints them."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        """Write a value that occurs twice in full."""
        return True


def _text(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def files() -> dict[Path, str]:
    """What each generated file holds, by its path within the repository."""
    found: dict[Path, str] = {}
    for kind in KINDS:
        document = custom_resource_definition(kind)
        found[CRDS / f"{kind.info.plural}.yaml"] = HEADER + _text(document)
        # Helm never upgrades a chart's crds/ folder, hence the templates; and uninstalling the chart must not
        # delete everybody's objects, hence keep.
        document["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
        body = HEADER + "{{- if .Values.crds.install }}\n" + _text(document) + "{{- end }}\n"
        found[CHART / f"{kind.info.plural}.yaml"] = body
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    check: bool = parser.parse_args(arguments).check
    stale = []
    for path, text in files().items():
        target = ROOT / path
        if target.is_file() and target.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{'differs from the models' if check else 'written'}: {path}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
