//! Waiting for a condition instead of sleeping, and skipping aloud.

use std::time::{Duration, Instant};

/// Long enough for a loaded machine: reaching it means the condition never comes true, not that it was slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Polls until `condition` holds; panics with `what` when it never does.
#[track_caller]
pub(crate) fn wait_for<F: AsyncFnMut() -> bool>(
    what: &str,
    mut condition: F,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !condition().await {
            assert!(
                start.elapsed() < DEADLINE,
                "{caller}: waited in vain for {what}"
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Says that a test could not run for want of a tool. `make test` installs the tools and sets `REQUIRE_PG_TOOLS=1`,
/// which turns a skip into a failure.
#[track_caller]
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("REQUIRE_PG_TOOLS").is_none(),
        "cannot run: {why}"
    );
    eprintln!("skipped: {why} ({})", std::panic::Location::caller());
}
