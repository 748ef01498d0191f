"""A script of the environment `llama`: one llama.cpp server, until it is told to end.

Its one argument is a JSON object; proving_ground.servers.llama writes it.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import signal
import sys
import threading
from typing import Any


def parameters(xllamacpp: Any, settings: dict[str, Any]) -> Any:
    """Return xllamacpp's CommonParams for settings."""
    chosen = xllamacpp.CommonParams()
    chosen.model.path = settings["path"]
    chosen.model_alias = {settings["model"]}
    chosen.hostnames = [settings["host"]]
    chosen.port = settings["port"]
    chosen.n_parallel = settings["slots"]
    chosen.n_ctx = settings["slots"] * settings["context"]
    chosen.endpoint_metrics = True
    chosen.ui = False
    chosen.verbosity = settings["verbosity"]
    for threads in (chosen.cpuparams, chosen.cpuparams_batch):
        threads.n_threads = settings["threads"]
    if settings["embeddings"]:
        chosen.embedding = True
        chosen.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    # An answer must not depend on what was asked before, nor memory grow with it: no prompt is kept.
    chosen.cache_prompt = False
    chosen.cache_idle_slots = False
    chosen.cache_ram_mib = 0
    chosen.n_ctx_checkpoints = 0
    chosen.fit_params = False
    # On processors, attention in one kernel is slower: a third of the speed at contexts of some thousand tokens.
    chosen.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if settings["key_file"]:
        chosen.api_keys = [pathlib.Path(settings["key_file"]).read_text(encoding="utf-8").strip()]
    return chosen


def main() -> None:
    """Serve."""
    settings = json.loads(sys.argv[1])
    if os.getpid() == 1:
        # A container's first process is not ended by a signal that it does not handle.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    xllamacpp = importlib.import_module("xllamacpp")
    server = xllamacpp.Server(parameters(xllamacpp, settings))
    print(f"serving {settings['model']} at {server.listening_address}", flush=True)  # noqa: T201 -- for its log
    threading.Event().wait()


if __name__ == "__main__":
    main()
