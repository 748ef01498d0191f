"""A script of the environment `aiperf`: makes a tokenizer in the folder that it is told, for no hub to be asked.

aiperf writes prompts with a tokenizer. The words are its own; which tokens they are decides only how long prompts are.
"""

from __future__ import annotations

import importlib
import json
import pathlib
import sys

KINDS = {"<unk>": "unk_token", "<s>": "bos_token", "</s>": "eos_token"}


def main(folder: pathlib.Path) -> None:
    """Train one on numbers, with all bytes in it, and write it as transformers read it."""
    tokenizers = importlib.import_module("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))  # noqa: S106 - it is none
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(KINDS),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([" ".join(map(str, range(2000)))], trainer)
    made.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", **{kind: token for token, kind in KINDS.items()}}
    (folder / "tokenizer_config.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
