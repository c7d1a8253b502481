//! What the integration tests stand on: one Postgres for the run, a database per test, the real binary as a child.

mod browser;
mod database;
mod provider;
mod sidecar;
mod wait;
pub(crate) mod web;

pub(crate) use browser::Browser;
pub(crate) use database::{
    BINARY, SEQPULSE_SCHEMA, TestDb, connect_to, describe, migrate, shared_cluster,
};
pub(crate) use provider::sandbox;
pub(crate) use sidecar::{Sidecar, SidecarBuilder};
pub(crate) use wait::{skip, wait_for};
