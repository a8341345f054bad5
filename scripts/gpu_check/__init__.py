"""The check of `scripts/gpu-check`: one file a noun. Nothing but the standard library, and torch
with transformers where a stage says what they say.

    __main__           the command line, and the order of things
    job, stages        what a stage is given and what it leaves; each in a process of its own
    shapes             the models, and the least that computing with them takes
    checkpoints        their directories: configuration, tokenizer, weights
    weights            weights of a cut, drawn on the GPU
    prompts            token ids that are asked for
    reference          what torch says of the cuts, in float32 and in bf16
    server, api        Guichet, and asking it
    gpu                what the GPU can do at most
    kernels, parity,   the stages
    invariance, speed,
    torch_generate, serve
    errors             how far answers lie from a reference
    load               many streams of requests, from several processes
    bars, table        what has to be reached, and how it is shown
"""
