"""The score of a read document: good documents of every kind pass, damage of every kind does not."""

from __future__ import annotations

import base64
import random
import string
from pathlib import Path

import pytest

from ingest.base.types import Page, ReadDocument
from ingest.documents.quality import ACCEPTED_SCORE, ParseScore, score_document
from ingest.documents.text.read_text import decode
from tests.project import PROJECT

DOCUMENTS = PROJECT / "data" / "documents"
ENGLISH = (DOCUMENTS / "hr/leave-policy-2026.md").read_text("utf-8")
CHINESE = (DOCUMENTS / "hr/远程办公规定.md").read_text("utf-8")
RUSSIAN = "Правила внутреннего распорядка для сотрудников компании и гостей офиса в рабочие дни. " * 5


def score(text: str) -> ParseScore:
    return score_document(ReadDocument("title", (Page("", text),)))


def words_of(letters: str, count: int = 300) -> str:
    chance = random.Random(7)
    return " ".join("".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(count))


def shifted(text: str) -> str:
    """As in a PDF whose font numbers its letters differently."""
    low, high = string.ascii_lowercase, string.ascii_uppercase
    return text.translate(str.maketrans(low + high, low[3:] + low[:3] + high[3:] + high[:3]))


GOOD = {
    "English": (ENGLISH, "en"),
    "Chinese": (CHINESE, "zh"),
    "Chinese, traditional": ("員工每年享有二十五天的有薪假期，應於年底前使用完畢，逾期視同放棄。" * 3, "zh"),
    "Japanese": ("従業員は毎年二十日間の有給休暇を取得できます。申請は上司の承認が必要です。" * 3, "ja"),
    "Korean": ("직원은 매년 이십오 일의 유급 휴가를 받을 수 있으며 상사의 승인이 필요합니다. " * 3, "ko"),
    "Russian": (RUSSIAN, "ru"),
    "French": (
        "Le règlement définit les congés payés. Chaque employé a droit à vingt-cinq jours par an. " * 4,
        "other",
    ),
    "German": ("Überstunden dürfen nur nach schriftlicher Genehmigung geleistet werden. Angstschweiß! " * 4, "other"),
    "Polish": ("Wnioski należy składać z wyprzedzeniem, przez system kadrowy. Bezwzględny chrząszcz. " * 4, "other"),
    "Vietnamese": ("Người lao động được nghỉ phép hằng năm mười hai ngày và hưởng nguyên lương. " * 4, "other"),
    "a short note": ("Buy milk.", "other"),
    "figures": ("\n".join(" ".join(str(n * m % 9973) for m in range(3, 11)) for n in range(80)), "other"),
    "a table": ("| id | value |\n| --- | --- |\n" + "".join(f"| {n} | a |\n" for n in range(300)), "other"),
    "code": (Path(score_document.__code__.co_filename).read_text("utf-8"), "other"),
    "C": ("for (i = 0; i < n; ++i) { ptr[i] = &buf[(i << 2) | 0x3f]; if (!ptr[i]) goto err; }\n" * 6, "other"),
    "links": ("".join(f"- [Guide {n}](https://example.com/a/{n}?x=1&y=%20{n})\n" for n in range(99)), "other"),
    "abbreviations": (
        "HTTP TCP UDP DNS DHCP SSH TLS HTML CSS XML JSON SQL JVM NTFS BGP OSPF VLAN SMTP LDAP " * 3,
        "other",
    ),
    "contents": ("".join(f"Chapter {n} {'.' * 60} {n * 7}\n" for n in range(40)), "other"),
    "order numbers": ("".join(f"SKU-{n * 37} M{n % 9}x{n % 30} BLK-{n} pcs\n" for n in range(99)), "other"),
    "bullets of a symbol font": ("".join(f"\uf0a7 Point {n} of the agenda\n" for n in range(30)), "en"),
}
BAD = {
    "codes of glyphs": ("(cid:12)(cid:7) " * 200, "codes of a font"),
    "codes among words": (" (cid:3)".join(ENGLISH.split()), "codes of a font"),
    "replacement characters": ("".join(c if c.isascii() else "\ufffd" for c in CHINESE), "unreadable"),
    "private characters": ("".join(chr(0xE000 + ord(c)) if c.isalpha() else c for c in ENGLISH), "unreadable"),
    "UTF-8 as Windows-1252": (CHINESE.encode().decode("cp1252", "replace"), "wrong encoding"),
    "UTF-8 as GBK": (CHINESE.encode().decode("gb18030", "replace"), "wrong encoding"),
    "GBK as Latin-1": (CHINESE.encode("gb18030").decode("latin-1"), "wrong encoding"),
    "Windows-1251 as Latin-1": (RUSSIAN.encode("cp1251").decode("latin-1"), "wrong encoding"),
    "French as Windows-1252": (
        "réglementé à l'été déjà prévu né ".encode().decode("cp1252", "replace") * 9,
        "encoding",
    ),
    "characters at random": ("".join(map(chr, random.Random(7).choices(range(0x4E00, 0x9FA5), k=600))), "not in use"),
    "letters of another place": (shifted(ENGLISH), "form no words"),
    "letters at random": (words_of(string.ascii_lowercase), "form no words"),
    "words in single letters": (" ".join(ENGLISH.replace(" ", "")), "split into single letters"),
    "one line": ("The printer is out of paper again.\n" * 400, "repeat"),
    "one character": ("口" * 900, "repeat"),
    "stains": (words_of("il1|!^~*;:<>»«¬§tfrJ{}\\/.,"), "no words"),
    "encoded data": (base64.b64encode(random.Random(7).randbytes(4000)).decode(), "encoded data"),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_documents_pass(name: str) -> None:
    """Languages, tables, code and short notes score far above the limit, without a reason."""
    text, language = GOOD[name]
    result = score(text)
    assert result.score >= 0.9 and result.reason == ""
    if name != "code":  # its docstrings are English
        assert result.language == language


@pytest.mark.parametrize("name", BAD)
def test_damage_does_not_pass(name: str) -> None:
    """Each kind of damage scores far below the limit, and the reason names it in one line."""
    text, reason = BAD[name]
    result = score(text)
    assert result.score <= 0.25
    assert reason in result.reason and "\n" not in result.reason


def test_the_sample_documents_pass() -> None:
    """Every text of the sample company is accepted."""
    for path in sorted(DOCUMENTS.rglob("*")):
        if path.suffix in {".md", ".txt", ".html"}:
            assert score(decode(path.read_bytes())).score > ACCEPTED_SCORE, path


def test_a_damaged_part_counts_by_its_share() -> None:
    """A few bad characters do not hold a good document back; bad characters in half of it do."""
    assert score(ENGLISH + "\ufffd" * 10).score > 0.9
    assert score(ENGLISH + "\ufffd" * (len(ENGLISH) // 2)).score < ACCEPTED_SCORE


def test_damage_in_the_middle_of_a_long_document() -> None:
    """A long document is scored by slices from all its parts, not by its beginning."""
    good = ENGLISH * (200_000 // len(ENGLISH))
    assert score(good).score > 0.9
    assert score(good + "\ufffd" * 400_000).score < ACCEPTED_SCORE


def test_pages_with_hardly_a_word() -> None:
    """A scan with only a stamp on its pages is held back; empty pages count."""
    stamps = ReadDocument("scan", tuple(Page(f"p. {n}", "Scanned") for n in range(1, 20)))
    result = score_document(stamps)
    assert result.score < ACCEPTED_SCORE and "need text recognition" in result.reason
    assert score_document(ReadDocument("scan", (Page("p. 1", "Scanned with"), Page("p. 60", "a phone")))).score == 0.0
    slides = ReadDocument("slides", tuple(Page(f"slide {n}", "Title") for n in range(1, 20)))
    assert score_document(slides).score > 0.9
    assert score_document(ReadDocument("short", (Page("p. 1", "Closed on Friday"),))).score == 1.0


def test_nothing_to_judge() -> None:
    """An empty text is not damaged."""
    assert score("") == ParseScore(1.0, "other", "")
