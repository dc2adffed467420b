//! edgehold: one local address for language models on an ARM gateway.

pub mod app;
pub mod budget;
pub mod chat;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod dispatch;
pub mod lifecycle;
pub mod provider;
pub mod router;
pub mod server;
pub mod telemetry;
