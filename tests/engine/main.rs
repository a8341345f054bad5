//! The engine with a real decoder: scheduling does not change tokens, nothing is lost.

mod death;
mod harness;
mod identical;
mod invariance;
mod ranks;
mod streams;
mod way;
