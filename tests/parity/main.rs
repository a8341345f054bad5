//! Logits and greedy tokens against `transformers`, whose answers are committed.

mod golden;
mod hostile;
mod smollm2;
mod tiny;
