"""Writes a turn as HTML: answer, cautions and source cards. No document can put HTML of its own into it.

Answers and passages are text from outside: a document may contain HTML, images or links, and a model may repeat them.
So they are rendered by a Markdown parser whose images, links and raw HTML are switched off: the browser gets only the
few tags below, no address from the text, and nothing that it would fetch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from assistant.events import Citation, Done, Evidence, Source
from ingest.store.write_lock import INGESTING
from ui.duration import duration
from ui.page.strings import Strings

if TYPE_CHECKING:
    from ingest.library import LibraryStatus

# Private-use characters stand for the ends of a highlight while Markdown is rendered.
MARK_START, MARK_END = "\ue000", "\ue001"
# How many source cards are shown under an answer that abstained.
NEAREST = 3


def question_html(question: str) -> str:
    return f'<div class="docent-question">{escape(question)}</div>'


def note_html(text: str, kind: str = "state") -> str:
    """One line of the page itself; `kind` is state, banner, caution, label or quiet. Backticks mark commands."""
    line = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    role = ' role="status"' if kind == "state" else ""
    return f'<div class="docent-{kind}"{role}>{line}</div>'


def is_growing(library: LibraryStatus) -> bool:
    """Whether documents are being ingested. A rebuild or a restore is not shown: answers stay the same meanwhile."""
    return library.building and (library.work is None or library.work.doing == INGESTING)


def building_html(library: LibraryStatus, strings: Strings) -> str:
    """The banner while documents are being ingested, with the progress and the remaining time once they are known."""
    line, work = strings.library_building.format(documents=library.documents), library.work
    if work is not None and work.total:
        line += strings.building_progress.format(done=work.done, total=work.total)
        line += strings.building_left.format(duration=duration(work.left, strings.units)) if work.left else ""
        line += "." if strings.language == "en" else "。"
    return note_html(line, "banner")


def welcome_html(strings: Strings) -> str:
    return f'<div class="docent-welcome"><h1>{escape(strings.welcome)}</h1><p>{escape(strings.introduction)}</p></div>'


def answer_html(text: str, numbers: Collection[int] = ()) -> str:
    """The answer's Markdown as HTML; `[n]` is marked as a reference where `n` is one of the sources' numbers."""
    return f'<div class="docent-text docent-answer">{_render(text, numbers)}</div>'


def turn_html(done: Done, strings: Strings, problem: str = "") -> str:
    """A finished turn below its question and what was searched for: answer, cautions and sources, or only `problem`."""
    if problem:
        return note_html(problem, "caution")
    if done.evidence.abstained:
        answer = note_html(done.answer or strings.abstained, "banner")
    else:
        answer = answer_html(done.answer, source_numbers(done.evidence)) if done.answer else ""
    sources = sources_html(done.evidence, done.citations, strings)
    return answer + cautions_html(done, strings) + sources


def source_numbers(evidence: Evidence) -> set[int]:
    """The numbers that a reference in the answer may have."""
    return {source.n for source in evidence.sources}


def searched_html(evidence: Evidence, strings: Strings) -> str:
    """What was searched for, where it differs from the question asked; else empty."""
    return note_html(strings.searched.format(question=evidence.searched), "quiet") if evidence.searched else ""


def cautions_html(done: Done, strings: Strings) -> str:
    """What a reader must know before relying on the answer: one line each, empty when there is nothing."""
    cautions = [strings.caution] if done.evidence.caution and done.answer else []
    cautions += [strings.unsupported.format(sentence=sentence) for sentence in done.unsupported]
    stopped = strings.stopped if done.answer else strings.stopped_empty
    ending = {"length": strings.cut_short, "timeout": strings.timed_out, "stopped": stopped}.get(done.finish_reason)
    return "".join(note_html(line, "caution") for line in ([*cautions, ending] if ending else cautions))


def sources_html(evidence: Evidence, citations: Sequence[Citation], strings: Strings, label: str | None = None) -> str:
    """The sources as cards: first those that the answer cites, then the others, folded.

    While there are no citations yet, the sources of the evidence sentences come first.
    """
    if not evidence.sources:
        return ""
    cards = {source.n: _card(source, evidence, citations, strings) for source in evidence.sources}
    if evidence.abstained:
        return f'<div class="docent-label">{escape(strings.nearest)}</div>{"".join(list(cards.values())[:NEAREST])}'
    cited = {citation.n for citation in citations} or {sentence.n for sentence in evidence.sentences} or cards.keys()
    first = "".join(card for number, card in cards.items() if number in cited)
    others = [card for number, card in cards.items() if number not in cited]
    folded = ""
    if others:
        summary = escape(strings.other_passages.format(count=len(others)))
        folded = f'<details class="docent-others"><summary>{summary}</summary>{"".join(others)}</details>'
    return f'<div class="docent-label">{escape(label or strings.sources)}</div>{first}{folded}'


def _card(source: Source, evidence: Evidence, citations: Sequence[Citation], strings: Strings) -> str:
    # Most documents begin with their title as a heading: it is not shown twice.
    heading = "" if source.heading == source.title else source.heading.removeprefix(f"{source.title} › ")
    source_citations = [citation for citation in citations if citation.n == source.n]
    page = source_citations[0].page if source_citations else source.page
    heading = "" if page.endswith(heading) else heading
    location = " · ".join(part for part in (page, heading) if part)
    quotes = [citation.quote for citation in source_citations]
    quotes = quotes or [sentence.text for sentence in evidence.sentences if sentence.n == source.n]
    trail = f' <span class="docent-place">— {escape(location)}</span>' if location else ""
    return (
        f'<details class="docent-source"><summary><span class="docent-number">[{source.n}]</span>'
        f'<span class="docent-title">{escape(source.title)}{trail}</span></summary>'
        f'<div class="docent-passage"><div class="docent-text">{passage_html(source.text, quotes)}</div>'
        f'<a href="{document_address(source, page)}" target="_blank">{escape(strings.open_original)}</a> '
        f'<span class="docent-place">{escape(source.path)}</span>{_versions(source, strings)}</div></details>'
    )


def _versions(source: Source, strings: Strings) -> str:
    replaced = strings.replaces.format(names=", ".join(source.replaces)) if source.replaces else ""
    newer = strings.newer.format(name=source.newer) if source.newer else ""
    return "".join(note_html(line, "quiet") for line in (replaced, newer) if line)


def document_address(source: Source, label: str) -> str:
    """The address of the original file; for a PDF with the page that `label` (such as 'p. 3') names."""
    page = re.search(r"\d+", label)
    at_page = f"#page={page.group()}" if page and PurePath(source.path).suffix.lower() == ".pdf" else ""
    return f"/documents/{source.document_id}{at_page}"


def passage_html(text: str, quotes: Sequence[str]) -> str:
    """The passage's Markdown as HTML, with each quote that it contains highlighted."""
    plain = text.replace(MARK_START, "").replace(MARK_END, "")
    for start, end in reversed(_spans(plain, quotes)):
        plain = f"{plain[:start]}{MARK_START}{plain[start:end]}{MARK_END}{plain[end:]}"
    pieces = re.split(f"{MARK_START}([^{MARK_END}]*){MARK_END}", _render(plain))
    # A quote may run over table cells or list items: it is highlighted inside each, never across their tags.
    for index in range(1, len(pieces), 2):
        pieces[index] = "".join(
            piece if piece.startswith("<") or not piece.strip() else f"<mark>{piece}</mark>"
            for piece in re.split(r"(<[^>]*>)", pieces[index])
        )
    return "".join(pieces).replace(MARK_START, "").replace(MARK_END, "")


def _spans(text: str, quotes: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each quote in the text, ordered, without overlaps and without the Markdown around its lines."""
    spans: list[tuple[int, int]] = []
    for quote in quotes:
        start = text.find(quote)
        if start < 0 or not quote:
            continue
        end = start + len(quote)
        # `| a | b |`, `- a` and `## a` must still open their line, or they would no longer be a table, list or heading.
        opening = re.match(r"[\s|>#*+\-]*(?:\d+[.)]\s+)?", quote)
        start += opening.end() if opening else 0
        end -= len(quote) - len(quote.rstrip("| \t\r\n*_`"))
        if start < end:
            spans.append((start, end))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _text(tokens: Sequence[Any], index: int, _options: Any, env: Any) -> str:
    escaped = escape(tokens[index].content, quote=True)
    numbers = env.get("numbers", ())
    return re.sub(
        r"\[(\d{1,3})\]",
        lambda match: (
            f'<span class="docent-reference">{match.group()}</span>'
            if int(match.group(1)) in numbers
            else match.group()
        ),
        escaped,
    )


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20}).enable("table")
    parser.disable(["image", "link", "autolink", "reference", "html_block", "html_inline", "code"])
    rules = parser.renderer.rules  # type: ignore[attr-defined]
    rules["text"] = _text
    # A fence may name a language, which would become an attribute: fences are shown as plain blocks.
    rules["fence"] = rules["code_block"]
    rules["table_open"] = lambda *_: '<div class="docent-table"><table>'
    rules["table_close"] = lambda *_: "</table></div>"
    return parser


_PARSER = _parser()


def _render(text: str, numbers: Collection[int] = ()) -> str:
    return str(_PARSER.render(text, {"numbers": set(numbers)}))
