"""What /proc/cpuinfo says, on processors that write it differently."""

import pytest

from compression_jobs.evaluation import processor

X86 = """processor\t: 0
model name\t: AMD EPYC 9R45
flags\t\t: fpu sse2 avx2 avx512_vnni

processor\t: 1
model name\t: AMD EPYC 9R45
flags\t\t: fpu sse2 avx2
"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd asimddp i8mm
"""


@pytest.mark.parametrize(
    ("cpuinfo", "required", "features", "missing"),
    [
        (X86, ["avx2", "amx_int8"], ("avx2",), ("amx_int8",)),
        (X86, ["avx512_vnni"], (), ("avx512_vnni",)),
        (X86, ["avx2", "avx2"], ("avx2",), ()),
        (X86, ["avx"], (), ("avx",)),
        (ARM, ["i8mm", "sve"], ("i8mm",), ("sve",)),
        ("", ["avx2"], (), ("avx2",)),
        ("", [], (), ()),
    ],
    ids=[
        "one of two",
        "not in all processors",
        "asked twice",
        "no part of a word",
        "Arm",
        "unknown",
        "nothing asked",
    ],
)
def test_tells_which_required_features_are_there(cpuinfo, required, features, missing):
    node = processor.identify(required, cpuinfo)

    assert (node.features, node.missing) == (features, missing)


def test_names_the_processor():
    assert processor.identify([], X86).cpu_model == "AMD EPYC 9R45"
    assert processor.identify([], ARM).cpu_model


def test_a_long_list_and_a_long_name_are_cut():
    node = processor.identify([f"feature{n}" for n in range(40)], f"model name: {'x' * 500}")

    assert len(node.missing) == 16
    assert len(node.cpu_model) == 128
