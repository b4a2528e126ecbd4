"""The locked requirement files: they hold what the groups ask for, and what each image's code imports."""

import ast
import importlib.metadata
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cluster.errors import ClusterError
from cluster.images import lock, requirements

PYPROJECT = tomllib.loads((lock.REPOSITORY / "pyproject.toml").read_text())
LOCKED = """\
# This file was made
numpy==1.26.4 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via onnx
numpy-financial==1.0 \\
    --hash=sha256:cc
"""


ALL_OF_JOBS = ("runner", "evaluator", "evaluator-openvino", "tools")


def wanted_by(group: str) -> list[str]:
    """What a group asks for, and the groups in it."""
    found = []
    for entry in PYPROJECT["dependency-groups"][group]:
        found += [entry] if isinstance(entry, str) else wanted_by(entry["include-group"])
    return found


def pinned(group: str) -> dict[str, str]:
    text = (lock.REPOSITORY / lock.FILES[group]).read_text()
    lines = [
        line.split(" ")[0].split("==") for line in text.splitlines() if "==" in line and line[0] not in " #"
    ]
    return {canonicalize_name(name): version for name, version in lines}


@pytest.mark.parametrize("group", lock.FILES)
def test_a_locked_file_satisfies_its_group(group):
    versions = pinned(group)
    asked = [Requirement(text) for text in wanted_by(group)]
    unmet = [
        str(wanted)
        for wanted in asked
        if not wanted.specifier.contains(versions.get(canonicalize_name(wanted.name), "0"), prereleases=True)
    ]
    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("group", lock.FILES)
def test_a_locked_file_names_no_index_and_has_a_hash_for_everything(group):
    text = (lock.REPOSITORY / lock.FILES[group]).read_text()
    assert "://" not in requirements.pins(text)
    assert text.count("==") <= text.count("--hash=")


class _AtRunTime(ast.NodeTransformer):
    """Leaves out what only a type checker imports."""

    def visit_If(self, node):
        return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)


def imported(*packages: str) -> set[str]:
    """Third-party modules that the packages import anywhere."""
    found = set()
    for package in packages:
        for path in (lock.REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(_AtRunTime().visit(ast.parse(path.read_text()))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.split(".")[0])
    return {
        name for name in found if name not in sys.stdlib_module_names and not name.startswith("compression_")
    }


@pytest.mark.parametrize(
    ("packages", "groups"),
    [
        (("operator/compression_operator", "jobs/compression_contract"), ("operator",)),
        (("jobs/compression_serving", "jobs/compression_contract"), ("serving",)),
        (("jobs/compression_jobs", "jobs/compression_contract"), ALL_OF_JOBS),
    ],
)
def test_an_image_holds_what_its_code_imports(packages, groups):
    distributions = importlib.metadata.packages_distributions()
    held = {name for group in groups for name in pinned(group)}
    missing = {
        module
        for module in imported(*packages)
        if not held & {canonicalize_name(name) for name in distributions.get(module, [module])}
    }
    assert missing == set()


def test_an_evaluator_has_its_own_runtime_and_no_other_and_nothing_that_phones_home():
    runtimes = {"onnxruntime", "openvino", "openvino-telemetry", "paddlepaddle"}
    assert runtimes & pinned("evaluator").keys() == {"onnxruntime"}
    assert runtimes & pinned("evaluator-openvino").keys() == {"openvino"}


def test_one_package_is_taken_out_of_a_file():
    assert (
        requirements.stanza(LOCKED, "numpy")
        == "numpy==1.26.4 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )


def test_an_unlocked_package_is_refused():
    with pytest.raises(ClusterError, match="make lock"):
        requirements.stanza(LOCKED, "nump")


def test_comments_do_not_decide_what_is_installed():
    assert requirements.pins(LOCKED) == requirements.pins(LOCKED.replace("# via onnx", "# via another"))
    assert requirements.pins(LOCKED) != requirements.pins(LOCKED.replace("aa", "ab"))


def test_equal_sources_give_equal_bytecode(tmp_path):
    compiled = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(6):
            (folder / f"m{number}.py").write_text(f"def f(x):\n    return x in {{'a', 'b', {number}}}\n")
        requirements.compile_bytecode(folder, "/opt/site")
        compiled.append({path.name: path.read_bytes() for path in folder.rglob("*.pyc")})
    assert len(compiled[0]) == 6
    assert compiled[0] == compiled[1]
