"""Debian changelogs: which upload was the first to fix a vulnerability."""

import gzip

import pytest

from cluster.neighbours.advisories import changelogs
from cluster.neighbours.advisories.changelogs import Fix


def upload(version: str, *lines: str, source: str = "zlib") -> str:
    changes = "\n".join(f"  * {line}" for line in lines)
    return (
        f"{source} ({version}) bookworm-security; urgency=high\n\n{changes}\n\n"
        " -- Some One <some@one.example>  Mon, 01 Jan 2024 00:00:00 +0000\n\n"
    )


def told(text: str) -> dict[str, str]:
    return {fix.vulnerability: fix.version for fix in changelogs.fixes(text)}


def test_the_upload_that_names_a_vulnerability_fixed_it():
    text = upload("1:1.3-1", "New release") + upload("1:1.2.13-1", "Fix inflate (CVE-2022-37434)")
    fix = Fix("zlib", "CVE-2022-37434", "1:1.2.13-1", "Fix inflate (CVE-2022-37434)")
    assert list(changelogs.fixes(text)) == [fix]


def test_of_several_uploads_the_oldest_counts():
    text = (
        upload("2-1", "Complete CVE-2023-1000") + upload("1-2", "Fix CVE-2023-1000") + upload("1-1", "First")
    )
    assert told(text) == {"CVE-2023-1000": "1-2"}


def test_a_line_may_name_several():
    assert told(upload("2-1", "Fix CVE-2023-1000, CVE-2023-20001")) == {
        "CVE-2023-1000": "2-1",
        "CVE-2023-20001": "2-1",
    }


def test_a_rebuild_for_a_stable_release_carries_the_fix_under_its_lower_version():
    text = upload("0.34-4~deb12u1", "Rebuild for bookworm") + upload("0.34-4", "Fix CVE-2011-10007")
    assert told(text) == {"CVE-2011-10007": "0.34-4~deb12u1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-01  Some One\n\n\t* inflate.c: fix CVE-2022-37434\n",
        "Changes in 1.2.13\n- Fix CVE-2022-37434\n",
    ],
)
def test_text_of_another_form_tells_nothing(text):
    assert told(text) == {}


def test_packages_of_one_source_are_counted_once(tmp_path):
    for name in ("zlib1g.gz", "zlib1g-dev.gz"):
        (tmp_path / name).write_bytes(gzip.compress(upload("2-1", "Fix CVE-2023-1000").encode()))
    (tmp_path / "perl.gz").write_bytes(
        gzip.compress(upload("5-1", "Fix CVE-2023-1000", source="perl").encode())
    )
    found = changelogs.read(tmp_path.iterdir())
    assert [(fix.source, fix.version) for fix in found] == [("perl", "5-1"), ("zlib", "2-1")]
