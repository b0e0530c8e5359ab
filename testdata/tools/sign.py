#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Appends what a signed module ends with. The signature is no real PKCS#7: bytes of its shape.

usage: sign.py IN.ko OUT.ko
"""
import struct
import sys

PKCS7 = 2


def main(source, target):
    inner = bytes((i * 37 + 11) & 0xFF for i in range(450))
    signature = b"\x30\x82" + struct.pack(">H", len(inner)) + inner
    head = struct.pack(">BBBBB3xI", 0, 0, PKCS7, 0, 0, len(signature))
    with open(source, "rb") as f, open(target, "wb") as out:
        out.write(f.read() + signature + head + b"~Module signature appended~\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
