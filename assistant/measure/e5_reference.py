"""What multilingual-e5-small is compared with: the same weights in float32, as sentence-transformers runs them.

It needs torch, transformers and sentence-transformers.
"""

from __future__ import annotations

import tempfile
from typing import Any

from ingest.passages.embedders.e5_file import E5File, E5Vocabulary

# Docent's name of a tensor → that of transformers; `{}` is the number of the layer.
_LAYER_NAMES = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip


def sentence_transformer(source: E5File) -> Any:
    """The model in float32 and its tokenizer as a `SentenceTransformer`, with mean pooling and vectors of length 1."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    with tempfile.TemporaryDirectory() as folder:  # a Transformer is only made from files
        bert_model(source).save_pretrained(folder)
        fast_tokenizer(source.vocabulary, source.sizes.positions).save_pretrained(folder)
        transformer = Transformer(folder, max_seq_length=source.sizes.positions)
    return SentenceTransformer(modules=[transformer, Pooling(source.sizes.hidden), Normalize()], device="cpu")


def bert_model(source: E5File) -> Any:
    """The `transformers.BertModel` with these weights, in float32 and evaluation mode."""
    import torch
    from transformers import BertConfig, BertModel

    sizes = source.sizes
    config = BertConfig(
        vocab_size=sizes.vocabulary, hidden_size=sizes.hidden, num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads, intermediate_size=sizes.inner, max_position_embeddings=sizes.positions,
        type_vocab_size=sizes.types, layer_norm_eps=sizes.epsilon, hidden_act="gelu",
        pad_token_id=source.vocabulary.padding,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False)
    tensors = {name: torch.from_numpy(weights.copy()) for name, weights in _tensors(source).items()}
    model.load_state_dict(tensors)
    return model.eval()


def fast_tokenizer(vocabulary: E5Vocabulary, longest: int) -> Any:
    """The tokenizer of the `tokenizers` package with this vocabulary, for sentence-transformers."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = vocabulary.pieces
    begin, end = pieces[vocabulary.begin][0], pieces[vocabulary.end][0]
    tokenizer = Tokenizer(models.Unigram(list(pieces), vocabulary.unknown, False))
    replaced = [normalizers.Replace(character, text) for character, text in vocabulary.replaced.items()]
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), *replaced, normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, vocabulary.begin), (end, vocabulary.end)]
    )
    names = {"unk_token": vocabulary.unknown, "pad_token": vocabulary.padding}
    special = {name: pieces[token_id][0] for name, token_id in names.items()}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=begin, eos_token=end, cls_token=begin, sep_token=end,
        model_max_length=longest, **special,
    )  # fmt: skip


def _tensors(source: E5File) -> dict[str, Any]:
    """Name in `BertModel` → weights as float32."""
    sizes = source.sizes
    hidden, inner = sizes.hidden, sizes.inner
    tensors = {
        "embeddings.word_embeddings.weight": source.matrix("emb.word", sizes.vocabulary, hidden),
        "embeddings.position_embeddings.weight": source.vector("emb.pos", sizes.positions * hidden).reshape(-1, hidden),
        "embeddings.token_type_embeddings.weight": source.vector("emb.type", sizes.types * hidden).reshape(-1, hidden),
        "embeddings.LayerNorm.weight": source.vector("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": source.vector("emb.ln.b", hidden),
    }
    shapes = {"fi": (inner, hidden), "fo": (hidden, inner)}
    for layer in range(sizes.layers):
        for short, long in _LAYER_NAMES.items():
            name, prefix = f"encoder.layer.{layer}.{long}", f"l{layer}.{short}"
            rows, columns = shapes.get(short, (hidden, hidden))
            norm = short.endswith("ln")
            tensors[f"{name}.weight"] = (
                source.vector(f"{prefix}.w", hidden) if norm else source.matrix(f"{prefix}.w", rows, columns)
            )
            tensors[f"{name}.bias"] = source.vector(f"{prefix}.b", rows)
    return tensors
