"""Writes bbolt databases, the format of Trivy's: <https://github.com/etcd-io/bbolt>, file format version 2.

A file is written once and whole, from sorted keys; there is no freelist to keep and no page to free. The
layout is that of bbolt's `page.go`, `node.go` and `db.go`: all numbers little-endian, pages of 4 KiB, a
bucket's value being the page of its root.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

Tree = Mapping[str, "bytes | Tree"]

_Item = TypeVar("_Item")

_PAGE = 4096
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_PAGE_HEADER = struct.Struct("<QHHI")  # id, flags, count, overflow
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, page
_BUCKET = struct.Struct("<QQ")  # root page, sequence
_META_BODY = struct.Struct(
    "<IIIIQQQQQ"
)  # magic, version, page size, flags, root, sequence, freelist, pages, tx
_MAGIC, _VERSION = 0xED0CDAED, 2
_IS_BUCKET = 1
_FREELIST_PAGE, _FIRST_PAGE = 2, 3
_SMALLEST_FILE = 1 << 15


def write(path: Path, tree: Tree) -> None:
    """Write a tree of buckets; replaces what is at `path` when the file is whole."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        writer = _Writer(file)
        root = writer.bucket(tree)
        file.seek(_FREELIST_PAGE * _PAGE)
        file.write(_PAGE_HEADER.pack(_FREELIST_PAGE, _FREELIST, 0, 0).ljust(_PAGE, b"\0"))
        for page in (0, 1):
            body = _META_BODY.pack(
                _MAGIC, _VERSION, _PAGE, 0, root, 0, _FREELIST_PAGE, writer.next_page, page
            )
            meta = _PAGE_HEADER.pack(page, _META, 0, 0) + body + struct.pack("<Q", _fnv1a(body))
            file.seek(page * _PAGE)
            file.write(meta.ljust(_PAGE, b"\0"))
        file.truncate(max(writer.next_page * _PAGE, _SMALLEST_FILE))
    part.replace(path)


def _fnv1a(data: bytes) -> int:
    """The 64-bit Fowler-Noll-Vo hash (variant 1a) that guards a meta page."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


class _Writer:
    """Writes buckets from their leaves up; `next_page` is the first page that nothing uses."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.next_page = _FIRST_PAGE

    def bucket(self, tree: Tree) -> int:
        """Write a bucket and all below it; returns its root page."""
        items = [(key.encode(), *self._value(value)) for key, value in tree.items()]
        if any(not key for key, _, _ in items):
            raise ValueError("a bucket's key is empty")
        level = [
            (group[0][0] if group else b"", self._leaf(group))
            for group in _pages_of(sorted(items), lambda item: len(item[0]) + len(item[2]), 1)
        ]
        while len(level) > 1:
            level = [
                (group[0][0], self._branch(group)) for group in _pages_of(level, lambda item: len(item[0]), 2)
            ]
        return level[0][1]

    def _value(self, value: "bytes | Tree") -> tuple[int, bytes]:
        if isinstance(value, bytes):
            return 0, value
        return _IS_BUCKET, _BUCKET.pack(self.bucket(value), 0)

    def _leaf(self, items: Sequence[tuple[bytes, int, bytes]]) -> int:
        heads, bodies, position = b"", b"", _LEAF_ELEMENT.size * len(items)
        for index, (key, flags, value) in enumerate(items):
            # A position counts from the element that holds it.
            offset = position - index * _LEAF_ELEMENT.size
            heads += _LEAF_ELEMENT.pack(flags, offset, len(key), len(value))
            bodies += key + value
            position += len(key) + len(value)
        return self._page(_LEAF, len(items), heads + bodies)

    def _branch(self, items: Sequence[tuple[bytes, int]]) -> int:
        heads, bodies, position = b"", b"", _BRANCH_ELEMENT.size * len(items)
        for index, (key, page) in enumerate(items):
            heads += _BRANCH_ELEMENT.pack(position - index * _BRANCH_ELEMENT.size, len(key), page)
            bodies += key
            position += len(key)
        return self._page(_BRANCH, len(items), heads + bodies)

    def _page(self, flags: int, count: int, content: bytes) -> int:
        size = _PAGE_HEADER.size + len(content)
        pages = max(1, -(-size // _PAGE))
        page = self.next_page
        self.next_page += pages
        header = _PAGE_HEADER.pack(page, flags, count, pages - 1)
        self._file.seek(page * _PAGE)
        self._file.write((header + content).ljust(pages * _PAGE, b"\0"))
        return page


def _pages_of(items: Sequence[_Item], size: Callable[[_Item], int], least: int) -> list[list[_Item]]:
    """Items in groups that fill a page each; a group has at least `least` items, so a tree always narrows."""
    groups: list[list[_Item]] = [[]]
    used = _PAGE_HEADER.size
    for item in items:
        needed = _LEAF_ELEMENT.size + size(item)
        if len(groups[-1]) >= least and used + needed > _PAGE:
            groups.append([])
            used = _PAGE_HEADER.size
        groups[-1].append(item)
        used += needed
    return groups
