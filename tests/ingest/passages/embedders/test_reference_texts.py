"""The texts that a model is measured on."""

from __future__ import annotations

from ingest.base.language import is_chinese, terms
from ingest.passages.embedders.reference_texts import REFERENCE_ITEMS
from ingest.passages.sentences import is_question


def test_every_item_is_complete_and_in_its_languages() -> None:
    """Each has a question and a passage in both languages, and a passage asks nothing."""
    for item in REFERENCE_ITEMS:
        assert all(text == text.strip() != "" for text in item)
        assert not is_chinese(item.english_question) and not is_chinese(item.english_passage)
        assert is_chinese(item.chinese_question) and is_chinese(item.chinese_passage)
        assert is_question(item.english_question) and is_question(item.chinese_question)
        assert not is_question(item.english_passage) and not is_question(item.chinese_passage)


def test_no_text_is_there_twice() -> None:
    """Two items with the same text would count an answer as unrelated."""
    texts = [text for item in REFERENCE_ITEMS for text in item]
    assert len(set(texts)) == len(texts)


def test_words_alone_do_not_tell_which_passage_answers() -> None:
    """An English question and its passage share at most a quarter of its words: the meaning has to be read."""
    for item in REFERENCE_ITEMS:
        asked = set(terms(item.english_question))
        assert len(asked & set(terms(item.english_passage))) <= len(asked) / 4, item.english_question
