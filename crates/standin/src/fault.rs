//! Faults on demand: what can go wrong between a client and a provider, for chosen requests.

use serde::{Deserialize, Serialize};

use super::wire::Cut;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The messages are accepted, the connection breaks before the client can know.
    AcceptThenDrop {
        /// How much of the answer arrives.
        #[serde(default)]
        at: DropAt,
    },
    /// The messages are accepted, the answer comes late. Until then Resend's idempotency key counts as running.
    AcceptThenDelay {
        /// How late, in milliseconds.
        ms: u64,
    },
    /// Nothing is accepted and the connection breaks without an answer.
    RefuseThenDrop,
    /// The first half of the batch is accepted, then the server fails with 500. A repetition under the same Resend key
    /// completes the batch and answers all ids.
    AcceptHalf,
    /// An answer with this status. Nothing is accepted unless `accept` says so.
    Status {
        /// The HTTP status.
        status: u16,
        /// An HTML page in place of the API's JSON, as from a proxy in front of it.
        #[serde(default)]
        html: bool,
        /// Whether the messages are accepted all the same.
        #[serde(default)]
        accept: bool,
        /// Header `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Resend's error name; by default the usual one of the status.
        #[serde(default)]
        name: Option<String>,
        /// Postmark's `ErrorCode`; by default the usual one of the status.
        #[serde(default)]
        code: Option<i64>,
        /// The text of the error.
        #[serde(default)]
        message: Option<String>,
        /// Header `Location`, for a redirect.
        #[serde(default)]
        location: Option<String>,
    },
    /// The messages are accepted; the answer is a well-formed HTTP answer with half of its JSON.
    CutJson,
    /// The messages are accepted; a batch's answer has one result less or, with `more`, one more than messages.
    WrongCount {
        /// One result too many in place of one too few.
        #[serde(default)]
        more: bool,
    },
    /// The messages are accepted; the answer trickles in.
    Trickle {
        /// Bytes at a time.
        bytes: usize,
        /// Milliseconds between two pieces.
        every_ms: u64,
    },
    /// Every matching request waits before anything is looked at. Combines with other faults.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// Postmark accepts this request with answers that lack `ErrorCode`.
    MayBeDelayed,
    /// Postmark refuses one message of the request with this code.
    ItemError {
        /// Its place in the batch, from 0.
        index: usize,
        /// Postmark's `ErrorCode`.
        code: i64,
        /// The text of the error.
        #[serde(default)]
        message: String,
    },
    /// From this request on every key is refused.
    RevokeKeys,
    /// From this request on the sandbox's clock is ahead by so much more.
    JumpClock {
        /// Seconds; may be negative.
        seconds: i64,
    },
}

/// Where an accepted answer breaks off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropAt {
    /// Not a byte arrives.
    #[default]
    BeforeStatus,
    /// In the middle of the status line.
    InStatus,
    /// After the status line.
    AfterStatus,
    /// After the head and a few bytes of the body.
    InBody,
}

impl From<DropAt> for Cut {
    fn from(at: DropAt) -> Self {
        match at {
            DropAt::BeforeStatus => Self::BeforeStatus,
            DropAt::InStatus => Self::InStatus,
            DropAt::AfterStatus => Self::AfterStatus,
            DropAt::InBody => Self::InBody(8),
        }
    }
}

/// Which requests a fault befalls. Without `nth` and `probability`: every matching one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultRule {
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// A path such as `/emails/batch`, or a beginning followed by `*`; by default the four paths that send.
    #[serde(default)]
    pub path: Option<String>,
    /// Only the n-th matching request (from 1) since the rule was added, and the next ones while `times` lasts.
    #[serde(default)]
    pub nth: Option<u64>,
    /// At most so many times; by default once with `nth`, else for ever.
    #[serde(default)]
    pub times: Option<u64>,
    /// With this probability, 0 to 1.
    #[serde(default)]
    pub probability: Option<f64>,
    /// Where the dice start, so that a run can be repeated.
    #[serde(default)]
    pub seed: u64,
}

impl FaultRule {
    /// On every request that sends.
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            path: None,
            nth: None,
            times: None,
            probability: None,
            seed: 0,
        }
    }

    /// Once, on the next request that sends.
    pub fn once(fault: Fault) -> Self {
        Self {
            nth: Some(1),
            ..Self::always(fault)
        }
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    next_id: u64,
    rules: Vec<Armed>,
}

/// A rule and what it has seen.
#[derive(Debug, Clone, Serialize)]
pub struct Armed {
    /// By which the rule is removed.
    pub id: u64,
    /// As it was added.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// Matching requests so far.
    pub seen: u64,
    /// How often it struck.
    pub fired: u64,
    #[serde(skip)]
    dice: u64,
}

impl Faults {
    pub(super) fn add(&mut self, rule: FaultRule) -> u64 {
        self.next_id += 1;
        let dice = rule.seed;
        self.rules.push(Armed {
            id: self.next_id,
            rule,
            seen: 0,
            fired: 0,
            dice,
        });
        self.next_id
    }

    /// Without an id: all of them. Answers how many went.
    pub(super) fn clear(&mut self, id: Option<u64>) -> usize {
        let before = self.rules.len();
        self.rules
            .retain(|armed| id.is_some_and(|id| id != armed.id));
        before - self.rules.len()
    }

    pub(super) fn list(&self) -> Vec<Armed> {
        self.rules.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The faults that strike a request, in the order they were added.
    pub(super) fn strike(&mut self, path: &str) -> Vec<Fault> {
        self.rules
            .iter_mut()
            .filter_map(|armed| armed.strike(path))
            .collect()
    }
}

impl Armed {
    fn strike(&mut self, path: &str) -> Option<Fault> {
        if !self.matches(path) {
            return None;
        }
        self.seen += 1;
        let times = self
            .rule
            .times
            .unwrap_or(if self.rule.nth.is_some() { 1 } else { u64::MAX });
        if self.fired >= times || self.seen < self.rule.nth.unwrap_or(1) {
            return None;
        }
        if let Some(probability) = self.rule.probability
            && self.roll() >= probability
        {
            return None;
        }
        self.fired += 1;
        Some(self.rule.fault.clone())
    }

    fn matches(&self, path: &str) -> bool {
        match self.rule.path.as_deref() {
            None => matches!(
                path,
                "/emails" | "/emails/batch" | "/email" | "/email/batch"
            ),
            Some(wanted) => match wanted.strip_suffix('*') {
                Some(beginning) => path.starts_with(beginning),
                None => path == wanted,
            },
        }
    }

    /// `SplitMix64`, as a number from 0 to below 1: good enough dice, and the same for the same seed.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are what a double holds"
    )]
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    /// Which of ten requests a rule strikes.
    fn numbers(rule: serde_json::Value, path: &str) -> Vec<usize> {
        let mut faults = Faults::default();
        faults.add(serde_json::from_value(rule).unwrap());
        (1..=10)
            .map(|n| (n, faults.strike(path)))
            .filter(|(_, hit)| !hit.is_empty())
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn rules_strike_by_number_and_path() {
        let all: Vec<usize> = (1..=10).collect();
        assert_eq!(numbers(json!({"kind": "refuse_then_drop"}), "/emails"), all);
        assert_eq!(
            numbers(json!({"kind": "refuse_then_drop"}), "/logs"),
            Vec::<usize>::new()
        );
        assert_eq!(
            numbers(
                json!({"kind": "refuse_then_drop", "path": "/messages*"}),
                "/messages/outbound"
            ),
            all
        );
        assert_eq!(
            numbers(json!({"kind": "refuse_then_drop", "nth": 3}), "/email"),
            [3]
        );
        assert_eq!(
            numbers(
                json!({"kind": "refuse_then_drop", "nth": 3, "times": 2}),
                "/email"
            ),
            [3, 4]
        );
        assert_eq!(
            numbers(json!({"kind": "refuse_then_drop", "times": 2}), "/email"),
            [1, 2]
        );
    }

    #[test]
    fn dice_repeat_with_their_seed() {
        let rule = |seed: u64| json!({"kind": "cut_json", "probability": 0.5, "seed": seed});
        assert_eq!(numbers(rule(7), "/email"), numbers(rule(7), "/email"));
        assert_ne!(numbers(rule(7), "/email"), numbers(rule(8), "/email"));
        assert!(numbers(json!({"kind": "cut_json", "probability": 0.0}), "/email").is_empty());
        assert_eq!(
            numbers(json!({"kind": "cut_json", "probability": 1.0}), "/email").len(),
            10
        );
    }

    #[test]
    fn clearing_takes_one_rule_or_all() {
        let mut faults = Faults::default();
        let first = faults.add(FaultRule::always(Fault::CutJson));
        faults.add(FaultRule::always(Fault::CutJson));
        assert_eq!((faults.clear(Some(first)), faults.list().len()), (1, 1));
        assert_eq!((faults.clear(None), faults.is_empty()), (1, true));
    }
}
