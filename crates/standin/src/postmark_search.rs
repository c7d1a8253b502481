//! Postmark's message search, by which an unknown outcome is resolved (docs/providers.md#postmark-search).

use axum::http::StatusCode;
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::America::New_York;
use serde_json::{Value, json};
use uuid::Uuid;

use super::address;
use super::exchange::{Call, Reply};
use super::ledger::{Api, Entry, Fate};
use super::postmark_email::{Refusal, timestamp};
use super::settings::Settings;
use super::state::{Account, Shared};

const MAX_COUNT: usize = 500;
const MAX_WINDOW: usize = 10_000;

/// What a message must match; every filter that is absent matches all.
struct Filter {
    stream: String,
    metadata: Option<(String, String)>,
    recipient: Option<String>,
    from: Option<String>,
    tag: Option<String>,
    subject: Option<String>,
    /// `queued` matches nothing: what the sandbox accepted is processed.
    is_queued: bool,
    not_before: Option<DateTime<Utc>>,
    not_after: Option<DateTime<Utc>>,
    /// Entries younger than the index delay are not found yet.
    indexed_until: DateTime<Utc>,
}

/// `GET /messages/outbound`
pub(super) fn search(
    shared: &Shared,
    settings: &Settings,
    call: &Call,
    now: DateTime<Utc>,
) -> Reply {
    let number = |name: &str| {
        call.parameter(name)
            .and_then(|value| value.parse::<usize>().ok())
    };
    let (Some(count), Some(offset)) = (number("count"), number("offset")) else {
        return bad_request("The parameters 'count' and 'offset' are required.");
    };
    if count == 0 || count > MAX_COUNT || count + offset > MAX_WINDOW {
        return bad_request("At most 500 messages in one call, and 10000 with the offset.");
    }
    let filter = match Filter::read(call, settings, now) {
        Ok(filter) => filter,
        Err(refused) => return bad_request(refused),
    };
    let account = shared.account();
    let found = filter.apply(&account);
    let messages: Vec<Value> = found
        .iter()
        .skip(offset)
        .take(count)
        .map(|entry| message(&account, entry))
        .collect();
    Reply::json(
        StatusCode::OK,
        &json!({"TotalCount": found.len(), "Messages": messages}),
    )
}

/// `GET /messages/outbound/{MessageID}/details`
pub(super) fn details(shared: &Shared, settings: &Settings, id: &str, now: DateTime<Utc>) -> Reply {
    let account = shared.account();
    let indexed_until = indexed_until(settings, now);
    let entry = Uuid::parse_str(id)
        .ok()
        .and_then(|id| account.ledger.by_id(id));
    let Some(entry) = entry.filter(|entry| entry.api == Api::Postmark && entry.at <= indexed_until)
    else {
        return Refusal::new(701, "This message was not found.").reply();
    };
    let source = source(&account, entry);
    let mut details = message(&account, entry);
    details["HtmlBody"] = source["HtmlBody"].clone();
    details["TextBody"] = source["TextBody"].clone();
    details["Body"] = Value::Null;
    details["MessageEvents"] = events(entry);
    Reply::json(StatusCode::OK, &details)
}

fn bad_request(message: &str) -> Reply {
    Refusal::new(300, message).reply()
}

fn indexed_until(settings: &Settings, now: DateTime<Utc>) -> DateTime<Utc> {
    let delay = i64::try_from(settings.index_delay_ms)
        .ok()
        .and_then(Duration::try_milliseconds);
    delay
        .and_then(|delay| now.checked_sub_signed(delay))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

impl Filter {
    fn read(call: &Call, settings: &Settings, now: DateTime<Utc>) -> Result<Self, &'static str> {
        let text = |name: &str| {
            call.parameter(name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let mut metadata = call.query.iter().filter_map(|(name, value)| {
            name.strip_prefix("metadata_")
                .map(|name| (name.to_owned(), value.clone()))
        });
        let first = metadata.next();
        if metadata.next().is_some() {
            return Err("Only one metadata field can be searched for.");
        }
        let is_queued = match call.parameter("status") {
            None | Some("sent" | "processed") => false,
            Some("queued") => true,
            Some(_) => return Err("Unknown 'status'."),
        };
        Ok(Self {
            // Without it, broadcast mail is invisible.
            stream: text("messagestream").unwrap_or_else(|| "outbound".to_owned()),
            metadata: first,
            recipient: text("recipient").map(|address| address.to_lowercase()),
            from: text("fromemail").map(|address| address.to_lowercase()),
            tag: text("tag"),
            subject: text("subject").map(|subject| subject.to_lowercase()),
            is_queued,
            not_before: text("fromdate")
                .map(|date| parse_date(&date, false))
                .transpose()?,
            not_after: text("todate")
                .map(|date| parse_date(&date, true))
                .transpose()?,
            indexed_until: indexed_until(settings, now),
        })
    }

    /// Newest first.
    fn apply<'a>(&self, account: &'a Account) -> Vec<&'a Entry> {
        let ledger = &account.ledger;
        let candidates: Box<dyn Iterator<Item = &Entry> + '_> = match &self.metadata {
            Some((name, value)) if name == "attempt" => Box::new(ledger.by_attempt(value)),
            Some((name, value)) if name == "delivery" => {
                Box::new(ledger.by_delivery(value).into_iter())
            }
            _ => Box::new(ledger.entries().iter()),
        };
        let mut found: Vec<&Entry> = candidates
            .filter(|entry| self.matches(account, entry))
            .collect();
        found.reverse();
        found
    }

    fn matches(&self, account: &Account, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == actual)
        };
        let sender = || {
            address::parse(&entry.from)
                .unwrap_or_default()
                .to_lowercase()
        };
        entry.api == Api::Postmark
            && entry.at <= self.indexed_until
            && !self.is_queued
            && entry.stream.as_deref() == Some(self.stream.as_str())
            && self.not_before.is_none_or(|start| start <= entry.at)
            && self.not_after.is_none_or(|end| entry.at <= end)
            && self
                .recipient
                .as_ref()
                .is_none_or(|wanted| entry.to.to_lowercase().split(", ").any(|to| to == wanted))
            && (self.from.is_none() || is(&self.from, &sender()))
            && is(&self.tag, entry.email_type.as_deref().unwrap_or_default())
            && self
                .subject
                .as_ref()
                .is_none_or(|wanted| entry.subject.to_lowercase().contains(wanted.as_str()))
            && self
                .metadata
                .as_ref()
                .is_none_or(|(name, value)| metadata(account, entry)[name] == value.as_str())
    }
}

/// A date or a date and time, on the US east coast when no offset says otherwise; both ends are included.
fn parse_date(text: &str, is_end: bool) -> Result<DateTime<Utc>, &'static str> {
    const REFUSED: &str = "Invalid 'fromdate' or 'todate'.";
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.with_timezone(&Utc));
    }
    let day_end = NaiveTime::from_hms_nano_opt(23, 59, 59, 999_999_999).ok_or(REFUSED)?;
    let local = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => date.and_time(if is_end { day_end } else { NaiveTime::MIN }),
        Err(_) => {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map_err(|_| REFUSED)?
        }
    };
    New_York
        .from_local_datetime(&local)
        .earliest()
        .map(|at| at.with_timezone(&Utc))
        .ok_or(REFUSED)
}

fn source(account: &Account, entry: &Entry) -> Value {
    account
        .ledger
        .source(entry.seq)
        .and_then(|source| serde_json::from_slice(source).ok())
        .unwrap_or_default()
}

/// All of it while the request is kept; afterwards what the ledger holds.
fn metadata(account: &Account, entry: &Entry) -> Value {
    match source(account, entry)["Metadata"].take() {
        Value::Null => {
            let mut known = json!({});
            for (name, value) in [("delivery", &entry.delivery), ("attempt", &entry.attempt)] {
                if let Some(value) = value {
                    known[name] = value.as_ref().into();
                }
            }
            known
        }
        metadata => metadata,
    }
}

fn message(account: &Account, entry: &Entry) -> Value {
    let recipients: Vec<&str> = entry.to.split(", ").collect();
    let to: Vec<Value> = recipients
        .iter()
        .map(|address| json!({"Email": address, "Name": null}))
        .collect();
    let source = source(account, entry);
    let track_links = source["TrackLinks"].as_str().unwrap_or("None");
    json!({
        "Tag": entry.email_type, "MessageID": entry.id, "MessageStream": entry.stream, "To": to, "Cc": [], "Bcc": [],
        "Recipients": recipients, "ReceivedAt": timestamp(entry.at), "From": entry.from, "Subject": entry.subject,
        "Attachments": [], "Status": "Sent", "TrackOpens": source["TrackOpens"] == true, "TrackLinks": track_links,
        "Metadata": metadata(account, entry), "Sandboxed": false,
    })
}

fn events(entry: &Entry) -> Value {
    let (kind, details) = match entry.fate {
        Fate::Bounced => (
            "Bounced",
            json!({"Summary": "smtp;550 5.1.1 no such user", "BounceID": entry.seq.to_string()}),
        ),
        _ => (
            "Delivered",
            json!({"DeliveryMessage": "smtp;250 2.0.0 OK", "DestinationServer": "mx.sandbox.example"}),
        ),
    };
    json!([{"Recipient": entry.to, "Type": kind, "ReceivedAt": timestamp(entry.at), "Details": details}])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_without_an_offset_are_eastern_and_inclusive() {
        let utc = |text: &str, is_end| parse_date(text, is_end).map(|at| at.to_rfc3339());
        assert_eq!(
            utc("2026-09-01", false).as_deref(),
            Ok("2026-09-01T04:00:00+00:00")
        );
        assert_eq!(
            utc("2026-09-01", true).as_deref(),
            Ok("2026-09-02T03:59:59.999999999+00:00")
        );
        assert_eq!(
            utc("2026-09-01T10:00:00", false).as_deref(),
            Ok("2026-09-01T14:00:00+00:00")
        );
        assert_eq!(
            utc("2026-09-01T10:00:00+02:00", false).as_deref(),
            Ok("2026-09-01T08:00:00+00:00")
        );
        assert!(utc("yesterday", false).is_err());
    }
}
