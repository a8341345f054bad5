//! The decoder and what loads it.
