#!/usr/bin/env python3
"""Compares `guichet import` with transformers and llama.cpp on the same GGUF file.

    scripts/prove_import.py FILE.gguf DIR --llama-tokenize PATH [--token-ids PATH]
                            [--corpus corpus.jsonl] [--jobs N]

DIR is what `guichet import FILE.gguf DIR` (or a pull) made. Shown are:

1. tensors: every tensor of DIR against transformers' `from_pretrained(gguf_file=...)`,
   rounded to bf16: bit by bit;
2. token ids of every line of the corpus (default: what scripts/tokenizer_corpus.py
   prints): transformers on DIR, and the Rust `tokenizers` crate on DIR, against
   llama.cpp's `llama-tokenize` on FILE.gguf; all lines with reserved strings as literal
   text, and the lines that may hold some with reserved strings recognised.

Needs Python with torch, transformers, accelerate, gguf and safetensors; `llama-tokenize`
built from llama.cpp; and for the Rust side `cargo build --example token_ids`
(--token-ids target/debug/examples/token_ids). Exits with status 1 on any difference.
"""

import argparse
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def compare_tensors(gguf, directory):
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    theirs = dict(model.state_dict())
    if model.config.tie_word_embeddings:
        theirs.pop("lm_head.weight", None)
    differing, elements = [], 0
    with safe_open(directory / "model.safetensors", "pt") as ours:
        names = set(ours.keys())
        for name in sorted(names & theirs.keys()):
            mine, other = ours.get_tensor(name), theirs[name].to(torch.bfloat16)
            same = mine.dtype == other.dtype and mine.shape == other.shape
            if not same or not torch.equal(mine.view(torch.int16), other.view(torch.int16)):
                differing.append(name)
            elements += other.numel()
    alone = names ^ theirs.keys()
    print(f"tensors: {len(names)} of ours, {len(theirs)} of transformers', {elements} elements compared, "
          f"{len(differing)} tensors differ, {len(alone)} stand alone")
    for name in sorted(differing) + sorted(alone):
        print(f"  {name}")
    return not differing and not alone


def llama_ids(program, gguf, texts, recognise, jobs):
    def one(job):
        index, text = job
        path = pathlib.Path(scratch) / f"{index}.txt"
        path.write_bytes(text.encode())
        command = [program, "-m", gguf, "-f", path, "--ids", "--no-bos", "--no-escape", "--log-disable"]
        if not recognise:
            command.append("--no-parse-special")
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(run.stdout)

    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, enumerate(texts)))


def transformers_ids(directory, texts, recognise):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(directory)
    return [
        tokenizer.encode(text, add_special_tokens=False, split_special_tokens=not recognise) for text in texts
    ]


def crate_ids(program, directory, texts, recognise):
    command = [program, directory] + ([] if recognise else ["--plain"])
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    run = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def compare_ids(name, texts, expected, found):
    wrong = [index for index, text in enumerate(texts) if expected[index] != found[index]]
    print(f"  {name}: {len(texts)} lines, {sum(map(len, expected))} ids, {len(wrong)} lines differ")
    for index in wrong[:5]:
        print(f"    {texts[index]!r}\n      llama.cpp {expected[index]}\n      {name} {found[index]}")
    return not wrong and len(found) == len(texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gguf", type=pathlib.Path)
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--llama-tokenize", type=pathlib.Path, required=True)
    parser.add_argument("--token-ids", type=pathlib.Path)
    parser.add_argument("--corpus", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--skip-tensors", action="store_true")
    args = parser.parse_args()

    good = args.skip_tensors or compare_tensors(args.gguf.resolve(), args.dir)
    if args.corpus:
        corpus = args.corpus.read_text()
    else:
        corpus = subprocess.run(
            [sys.executable, HERE / "tokenizer_corpus.py"], capture_output=True, text=True, check=True
        ).stdout
    # Not splitlines(): it would cut at separators that a text may contain.
    texts = [json.loads(line) for line in corpus.split("\n") if line]
    everything = texts
    for recognise in (False, True):
        print("token ids, reserved strings " + ("recognised:" if recognise else "as literal text:"))
        texts = [text for text in everything if "<" in text] if recognise else everything
        expected = llama_ids(args.llama_tokenize, args.gguf, texts, recognise, args.jobs)
        good &= compare_ids("transformers", texts, expected, transformers_ids(args.dir, texts, recognise))
        if args.token_ids:
            good &= compare_ids("tokenizers", texts, expected, crate_ids(args.token_ids, args.dir, texts, recognise))
    print("all equal" if good else "DIFFERENCES")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
