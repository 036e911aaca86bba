"""Outlook messages (msg) and their attachments."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest

from ingest.base.errors import ReadError
from ingest.documents.mail.read_msg import msg_attachments, read_msg
from ingest.documents.mail.rtf_compressed import decompress
from tests.fakes.ole_file import ole_file


def message(texts: dict[str, str], storage: str = "", **more: bytes) -> dict[str, bytes]:
    """The streams of a message in a storage, sent on 1 May 2026 at 09:30."""
    ticks = int((datetime(2026, 5, 1, 9, 30, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    properties = bytes(24 if storage else 32) + struct.pack("<HHIQ", 0x0040, 0x0039, 0, ticks)
    streams = {f"{storage}__substg1.0_{number}001F": text.encode("utf-16-le") for number, text in texts.items()}
    fixed = {f"{storage}__properties_version1.0": properties}
    return {**fixed, **streams, **{storage + name: data for name, data in more.items()}}


HEADERS = {"0037": "Parking 停车", "0C1A": "Ann", "5D01": "ann@x.example", "0E04": "all@x.example"}


def test_message() -> None:
    """The subject is title and heading; sender, recipients and date stand before the text."""
    subject, (page,) = read_msg(ole_file(message({**HEADERS, "1000": "Park\r\nbehind."})))
    assert subject == "Parking 停车"
    assert page.text == (
        "# Parking 停车\n\nFrom: Ann <ann@x.example>\nTo: all@x.example\nDate: 2026-05-01 09:30 UTC\n\nPark\r\nbehind."
    )


def test_html_and_code_pages() -> None:
    """The HTML is read where there is nothing else; texts of old messages are in the sender's code page."""
    html = "<meta charset=gb2312><h2>年假</h2><p>Take it.".encode("gb18030")
    streams = message({}, __substg1=b"") | {
        "__substg1.0_10130102": html,
        "__substg1.0_0037001E": "休假规定".encode("gb18030"),
    }
    subject, (page,) = read_msg(ole_file(streams))
    assert subject == "休假规定"
    assert page.text.endswith("## 年假\n\nTake it.")


def rtf_property(rtf: bytes, *, compressed: bool) -> bytes:
    """RTF as a message stores it: uncompressed, or with a reference into the initial dictionary."""
    if not compressed:
        return struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf
    # The dictionary starts with 207 bytes of common RTF, the first six of which begin every text.
    items = [(0, 4), *rtf[6:]]
    out, write = bytearray(), 207
    for first in range(0, len(items) + 1, 8):
        bits, body = 0, bytearray()
        for bit, item in enumerate([*items, None][first : first + 8]):
            if isinstance(item, int):
                body.append(item)
                write += 1
            else:
                bits |= 1 << bit
                offset, length = item or (write, 0)
                body += (offset << 4 | length).to_bytes(2, "big")
                write += length + 2
        out += bytes([bits]) + body
    return struct.pack("<II4sI", len(out) + 12, len(rtf), b"LZFu", 0) + bytes(out)


@pytest.mark.parametrize("compressed", [True, False])
def test_rich_text_only(compressed: bool) -> None:
    """The RTF is read where there is nothing else, also where it carries the HTML it was made from."""
    rtf = rb"{\rtf1\ansi\ansicpg936\fromhtml1 {\*\htmltag64 <p>}Park \'c4\'ea\'bc\'d9\par Again park.\par}"
    streams = message({"0037": "Parking"}) | {"__substg1.0_10090102": rtf_property(rtf, compressed=compressed)}
    subject, (page,) = read_msg(ole_file(streams))
    assert subject == "Parking"
    assert page.text.endswith("UTC\n\nPark 年假\n\nAgain park.")


def test_references_into_the_dictionary() -> None:
    """The example of [MS-OXRTFCP] 3.1, where a reference reaches into what it writes: 'WXYZWXYZWXYZWXYZWXYZ'."""
    data = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert decompress(data) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


def test_attachments() -> None:
    """Attachments have their long names and bytes, a forwarded message is read; pictures of the text are left out."""
    streams = message({**HEADERS, "1000": "see below"})
    streams |= {
        "__attach_version1.0_#00000000/__substg1.0_3707001F": "a plan.txt".encode("utf-16-le"),
        "__attach_version1.0_#00000000/__substg1.0_37010102": b"the plan" * 700,
        "__attach_version1.0_#00000001/__substg1.0_3707001F": "image001.png".encode("utf-16-le"),
        "__attach_version1.0_#00000001/__substg1.0_3712001F": "image001@x".encode("utf-16-le"),
        "__attach_version1.0_#00000001/__substg1.0_37010102": b"png",
        "__attach_version1.0_#00000002/__substg1.0_3001001F": "Old news".encode("utf-16-le"),
        **message({"0037": "Old news", "1000": "as said"}, "__attach_version1.0_#00000002/__substg1.0_3701000D/"),
    }
    data = ole_file(streams)
    (plan_name, plan), (inner_name, inner) = msg_attachments(data)
    assert (plan_name, plan) == ("a plan.txt", b"the plan" * 700)
    assert inner_name == "Old news.msg"
    assert isinstance(inner, tuple)
    assert inner[1][0].text == "# Old news\n\nDate: 2026-05-01 09:30 UTC\n\nas said"
    assert "Attachments: a plan.txt, Old news.msg" in read_msg(data)[1][0].text


def test_refused() -> None:
    """The errors for encrypted messages and for other files say so."""
    with pytest.raises(ReadError, match="encrypted"):
        read_msg(ole_file(message({"001A": "IPM.Note.SMIME"})))
    with pytest.raises(ReadError, match="not an Outlook message"):
        read_msg(ole_file({"WordDocument": b"x"}))
