//! As much of RFC 5322 as the providers check.

/// The bare address of `Name <a@b.c>` or `a@b.c`; `None` when it is not one both providers take.
pub(super) fn parse(mailbox: &str) -> Option<&str> {
    let mailbox = mailbox.trim();
    let address = match mailbox.strip_suffix('>') {
        Some(named) => named.rsplit_once('<')?.1,
        None => mailbox,
    };
    let (local, domain) = address.rsplit_once('@')?;
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && local
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let labels_ok = domain.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    });
    (local_ok && labels_ok && domain.contains('.') && domain.len() <= 253).then_some(address)
}

/// What stands behind the `@`.
pub(super) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_other_text() {
        for (mailbox, expected) in [
            ("lea@example.org", Some("lea@example.org")),
            ("Léa <lea+x@example.org>", Some("lea+x@example.org")),
            ("o'brien@example.co.uk", Some("o'brien@example.co.uk")),
            ("lea@localhost", None),
            ("lea", None),
            ("@example.org", None),
            ("léa@example.org", None),
            ("a b@example.org", None),
            ("a..b@example.org", None),
            ("a@b@example.org", None),
            ("lea@example..org", None),
            ("Léa lea@example.org>", None),
            ("a@b.c, d@e.f", None),
            ("", None),
        ] {
            assert_eq!(parse(mailbox), expected, "{mailbox:?}");
        }
        assert_eq!(domain("lea@example.org"), "example.org");
    }
}
