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
    node = processor.identify(required, cpuinfo=cpuinfo)

    assert (node.features, node.missing) == (features, missing)


def test_names_the_processor():
    assert processor.identify([], cpuinfo=X86).cpu_model == "AMD EPYC 9R45"
    assert processor.identify([], cpuinfo=ARM).cpu_model


def test_a_long_list_and_a_long_name_are_cut():
    node = processor.identify([f"feature{n}" for n in range(40)], cpuinfo=f"model name: {'x' * 500}")

    assert len(node.missing) == 16
    assert len(node.cpu_model) == 128


@pytest.mark.parametrize(
    ("statistics", "periods"),
    [("usage_usec 5\nnr_periods 9\nnr_throttled 3\n", 3), ("usage_usec 5\n", 0), ("", 0)],
    ids=["held back", "no limit", "not told"],
)
def test_tells_how_often_the_limit_held_the_pod_back(statistics, periods):
    assert processor.throttled(statistics) == periods


def test_tells_how_many_processors_may_be_used():
    assert processor.identify([], throttled=2).cpus >= 1
    assert processor.identify([], throttled=2).throttled == 2
