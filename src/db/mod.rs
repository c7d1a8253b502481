//! The database: URL, TLS, connections.

pub mod connect;
pub mod tls;
pub mod url;
