//! Integration tests: one binary, so that one Postgres serves the whole run.

mod certificates;
mod connect;
mod tls;
