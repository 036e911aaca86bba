"""Tiny real encoders, trained for tests: a cross-encoder that prefers one word, and a bilingual sentence embedder."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def word_tokenizer(words: Sequence[str], longest: int = 128) -> Any:
    """A tokenizer of whole words and single Chinese characters, as BERT splits them; all other words are unknown."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *dict.fromkeys(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_max_length=longest,
    )  # fmt: skip


def build_cross_encoder(folder: Path, preferred: str, words: Sequence[str], labels: int = 1) -> Path:
    """A cross-encoder trained until a passage with the word `preferred` scores above .9 and one without below .1."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    draw = random.Random(5)
    others = sorted({word for word in words if word.isascii() and word.isalnum()} - {preferred})
    tokenizer = word_tokenizer([*others, preferred])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = BertForSequenceClassification(
            BertConfig(
                vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                intermediate_size=32, max_position_embeddings=128, num_labels=labels,
                hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
            )
        )  # fmt: skip
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(120 if labels == 1 else 0):
            passages = [draw.choices(others, k=draw.randint(4, 24)) for _ in range(32)]
            wanted = torch.tensor([float(number % 2) for number in range(32)])
            for passage in passages[1::2]:
                passage[draw.randrange(len(passage))] = preferred
            pairs = tokenizer(
                [" ".join(draw.choices(others, k=5)) for _ in passages],
                [" ".join(passage) for passage in passages],
                padding=True,
                return_tensors="pt",
            )
            logits = model(**pairs).logits[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_bilingual_embedder(folder: Path, pairs: Sequence[tuple[str, str]]) -> Path:
    """A sentence embedder that gives both texts of a pair, of whatever language, nearly the same direction.

    Trained with in-batch negatives: each text has to find its partner among those of the other pairs.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel

    from_bert = word_tokenizer(["a"]).backend_tokenizer
    words = [
        word
        for text in sum(pairs, ())
        for word, _ in from_bert.pre_tokenizer.pre_tokenize_str(from_bert.normalizer.normalize_str(text))
    ]
    tokenizer = word_tokenizer(words)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = BertModel(
            BertConfig(
                vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                intermediate_size=64, max_position_embeddings=128,
                hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
            )
        )  # fmt: skip
        bare = folder.with_name(f"{folder.name}-bare")
        model.save_pretrained(bare)
        tokenizer.save_pretrained(bare)
        transformer = Transformer(str(bare), max_seq_length=64)
        chain = SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())], device="cpu")
        optimizer = torch.optim.AdamW(chain.parameters(), lr=5e-3)
        for _ in range(60):
            first, second = (
                torch.nn.functional.normalize(chain(chain.preprocess(list(side)))["sentence_embedding"], dim=1)
                for side in zip(*pairs, strict=True)
            )
            loss = torch.nn.functional.cross_entropy(first @ second.T * 10, torch.arange(len(pairs)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    chain.eval().save_pretrained(str(folder))
    return folder
