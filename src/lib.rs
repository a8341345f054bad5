//! Guichet: an OpenAI-compatible inference server for administrative documents.
//!
//! A request goes down this list and its answer comes back up it:
//!
//! - [`cli`] parses the command line, [`app`] wires a server together;
//! - [`api`] speaks HTTP and OpenAI JSON, and nothing else does;
//! - [`tenant`] says who may ask, [`store`] keeps what may be asked for again;
//! - [`document`] reads files, [`prompt`] holds what is asked about them again and again;
//! - [`privacy`] replaces the personal data of a request, and puts it back into answers;
//! - [`generation`] turns a prompt into a stream of events, [`encoding`] texts into vectors and scores;
//! - [`text`] turns messages into token ids and token ids into text, and knows no tensors;
//! - [`engine`] batches sequences continuously: tokens in, tokens out;
//! - [`model`] has decoders and encoders, and [`kernels`] the ops below it.
//!
//! [`hub`] fetches and checks what is served. See ARCHITECTURE.md for the invariants.

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod document;
pub mod encoding;
pub mod engine;
pub mod generation;
pub mod hub;
pub mod kernels;
pub mod model;
pub mod privacy;
pub mod prompt;
pub mod store;
pub mod telemetry;
pub mod tenant;
pub mod text;
