# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads ELF files of both classes and byte orders; just what the other tools here need."""
import struct
from collections import namedtuple

Section = namedtuple("Section", "name type flags addr offset size link info align entsize")
Symbol = namedtuple("Symbol", "name info other shndx value size")


class Elf:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = bytearray(f.read())
        if self.data[:4] != b"\x7fELF":
            raise SystemExit(f"{path}: not an ELF file")
        self.is64 = self.data[4] == 2
        self.order = "<" if self.data[5] == 1 else ">"
        word = "Q" if self.is64 else "I"
        self.shdr = struct.Struct(f"{self.order}II{word * 4}II{word * 2}")
        self.sym = struct.Struct(self.order + ("IBBHQQ" if self.is64 else "IIIBBH"))
        self.type = self.unpack("H", 16)[0]
        self.shoff = self.unpack(word, 40 if self.is64 else 32)[0]
        self.shnum, self.shstrndx = self.unpack("HH", 60 if self.is64 else 48)
        raw = [self.shdr.unpack_from(self.data, self.shoff + i * self.shdr.size) for i in range(self.shnum)]
        names = raw[self.shstrndx]
        self.sections = [Section(self.string(names[4] + h[0]), *h[1:]) for h in raw]

    def unpack(self, fmt, offset):
        return struct.unpack_from(self.order + fmt, self.data, offset)

    def string(self, offset):
        return self.data[offset : self.data.index(0, offset)].decode()

    def index(self, name):
        return next((i for i, s in enumerate(self.sections) if s.name == name), None)

    def contents(self, index):
        s = self.sections[index]
        return self.data[s.offset : s.offset + s.size]

    def symbols(self):
        table = next(s for s in self.sections if s.type == 2)
        strings = self.sections[table.link].offset
        for at in range(table.offset, table.offset + table.size, self.sym.size):
            f = self.sym.unpack_from(self.data, at)
            name, info, other, shndx, value, size = f if self.is64 else (f[0], f[3], f[4], f[5], f[1], f[2])
            yield Symbol(self.string(strings + name), info, other, shndx, value, size)
