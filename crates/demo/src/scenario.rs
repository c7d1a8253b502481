//! What a scene of the demo is. The scenes themselves are data, in [`super::scenes`].

use standin::Happening;

/// A moment of the story, what happens at it, and the letters that must have come of it before the story goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    /// Days after the first one.
    pub(super) day: i32,
    /// Time of day in Paris. Never earlier than the scene before.
    pub(super) time: &'static str,
    /// In this order.
    pub(super) facts: &'static [Fact],
    /// In any order.
    pub(super) letters: &'static [Expected],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    /// SEQPULSE, which knows its own tables and `email_signal()`.
    Application,
    Operator,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Fact {
    /// What a person watching reads.
    pub(super) what: &'static str,
    pub(super) deed: Deed,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    /// One statement whose parameters are all text; `{nassir}` stands for an id (see [`fill`]).
    Statement(Actor, &'static str, &'static [&'static str]),
    /// The unsubscribe button of a mail client, on the latest letter of a code to an address.
    Unsubscribe(&'static str, &'static str),
    /// A score of the survey, from the letter to an address.
    Answer(&'static str, &'static str),
    /// The button of the latest letter of a code to an address, then this answer on the page behind it.
    Press(&'static str, &'static str, &'static str),
    /// Something happens to the latest letter of a code to an address, and the provider reports it.
    Happens(Happening, &'static str, &'static str),
}

/// A letter that must go out, or must not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Whom it is for, as the table shows it.
    pub(super) who: &'static str,
    pub(super) code: &'static str,
    /// Which step or kind of that code; empty when there is but one.
    pub(super) step: &'static str,
    /// Dedupe key (docs/rules.md#catalogue) as a LIKE pattern; `{nassir}` stands for an id.
    pub(super) key: &'static str,
    pub(super) outcome: Outcome,
}

/// What must become of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A fact of this scene causes it at once: it is in the inbox, and the journal says sent.
    Arrives,
    /// The same, but it was due by the clock.
    FallsDue,
    /// The journal says suppressed, for a reason that contains this.
    HeldBack(&'static str),
    /// It is still queued, for a reason that contains this; a later scene expects it again.
    Waits(&'static str),
}

/// Ids of people and projects, by the names that scenes use.
const CAST: [(&str, &str); 11] = [
    ("{nassir}", "00000000-0000-4000-8000-000000000001"),
    ("{nadia}", "00000000-0000-4000-8000-000000000002"),
    ("{eloise}", "00000000-0000-4000-8000-000000000003"),
    ("{karim}", "00000000-0000-4000-8000-000000000004"),
    ("{jb}", "00000000-0000-4000-8000-000000000005"),
    ("{chloe}", "00000000-0000-4000-8000-000000000006"),
    ("{maelys}", "00000000-0000-4000-8000-000000000007"),
    ("{ines}", "00000000-0000-4000-8000-000000000008"),
    ("{lucas}", "00000000-0000-4000-8000-000000000009"),
    ("{project}", "00000000-0000-4000-9000-00000000000"),
    ("{deployment}", "00000000-0000-4000-a000-00000000000"),
];

/// Puts ids where their names stand. A deployment is `{deployment}` and its number, a project `{project}` and its number: 1 Checkout API, 2 API Gateway, 3 Paiements,
/// 4 Catalogue, 5 Site vitrine, 8 Moteur de recherche.
pub(super) fn fill(text: &str) -> String {
    CAST.iter()
        .fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenes::ACTS;
    use letters::CODES;

    #[test]
    fn every_code_of_the_catalogue_arrives() {
        let arriving: BTreeSet<&str> = ACTS
            .into_iter()
            .flatten()
            .flat_map(|scene| scene.letters)
            .filter(|letter| matches!(letter.outcome, Outcome::Arrives | Outcome::FallsDue))
            .map(|letter| letter.code)
            .collect();
        let catalogue: BTreeSet<&str> = CODES.iter().copied().collect();
        assert_eq!(arriving, catalogue);
    }

    #[test]
    fn time_goes_forward_and_every_name_is_known() {
        let moments: Vec<(i32, &str)> = ACTS
            .into_iter()
            .flatten()
            .map(|s| (s.day, s.time))
            .collect();
        assert!(moments.is_sorted(), "{moments:?}");
        for scene in ACTS.into_iter().flatten() {
            let parameters = scene.facts.iter().flat_map(|fact| match fact.deed {
                Deed::Statement(_, _, parameters) => parameters,
                Deed::Unsubscribe(..) | Deed::Answer(..) | Deed::Press(..) | Deed::Happens(..) => {
                    &[]
                }
            });
            let keys = scene.letters.iter().map(|letter| &letter.key);
            for text in parameters.chain(keys) {
                let filled = fill(text);
                assert!(
                    filled.starts_with('{') && filled.ends_with('}') || !filled.contains('{'),
                    "{text}"
                );
            }
        }
    }
}
