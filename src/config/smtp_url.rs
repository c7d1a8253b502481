//! `EMAIL_PROVIDER_URL` of a mail server: it carries a login, so no message ever repeats it.

use secrecy::SecretString;
use url::Url;

use super::check::is_loopback;

/// The URL without its login, and the login as `user:password`, percent-encoded as it was written; empty without one.
pub(super) fn check(value: &str) -> Result<(String, SecretString), String> {
    let mut url = Url::parse(value).map_err(|error| format!("is not a URL ({error})"))?;
    let forms =
        "smtps://host, smtp://host?tls=required, smtp://host?tls=opportunistic or smtp://host";
    let tls: Vec<_> = url.query_pairs().into_owned().collect();
    let mode: Vec<(&str, &str)> = tls
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let encrypted = match (url.scheme(), mode.as_slice()) {
        ("smtps", []) | ("smtp", [("tls", "required")]) => true,
        ("smtp", [] | [("tls", "opportunistic")]) => false,
        _ => return Err(format!("must have one of the forms {forms}")),
    };
    if url.host_str().is_none_or(str::is_empty) || url.fragment().is_some() {
        return Err(format!("must have one of the forms {forms}"));
    }
    let login = match (url.username(), url.password()) {
        ("", None) => String::new(),
        (user, Some(password)) if !user.is_empty() && !password.is_empty() => {
            format!("{user}:{password}")
        }
        _ => return Err("must have both a user name and a password, or neither".into()),
    };
    if !login.is_empty() && !encrypted && !is_loopback(value) {
        return Err(
            "would send its password in the clear: use smtps:// or ?tls=required (only loopback may do without)".into(),
        );
    }
    let stripped = url.set_password(None).and_then(|()| url.set_username(""));
    stripped.map_err(|()| "must name a host".to_owned())?;
    Ok((
        url.as_str().trim_end_matches('/').to_owned(),
        SecretString::from(login),
    ))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_login_is_kept_apart() {
        for (given, url, login) in [
            (
                "smtps://lea%40example.com:p%3Ass@mail.example.com",
                "smtps://mail.example.com",
                "lea%40example.com:p%3Ass",
            ),
            (
                "smtp://u:p@mail.example.com:2525/our.name?tls=required",
                "smtp://mail.example.com:2525/our.name?tls=required",
                "u:p",
            ),
            ("smtp://10.0.0.25", "smtp://10.0.0.25", ""),
            (
                "smtp://relay.example.com?tls=opportunistic",
                "smtp://relay.example.com?tls=opportunistic",
                "",
            ),
            ("smtp://u:p@127.0.0.1:25", "smtp://127.0.0.1:25", "u:p"),
            ("smtp://u:p@[::1]:25/", "smtp://[::1]:25", "u:p"),
        ] {
            let (found, secret) = check(given).expect(given);
            assert_eq!((found.as_str(), secret.expose_secret()), (url, login));
        }
    }

    #[test]
    fn what_cannot_work_is_refused_without_repeating_it() {
        for bad in [
            "mail.example.com",
            "https://u:hunter2@mail.example.com",
            "smtp://u:hunter2@mail.example.com",
            "smtp://u:hunter2@mail.example.com?tls=opportunistic",
            "smtp://u:hunter2@mail.example.com?tls=off",
            "smtps://u:hunter2@mail.example.com?tls=required",
            "smtps://hunter2@mail.example.com",
            "smtps://:hunter2@mail.example.com",
            "smtps://u:hunter2@",
            "smtp://",
            "smtp:mail.example.com",
        ] {
            let message = check(bad).expect_err(bad);
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
