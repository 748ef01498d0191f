"""A script of the environment `dynamo`: writes the folder of a model that has a tokenizer and no weights.

Mock engines need no weights: they take the time of a model, and its tokenizer counts tokens and makes text of them.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys

VOCABULARY, CONTEXT = 600, 4096
WORDS = 2048
"""Tokens with words: mock engines answer with tokens from 1000 to 1999, drawn by chance whatever the request."""
WORD = " λόγος"
"""What all of them read as, so that the same question has the same answer, streamed or not.

It is a word without ASCII, in which nobody looks for a stop string: one that is found costs the answer, and for some
seconds those of others, since the frontend takes a mock engine that it stopped for one that was lost.
"""
BEGIN, END = "<s>", "</s>"
TEXT = "A machine asks itself whether it works, and writes down what it finds: yes, no, or not yet. "
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"


def write_tokenizer(path: pathlib.Path) -> int:
    """Train a tokenizer of bytes and frequent pairs, add words, write it, and return how many tokens it has."""
    tokenizers = importlib.import_module("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    numbered = tokenizers.Regex(f"^{WORD}[0-9]+$")
    made.decoder = tokenizers.decoders.Sequence(
        [tokenizers.decoders.Replace(numbered, WORD), tokenizers.decoders.ByteLevel()]
    )
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([TEXT * 20], trainer)
    made.add_tokens([f"{WORD}{number}" for number in range(made.get_vocab_size(), WORDS)])
    made.save(str(path))
    return int(made.get_vocab_size())


def write(folder: pathlib.Path) -> None:
    """Write the folder of a model: what Dynamo reads of a model from a hub."""
    tokens = write_tokenizer(folder / "tokenizer.json")
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    described = {
        "config.json": {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "num_hidden_layers": 2,
            "vocab_size": tokens,
            "max_position_embeddings": CONTEXT,
            "torch_dtype": "float32",
            **ends,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": BEGIN,
            "eos_token": END,
            "model_max_length": CONTEXT,
            "chat_template": TEMPLATE,
        },
        "generation_config.json": ends,
    }
    for name, content in described.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
