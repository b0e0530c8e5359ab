#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads .BTF_ids without elfgraft: ELF by testdata/tools/elf.py, names of types by bpftool.

usage: btf-reader.py entries FILE [BASE]   one line per entry of a set, with the name its ID has: what the kernel sees
       btf-reader.py symbols FILE [BASE]   how many member symbols name another type than the word they point at
       btf-reader.py changed OLD NEW       bytes that differ: in .BTF_ids, in st_value of its symbols, elsewhere
"""
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../testdata/tools"))
from elf import Elf

LINE = re.compile(r"\[(\d+)\] ([A-Z0-9_]+) '([^']*)'")


def names(path, base):
    """ID -> (kind, name), by bpftool."""
    dump = ["bpftool"] + (["-B", base] if base else []) + ["btf", "dump", "file", path, "format", "raw"]
    found = {}
    for file in [base, path] if base else [path]:
        command = dump if file == path else ["bpftool", "btf", "dump", "file", file, "format", "raw"]
        for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
            match = LINE.match(line)
            if match:
                found[int(match[1])] = (match[2].lower(), match[3])
    return found


class Ids:
    def __init__(self, path):
        self.elf = Elf(path)
        self.index = self.elf.index(".BTF_ids")
        self.section = self.elf.sections[self.index]
        self.base = 0 if self.elf.type == 1 else self.section.addr
        self.sets, self.members = [], []
        for s in self.elf.symbols():
            if s.shndx == self.index and s.name.startswith("__BTF_ID__"):
                kind, name = s.name[len("__BTF_ID__") :].split("__", 1)
                at = s.value - self.base
                if kind in ("set", "set8"):
                    self.sets.append((at, s.size, kind, name))
                else:
                    self.members.append((at, kind, name.rpartition("__")[0]))

    def word(self, at):
        return self.elf.unpack("I", self.section.offset + at)[0]


def entries(path, base=None):
    ids, types = Ids(path), names(path, base)
    for at, size, kind, name in sorted(ids.sets):
        step = 8 if kind == "set8" else 4
        words = [ids.word(i) for i in range(at + step, at + size, step)]
        assert ids.word(at) == len(words), name
        assert words == sorted(words), name
        for i in range(at + step, at + size, step):
            flags = f"{ids.word(i + 4):#x}" if step == 8 else "-"
            print(kind, name, ids.word(i), *types.get(ids.word(i), ("-", "-")), flags)


def symbols(path, base=None):
    ids, types = Ids(path), names(path, base)
    stale = sum(ids.word(at) != 0 and types.get(ids.word(at)) != (kind, name) for at, kind, name in ids.members)
    print(f"{stale} of {len(ids.members)} symbols name another type than the one whose ID they point at")


def changed(old, new):
    ids = Ids(old)
    elf, (a, b) = ids.elf, (ids.elf.data, open(new, "rb").read())
    table = next(s for s in elf.sections if s.type == 2)
    counts = {"in .BTF_ids": 0, "in st_value": 0, "elsewhere": abs(len(a) - len(b))}
    values = range(table.offset, table.offset + table.size)
    words = range(ids.section.offset, ids.section.offset + ids.section.size)
    field = range(8, 16) if elf.is64 else range(4, 8)
    step = 1 << 20
    for start in range(0, min(len(a), len(b)), step):
        if a[start : start + step] == b[start : start + step]:
            continue
        for i in range(start, min(start + step, len(a), len(b))):
            if a[i] != b[i]:
                in_value = i in values and (i - table.offset) % elf.sym.size in field
                counts["in .BTF_ids" if i in words else "in st_value" if in_value else "elsewhere"] += 1
    print(", ".join(f"{n} bytes {where}" for where, n in counts.items()))


if __name__ == "__main__":
    try:
        {"entries": entries, "symbols": symbols, "changed": changed}[sys.argv[1]](*sys.argv[2:])
    except (KeyError, IndexError):
        raise SystemExit(__doc__)
