"""Bytes to text when nobody says which encoding they are in. Knows nothing of files."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from ingest.errors import ReadError

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The ten characters that make up about a sixth of any Chinese text; bytes of another encoding read as GB18030
# give rare characters instead.
_COMMON_CHINESE = frozenset("的一是不了在有人和为")
_COMMON_SHARE = 0.02


def decode(data: bytes) -> str:
    """The text of a file: a byte order mark decides, then UTF-8, then GB18030 if it reads as Chinese, then a guess.

    Raises ReadError when the bytes are not text in any known encoding.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    if b"\x00" in data:
        return _decode_wide(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass  # not UTF-8; the next candidates are tried below
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        text = ""
    chinese = re.findall(r"[\u4e00-\u9fff]", text)
    if chinese and sum(character in _COMMON_CHINESE for character in chinese) >= _COMMON_SHARE * len(chinese):
        return text
    guess = from_bytes(data).best()
    if guess is None:
        raise ReadError("the text's encoding is not known: save it as UTF-8")
    return str(guess)


def _decode_wide(data: bytes) -> str:
    """UTF-16 without a mark: in most text every second byte of its ASCII part is zero."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    for encoding, zeros in (("utf-16-le", odd), ("utf-16-be", even)):
        if zeros > 0.05 * len(data) and zeros >= 4 * min(even, odd):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise ReadError("the file holds binary data, not text: it has the wrong suffix or is damaged")
