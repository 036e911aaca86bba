"""A real Qwen checkpoint, small enough to make in a second: seeded random weights, a byte-level BPE trained on texts.

It generates nonsense, but it loads, reads ChatML and streams like a trained one. FAMILIES differ as the generations of
Qwen do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# ChatML with Qwen1.5's default system message, written by us: the reference for the project's own encoder.
CHAT_TEMPLATE = (
    "{%- if messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' ~ message.role ~ '\n' ~ message.content ~ '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
# Qwen3's, written by us: a thought of an earlier turn is left out; without thinking an empty thought is put first.
THINKING_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' ~ message.role ~ '\n' ~ message.content.split('</think>')[-1] ~ '<|im_end|>\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and not enable_thinking -%}{{ '<think>\n\n</think>\n\n' }}{%- endif -%}"
    "{%- endif -%}"
)
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# Qwen2's pre-tokenizer splits on this expression (transformers, models/qwen2/tokenization_qwen2.py).
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Family:
    """The differences between the generations.

    `more_tokens` are added tokens that are not special; `unused_rows` pad the embedding; `head_size` is set where heads
    are wider than the hidden size divided by their number, `shard_size` where the weights are several files.
    """

    model_type: str = "qwen2"
    key_value_heads: int = 4
    head_size: int = 32
    tied: bool = True
    rope_theta: float = 10_000.0
    template: str = CHAT_TEMPLATE
    more_tokens: tuple[str, ...] = ()
    unused_rows: int = 0
    shard_size: str = "1GB"


_TOOLS = ("<tool_call>", "</tool_call>", "<|fim_prefix|>")
FAMILIES = {
    "qwen1.5": Family(),
    "qwen2": Family(key_value_heads=2, rope_theta=1e6, unused_rows=37),
    "qwen2.5": Family(key_value_heads=2, rope_theta=1e6, more_tokens=_TOOLS, unused_rows=18, shard_size="500KB"),
    "qwen2.5-untied": Family(key_value_heads=2, rope_theta=1e6, more_tokens=_TOOLS, tied=False),
    "qwen3": Family(
        "qwen3", 2, 64, rope_theta=1e6, template=THINKING_TEMPLATE, more_tokens=(*_TOOLS, "<think>", "</think>"),
        unused_rows=18,
    ),
}  # fmt: skip


def build_tiny_qwen(
    folder: Path, texts: Sequence[str], vocabulary: int = 2000, seed: int = 7, family: str = "qwen1.5"
) -> Path:
    """Write the checkpoint into `folder` and return it: two layers of 128, `vocabulary` tokens, a context of 4,096."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = FAMILIES[family]
    folder.mkdir(parents=True, exist_ok=True)
    size, special = _write_tokenizer(folder, texts, vocabulary, kind)
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        kind.model_type,
        vocab_size=size + kind.unused_rows,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=kind.key_value_heads,
        max_position_embeddings=4096,
        rope_theta=kind.rope_theta,
        tie_word_embeddings=kind.tied,
        # Larger than a trained model's, so that the likeliest token depends on the prompt.
        initializer_range=0.2,
        bos_token_id=special["<|endoftext|>"],
        eos_token_id=special["<|im_end|>"],
        **({} if kind.head_size is None else {"head_dim": kind.head_size}),
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    for name, values in model.named_parameters():
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            torch.nn.init.uniform_(
                values, 0.5, 1.5
            )  # with their initial ones it would go unnoticed if they were left out
    model.generation_config.eos_token_id = [special["<|im_end|>"], special["<|endoftext|>"]]
    model.generation_config.pad_token_id = special["<|endoftext|>"]
    model.save_pretrained(folder, max_shard_size=kind.shard_size)
    return folder


def _write_tokenizer(folder: Path, texts: Sequence[str], vocabulary: int, kind: Family) -> tuple[int, dict[str, int]]:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL_TOKENS) - len(kind.more_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in kind.more_tokens])
    tokenizer.save(str(folder / "tokenizer.json"))
    configuration = {
        "tokenizer_class": "Qwen2Tokenizer",
        "chat_template": kind.template,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "model_max_length": 4096,
        "split_special_tokens": False,
        "added_tokens_decoder": {
            str(tokenizer.token_to_id(token)): {
                "content": token,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": token in SPECIAL_TOKENS,
            }
            for token in (*SPECIAL_TOKENS, *kind.more_tokens)
        },
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    return tokenizer.get_vocab_size(), {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}


def teach(folder: Path, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]]) -> None:
    """Train the checkpoint in `folder` to give each prompt its answer, word for word; a few seconds.

    A trained model is sure of its next token, as a real model is of a quotation. With random weights several tokens are
    almost equally likely, and rounding decides between them.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)  # more threads only slow down so small a model
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    batch = [
        (torch.tensor([[*prompt, *answer]]), torch.tensor([[-100] * len(prompt) + list(answer)]))
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    for _ in range(400):
        losses = [model(input_ids=ids, labels=labels).loss for ids, labels in batch]
        loss = torch.stack(losses).mean()
        if loss.item() < 0.02:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
