#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Turns the relocations of one undefined symbol into those of a live patch.

usage: livepatch.py IN.o OUT.ko SYMBOL

The symbol becomes .klp.sym.vmlinux.SYMBOL,0 in SHN_LIVEPATCH, and its relocations move to
.klp.rela.vmlinux..text, which has flags A, I and SHF_RELA_LIVEPATCH. ELF64, little endian.
"""
import struct
import sys
from elf import Elf

SHN_LIVEPATCH, SHF_RELA_LIVEPATCH = 0xFF20, 0x100000
SHF_ALLOC, SHF_INFO_LINK, SHT_RELA = 2, 0x40, 4


def main(source, target, wanted):
    elf = Elf(source)
    symtab, rela = elf.index(".symtab"), elf.index(".rela.text")
    number = next(i for i, s in enumerate(elf.symbols()) if s.name == wanted)
    entries = elf.contents(rela)
    entries = [bytes(entries[i : i + 24]) for i in range(0, len(entries), 24)]
    late = [e for e in entries if struct.unpack_from("<Q", e, 8)[0] >> 32 == number]
    now = [e for e in entries if e not in late]

    heads = [list(elf.shdr.unpack_from(elf.data, elf.shoff + i * 64)) for i in range(elf.shnum)]
    body = elf.data[: elf.shoff]

    def put(index, contents, align=8):
        body.extend(bytes(-len(body) % align))
        heads[index][4:6] = len(body), len(contents)
        body.extend(contents)

    strings = elf.contents(heads[symtab][6])
    name_at = len(strings)
    put(heads[symtab][6], strings + f".klp.sym.vmlinux.{wanted},0".encode() + b"\0", 1)
    at = heads[symtab][4] + number * 24
    struct.pack_into("<I", body, at, name_at)
    struct.pack_into("<H", body, at + 6, SHN_LIVEPATCH)

    names = elf.contents(elf.shstrndx)
    new_name = len(names)
    put(elf.shstrndx, names + b".klp.rela.vmlinux..text\0", 1)
    flags = SHF_ALLOC | SHF_INFO_LINK | SHF_RELA_LIVEPATCH
    klp = [new_name, SHT_RELA, flags, 0, 0, 0, symtab, heads[rela][7], 8, 24]
    if now:
        put(rela, b"".join(now))
        heads.append(klp)
        put(len(heads) - 1, b"".join(late))
    else:
        # The only relocation section of .text: where GNU objcopy loses the most.
        heads[rela] = klp
        put(rela, b"".join(late))

    body.extend(bytes(-len(body) % 8))
    struct.pack_into("<Q", body, 40, len(body))
    struct.pack_into("<H", body, 60, len(heads))
    for head in heads:
        body.extend(elf.shdr.pack(*head))
    open(target, "wb").write(body)


if __name__ == "__main__":
    main(*sys.argv[1:])
