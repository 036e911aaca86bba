"""Decompression of the RTF body of an Outlook message.

[MS-OXRTFCP] "Rich Text Format (RTF) Compression Algorithm": a ring buffer (the dictionary) of 4,096 bytes that starts
with common RTF. For each bit of a control byte, a literal byte follows (0) or a reference (1), which is an offset and a
length in the dictionary (2.1.3.1, 2.2).
"""

from __future__ import annotations

import struct

_DICTIONARY_SIZE = 4096
_INITIAL_DICTIONARY = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
# No message has more bytes; larger sizes come from damaged files.
_LONGEST = 50_000_000
_HEADER = 16


def decompress(data: bytes) -> bytes:
    """The RTF, incomplete where the data ends too early. Raises ValueError when the data is no compressed RTF."""
    if len(data) < _HEADER:
        raise ValueError("shorter than the header of compressed RTF")
    _, size, kind, _ = struct.unpack_from("<II4sI", data)
    if kind == b"MELA":  # not compressed
        return data[_HEADER : _HEADER + size]
    if kind != b"LZFu":
        raise ValueError("neither compressed nor uncompressed RTF")
    dictionary = bytearray(_INITIAL_DICTIONARY.ljust(_DICTIONARY_SIZE, b"\0"))
    write, position, output = len(_INITIAL_DICTIONARY), _HEADER, bytearray()
    while position < len(data) and len(output) < _LONGEST:
        control = data[position]
        position += 1
        for bit in range(8):
            if not control >> bit & 1:
                run = data[position : position + 1]
                position += 1
            else:
                reference = int.from_bytes(data[position : position + 2].ljust(2, b"\0"), "big")
                offset, length = reference >> 4, (reference & 15) + 2
                position += 2
                if offset == write or position > len(data):  # the end
                    return bytes(output)
                # A reference may reach into the bytes that it writes: copy byte by byte.
                run = b""
                for step in range(length):
                    byte = dictionary[(offset + step) % _DICTIONARY_SIZE]
                    dictionary[(write + step) % _DICTIONARY_SIZE] = byte
                    run += bytes([byte])
            for step, byte in enumerate(run):
                dictionary[(write + step) % _DICTIONARY_SIZE] = byte
            write = (write + len(run)) % _DICTIONARY_SIZE
            output += run
    return bytes(output)
