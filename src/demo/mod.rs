//! A private Postgres and everything above it, to look at.

pub mod cluster;
pub mod leash;
pub mod pg_bin;
