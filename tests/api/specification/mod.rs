//! OpenAI's specification against our tables: each property and each listed value of its
//! requests has one outcome, and what is honoured has an effect.

mod effects;
mod places;
mod requests;
mod server;
mod walk;
