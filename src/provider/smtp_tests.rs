#![expect(clippy::unwrap_used, reason = "tests")]

use letters::Category;

use super::super::from_config;
use super::super::samples;
use super::*;

fn smtp() -> Smtp {
    Smtp::new(&config("smtp://127.0.0.1:9")).unwrap()
}

fn config(url: &str) -> ProviderConfig {
    ProviderConfig {
        base_url: url.to_owned(),
        api_key: "lea:hunt%3Aer2".into(),
        from: "SéqPulse <hello@mail.example.com>".to_owned(),
        ..samples::config()
    }
}

fn source(message: &Message) -> String {
    smtp().letter(message).source.unwrap()
}

#[test]
fn a_letter_is_seven_bit_with_crlf_and_both_bodies() {
    let mut message = samples::message(7, Category::Marketing);
    message.text = format!("Bonjour Léa,\n\n.\n{}\nfin", "a".repeat(2000));
    message.headers.push((
        "List-Unsubscribe".to_owned(),
        format!(
            "<https://mail.example.com/unsubscribe/{}?c=product>",
            "0".repeat(90)
        ),
    ));
    let source = source(&message);
    assert!(source.is_ascii());
    assert!(
        source
            .split("\r\n")
            .all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])),
        "{source}"
    );
    for line in [
        "From: =?utf-8?b?U8OpcVB1bHNl?= <hello@mail.example.com>",
        "Reply-To: support@example.com",
        "To: lea7@example.org",
        "Message-ID: <00000000-0000-0000-0000-000000000007@mail.example.com>",
        "MIME-Version: 1.0",
        "Auto-Submitted: auto-generated",
        "X-Entity-Ref-ID: 7",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
    ] {
        assert!(source.contains(&format!("{line}\r\n")), "{line}\n{source}");
    }
    // However it is folded, the value must come out whole: mail systems look for the angle brackets.
    let unfolded = source.replace("\r\n ", " ");
    assert!(
        unfolded.contains(&format!("{}?c=product>\r\n", "0".repeat(90))),
        "{unfolded}"
    );
    assert!(source.contains("multipart/alternative"));
}

#[test]
fn the_same_letter_has_the_same_bytes_and_no_date() {
    let batch = samples::batch(vec![samples::message(7, Category::Product)]);
    let provider = from_config(ProviderKind::Smtp, &config("smtp://127.0.0.1:9")).unwrap();
    let (one, two) = (provider.encode(&batch), provider.encode(&batch));
    assert_eq!(one.body, two.body);
    assert!(!String::from_utf8(one.body).unwrap().contains("Date:"));
}

#[test]
fn header_values_cannot_add_headers() {
    let mut message = samples::message(7, Category::Product);
    message.subject = "Bonjour\r\nBcc: eve@example.com".to_owned();
    let source = source(&message);
    assert!(!source.contains("\r\nBcc:"), "{source}");
}

#[tokio::test]
async fn what_is_no_address_fails_without_a_connection() {
    let mut message = samples::message(7, Category::Product);
    message.to = "not an address".to_owned();
    let provider = smtp();
    let results = provider
        .send(&provider.encode(&samples::batch(vec![message])))
        .await
        .results;
    let [Err(error)] = results.as_slice() else {
        panic!("{results:?}");
    };
    assert_eq!(error.kind, ErrorKind::Permanent);
}

#[test]
fn settings_that_cannot_work_name_their_variable() {
    for url in [
        "mail.example.com",
        "https://mail.example.com",
        "smtp://h?tls=maybe",
    ] {
        let error = Smtp::new(&config(url)).unwrap_err().to_string();
        assert!(error.starts_with("EMAIL_PROVIDER_URL: "), "{error}");
        assert!(!error.contains("hunt"), "{error}");
    }
    assert!(!format!("{:?}", smtp()).contains("hunt"), "{:?}", smtp());
}
