#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What .BTF_ids must hold, worked out apart from elfgraft so that tests can compare.

usage: ids.py table ELF BTF [BASE]         prints every entry after resolution, one a line
       ids.py bytes ELF BTF BASE|- OUT     writes the section's contents after resolution
       ids.py upstream ELF BTF BASE|- OUT  writes ELF as resolve_btfids leaves it: sets sorted, symbols not moved

ELF must be fresh: not resolved or sorted before.
"""
import struct
import sys
from elf import Elf

KINDS = {4: "struct", 5: "union", 8: "typedef", 12: "func"}
# Bytes behind a record: fixed, and for each of its vlen members.
TAIL = {1: (4, 0), 3: (12, 0), 4: (0, 12), 5: (0, 12), 6: (0, 8), 13: (0, 8), 14: (4, 0), 15: (0, 12), 17: (4, 0), 19: (0, 12)}


def types(path, base_strings=b"", first=1):
    """Yields (kind, name) of each type of raw BTF, then its strings and the next ID."""
    data = open(path, "rb").read()
    order = "<" if data[:2] == b"\x9f\xeb" else ">"
    hdr_len, type_off, type_len, str_off, str_len = struct.unpack_from(order + "IIIII", data, 4)
    strings = base_strings + data[hdr_len + str_off : hdr_len + str_off + str_len]
    at, end, found = hdr_len + type_off, hdr_len + type_off + type_len, []
    while at < end:
        name, info = struct.unpack_from(order + "II", data, at)
        kind, vlen = info >> 24 & 0x1F, info & 0xFFFF
        fixed, each = TAIL.get(kind, (0, 0))
        found.append((kind, strings[name : strings.index(0, name)].decode()))
        at += 12 + fixed + each * vlen
    assert at == end, path
    return found, strings


def lookup(btf, base):
    """(kind, name) -> ID of the first type that fits, the base's first."""
    found, strings = types(base) if base else ([], b"")
    found += types(btf, strings)[0]
    ids = {}
    for i, (kind, name) in enumerate(found, 1):
        ids.setdefault((KINDS.get(kind), name), i)
    return ids


def resolve(elf, ids):
    """Contents of .BTF_ids when resolved and sorted, and its entries in order of offset."""
    index = elf.index(".BTF_ids")
    section = elf.sections[index]
    data, word = bytearray(elf.contents(index)), struct.Struct(elf.order + "I")
    sets, members = [], {}
    for s in elf.symbols():
        if s.shndx != index or not s.name.startswith("__BTF_ID__"):
            continue
        at = s.value - section.addr
        kind, name = s.name[len("__BTF_ID__") :].split("__", 1)
        if kind in ("set", "set8"):
            sets.append((at, s.size, kind, name))
        else:
            members[at] = (kind, name.rpartition("__")[0])
    for at, key in members.items():
        word.pack_into(data, at, ids.get(key, 0))
    lines = []
    for at, size, kind, name in sets:
        step = 8 if kind == "set8" else 4
        count = size // step - 1
        word.pack_into(data, at, count)
        flags = f" flags {word.unpack_from(data, at + 4)[0]:#x}" if step == 8 else ""
        lines.append((at, f"{kind} {name} count {count}{flags}"))
        body = range(at + step, at + size, step)
        items = [(bytes(data[i : i + step]), members.pop(i)) for i in body]
        items.sort(key=lambda item: struct.unpack(elf.order + "i", item[0][:4]))
        for i, (raw, key) in zip(body, items):
            data[i : i + step] = raw
            flags = f" flags {word.unpack_from(raw, 4)[0]:#x}" if step == 8 else ""
            lines.append((i, f"  {key[0]} {key[1]} id {word.unpack_from(raw)[0]}{flags}"))
    for at, key in members.items():
        lines.append((at, f"{key[0]} {key[1]} id {word.unpack_from(data, at)[0]}"))
    return data, sorted(lines)


def main(command, elf_path, btf, base=None, out=None):
    elf = Elf(elf_path)
    data, lines = resolve(elf, lookup(btf, None if base == "-" else base))
    if command == "table":
        for at, text in lines:
            print(f"{at:#06x} {text}")
    elif command == "bytes":
        open(out, "wb").write(data)
    elif command == "upstream":
        section = elf.sections[elf.index(".BTF_ids")]
        elf.data[section.offset : section.offset + section.size] = data
        open(out, "wb").write(elf.data)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
