//! Integration tests: one binary, so that one Postgres serves the whole run.

mod app_safety;
mod catalog;
mod certificates;
mod cluster;
mod connect;
mod cron;
mod delivery;
mod demo;
mod http;
mod install;
mod letters;
mod observe;
mod pages;
mod pgtap;
mod plpgsql_check;
mod post;
mod providers;
mod rights;
mod sandbox;
mod schedules;
mod schema_dump;
mod settings;
mod start;
mod support;
mod tls;
mod uninstall;
