"""Example questions for people who are new to a library, made from its headings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.base.language import is_chinese
from ingest.passages.split import HEADING_SEPARATOR

# Shortest and longest heading, in characters, that is a topic: longer ones are sentences, shorter ones labels.
_TOPIC = {"en": (8, 45), "zh": (3, 20)}


def example_questions(headings: Sequence[tuple[str, str]], language: str) -> Iterator[str]:
    """Questions in `language` ('en' or 'zh') from (title, heading path) pairs; headings that are questions come first.

    The first question of every document comes before the second of any, so that the first few show what the library
    covers.
    """
    questions: dict[str, list[str]] = {}
    topics: dict[str, list[str]] = {}
    shortest, longest = _TOPIC[language]
    for title, path in headings:
        heading = path.rsplit(HEADING_SEPARATOR, 1)[-1].strip()
        if is_chinese(heading) != (language == "zh") or heading == title:
            continue
        if heading.endswith(("?", "？")):
            questions.setdefault(title, []).append(heading)
        topic = heading.lstrip("0123456789.、 一二三四五六七八九十")
        if (
            shortest <= len(topic) <= longest
            and not heading.endswith(("?", "？"))
            and is_chinese(title) == (language == "zh")
        ):
            template = (
                "《{title}》对“{topic}”是怎么规定的？" if language == "zh" else "What does “{title}” say about {topic}?"
            )
            topics.setdefault(title, []).append(template.format(title=title, topic=topic))
    for by_title in (questions, topics):
        for number in range(max(map(len, by_title.values()), default=0)):
            for document_questions in by_title.values():
                if number < len(document_questions):
                    yield document_questions[number]
