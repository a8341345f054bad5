//! Custom ops: one file an op.
