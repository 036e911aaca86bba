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
# At most this many words of the question are listed, the heaviest first.
_LISTED_WORDS = 8
_QUOTED_CHARACTERS = 160
_NEAREST_DOCUMENTS = 3
_LABEL_COLUMNS = 13
_COSINES = {
    "passage_cosine": "whole passage",
    "best_sentence_cosine": "best sentence",
}
_STEPS = {
    "older_version": "an older version of {newer}",
    "yes_or_no": "begins with yes or no, which the question asks for",
}
_PARTS = {
    "document_cover": "question words in the passages of the best document",
    "passage_cover": "question words in the best passage",
    "sentence_cover": "question words in the best sentence",
    "sentence_similarity": "similarity of the best sentence",
    "passage_similarity": "similarity of the best passage",
    "across": "1 if the best passage is in another language than the question",
    "lacks_name": "1 if the best passage lacks a name or number of the question",
}


def explain_search(library: Library, question: str, count: int, passages: int, as_json: bool) -> None:
    """Search for the question and print how the `count` best passages were scored.

    `passages` is how many passages are retrieved for an answer; the confidence depends on it.
    """
    from assistant.refuse.explain_answerability import explain_answerability

    explanation = library.explain(question, count)
    answerability = explain_answerability(library, question, passages)
    if as_json:
        print_json({**asdict(explanation), "verdict": answerability.to_json()})
        return
    from rich.console import Console

    console = Console()
    _show_question(console, explanation, library.embedder_problem)
    for hit in explanation.hits:
        _show_hit(console, explanation, hit)
    _show_answerability(console, explanation, answerability)


def _row(console: Console, label: str, text: str, indent: int = 0, column: int = _LABEL_COLUMNS) -> None:
    """Print a label and its text, which is wrapped in a column of its own; a Chinese character takes two columns."""
    from rich.text import Text

    lines = Text(text).wrap(console, max(20, console.width - indent - column))
    for line in lines:
        print_line(f"{' ' * indent}{label:<{column}}{line.plain.rstrip()}")
        label = ""


def _show_question(console: Console, search: SearchExplanation, embedder_problem: str) -> None:
    _row(console, "question", search.question)
    _row(console, "embedding", f"weight 0: {embedder_problem}" if embedder_problem else _embedding_weight(search))
    known = [f"{word.shown} {_share(word.share)}" for word in search.words if word.known]
    unknown = [f"{word.shown} {_share(word.share)}" for word in search.words if not word.known]
    _row(console, "words", f"weights {_listed(known)}" if known else "no passage has any of them")
    if unknown:
        _row(console, "", f"in no passage: {_listed(unknown)}")
    words = f"{search.lexical_weight:g} × BM25^{search.lexical_power:g}"
    formula = f"{search.dense_weight:.2f} × similarity + {words} + steps"
    _row(console, "score", f"{formula}; ranks are among {search.candidates} candidates")
    if search.reranker:
        order = f"{search.reranker} reads the best passages and decides their order"
        _row(console, "reranker", search.reranker_problem or order)


def _embedding_weight(search: SearchExplanation) -> str:
    """How much the cosines count, and why."""
    if search.language_weight < 1 and search.dense_weight > 0:
        return f"weight {search.dense_weight:.2f}: {search.embedder} reads the language of the question badly"
    if search.language_weight == 0:
        return f"weight 0: {search.embedder} does not read the language of the question, so only words are compared"
    if search.unknown_share == 0:
        return f"weight 1: {search.embedder} knows every token of the question"
    unknown = f"{search.embedder} does not know {search.unknown_share:.0%} of the question's tokens"
    if search.dense_weight > 0:
        return f"weight {search.dense_weight:.2f}: {unknown}"
    return f"weight 0: {unknown} (limit {search.unreadable_share:.0%}), so only words are compared"


def _show_hit(console: Console, search: SearchExplanation, hit: ExplainedHit) -> None:
    location = " · ".join(part for part in (hit.hit.path, hit.hit.page, hit.hit.heading) if part)
    click.echo()
    _row(console, f"{hit.hit.rank}.", location, column=3)
    steps = "".join(f" {'-' if step < 0 else '+'} {abs(step):g}" for step in hit.steps.values())
    similarity, lexical = f"{hit.similarity:.2f}", _share(hit.lexical)
    words = f"{search.lexical_weight:g} × {lexical}^{search.lexical_power:g}"
    _row(console, "score", f"{hit.fused:.3f} = {search.dense_weight:.2f} × {similarity} + {words}{steps}", 3)
    if hit.reranked is not None:
        _row(console, "reranked", f"{hit.reranked:.3f} by the cross-encoder", 3)
    if search.dense_weight > 0:
        cosines = (
            f"{name} {_share(cosine.value)} (rank {cosine.rank})"
            for name, cosine in ((text, getattr(hit, field)) for field, text in _COSINES.items())
        )
        _row(console, "similarity", f"{similarity}: cosines {', '.join(cosines)}", 3)
    if hit.nearest_sentence:
        _row(console, "", f"best sentence: “{_cut(hit.nearest_sentence)}”", 3)
    shown = {word.term: word for word in search.words}
    present = [f"{shown[term].shown} {_share(share)}" for term, share in hit.words.items()]
    absent = [word.shown for word in search.words if word.known and word.term not in hit.words]
    if present:
        _row(console, "BM25", f"{lexical} (rank {hit.lexical_rank}): {_listed(present)}", 3)
    if absent:
        _row(console, "" if present else "BM25", f"not in the passage: {_listed(absent)}", 3)
    for name, step in hit.steps.items():
        _row(console, "step", f"{step:+g}: {_STEPS[name].format(newer=hit.hit.newer)}", 3)
    _row(console, "reason", _reason(search, hit), 3)


def _reason(search: SearchExplanation, hit: ExplainedHit) -> str:
    """Whether embeddings or words put this hit above the median candidate, and by how much."""
    leads = f"against the median candidate: embedding {hit.dense_lead:+.3f}, words {hit.lexical_lead:+.3f}"
    nearest = min(_COSINES, key=lambda name: (getattr(hit, name).rank, -getattr(hit, name).value))
    heaviest = max(hit.words, key=lambda term: hit.words[term], default="")
    word = next((word.shown for word in search.words if word.term == heaviest), "")
    if max(hit.dense_lead, hit.lexical_lead) <= 0:
        return f"no better than the median candidate ({leads})"
    if hit.dense_lead >= hit.lexical_lead:
        return f"mostly the embedding, above all of the {_COSINES[nearest]} ({leads})"
    return f"mostly the words, above all “{word}” ({leads})"


def _show_answerability(console: Console, search: SearchExplanation, answerability: AnswerabilityExplanation) -> None:
    from assistant.refuse.explain_answerability import ANSWER

    click.echo()
    if not search.hits:
        _row(console, "", NOTHING_FOUND, column=0)
    confidence = f"{answerability.confidence:.3f} that the documents answer the question"
    limits = f"answered from {answerability.threshold:.3f}, without a caution from {answerability.caution:.3f}"
    _row(console, "confidence", f"{confidence}; {limits}")
    read = answerability.dense_weight > 0
    parts = [part for part in answerability.parts if read or not part.name.endswith("similarity")]
    for part in parts:
        description = _PARTS.get(part.name, part.name)
        _row(console, "", f"{_share(part.value)}  {description} ({part.without:.3f} without it)")
    for sentence in answerability.evidence[:1]:
        _row(console, "evidence", f"“{_cut(sentence.shown)}”")
    if answerability.decision == ANSWER:
        strongest = min(parts, key=lambda part: part.without)
        reason = _PARTS.get(strongest.name, strongest.name)
        _row(console, "decision", f"The assistant would answer. The strongest reason: {reason}.")
        return
    nearest = ", ".join(answerability.nearest[:_NEAREST_DOCUMENTS]) or "none"
    decision = (
        "The assistant would say that the documents do not say, without asking a model: too few words of the question "
        f"are found together in one place. It would name the nearest documents: {nearest}."
    )
    _row(console, "decision", decision)


def _share(value: float) -> str:
    """A share or cosine with three places and without the 0 before the point: '.412', '1.000', '-.031'."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def _listed(words: Sequence[str]) -> str:
    rest = len(words) - _LISTED_WORDS
    return ", ".join(words[:_LISTED_WORDS]) + (f" and {rest} more" if rest > 0 else "")


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTED_CHARACTERS else f"{text[: _QUOTED_CHARACTERS - 1]}…"
