//! Asking the provider what became of a request whose answer was lost, where it can be searched (docs/providers.md#after-a-crash).
//!
//! A hit is final. Absence is final only at the last look, and then each missing message is asked for by itself, which also
//! finds what an earlier request of it did. What the provider does not have goes back to the queue: a new batch, under a
//! new id, for those alone.

use std::collections::HashMap;

use letters::Category;
use uuid::Uuid;

use super::send::{limits, while_renewing};
use super::settle::Settlements;
use crate::db::intent;
use crate::db::outbox::{Claim, Claimed, Prior};
use crate::db::settlement::{Outcome, Settlement};
use crate::provider::{ErrorKind, Search, SendError};
use crate::worker::shared::Shared;

/// What is known now of each member.
pub(super) async fn search(shared: &Shared, claim: &Claim, prior: Prior) -> Settlements {
    while_renewing(shared, claim, look(shared, claim, prior)).await
}

async fn look(shared: &Shared, claim: &Claim, prior: Prior) -> Settlements {
    let held: Vec<&Claimed> = claim.letters.iter().filter(|letter| letter.held).collect();
    let mut categories: Vec<Category> = Vec::new();
    for letter in &claim.letters {
        if !categories.contains(&letter.category) {
            categories.push(letter.category);
        }
    }
    let wanted = Search::Batch {
        id: claim.batch,
        categories,
    };
    let found = match ask(shared, &wanted).await {
        Ok(found) => found,
        Err(error) => return failed(claim, &error),
    };
    tracing::info!(batch = %claim.batch, letters = held.len(), found = found.len(), last_look = prior.last_look, "searched for a request whose outcome is unknown");
    let mut settlements = Vec::with_capacity(held.len());
    for letter in held {
        settlements.push(match found.get(&letter.delivery) {
            Some(id) => accepted(letter, id.clone()),
            None if prior.last_look => {
                let alone = Search::Delivery {
                    id: letter.delivery,
                    category: letter.category,
                };
                match ask(shared, &alone).await {
                    Ok(found) => match found.get(&letter.delivery) {
                        Some(id) => accepted(letter, id.clone()),
                        None => Settlement::new(
                            letter,
                            Outcome::Missing,
                            Some("the provider does not have it: it was not accepted".into()),
                        ),
                    },
                    Err(error) => Settlement::new(letter, Outcome::Unknown, Some(error.detail)),
                }
            }
            None => Settlement::new(
                letter,
                Outcome::Unknown,
                Some(
                    "its outcome is unknown, and the provider's search does not find it yet".into(),
                ),
            ),
        });
    }
    Settlements::from(settlements)
}

fn accepted(letter: &Claimed, message_id: String) -> Settlement {
    Settlement {
        message_id: Some(message_id),
        ..Settlement::new(letter, Outcome::Sent, None)
    }
}

/// A search that failed tells nothing about messages, but perhaps something about the account.
fn failed(claim: &Claim, error: &SendError) -> Settlements {
    let mut settlements = Settlements::all(
        claim,
        Outcome::Unknown,
        &format!("its outcome is unknown, and searching failed: {error}"),
    );
    settlements.hear(error);
    settlements
}

async fn ask(shared: &Shared, wanted: &Search) -> Result<HashMap<Uuid, String>, SendError> {
    let rate = limits(shared).rate;
    loop {
        match intent::take_turn(&shared.pool, &shared.worker, rate).await {
            Ok(Ok(wait)) => {
                tokio::time::sleep(wait).await;
                break;
            }
            Ok(Err(wait)) => tokio::time::sleep(wait).await,
            Err(error) => {
                return Err(SendError {
                    kind: ErrorKind::transient(false, None),
                    detail: error.to_string(),
                });
            }
        }
    }
    let found = shared.provider.search(wanted).await?;
    Ok(found
        .into_iter()
        .map(|found| (found.delivery_id, found.message_id))
        .collect())
}
