//! Integration tests: one binary, so that one Postgres serves the whole run.

mod catalog;
mod cluster;
mod pgtap;
mod plpgsql_check;
mod schema_dump;
mod support;
