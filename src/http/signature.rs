//! Whether a webhook comes from whom it says: Svix signatures for Resend, basic authentication for Postmark.
//!
//! The rules are those of Standard Webhooks: HMAC-SHA256 over id, timestamp and the raw bytes of the body; any of several
//! signatures is enough, because a rotated secret signs twice; a timestamp more than five minutes away, on either side, is
//! a replay. `hmac` and `sha2` rather than the crate of the same name, which reads the real clock only and none of the
//! `svix-` headers that Resend sends. Comparisons take the same time wherever they fail.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Seconds a timestamp may be away.
const TOLERANCE: i64 = 300;
/// More signatures than a rotation ever makes are not looked at.
const MOST_SIGNATURES: usize = 8;

/// Why a webhook is not believed. Says nothing that a forger does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forged {
    #[error("the signature headers are missing or cannot be read")]
    Headers,
    #[error("the timestamp is more than five minutes away: a replay, or a clock that is wrong")]
    Timestamp,
    #[error("no signature matches")]
    Signature,
    #[error("user and password are missing or wrong")]
    Credentials,
}

/// Checks a Svix signature at the Unix time `now`; answers the id of the event, which is the same whenever it is sent again.
pub(super) fn svix<'a>(
    key: &[u8],
    headers: &'a HeaderMap,
    body: &[u8],
    now: i64,
) -> Result<&'a str, Forged> {
    let get = |name: &str| {
        let value = headers
            .get(format!("svix-{name}"))
            .or_else(|| headers.get(format!("webhook-{name}")));
        value
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
            .ok_or(Forged::Headers)
    };
    let (id, timestamp, signatures) = (get("id")?, get("timestamp")?, get("signature")?);
    let sent: i64 = timestamp.parse().map_err(|_| Forged::Headers)?;
    if now.abs_diff(sent) > TOLERANCE.unsigned_abs() {
        return Err(Forged::Timestamp);
    }
    if key.is_empty() {
        return Err(Forged::Signature);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Forged::Signature)?;
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    let genuine = signatures
        .split(' ')
        .take(MOST_SIGNATURES)
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        // Takes a whole signature only, and compares in constant time.
        .any(|signature| mac.clone().verify_slice(&signature).is_ok());
    genuine.then_some(id).ok_or(Forged::Signature)
}

/// Checks basic authentication.
pub(super) fn basic(
    user: &str,
    password: &SecretString,
    headers: &HeaderMap,
) -> Result<(), Forged> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .ok_or(Forged::Credentials)?;
    let expected = format!("{user}:{}", password.expose_secret());
    // Hashed, so that not even the length shows.
    let same = Sha256::digest(&given).ct_eq(&Sha256::digest(expected.as_bytes()));
    bool::from(same).then_some(()).ok_or(Forged::Credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of Svix and Standard Webhooks: secret, id, timestamp, body, signature.
    const VECTORS: [(&str, &str, i64, &str, &str); 3] = [
        (
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "bG9jYWwtc2ltdWxhdG9yLXNpZ25pbmcta2V5LTAwMDE=",
            "msg_sim_0001",
            1_767_225_600,
            r#"{"type":"email.delivered","created_at":"2026-01-01T00:00:00.000Z","data":{"email_id":"3f1f8a1e-7f0e-4f5b-9a37-2f6f1c2f9d10"}}"#,
            "v1,OEubsPv6/sud9lN/VOVQL9N1fvklaoCaiPKZ0FF/SMg=",
        ),
    ];

    fn headers(prefix: &str, id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        [
            ("id", id),
            ("timestamp", timestamp),
            ("signature", signature),
        ]
        .into_iter()
        .map(|(name, value)| {
            (
                format!("{prefix}-{name}").parse().expect("a name"),
                value.parse().expect("a value"),
            )
        })
        .collect()
    }

    struct Case {
        headers: HeaderMap,
        key: Vec<u8>,
        body: Vec<u8>,
        now: i64,
    }

    impl Case {
        fn set(&mut self, name: &'static str, value: &str) {
            self.headers.insert(name, value.parse().expect("a value"));
        }
    }

    /// The first vector with one thing changed.
    fn check(change: impl FnOnce(&mut Case)) -> Result<(), Forged> {
        let (secret, id, timestamp, body, signature) = VECTORS[0];
        let mut case = Case {
            headers: headers("svix", id, &timestamp.to_string(), signature),
            key: STANDARD.decode(secret).expect("base64"),
            body: body.as_bytes().to_vec(),
            now: timestamp,
        };
        change(&mut case);
        svix(&case.key, &case.headers, &case.body, case.now).map(drop)
    }

    #[test]
    fn the_published_vectors_pass() {
        for (secret, id, timestamp, body, signature) in VECTORS {
            let key = STANDARD.decode(secret).expect("base64");
            for prefix in ["svix", "webhook"] {
                let headers = headers(prefix, id, &timestamp.to_string(), signature);
                assert_eq!(svix(&key, &headers, body.as_bytes(), timestamp), Ok(id));
            }
        }
    }

    #[test]
    fn five_minutes_either_way_and_no_more() {
        for (away, expected) in [
            (300, Ok(())),
            (-300, Ok(())),
            (301, Err(Forged::Timestamp)),
            (-301, Err(Forged::Timestamp)),
            (i64::MAX - 1_614_265_330, Err(Forged::Timestamp)),
        ] {
            assert_eq!(check(|case| case.now += away), expected, "{away}");
        }
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let (.., good) = VECTORS[0];
        let other = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        for list in [
            format!("{other} {good}"),
            format!("{good} {other}"),
            format!("v1a,abc v2,xyz nonsense {good}"),
        ] {
            let outcome = check(|case| case.set("svix-signature", &list));
            assert_eq!(outcome, Ok(()), "{list}");
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let (.., good) = VECTORS[0];
        let unsigned = good.trim_start_matches("v1,");
        for signature in [
            "v1,",
            "v1",
            "v1,AAAA",
            unsigned,
            &format!("v2,{unsigned}"),
            &good[..good.len() - 4],
            good.trim_end_matches('='),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=",
        ] {
            let outcome = check(|case| case.set("svix-signature", signature));
            assert_eq!(outcome, Err(Forged::Signature), "{signature}");
        }
        assert_eq!(check(|case| case.body.push(b' ')), Err(Forged::Signature));
        assert_eq!(check(|case| case.key.clear()), Err(Forged::Signature));
        assert_eq!(check(|case| case.key[0] ^= 1), Err(Forged::Signature));
        assert_eq!(
            check(|case| case.set("svix-id", "msg_other")),
            Err(Forged::Signature)
        );
        assert_eq!(
            check(|case| case.set("svix-timestamp", "1614265331")),
            Err(Forged::Signature)
        );
        for name in ["svix-id", "svix-timestamp", "svix-signature"] {
            assert_eq!(
                check(|case| drop(case.headers.remove(name))),
                Err(Forged::Headers),
                "{name}"
            );
        }
        assert_eq!(
            check(|case| case.set("svix-timestamp", "soon")),
            Err(Forged::Headers)
        );
    }

    #[test]
    fn user_and_password_must_both_be_right() {
        let check = |value: &str| {
            let mut headers = HeaderMap::new();
            if !value.is_empty() {
                headers.insert(header::AUTHORIZATION, value.parse().expect("a value"));
            }
            basic("hook", &SecretString::from("pa:ss"), &headers)
        };
        let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(check(&encoded("hook:pa:ss")), Ok(()));
        assert_eq!(
            check(&encoded("hook:pa:ss").replace("Basic", "basic")),
            Ok(())
        );
        for wrong in ["hook:pa:s", "hook:pa:sss", "hooks:pa:ss", "hook", ":", ""] {
            assert_eq!(check(&encoded(wrong)), Err(Forged::Credentials), "{wrong}");
        }
        for wrong in ["", "Basic", "Basic !", "Bearer aG9vazpwYTpzcw=="] {
            assert_eq!(check(wrong), Err(Forged::Credentials), "{wrong}");
        }
    }
}
