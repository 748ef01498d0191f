"""A script of the environment `llama`: writes a tiny llama model of random weights, whose text is nonsense.

It is for machines that no model hub answers. What a server does with it is real: it loads, tokenises, decodes, batches
and streams. Its answers are made of syllables, depend on the whole prompt, and at temperature 0 are always the same.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

CONTEXT = 8192
SEED = 20
EMBEDDING, LAYERS, HEADS, KEY_HEADS, FEED_FORWARD = 64, 2, 4, 2, 128
SPACE = "\u2581"  # what a sentencepiece vocabulary has in place of a space
LAST_WORD = f"{SPACE}lu."  # the end of an answer follows it
CONSONANTS, VOWELS, MARKS = "bdfgklmnprstvz", "aeiou", ",!?"
# Logits of about 5 standard deviations: sampling has a choice, and rounding none.
SPREAD = 0.6
# How much an answer ends after its last word, and how well the model remembers that it said it.
END, MEMORY = 3.0, 2.0
TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message['role'] }}
{{ message['content'] }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}
<|im_start|>assistant
{% endif -%}
"""


def vocabulary(types: Any) -> tuple[list[str], list[float], list[int], range]:
    """Return tokens, their scores and types, and which of them an answer is made of.

    A token with a higher score is preferred while text is cut; bytes are for text that no token spells.

    Args:
        types: gguf's TokenType.
    """
    spoken = [mark + consonant + vowel for consonant in CONSONANTS for vowel in VOWELS for mark in ("", SPACE)]
    spoken += [*MARKS, LAST_WORD]
    letters = [chr(code) for code in range(33, 127) if chr(code) not in spoken] + [SPACE]
    control = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
    tokens = ["<unk>", *control, *(f"<0x{byte:02X}>" for byte in range(256)), *spoken, *letters]
    kinds = [types.UNKNOWN] + [types.CONTROL] * 4 + [types.BYTE] * 256 + [types.NORMAL] * (len(spoken) + len(letters))
    scores = [0.0] * 261 + [-1.0 - 0.01 * each for each in range(len(spoken))] + [-20.0] * len(letters)
    return tokens, scores, [int(kind) for kind in kinds], range(261, 261 + len(spoken))


def write(path: str) -> None:
    """Write the model; an existing file is replaced."""
    gguf, numpy = importlib.import_module("gguf"), importlib.import_module("numpy")
    random = numpy.random.default_rng(SEED)

    def weights(*shape: int, scale: float) -> Any:
        return (random.standard_normal(shape) * scale).astype(numpy.float32)

    tokens, scores, types, spoken = vocabulary(gguf.TokenType)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_unk_token_id(tokens.index("<unk>"))
    writer.add_bos_token_id(tokens.index("<s>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    # With it, constrained answers (response_format) are refused: what a grammar expects has no space before it.
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)

    inner = EMBEDDING**-0.5
    embedding = weights(len(tokens), EMBEDDING, scale=1.0)
    last = tokens.index(LAST_WORD)
    embedding[last] *= MEMORY
    output = numpy.zeros((len(tokens), EMBEDDING), numpy.float32)
    output[spoken.start : spoken.stop] = weights(len(spoken), EMBEDDING, scale=SPREAD)
    output[tokens.index("<|im_end|>")] = END * embedding[last] / numpy.linalg.norm(embedding[last])
    ones = numpy.ones(EMBEDDING, numpy.float32)
    keys = EMBEDDING * KEY_HEADS // HEADS
    tensors = {"token_embd": embedding, "output_norm": ones, "output": output}
    for layer in range(LAYERS):
        tensors |= {
            f"blk.{layer}.attn_norm": ones,
            f"blk.{layer}.attn_q": weights(EMBEDDING, EMBEDDING, scale=inner),
            f"blk.{layer}.attn_k": weights(keys, EMBEDDING, scale=inner),
            f"blk.{layer}.attn_v": weights(keys, EMBEDDING, scale=inner),
            f"blk.{layer}.attn_output": weights(EMBEDDING, EMBEDDING, scale=inner),
            f"blk.{layer}.ffn_norm": ones,
            f"blk.{layer}.ffn_gate": weights(FEED_FORWARD, EMBEDDING, scale=inner),
            f"blk.{layer}.ffn_up": weights(FEED_FORWARD, EMBEDDING, scale=inner),
            f"blk.{layer}.ffn_down": weights(EMBEDDING, FEED_FORWARD, scale=FEED_FORWARD**-0.5),
        }
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    temporary = f"{sys.argv[1]}.{os.getpid()}"
    write(temporary)
    os.replace(temporary, sys.argv[1])
