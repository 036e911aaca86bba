"""A small writer of OLE compound files, the container of old Office files and Outlook messages, for the tests.

The layout is that of Microsoft's [MS-CFB]: 512-byte sectors, a directory of storages and streams, one table that
chains the sectors and another that chains the 64-byte sectors of streams shorter than 4,096 bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_SMALL = 4096


def ole_file(streams: Mapping[str, bytes]) -> bytes:
    """The bytes of a file with these streams; '/' parts the names of storages they lie in."""
    tree: dict[str, dict[str, None]] = {"": {}}
    for path in streams:
        names = path.split("/")
        for depth in range(len(names)):
            tree.setdefault("/".join(names[:depth]), {})[names[depth]] = None
            if depth < len(names) - 1:
                tree.setdefault("/".join(names[: depth + 1]), {})
    for path, names in tree.items():
        tree[path] = dict.fromkeys(sorted(names, key=lambda name: (len(name), name.upper())))  # 2.6.4
    paths = [""]
    for path in paths:
        paths += [f"{path}/{name}".lstrip("/") for name in tree.get(path, {})]

    sectors: list[bytes] = []
    chain: list[int] = []

    def put(data: bytes) -> int:
        first = len(sectors)
        count = (len(data) + 511) // 512
        sectors.extend(data[512 * i : 512 * (i + 1)].ljust(512, b"\0") for i in range(count))
        chain.extend([*range(first + 1, first + count), _END] if count else [])
        return first if count else _END

    mini, mini_chain, starts = b"", [], {}
    for path, data in streams.items():
        if len(data) >= _SMALL:
            starts[path] = put(data)
        else:
            count = (len(data) + 63) // 64
            starts[path] = len(mini) // 64 if count else _END
            mini_chain += [*range(len(mini) // 64 + 1, len(mini) // 64 + count), _END] if count else []
            mini += data.ljust(64 * count, b"\0")
    mini_start = put(mini)
    mini_table = put(struct.pack(f"<{len(mini_chain)}I", *mini_chain).ljust(512, b"\xff")) if mini_chain else _END

    entries = []
    for path in paths:
        children = [f"{path}/{name}".lstrip("/") for name in tree.get(path, {})]
        parent = path.rpartition("/")[0]
        siblings = [f"{parent}/{name}".lstrip("/") for name in tree[parent]] if path else []
        following = siblings[siblings.index(path) + 1 :] if path else []
        name = (path.rpartition("/")[2] if path else "Root Entry").encode("utf-16-le") + b"\0\0"
        kind = _ROOT if not path else _STREAM if path in streams else _STORAGE
        start, size = (mini_start, len(mini)) if not path else (starts.get(path, 0), len(streams.get(path, b"")))
        entries.append(
            name.ljust(64, b"\0")
            + struct.pack("<HBB", len(name), kind, 1)
            + struct.pack("<III", _FREE, paths.index(following[0]) if following else _FREE,
                          paths.index(children[0]) if children else _FREE)
            + bytes(36) + struct.pack("<IQ", start, size)
        )  # fmt: skip
    directory = put(b"".join(entries))
    table_sectors = 1
    while table_sectors * 128 < len(chain) + table_sectors:
        table_sectors += 1
    first_table = len(sectors)
    table = [*chain, *[_FAT] * table_sectors]
    sectors.append(struct.pack(f"<{len(table)}I", *table).ljust(512 * table_sectors, b"\xff"))
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIII", 0, table_sectors, directory, 0, _SMALL)
    header += struct.pack("<IIII", mini_table, 1 if mini_chain else 0, _END, 0)
    header += struct.pack(f"<{table_sectors}I", *range(first_table, first_table + table_sectors))
    return header.ljust(512, b"\xff") + b"".join(sectors)
