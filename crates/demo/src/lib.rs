//! `demo`: a private Postgres and everything above it, to look at.
//!
//! ```text
//!   run ── play       makes the scenes happen and waits for their letters
//!    ├─ scenes        what happens, as a list, written with verbs
//!    │   └─ scenario  what a scene is: a fact, and the letters it makes
//!    ├─ stage         sets everything up
//!    │   ├─ sidecar   this program again, as `migrate` and as `run`
//!    │   ├─ browser   what readers do with the links in their letters
//!    │   └─ clock     moves the clock of the whole database
//!    └─ show, table   print
//! ```
//!
//! Nothing here is a special path through the mailer: the application inserts, the sidecar is the same binary as a child
//! process, and what counts is what the provider's stand-in received.

use std::collections::HashSet;

use tokio::time::sleep;
use uuid::Uuid;

mod browser;
mod clock;
mod error;
mod play;
mod scenario;
mod scenes;
mod show;
mod sidecar;
mod stage;
mod table;

pub use error::DemoError;
use play::{LOOK, play};
use show::Show;
use stage::Stage;

/// Shows everything and takes it down again. With `exit` it stops when the last letter has arrived; otherwise the inbox
/// stays open until `shutdown` completes. True: every letter arrived.
pub async fn run(exit: bool, shutdown: impl Future<Output = ()>) -> Result<bool, DemoError> {
    let show = Show::new();
    tokio::pin!(shutdown);
    show.heading("Setting up");
    // An interrupted future drops what it has started, which stops and removes it.
    let mut stage = tokio::select! {
        stage = Stage::set_up(show) => stage?,
        () = &mut shutdown => return Ok(false),
    };
    let complete = tokio::select! {
        played = play(&mut stage, show) => Some(played?),
        () = &mut shutdown => None,
    };
    // A letter that is missing is a reason to look around, not to leave.
    if !exit && complete.is_some() {
        show.heading("Have a look");
        show.item("inbox", &stage.inbox_url());
        show.item("gallery", &format!("{}/letters", stage.inbox_url()));
        show.item("health", &format!("{}/readyz", stage.sidecar_url()));
        show.item("database", &format!("psql {}", stage.database_url()));
        show.item(
            "sign up",
            &format!(
                "psql {} -c \"insert into users (name, email, hashed_password) values ('Vous', 'vous@exemple.fr', 'x')\"",
                stage.database_url()
            ),
        );
        show.aside("\nCtrl-C stops everything and removes it.");
        tokio::select! {
            error = watch(&mut stage, show) => return error.map(|()| false),
            () = &mut shutdown => {}
        }
    }
    stage.take_down().await?;
    show.aside("\nEverything is stopped and removed.");
    Ok(complete.unwrap_or(false))
}

/// Shows what arrives after the story, until the sidecar ends (it should not).
async fn watch(stage: &mut Stage, show: Show) -> Result<(), DemoError> {
    let mut seen: HashSet<Uuid> = stage.arrived().iter().map(|entry| entry.id).collect();
    loop {
        stage.check_sidecar()?;
        for entry in stage.arrived().iter().filter(|entry| seen.insert(entry.id)) {
            show.arrival(
                entry.email_type.as_deref().unwrap_or_default(),
                "",
                &entry.to,
                &entry.subject,
                None,
            );
        }
        sleep(LOOK * 10).await;
    }
}
