"""What the page shows of a turn, as HTML that no document can write into. Knows neither Streamlit nor the assistant.

Answers and passages are text from outside: a document may hold HTML, images or links, and a model may repeat them.
They are therefore rendered here by a Markdown parser whose images, links and raw HTML are switched off, so what
reaches the browser holds only the few tags below, no address, and nothing the browser would fetch.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from assistant.events import Citation, EvidenceSentence, Source
from ingest.store.write_lock import INGESTING
from ui.cli.terminal import duration
from ui.page.strings import Words

if TYPE_CHECKING:
    from ingest.library import LibraryStatus

# Private-use characters stand for the ends of a highlight while Markdown is rendered.
MARK_START, MARK_END = "\ue000", "\ue001"
STYLE = """<style>
:root { --docent-accent: light-dark(#1b7a63, #5ec3a6); }
[data-testid="stStatusWidget"], [data-testid="stDecoration"], [data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { max-width: 46rem; padding: 0 1rem 1.5rem; }
:has(> .st-key-header) { position: sticky; top: 0; z-index: 90; }
.st-key-header { padding: 1rem 0 0.6rem;
  background: light-dark(#ffffffe6, #171715e6); backdrop-filter: blur(10px); }
.docent-brand { font-size: 1.25rem; font-weight: 650; letter-spacing: -0.01em; }
.docent-welcome { margin: 10vh 0 1.25rem; }
.docent-welcome h1 { font-size: 1.9rem; font-weight: 650; letter-spacing: -0.02em; padding: 0; margin: 0 0 0.4rem; }
.docent-welcome p, .docent-quiet { opacity: 0.7; }
.docent-quiet { font-size: 0.875rem; }
.docent-label { font-size: 0.8125rem; font-weight: 600; opacity: 0.6; margin: 0.5rem 0 0.4rem; }
.docent-question { width: fit-content; max-width: 85%; margin: 0.75rem 0 0.25rem auto; padding: 0.55rem 0.9rem;
  border-radius: 1.1rem 1.1rem 0.25rem 1.1rem; background: color-mix(in srgb, currentColor 8%, transparent);
  white-space: pre-wrap; overflow-wrap: anywhere; }
.docent-text { line-height: 1.65; overflow-wrap: anywhere; }
.docent-text p { margin: 0 0 0.7rem; }
.docent-text h1, .docent-text h2, .docent-text h3, .docent-text h4, .docent-text h5, .docent-text h6 {
  font-size: 1em; font-weight: 650; padding: 0; margin: 0.6rem 0 0.3rem; letter-spacing: 0; line-height: 1.5; }
.docent-text ul, .docent-text ol { margin: 0 0 0.7rem; padding-left: 1.4rem; }
.docent-text pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.6rem 0.8rem; border-radius: 0.5rem;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.docent-text code { font-size: 0.9em; background: color-mix(in srgb, currentColor 6%, transparent); color: inherit; }
.docent-table { overflow-x: auto; margin: 0 0 0.7rem; }
.docent-text table { border-collapse: collapse; font-size: 0.9em; margin: 0; }
.docent-text th, .docent-text td { padding: 0.3rem 0.6rem; text-align: left; overflow-wrap: normal;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.docent-text mark { background: #ffe58a; color: #1d1d1b; border-radius: 0.2em; padding: 0.05em 0.1em; }
.docent-reference { font-size: 0.8em; font-weight: 600; color: var(--docent-accent); white-space: nowrap; }
.docent-source { border: 1px solid color-mix(in srgb, currentColor 15%, transparent); border-radius: 0.6rem;
  margin: 0 0 0.4rem; overflow: hidden; }
.docent-source > summary, .docent-others > summary { cursor: pointer; list-style: none; }
.docent-source > summary { display: flex; gap: 0.55rem; align-items: baseline; padding: 0.5rem 0.8rem;
  font-size: 0.9rem; }
.docent-source > summary::-webkit-details-marker, .docent-others > summary::-webkit-details-marker { display: none; }
.docent-source > summary:hover { background: color-mix(in srgb, currentColor 4%, transparent); }
.docent-source > summary:focus-visible, .docent-others > summary:focus-visible {
  outline: 2px solid var(--docent-accent); }
.docent-source > summary::after, .docent-others > summary::after { content: "›"; margin-left: auto; opacity: 0.5;
  transition: transform 0.15s; }
.docent-source[open] > summary::after, .docent-others[open] > summary::after { transform: rotate(90deg); }
.docent-number { font-weight: 650; color: var(--docent-accent); }
.docent-title { overflow-wrap: anywhere; min-width: 0; }
.docent-place { opacity: 0.65; }
.docent-passage { padding: 0.3rem 0.9rem 0.7rem; font-size: 0.9rem; max-height: 22rem; overflow-y: auto;
  border-top: 1px solid color-mix(in srgb, currentColor 10%, transparent); }
.docent-passage .docent-text :is(p, li, ul, ol, h1, h2, h3, h4, h5, h6) { font-size: 0.9rem; }
.docent-passage .docent-text { line-height: 1.55; padding-top: 0.4rem; }
.docent-passage a, .docent-passage a:visited { color: var(--docent-accent); font-weight: 600; text-decoration: none; }
.docent-passage a:hover { text-decoration: underline; }
.docent-others { margin: 0.2rem 0 0.4rem; }
.docent-others > summary { display: flex; gap: 0.4rem; width: fit-content; font-size: 0.8125rem; opacity: 0.7;
  padding: 0.25rem 0; }
.docent-caution { font-size: 0.9rem; padding: 0.45rem 0.8rem; border-left: 3px solid #d08700; margin: 0 0 0.4rem;
  background: color-mix(in srgb, #d08700 10%, transparent); border-radius: 0 0.4rem 0.4rem 0; overflow-wrap: anywhere; }
.docent-banner { font-size: 0.875rem; padding: 0.55rem 0.9rem; border-radius: 0.6rem; overflow-wrap: anywhere;
  background: color-mix(in srgb, currentColor 6%, transparent); }
.docent-state { font-size: 0.9rem; opacity: 0.7; margin: 0 0 0.5rem; }
</style>"""


@dataclass(frozen=True)
class Shown:
    """One answer to draw, from the record or still being written."""

    answer: str
    sources: Sequence[Source] = ()
    citations: Sequence[Citation] = ()
    evidence: Sequence[EvidenceSentence] = ()
    abstained: bool = False
    unsupported: Sequence[str] = ()
    finish_reason: str = "stop"
    searched: str = ""
    caution: bool = False

    @property
    def numbers(self) -> set[int]:
        return {source.n for source in self.sources}


def question_html(question: str) -> str:
    return f'<div class="docent-question">{escape(question)}</div>'


def note_html(text: str, kind: str = "state") -> str:
    """One line of the page's own: `state`, `banner`, `caution`, `label` or `quiet`. Backticks mark commands."""
    line = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    role = ' role="status"' if kind == "state" else ""
    return f'<div class="docent-{kind}"{role}>{line}</div>'


def is_growing(library: LibraryStatus) -> bool:
    """Whether documents are being taken in; a rebuild or a restore goes on unseen, answers stay what they were."""
    return library.building and (library.work is None or library.work.doing == INGESTING)


def building_html(library: LibraryStatus, words: Words) -> str:
    """The banner while documents are being read: how far that is and how long it still takes, once that is known."""
    line, work = words.library_building.format(documents=library.documents), library.work
    if work is not None and work.total:
        line += words.building_progress.format(done=work.done, total=work.total)
        line += words.building_left.format(duration=duration(work.left, words.units)) if work.left else ""
        line += "." if words.language == "en" else "。"
    return note_html(line, "banner")


def welcome_html(words: Words) -> str:
    return f'<div class="docent-welcome"><h1>{escape(words.welcome)}</h1><p>{escape(words.introduction)}</p></div>'


def answer_html(text: str, numbers: Collection[int] = ()) -> str:
    """The answer's Markdown; `[n]` stands out where `n` is one of the sources' numbers."""
    return f'<div class="docent-text docent-answer">{_render(text, numbers)}</div>'


def turn_html(shown: Shown, words: Words, problem: str = "") -> str:
    """A finished turn below its question: the answer, what to know about it, and its sources."""
    if problem:
        return note_html(problem, "caution")
    if shown.abstained:
        answer = note_html(shown.answer or words.abstained, "banner")
    else:
        answer = answer_html(shown.answer, shown.numbers) if shown.answer else ""
    return searched_html(shown, words) + answer + cautions_html(shown, words) + sources_html(shown, words)


def searched_html(shown: Shown, words: Words) -> str:
    """What was searched for in place of a question that leans on the ones before it; empty when it stood alone."""
    return note_html(words.searched.format(question=shown.searched), "quiet") if shown.searched else ""


def cautions_html(shown: Shown, words: Words) -> str:
    """What a reader must know before relying on the answer: one line each, empty when there is nothing."""
    cautions = [words.caution] if shown.caution and shown.answer else []
    cautions += [words.unsupported.format(sentence=sentence) for sentence in shown.unsupported]
    stopped = words.stopped if shown.answer else words.stopped_empty
    ending = {"length": words.cut_short, "timeout": words.timed_out, "stopped": stopped}.get(shown.finish_reason)
    return "".join(note_html(line, "caution") for line in ([*cautions, ending] if ending else cautions))


def sources_html(shown: Shown, words: Words, label: str | None = None) -> str:
    """The sources as cards: first those the answer cites, then, folded away, the others."""
    cited = {citation.n for citation in shown.citations}
    if not shown.sources:
        return ""
    if shown.abstained:
        cards = "".join(_card(source, shown, words) for source in shown.sources[:3])
        return f'<div class="docent-label">{escape(words.nearest)}</div>{cards}'
    # Before the answer is checked, the sources that hold evidence stand in for the cited ones.
    first = cited or {sentence.n for sentence in shown.evidence} or {source.n for source in shown.sources}
    cards = "".join(_card(source, shown, words) for source in shown.sources if source.n in first)
    others = [_card(source, shown, words) for source in shown.sources if source.n not in first]
    folded = ""
    if others:
        summary = escape(words.other_passages.format(count=len(others)))
        folded = f'<details class="docent-others"><summary>{summary}</summary>{"".join(others)}</details>'
    return f'<div class="docent-label">{escape(label or words.sources)}</div>{cards}{folded}'


def _card(source: Source, shown: Shown, words: Words) -> str:
    # Most documents open with their title as a heading; saying it twice helps nobody.
    heading = "" if source.heading == source.title else source.heading.removeprefix(f"{source.title} › ")
    citations = [citation for citation in shown.citations if citation.n == source.n]
    page = citations[0].page if citations else source.page
    heading = "" if page.endswith(heading) else heading
    place = " · ".join(part for part in (page, heading) if part)
    quotes = [citation.quote for citation in citations]
    quotes = quotes or [sentence.text for sentence in shown.evidence if sentence.n == source.n]
    trail = f' <span class="docent-place">— {escape(place)}</span>' if place else ""
    return (
        f'<details class="docent-source"><summary><span class="docent-number">[{source.n}]</span>'
        f'<span class="docent-title">{escape(source.title)}{trail}</span></summary>'
        f'<div class="docent-passage"><div class="docent-text">{passage_html(source.text, quotes)}</div>'
        f'<a href="{document_address(source, page)}" target="_blank">{escape(words.open_original)}</a> '
        f'<span class="docent-place">{escape(source.path)}</span>{_versions(source, words)}</div></details>'
    )


def _versions(source: Source, words: Words) -> str:
    replaced = words.replaces.format(names=", ".join(source.replaces)) if source.replaces else ""
    newer = words.newer.format(name=source.newer) if source.newer else ""
    return "".join(note_html(line, "quiet") for line in (replaced, newer) if line)


def document_address(source: Source, label: str) -> str:
    """Where the server opens the original file, at the page of this label when it is a PDF."""
    page = re.search(r"\d+", label)
    at_page = f"#page={page.group()}" if page and PurePath(source.path).suffix.lower() == ".pdf" else ""
    return f"/documents/{source.document_id}{at_page}"


def passage_html(text: str, quotes: Sequence[str]) -> str:
    """The passage's Markdown with each quote that stands in it highlighted."""
    plain = text.replace(MARK_START, "").replace(MARK_END, "")
    for start, end in reversed(_spans(plain, quotes)):
        plain = f"{plain[:start]}{MARK_START}{plain[start:end]}{MARK_END}{plain[end:]}"
    pieces = re.split(f"{MARK_START}([^{MARK_END}]*){MARK_END}", _render(plain))
    # A quote may run over table cells or list items: it is highlighted inside each, never across their tags.
    for place in range(1, len(pieces), 2):
        pieces[place] = "".join(
            piece if piece.startswith("<") or not piece.strip() else f"<mark>{piece}</mark>"
            for piece in re.split(r"(<[^>]*>)", pieces[place])
        )
    return "".join(pieces).replace(MARK_START, "").replace(MARK_END, "")


def _spans(text: str, quotes: Sequence[str]) -> list[tuple[int, int]]:
    """Where the quotes stand, in order and without overlaps, less the Markdown that opens or closes their lines."""
    found: list[tuple[int, int]] = []
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
            found.append((start, end))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
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
