"""Decode bytes to text; when no encoding is declared, it is recognised by the bytes."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from ingest.base.errors import ReadError
from ingest.base.language import COMMON_IDEOGRAPHS

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# The ten characters that make up about a sixth of any Chinese text; bytes of another encoding become rare characters
# when they are read as GB18030.
_COMMON_CHINESE = frozenset("的一是不了在有人和为")
_COMMON_SHARE = 0.02
# Lists and tables may lack those ten, but nearly all their characters are in GB2312's first level, which holds the
# 3,755 characters in daily use; these are its lead bytes.
_DAILY_LEAD_BYTES = range(0xB0, 0xD8)
_DAILY_SHARE = 0.9
# The characters that French, German, Spanish, Portuguese and Nordic text adds to ASCII in Windows-1252. Central
# European, Turkish and Cyrillic bytes read this way become other characters, or far more of these.
_WESTERN = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒ‘’‚“”„‹›«»–—…•€£§©®°·¡¿ºª½²×±\u00a0")
_WESTERN_SHARE = 0.3


# Declared encodings, and the larger ones that programs write under these names.
_ACTUAL = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "us-ascii": "", "shift_jis": "cp932"}


def decode(data: bytes, declared: str = "") -> str:
    """The text of a file: a byte order mark decides, then UTF-8, then the declared encoding, then GB18030 if it reads
    as Chinese, then Windows-1252 if it reads as Western, then a guess.

    Raises ReadError when the bytes are not text in any known encoding.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    declared = _ACTUAL.get(declared.lower(), declared)
    # Encodings of seven bits consist of ASCII bytes, which are UTF-8 too.
    if declared and (declared.lower().startswith(("iso-2022", "hz", "utf-16", "utf-7")) or not _is_utf8(data)):
        try:
            return data.decode(declared)
        except (LookupError, ValueError):  # an unknown encoding, or a wrong one: the bytes decide
            pass
    if b"\x00" in data:
        return _decode_wide(data)
    if _is_utf8(data):
        return data.decode("utf-8")
    for encoding, reads_well in (("gb18030", _reads_as_chinese), ("cp1252", _reads_as_western)):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if reads_well(text):
            return text
    guess = from_bytes(data).best()
    if guess is None:
        raise ReadError("the text's encoding is not known: save it as UTF-8")
    return str(guess)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reads_as_chinese(text: str) -> bool:
    chinese = re.findall(f"[{COMMON_IDEOGRAPHS}]", text)
    if sum(character in _COMMON_CHINESE for character in chinese) >= max(1, _COMMON_SHARE * len(chinese)):
        return True
    lead_bytes = "".join(chinese).encode("gb2312", errors="ignore")[::2]
    return sum(byte in _DAILY_LEAD_BYTES for byte in lead_bytes) >= max(1, _DAILY_SHARE * len(chinese))


def _reads_as_western(text: str) -> bool:
    foreign = [character for character in text if not character.isascii()]
    return 0 < len(foreign) <= _WESTERN_SHARE * len(text) and _WESTERN.issuperset(foreign)


def _decode_wide(data: bytes) -> str:
    """UTF-16 without a byte order mark: every second byte of ASCII characters is zero."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    for encoding, zeros in (("utf-16-le", odd), ("utf-16-be", even)):
        if zeros > 0.05 * len(data) and zeros >= 4 * min(even, odd):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise ReadError("the file holds binary data, not text: it has the wrong suffix or is damaged")
