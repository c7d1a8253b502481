//! placeholder
use std::time::Duration;
use crate::db::outbox::Pulse;
/// x
#[derive(Debug, Default)]
pub struct Vitals;
impl Vitals {
    /// x
    pub fn claimed(&self, _: usize) {}
    /// x
    pub fn set_draining(&self) {}
    /// x
    pub fn seen(&self, _: &Pulse, _: bool) {}
    /// x
    pub fn database_lost(&self, _: &str) {}
    /// x
    pub fn request(&self, _: &'static str, _: Duration) {}
    /// x
    pub fn settled(&self, _: &str, _: &'static str) {}
}
