//! One report of every kind, in the shape both providers send it, and what it means.

use serde_json::{Value, json};

#[derive(Debug)]
pub(super) struct Case {
    /// The provider's word.
    pub(super) kind: &'static str,
    /// What the kind adds to what every report has.
    pub(super) more: Value,
    /// The event that is stored; empty: none.
    pub(super) event: &'static str,
    /// Why the address is suppressed; empty: it is not.
    pub(super) suppression: &'static str,
    /// The journal's status afterwards.
    pub(super) status: &'static str,
}

fn case(
    kind: &'static str,
    more: Value,
    event: &'static str,
    suppression: &'static str,
    status: &'static str,
) -> Case {
    Case {
        kind,
        more,
        event,
        suppression,
        status,
    }
}

fn plain(kind: &'static str, event: &'static str) -> Case {
    case(kind, json!({}), event, "", "sent")
}

pub(super) fn resend() -> Vec<Case> {
    let permanent = json!({"bounce": {"type": "Permanent", "subType": "General",
        "message": "Mailbox lea@example.com does not exist", "diagnosticCode": ["smtp; 550 5.1.1 user unknown"]}});
    let full =
        json!({"bounce": {"type": "Transient", "subType": "MailboxFull", "message": "full"}});
    let unclear = json!({"bounce": {"type": "Undetermined"}});
    let bounced_before = json!({"suppressed": {"type": "OnAccountSuppressionList", "message": "m", "reason": "previous_bounce"}});
    let complained_before = json!({"suppressed": {"reason": "previous_complaint"}});
    let quota = json!({"failed": {"reason": "reached_daily_quota"}});
    let click = json!({"click": {"link": "https://app.example/dashboard?project=1", "timestamp": "2026-09-01T08:15:09Z",
        "ipAddress": "192.0.2.7", "userAgent": "Mozilla/5.0 (iPhone)"}});
    vec![
        plain("email.sent", "sent"),
        plain("email.scheduled", ""),
        plain("email.delivered", "delivered"),
        plain("email.delivery_delayed", "delayed"),
        case("email.bounced", permanent, "bounced", "bounced", "sent"),
        case("email.bounced", full, "bounced", "", "sent"),
        case("email.bounced", unclear, "bounced", "", "sent"),
        plain("email.bounced", "bounced"),
        case(
            "email.complained",
            json!({}),
            "complained",
            "complained",
            "sent",
        ),
        case(
            "email.suppressed",
            bounced_before,
            "suppressed",
            "bounced",
            "suppressed",
        ),
        case(
            "email.suppressed",
            complained_before,
            "suppressed",
            "complained",
            "suppressed",
        ),
        case(
            "email.suppressed",
            json!({}),
            "suppressed",
            "",
            "suppressed",
        ),
        case("email.failed", quota, "failed", "", "failed"),
        plain("email.opened", "opened"),
        case("email.clicked", click, "clicked", "", "sent"),
        plain("email.invented_tomorrow", ""),
    ]
}

fn bounce(
    (code, kind): (i64, &str),
    inactive: bool,
    event: &'static str,
    suppression: &'static str,
    status: &'static str,
) -> Case {
    let more = json!({"ID": code, "TypeCode": code, "Type": kind, "Name": kind, "ServerID": 23, "Description": "d",
        "Details": "smtp;550 5.1.1 no such user", "Email": "x@example.com", "From": "hello@mail.example.com",
        "BouncedAt": "2026-09-01T08:15:09.4020000Z", "DumpAvailable": true, "Inactive": inactive, "CanActivate": true});
    case("Bounce", more, event, suppression, status)
}

pub(super) fn postmark() -> Vec<Case> {
    let delivery = json!({"ServerID": 23, "Recipient": "x@example.com", "DeliveredAt": "2026-09-01T08:15:09.4020000Z"});
    let person = json!({"ReceivedAt": "2026-09-01T08:15:09Z", "UserAgent": "Mozilla/5.0 (Macintosh) AppleWebKit",
        "Geo": {"IP": "192.0.2.7"}, "FirstOpen": true});
    let complaint = json!({"ID": 7, "Type": "SpamComplaint", "TypeCode": 100_001, "Email": "x@example.com", "Inactive": true});
    vec![
        case("Delivery", delivery, "delivered", "", "sent"),
        bounce((1, "HardBounce"), true, "bounced", "bounced", "sent"),
        bounce((2, "Transient"), false, "delayed", "", "sent"),
        bounce(
            (16, "Unsubscribe"),
            true,
            "unsubscribed",
            "unsubscribed",
            "sent",
        ),
        bounce((32, "Subscribe"), false, "", "", "sent"),
        bounce((64, "AutoResponder"), false, "", "", "sent"),
        bounce((256, "DnsError"), false, "bounced", "", "sent"),
        bounce((512, "SpamNotification"), false, "bounced", "", "sent"),
        bounce((4096, "SoftBounce"), false, "bounced", "", "sent"),
        bounce((4097, "Invented"), true, "bounced", "bounced", "sent"),
        bounce(
            (100_000, "BadEmailAddress"),
            false,
            "bounced",
            "bounced",
            "sent",
        ),
        bounce(
            (100_001, "SpamComplaint"),
            true,
            "complained",
            "complained",
            "sent",
        ),
        bounce(
            (100_002, "ManuallyDeactivated"),
            true,
            "bounced",
            "manual",
            "sent",
        ),
        bounce((100_006, "Blocked"), false, "bounced", "", "sent"),
        bounce((100_007, "SMTPApiError"), false, "failed", "", "failed"),
        bounce((100_008, "InboundError"), false, "", "", "sent"),
        bounce(
            (100_010, "TemplateRenderingFailed"),
            false,
            "failed",
            "",
            "failed",
        ),
        case(
            "Bounce",
            json!({"Type": "Unsubscribe"}),
            "unsubscribed",
            "unsubscribed",
            "sent",
        ),
        case(
            "SpamComplaint",
            complaint,
            "complained",
            "complained",
            "sent",
        ),
        case("Open", person.clone(), "opened", "", "sent"),
        case("Click", person, "clicked", "", "sent"),
        plain("InventedTomorrow", ""),
    ]
}
