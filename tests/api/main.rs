//! The API over real connections: the router, a real engine and tokenizer, and a scripted
//! runner in the place of a model.

mod authentication;
mod bad_requests;
mod bad_sampling;
mod chat;
mod citations;
mod command_line;
mod completions;
mod connections;
mod documents;
mod echo;
mod embeddings;
mod files;
mod forms;
mod logprobs;
mod message;
mod mutations;
mod operation;
mod operators_choice;
mod privacy;
mod reference;
mod responses;
mod rewrites;
mod sampling;
mod scripted;
mod serve_script;
mod server;
mod shutdown;
mod smollm2;
mod specification;
mod streaming;
mod structured_output;
mod timeouts;
mod tokens;
mod tools;
mod transcripts;
