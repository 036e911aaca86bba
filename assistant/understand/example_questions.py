"""Questions a newcomer might ask this library, made from its own headings. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.base.language import is_chinese
from ingest.passages.split import HEADING_SEPARATOR

# A heading of this length, in characters, reads as a topic; longer ones are sentences, shorter ones labels.
_TOPIC = {"en": (8, 45), "zh": (3, 20)}


def example_questions(headings: Sequence[tuple[str, str]], language: str) -> Iterator[str]:
    """Questions in `language` ('en' or 'zh'), from (title, heading path) pairs; those the documents ask come first.

    One from each document before a second from any, so that a few show the breadth of the library.
    """
    asked: dict[str, list[str]] = {}
    topics: dict[str, list[str]] = {}
    shortest, longest = _TOPIC[language]
    for title, path in headings:
        heading = path.rsplit(HEADING_SEPARATOR, 1)[-1].strip()
        if is_chinese(heading) != (language == "zh") or heading == title:
            continue
        if heading.endswith(("?", "？")):
            asked.setdefault(title, []).append(heading)
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
    for group in (asked, topics):
        for place in range(max(map(len, group.values()), default=0)):
            for questions in group.values():
                if place < len(questions):
                    yield questions[place]
