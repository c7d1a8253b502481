//! Points of the worker at which a test lets the process be killed, as if by `kill -9`: nothing is flushed, closed or rolled back.
//!
//! `EMAIL_FAILPOINTS` says where: `recorded:3` at the third passage, `recorded:2%` at each with that probability, several
//! with commas. Only debug builds have them: in a release build both functions are empty. (The crate `fail` has no action
//! that kills the process, so it would need a callback of about this size.)

#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn pass(_point: &str) {}

/// Passes a point while `work` is under way, some milliseconds after it began.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) async fn pass_during<T>(_point: &str, work: impl Future<Output = T>) -> T {
    work.await
}

#[cfg(debug_assertions)]
pub(crate) use armed::{pass, pass_during};

#[cfg(debug_assertions)]
mod armed {
    use std::hash::{BuildHasher as _, RandomState};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// When a point is deadly.
    enum When {
        Passage(u64),
        Percent(u64),
    }

    struct Point {
        name: String,
        when: When,
        passed: AtomicU64,
    }

    static POINTS: LazyLock<Vec<Point>> = LazyLock::new(|| {
        let list = std::env::var("EMAIL_FAILPOINTS").unwrap_or_default();
        list.split(',').filter_map(parse).collect()
    });

    fn parse(entry: &str) -> Option<Point> {
        let (name, when) = entry.trim().split_once(':')?;
        let when = match when.strip_suffix('%') {
            Some(percent) => When::Percent(percent.parse().ok()?),
            None => When::Passage(when.parse().ok()?),
        };
        Some(Point {
            name: name.to_owned(),
            when,
            passed: AtomicU64::new(0),
        })
    }

    pub(crate) fn pass(name: &str) {
        for point in POINTS.iter().filter(|point| point.name == name) {
            let passed = point.passed.fetch_add(1, Ordering::Relaxed) + 1;
            let deadly = match point.when {
                When::Passage(nth) => passed == nth,
                When::Percent(percent) => RandomState::new().hash_one(passed) % 100 < percent,
            };
            if deadly {
                eprintln!("killed at the failpoint {name:?}");
                // A process cannot survive this, so there is nothing to do about an error.
                let _ = nix::sys::signal::kill(
                    nix::unistd::getpid(),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
        }
    }

    /// Passes a point while `work` is under way, some milliseconds after it began.
    pub(crate) async fn pass_during<T>(name: &str, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(Duration::from_millis(3)) => pass(name),
        }
        work.await
    }
}
