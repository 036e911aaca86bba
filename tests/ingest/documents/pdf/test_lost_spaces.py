"""Spaces that text recognition has lost are put back where words and positions of letters show them."""

from __future__ import annotations

from ingest.documents.pdf.lost_spaces import with_spaces


def places(text: str) -> tuple[str, list[float]]:
    """The text without spaces, and the positions of its letters: twice the step where a space was."""
    found, place = [], 0.0
    for letter in text:
        place += 10.0
        if letter != " ":
            found.append(place)
    return text.replace(" ", ""), found


def test_lost_spaces_are_put_back() -> None:
    """Words written without spaces are separated as they were printed."""
    for text in ("quality assurance", "what kinds of products might be developed", "Retrieval in open domain"):
        assert with_spaces(*places(text)) == text


def test_one_word_stays_one() -> None:
    """Names and rare words are not cut into pieces that happen to be words."""
    for word in ("Tarnbrook", "regroup", "unholy", "noncompetitively", "Riverdesk", "Abominations"):
        assert with_spaces(*places(word)) == word


def test_marks_between_words() -> None:
    """A space follows a comma or a sentence's full stop, but not inside numbers, web sites and file names."""
    assert with_spaces("the weather,however,was fine.The end", []) == "the weather, however, was fine. The end"
    for text in ("1,200.50", "www.example.com", "report.docx", "12:30", "e.g. this"):
        assert with_spaces(text, []) == text


def test_without_places_words_are_left() -> None:
    """Without the positions of letters no word is cut."""
    assert with_spaces("qualityassurance", []) == "qualityassurance"


def test_chinese_is_left() -> None:
    """Chinese text stays without spaces."""
    text = "员工每年享有二十五天年假Riverdesk平台"
    assert with_spaces(text, [float(10 * n) for n in range(len(text))]) == text
