//! edgehold: one local address for language models on an ARM gateway.

pub mod chat;
