"""`docent search --explain`: how each passage was scored, and whether the passages answer the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from ui.cli.terminal.output import print_json, print_line

if TYPE_CHECKING:
    from rich.console import Console

    from assistant.refuse.explain_answerability import AnswerabilityExplanation
    from ingest.library import Library
    from ingest.search.explain import ExplainedHit, SearchExplanation

NOTHING_FOUND = "No passage found: none shares a word with the question or is close to it in meaning."
# More of the question's words than these would bury the ones that count.
_WORDS = 8
_QUOTED = 160
_NEAREST = 3
_COLUMN = 12
_COSINES = {
    "passage_cosine": "whole passage",
    "best_sentence_cosine": "best sentence",
    "surroundings_cosine": "section",
}
_FACTORS = {"older_version": "an older version of {newer}", "yes_or_no": "opens with the yes or no that was asked for"}
_PARTS = {
    "document_cover": "words of the question in what was found of the best document",
    "passage_cover": "words of the question in the best passage",
    "sentence_cover": "words of the question in the best sentence",
    "sentence_cosine": "meaning of the best sentence",
    "passage_cosine": "meaning of the best passage",
    "lacks_name": "something the question names is not in the best passage",
}


def explain_search(library: Library, question: str, count: int, passages: int, as_json: bool) -> None:
    """Search for the question and print how the `count` best passages were scored.

    `passages` is the number of passages that an answer draws on; the confidence depends on it.
    """
    from assistant.refuse.explain_answerability import explain_answerability

    explanation = library.explain(question, count)
    verdict = explain_answerability(library, question, passages)
    if as_json:
        print_json({**asdict(explanation), "verdict": verdict.to_json()})
        return
    from rich.console import Console

    console = Console()
    _show_question(console, explanation)
    for hit in explanation.hits:
        _show_hit(console, explanation, hit)
    _show_verdict(console, explanation, verdict)


def _row(console: Console, name: str, text: str, indent: int = 0, column: int = _COLUMN) -> None:
    """A name and its text, which is wrapped under itself; Chinese characters are two columns wide."""
    from rich.text import Text

    lines = Text(text).wrap(console, max(20, console.width - indent - column))
    for line in lines:
        print_line(f"{' ' * indent}{name:<{column}}{line.plain.rstrip()}")
        name = ""


def _show_question(console: Console, told: SearchExplanation) -> None:
    _row(console, "question", told.question)
    if told.unknown_share == 0:
        read = f"{told.embedder} knows every token of the question: meaning has its full vote"
    else:
        read = f"{told.embedder} does not know {_share(told.unknown_share)} of the question's tokens: meaning has " + (
            f"{_share(told.dense_weight)} of its vote (1 at none, 0 from {_share(told.unreadable_share)} on)"
            if told.dense_weight > 0
            else f"no vote (none from {_share(told.unreadable_share)} on), words decide alone"
        )
    _row(console, "meaning", read)
    known = [f"{word.shown} {_share(word.share)}" for word in told.words if word.known]
    unknown = [f"{word.shown} {_share(word.share)}" for word in told.words if not word.known]
    _row(console, "words", f"worth at most {_listed(known)}" if known else "none that any passage has")
    if unknown:
        _row(console, "", f"in no passage: {_listed(unknown)}")
    formula = f"({told.dense_weight:.2f} × meaning + {told.lexical_weight:g} × words) × factors"
    _row(console, "score", f"{formula}; ranks are among {told.candidates} candidates")
    if told.reranker:
        last = f"{told.reranker} reads the best once more and decides their order"
        _row(console, "reranker", told.reranker_problem or last)


def _show_hit(console: Console, told: SearchExplanation, hit: ExplainedHit) -> None:
    place = " · ".join(part for part in (hit.hit.path, hit.hit.page, hit.hit.heading) if part)
    click.echo()
    _row(console, f"{hit.hit.rank}.", place, column=3)
    factors = "".join(f" × {factor:g}" for factor in hit.factors.values())
    mean, lexical = _share(hit.mean_cosine.value), _share(hit.lexical)
    added = f"{told.dense_weight:.2f} × {mean} + {told.lexical_weight:g} × {lexical}"
    _row(console, "score", f"{hit.fused:.3f} = {f'({added})' if factors else added}{factors}", 3)
    if hit.reranked is not None:
        _row(console, "reranked", f"{hit.reranked:.3f} by the cross-encoder", 3)
    if told.dense_weight > 0:
        cosines = (
            f"{name} {_share(cosine.value)} (rank {cosine.rank})"
            for name, cosine in ((text, getattr(hit, field)) for field, text in _COSINES.items())
        )
        _row(console, "meaning", f"{mean} (rank {hit.mean_cosine.rank}): {', '.join(cosines)}", 3)
    if hit.nearest_sentence:
        _row(console, "", f"best sentence: “{_cut(hit.nearest_sentence)}”", 3)
    shown = {word.term: word for word in told.words}
    found = [f"{shown[term].shown} {_share(share)}" for term, share in hit.words.items()]
    missing = [word.shown for word in told.words if word.known and word.term not in hit.words]
    if found:
        _row(console, "words", f"{lexical} (rank {hit.lexical_rank}): {_listed(found)}", 3)
    if missing:
        _row(console, "" if found else "words", f"not in it: {_listed(missing)}", 3)
    for name, factor in hit.factors.items():
        _row(console, "factor", f"× {factor:g}: {_FACTORS[name].format(newer=hit.hit.newer)}", 3)
    _row(console, "why here", _why(told, hit), 3)


def _why(told: SearchExplanation, hit: ExplainedHit) -> str:
    """Which leg lifts this hit above the candidate in the middle, and by what."""
    leads = f"meaning {hit.dense_lead:+.3f}, words {hit.lexical_lead:+.3f} against the middle candidate"
    nearest = min(_COSINES, key=lambda name: (getattr(hit, name).rank, -getattr(hit, name).value))
    best = max(hit.words, key=lambda term: hit.words[term], default="")
    word = next((word.shown for word in told.words if word.term == best), "")
    if max(hit.dense_lead, hit.lexical_lead) <= 0:
        return f"no better than the middle one of what was found ({leads})"
    if hit.dense_lead >= hit.lexical_lead:
        return f"most by its meaning, the {_COSINES[nearest]} first of all ({leads})"
    return f"most by its words, “{word}” first of all ({leads})"


def _show_verdict(console: Console, told: SearchExplanation, verdict: AnswerabilityExplanation) -> None:
    from assistant.refuse.explain_answerability import ANSWER

    click.echo()
    if not told.hits:
        _row(console, "", NOTHING_FOUND, column=0)
    certain = f"{verdict.confidence:.3f} that the documents answer this"
    limits = f"the assistant answers from {verdict.threshold:.3f} on, with a caution below {verdict.caution:.3f}"
    _row(console, "confidence", f"{certain}; {limits}")
    shown = [part for part in verdict.parts if verdict.dense_weight > 0 or not part.name.endswith("cosine")]
    for part in shown:
        name = _PARTS.get(part.name, part.name)
        _row(console, "", f"{_share(part.value)}  {name}; without it {part.without:.3f}")
    for sentence in verdict.evidence[:1]:
        _row(console, "evidence", f"“{_cut(sentence.shown)}”")
    if verdict.decision == ANSWER:
        most = min(shown, key=lambda part: part.without)
        _row(console, "so", f"it would answer. What speaks most for that: {_PARTS.get(most.name, most.name)}.")
        return
    nearest = ", ".join(verdict.nearest[:_NEAREST]) or "none"
    _row(console, "so", "it would say that the documents do not say, and not ask the model: too little of the question "
         f"is found together in one place. It would name the nearest documents: {nearest}.")  # fmt: skip


def _share(value: float) -> str:
    """A share or cosine with three places and without the 0 before the point: '.412', '1.000', '-.031'."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _listed(words: Sequence[str]) -> str:
    rest = len(words) - _WORDS
    return ", ".join(words[:_WORDS]) + (f" and {rest} more" if rest > 0 else "")


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"
