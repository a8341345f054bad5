//! The CUDA forms of the ops and of a whole decoder, against their CPU forms. They need a GPU, so
//! they are ignored unless asked for: `scripts/gpu-check`, or
//! `cargo test --features cuda --test gpu -- --ignored`.

#![cfg(feature = "cuda")]

mod attention;
mod choices;
mod decoder;
mod devices;
mod experts;
mod products;
mod rows;
