//! What a single value must look like. Each function answers the checked value or, after the variable's name, what is
//! wrong ("is not …").

use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::{Mailbox, Mailboxes};
use url::{Host, Url};

/// Exactly one RFC 5322 mailbox with an ASCII address; answers it as it was written, since providers take it as text.
pub(super) fn mailbox(value: &str) -> Result<String, String> {
    parse_mailbox(value).map(|_| value.to_owned())
}

/// The bare address of a mailbox.
pub(super) fn address(value: &str) -> Result<String, String> {
    parse_mailbox(value).map(|mailbox| mailbox.email.to_string())
}

fn parse_mailbox(value: &str) -> Result<Mailbox, String> {
    let wrong = || format!("is {value:?}, which is not a mailbox like Name <local@domain>");
    let mut list = value.parse::<Mailboxes>().map_err(|_| wrong())?.into_iter();
    let (Some(mailbox), None) = (list.next(), list.next()) else {
        return Err(format!(
            "is {value:?}, but must be one mailbox, not several"
        ));
    };
    let email = mailbox.email.to_string();
    // lettre's parser stops where the mailbox ends and ignores the rest, so the end is checked here.
    if !value.ends_with(&email) && !value.ends_with(&format!("{email}>")) {
        return Err(wrong());
    }
    if !email.is_ascii() {
        return Err(format!(
            "is {value:?}: providers take only ASCII addresses (write the domain in its xn-- form)"
        ));
    }
    Ok(mailbox)
}

/// An absolute http(s) URL without query, fragment and credentials; answers it without a trailing slash.
pub(super) fn base_url(value: &str) -> Result<String, String> {
    let url = web_url(value)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a ? or # part: paths are appended to it".into());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// As [`base_url`], and what goes there is protected: https, or plain http that does not leave this machine.
pub(super) fn protected_url(value: &str) -> Result<String, String> {
    let base = base_url(value)?;
    if base.starts_with("https:") || is_loopback(&base) {
        Ok(base)
    } else {
        Err(format!(
            "is {value:?}: plain http is accepted only for localhost and loopback addresses, use https"
        ))
    }
}

/// An absolute http(s) URL.
pub(super) fn link(value: &str) -> Result<String, String> {
    web_url(value).map(|url| url.to_string())
}

fn web_url(value: &str) -> Result<Url, String> {
    let url = Url::parse(value).map_err(|error| format!("is not a URL ({error})"))?;
    // Checked before any message repeats the value.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user name or password".into());
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!(
            "is {value:?}, but must start with https:// or http://"
        ));
    }
    Ok(url)
}

/// Whether a URL points to this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    match url.host() {
        // In an smtp:// URL an IPv4 address is parsed as a name.
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || name
                    .parse::<IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// A path below a base URL.
pub(super) fn path(value: &str) -> Result<String, String> {
    if value.starts_with('/') && !value.starts_with("//") && !value.contains(char::is_whitespace) {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "is {value:?}, but must be a path that starts with one /"
        ))
    }
}

/// The id of a Postmark message stream.
pub(super) fn stream(value: &str) -> Result<String, String> {
    if value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        Ok(value.to_owned())
    } else {
        Err(format!(
            "is {value:?}, but a stream id has only letters, digits, - and _"
        ))
    }
}

/// `off`, or an address and port.
pub(super) fn listen(value: &str) -> Result<Option<SocketAddr>, String> {
    if value.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    match value
        .strip_prefix("localhost:")
        .map_or_else(|| value.parse(), |port| format!("127.0.0.1:{port}").parse())
    {
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(format!(
            "is {value:?}, but must be an IP address with a port, or off"
        )),
    }
}

/// The key of a Resend (Svix) signing secret. The secret itself is never in the message.
pub(super) fn resend_signing_key(value: &str) -> Result<Vec<u8>, String> {
    let encoded = value
        .strip_prefix("whsec_")
        .ok_or("must start with whsec_ when EMAIL_PROVIDER is resend")?;
    match STANDARD.decode(encoded) {
        Ok(key) if !key.is_empty() => Ok(key),
        _ => Err("must be whsec_ followed by base64, exactly as Resend shows it".into()),
    }
}

/// User and password of a Postmark webhook URL.
pub(super) fn postmark_credentials(value: &str) -> Result<(&str, &str), String> {
    match value.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok((user, password)),
        _ => Err("must be user:password when EMAIL_PROVIDER is postmark".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes() {
        for good in [
            "hello@mail.example.com",
            "SEQPULSE <hello@mail.example.com>",
            "\"SEQPULSE, Inc.\" <hello@mail.example.com>",
            "Léa de SéqPulse <lea@example.com>",
        ] {
            assert_eq!(mailbox(good), Ok(good.to_owned()), "{good}");
        }
        for bad in [
            "hello",
            "hello@",
            "@example.com",
            "SEQPULSE hello@example.com",
            "SEQPULSE <hello@example.com",
            "SEQPULSE <hello@example.com> and more",
            "a@example.com, b@example.com",
            "léa@example.com",
            "lea@exämple.com",
        ] {
            assert!(mailbox(bad).is_err(), "{bad}");
        }
        assert_eq!(
            address("Help <help@example.com>"),
            Ok("help@example.com".into())
        );
    }

    #[test]
    fn urls() {
        assert_eq!(
            base_url("https://app.example.com/"),
            Ok("https://app.example.com".into())
        );
        assert_eq!(
            base_url("https://example.com/app/"),
            Ok("https://example.com/app".into())
        );
        for bad in [
            "app.example.com",
            "ftp://example.com",
            "https://",
            "https://a.b/?x=1",
            "https://a.b/#x",
            "/x",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
        for good in [
            "https://api.resend.com",
            "http://127.0.0.1:8025",
            "http://localhost:1",
            "http://[::1]:80",
        ] {
            assert!(protected_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.resend.com",
            "http://10.0.0.1",
            "http://127.0.0.1.example.com",
            "http://localhost.com",
        ] {
            assert!(protected_url(bad).is_err(), "{bad}");
        }
        let leak =
            base_url("https://user:hunter2@example.com").expect_err("credentials are refused");
        assert!(!leak.contains("hunter2"), "{leak}");
        let leak = base_url("ftp://user:hunter2@example.com").expect_err("credentials are refused");
        assert!(!leak.contains("hunter2"), "{leak}");
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!(listen("off"), Ok(None));
        assert_eq!(listen("0.0.0.0:80"), Ok(Some(([0, 0, 0, 0], 80).into())));
        assert_eq!(
            listen("localhost:80"),
            Ok(Some(([127, 0, 0, 1], 80).into()))
        );
        assert!(listen("[::]:8025").is_ok());
        for bad in [
            "8025",
            ":8025",
            "example.com:80",
            "127.0.0.1",
            "127.0.0.1:99999",
        ] {
            assert!(listen(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_and_streams() {
        assert!(path("/dashboard?tab=1").is_ok());
        for bad in ["dashboard", "//evil.example.com", "/a b"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert!(stream("my-stream_1").is_ok());
        assert!(stream("my stream").is_err());
    }

    #[test]
    fn webhook_secrets_do_not_show_up_in_messages() {
        assert!(resend_signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
        assert_eq!(postmark_credentials("user:pa:ss"), Ok(("user", "pa:ss")));
        for bad in ["hunter2", "whsec_hunter2!", "whsec_"] {
            let message = resend_signing_key(bad).expect_err(bad);
            assert!(!message.contains("hunter2"), "{message}");
        }
        for bad in ["hunter2", ":hunter2", "hunter2:"] {
            let message = postmark_credentials(bad).expect_err(bad);
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
