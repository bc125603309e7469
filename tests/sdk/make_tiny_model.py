"""Writes a language model of a few hundred kilobytes with random weights.

It speaks nonsense, but it is a real model file: a real inference server loads
it, samples from it, streams from it and counts its tokens. Nothing is
downloaded. The weights come from a fixed seed, so every run writes the same.

    python make_tiny_model.py OUT.gguf
"""

import sys

import gguf
import numpy as np

LAYERS = 2
WIDTH = 64
HEADS = 4
FEED_FORWARD = 128
CONTEXT = 2048

# The shape of the conversation, as the server renders it for the model.
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def vocabulary():
    """Three control tokens, every byte, and the printable characters of ASCII."""
    kind = gguf.TokenType
    rows = [("<unk>", 0.0, kind.UNKNOWN), ("<s>", 0.0, kind.CONTROL), ("</s>", 0.0, kind.CONTROL)]
    rows += [(f"<0x{byte:02X}>", 0.0, kind.BYTE) for byte in range(256)]
    # SentencePiece writes a space as U+2581.
    printable = ["\u2581"] + [chr(code) for code in range(0x21, 0x7F)]
    rows += [(text, -float(rank), kind.NORMAL) for rank, text in enumerate(printable)]
    return rows


def write(path):
    rows = vocabulary()
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tiny random")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(FEED_FORWARD)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)

    out.add_tokenizer_model("llama")
    out.add_tokenizer_pre("default")
    out.add_token_list([text.encode() for text, _, _ in rows])
    out.add_token_scores([score for _, score, _ in rows])
    out.add_token_types([kind for _, _, kind in rows])
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_add_bos_token(True)
    out.add_add_space_prefix(False)
    out.add_chat_template(TEMPLATE)

    random = np.random.default_rng(20260101)

    def matrix(name, *shape):
        out.add_tensor(name, random.normal(0.0, 0.5, shape).astype(np.float32))

    def ones(name):
        out.add_tensor(name, np.ones(WIDTH, dtype=np.float32))

    matrix("token_embd.weight", len(rows), WIDTH)
    ones("output_norm.weight")
    matrix("output.weight", len(rows), WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        ones(f"{block}.attn_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{block}.{name}.weight", WIDTH, WIDTH)
        ones(f"{block}.ffn_norm.weight")
        matrix(f"{block}.ffn_gate.weight", FEED_FORWARD, WIDTH)
        matrix(f"{block}.ffn_up.weight", FEED_FORWARD, WIDTH)
        matrix(f"{block}.ffn_down.weight", WIDTH, FEED_FORWARD)

    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


if __name__ == "__main__":
    write(sys.argv[1])
