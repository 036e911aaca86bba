"""The RTF of an Outlook message unpacked. Knows nothing of messages or of RTF.

[MS-OXRTFCP] "Rich Text Format (RTF) Compression Algorithm": a window of 4,096 bytes that starts with the commonest
words of RTF; each bit of a control byte says whether a byte follows or a place and length in the window (2.1.3.1, 2.2).
"""

from __future__ import annotations

import struct

_WINDOW = 4096
_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
# A message's text is no longer than this; sizes beyond come from damaged files.
_LONGEST = 50_000_000
_HEADER = 16


def decompress(data: bytes) -> bytes:
    """The RTF; what there is of it where the data ends too early. Raises ValueError when it is no compressed RTF."""
    if len(data) < _HEADER:
        raise ValueError("compressed RTF is longer")
    _, size, kind, _ = struct.unpack_from("<II4sI", data)
    if kind == b"MELA":  # not compressed
        return data[_HEADER : _HEADER + size]
    if kind != b"LZFu":
        raise ValueError("no compressed RTF")
    window = bytearray(_START.ljust(_WINDOW, b"\0"))
    write, position, out = len(_START), _HEADER, bytearray()
    while position < len(data) and len(out) < _LONGEST:
        control = data[position]
        position += 1
        for bit in range(8):
            if not control >> bit & 1:
                found = data[position : position + 1]
                position += 1
            else:
                reference = int.from_bytes(data[position : position + 2].ljust(2, b"\0"), "big")
                place, length = reference >> 4, (reference & 15) + 2
                position += 2
                if place == write or position > len(data):  # the end
                    return bytes(out)
                # The place may run into what is just being written: byte by byte.
                found = b""
                for step in range(length):
                    byte = window[(place + step) % _WINDOW]
                    window[(write + step) % _WINDOW] = byte
                    found += bytes([byte])
            for step, byte in enumerate(found):
                window[(write + step) % _WINDOW] = byte
            write = (write + len(found)) % _WINDOW
            out += found
    return bytes(out)
