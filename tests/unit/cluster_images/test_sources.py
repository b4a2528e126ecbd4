"""Where bookworm comes from, out of what machines have under /etc/apt."""

from pathlib import Path

import pytest

from cluster.images import sources

MIRROR = """\
Types: deb deb-src
# a mirror of one's own
URIs: https://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example/debian-security/
Suites: bookworm-security
Components: main
"""
ONE_LINE = """\
# deb http://old.example/debian bookworm main
deb [arch=amd64] http://mirror.example/debian bookworm main contrib # ours
deb http://mirror.example/debian-security bookworm-security main
"""
THIRD_PARTIES = {
    "docker.list": "deb https://download.docker.example/linux/debian bookworm stable\n",
    "vendor.list": "deb https://packages.vendor.example/debian/12/prod bookworm main\n",
    "off.sources": MIRROR.replace("Components: main", "Enabled: no\nComponents: main"),
    "notes.txt": "deb http://notes.example/debian bookworm main\n",
}


def apt(root: Path, **files: str) -> Path:
    (root / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        (root / "sources.list.d" / name).write_text(text)
    return root


def asked(folder: Path) -> list[tuple[str, str]]:
    """Address and suite of each entry."""
    lines = [line.split() for line in sources.read(folder).splitlines()]
    assert all(line[0] == "deb" and line[3:] == ["main"] for line in lines)
    return [(line[1], line[2]) for line in lines]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "debian.sources",
            MIRROR,
            [
                ("https://mirror.example/debian", "bookworm"),
                ("https://mirror.example/debian", "bookworm-updates"),
                ("https://mirror.example/debian-security/", "bookworm-security"),
            ],
        ),
        (
            "debian.list",
            ONE_LINE,
            [
                ("http://mirror.example/debian", "bookworm"),
                ("http://mirror.example/debian-security", "bookworm-security"),
            ],
        ),
    ],
)
def test_a_machine_with_a_mirror_uses_it(tmp_path, name, text, expected):
    assert asked(apt(tmp_path / "apt", **{name: text}, **THIRD_PARTIES)) == expected


@pytest.mark.parametrize(
    "files", [{}, THIRD_PARTIES, {"debian.sources": MIRROR.replace("bookworm", "trixie")}]
)
def test_a_machine_without_bookworm_says_so(tmp_path, files):
    assert sources.read(apt(tmp_path / "apt", **files)) == ""


def test_the_old_file_counts_too(tmp_path):
    folder = apt(tmp_path / "apt")
    (folder / "sources.list").write_text(ONE_LINE)
    assert ("http://mirror.example/debian", "bookworm") in asked(folder)
