"""Conversion parity: how well the next-token distributions of a converted model agree with the original's.

Both models read the same fixed prompts. At every position their distributions over the vocabulary are compared by
Kullback–Leibler divergence (Kullback and Leibler, Annals of Mathematical Statistics 1951) and by the most likely token.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from llama_index.core.llms import ChatMessage, MessageRole

from assistant.answer import chatml
from ingest.base.int8_weights import openvino_options

# Above this mean divergence, in nats, rounding has changed the model's answers. Q8_0 with random weights gave 0.0002
# for the exact architecture of Qwen1.5-0.5B and 0.01 for a model of two layers of 64.
MOST_DIVERGENCE = 0.02
# Smallest share of positions at which both models have the same most likely token. It was 0.96 and 0.90 for those two:
# with random weights many tokens are almost equally likely, with trained weights few are.
LEAST_SAME_CHOICE = 0.85
_PROMPTS = (
    ("You answer from the passages.", "[1] Employees get 22 days of annual leave a year.\n\nQuestion: How many days?"),
    ("根据资料回答。", "[1] 员工每年有22天年假，未休的年假可以结转到次年三月。\n\n问题：年假有多少天？"),
    (
        "Answer briefly.",
        "[1] | City | Limit |\n| --- | --- |\n| Berlin | 140 |\n\nQuestion: What is the limit in Berlin?",
    ),
)


@dataclass(frozen=True)
class Parity:
    """`divergence`: mean KL in nats; `same_choice`: share of `positions` with the same most likely token."""

    divergence: float
    same_choice: float
    positions: int

    @property
    def problem(self) -> str:
        """Why this model must not be used, in one sentence; '' when it may be used."""
        if self.divergence > MOST_DIVERGENCE or self.same_choice < LEAST_SAME_CHOICE:
            return (
                f"it disagrees with the original (divergence {self.divergence:.4f}, at most {MOST_DIVERGENCE}; "
                f"same choice {self.same_choice:.2f}, at least {LEAST_SAME_CHOICE})"
            )
        return ""


def compare(checkpoint: Path, model_file: Path) -> Parity:
    """The parity of the OpenVINO model with the checkpoint, which is loaded into memory in float32 for some seconds."""
    from assistant.models.tokens import load_tokenizer

    tokenizer = load_tokenizer(checkpoint)
    prompts = [
        chatml.encode(
            [ChatMessage(role=MessageRole.SYSTEM, content=system), ChatMessage(role=MessageRole.USER, content=user)],
            tokenizer,
        )
        for system, user in _PROMPTS
    ]
    return measure(_original_logits(checkpoint, prompts), _converted_logits(model_file, prompts))


def measure(original: list[Any], converted: list[Any]) -> Parity:
    """The parity of two lists of logits, one pair for each prompt, each of shape (positions, vocabulary)."""
    divergences, same = [], []
    for reference, candidate in zip(original, converted, strict=True):
        p, q = _log_softmax(reference), _log_softmax(candidate)
        divergences.append((np.exp(p) * (p - q)).sum(axis=-1))
        same.append(reference.argmax(axis=-1) == candidate.argmax(axis=-1))
    return Parity(
        divergence=round(float(np.concatenate(divergences).mean()), 6),
        same_choice=round(float(np.concatenate(same).mean()), 4),
        positions=int(sum(len(matches) for matches in same)),
    )


def _original_logits(checkpoint: Path, prompts: list[list[int]]) -> list[Any]:
    """The logits of the checkpoint in float32, of shape (positions, vocabulary) for each prompt."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float32, use_safetensors=True, local_files_only=True
    ).eval()
    with torch.inference_mode():
        return [model(torch.tensor([prompt])).logits[0].numpy() for prompt in prompts]


def _converted_logits(model_file: Path, prompts: list[list[int]]) -> list[Any]:
    """The logits of the OpenVINO model, of shape (positions, vocabulary) for each prompt."""
    import openvino

    # With the same rounding of activations as in the engine.
    model = openvino.Core().compile_model(model_file, "CPU", openvino_options())
    logits = []
    for prompt in prompts:
        request = model.create_infer_request()
        ids = np.array([prompt], np.int64)
        result = request.infer(
            {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "position_ids": np.arange(len(prompt), dtype=np.int64)[None],
                "beam_idx": np.zeros(1, np.int32),
            }
        )
        logits.append(np.array(result[0][0]))
    return logits


def _log_softmax(logits: Any) -> Any:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
