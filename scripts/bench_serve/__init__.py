"""The bench of `scripts/bench-serve`: one file a noun, and nothing but the standard library.

    __main__      the command line, and the order of things
    plan          what is measured: models, precisions, sizes
    peers         what the others are, and how they are installed outside the tree
    guichet       our own executables
    models        the weights, in each form that a subject reads
    servers       starting a server, waiting for it, stopping it
    traffic, sse  streams of requests, and the clock on each token
    offline       figures without HTTP, from each project's own bench
    reference     whether a server says what it should
    records       every figure as it was measured
    bars, report  what the figures mean, and how they are shown
    machine       where they were measured
"""
