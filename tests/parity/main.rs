//! Logits, log-probabilities and greedy tokens against `transformers`, whose answers are committed.

mod encoders;
mod families;
mod formats;
mod golden;
mod hostile;
mod imported;
mod logprobs;
mod questions;
mod smollm2;
mod templates;
mod tiny;
