//! The stand-in for Resend and Postmark that a test sends to.

use standin::{Sandbox, SandboxOptions};

/// A stand-in of the test's own, which takes every key and every letter.
pub(crate) async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxOptions::default())
        .await
        .expect("a free port")
}
