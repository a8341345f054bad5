"""Prefill with transformers, whose bf16 products are oneDNN's. Runs by itself, where torch is:
`transformers_prefill.py DIR THREADS TOKENS...` prints tokens per second."""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM


def main(directory: str, threads: int, sizes: list[int]) -> None:
    torch.set_num_threads(threads)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.bfloat16).eval()
    generator = torch.Generator().manual_seed(0)
    found = {}
    with torch.inference_mode():
        for size in sizes:
            ids = torch.randint(300, 49_000, (1, size), generator=generator)
            # The first time packs weights. Only the last token's logits, as the others compute.
            for _ in range(2):
                started = time.perf_counter()
                model(ids, logits_to_keep=1, use_cache=True)
                found[str(size)] = size / (time.perf_counter() - started)
    print(json.dumps({"prefill": found}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(size) for size in sys.argv[3:]])
