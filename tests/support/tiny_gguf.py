"""A GGUF file of a tiny Llama with random weights and a vocabulary of plain words, as llama.cpp reads it."""

from pathlib import Path

import numpy as np

LAYERS, HIDDEN, HEADS, INNER, WORDS, CONTEXT = 2, 64, 2, 128, 768, 2048
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
"""Kinds of tokens in GGUF."""


def write_gguf(path: Path) -> Path:
    """Write the file with package gguf: F32 weights, SentencePiece tokens: the bytes that llama.cpp demands, and words."""
    import gguf

    writer, draw = gguf.GGUFWriter(path, "llama"), np.random.default_rng(0)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(WORDS)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [f"\u2581{a}{b}" for a in letters for b in letters][: WORDS - 3 - 256 - 26]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *words])
    writer.add_token_scores([0.0] * (3 + 256) + [-1000.0] * 26 + [-float(k) for k in range(len(words))])
    writer.add_token_types([UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * (26 + len(words)))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)

    def add(name: str, *shape: int) -> None:
        weights = np.ones(shape) if len(shape) == 1 else draw.normal(0.0, 0.02, shape)
        if name == "output":
            weights[: 3 + 256] = 0.0  # no end, and no part of a character, is the likeliest next token
        writer.add_tensor(f"{name}.weight", weights.astype(np.float32))

    add("token_embd", WORDS, HIDDEN)
    for layer in range(LAYERS):
        for name, *shape in (("attn_norm", HIDDEN), ("attn_q", HIDDEN, HIDDEN), ("attn_k", HIDDEN, HIDDEN),
                             ("attn_v", HIDDEN, HIDDEN), ("attn_output", HIDDEN, HIDDEN), ("ffn_norm", HIDDEN),
                             ("ffn_gate", INNER, HIDDEN), ("ffn_up", INNER, HIDDEN), ("ffn_down", HIDDEN, INNER)):
            add(f"blk.{layer}.{name}", *shape)
    add("output_norm", HIDDEN)
    add("output", WORDS, HIDDEN)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return path
