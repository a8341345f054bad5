"""Tiny random checkpoints of each family, and what `transformers` says of them."""
