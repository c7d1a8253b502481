//! What recipients do with their letters: they use the links, found in the letter as it arrived.

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;

use super::error::DemoError;

/// Everything is on this machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Speaks to the sidecar's HTTP as a mail client or a browser would.
#[derive(Debug)]
pub(super) struct Browser {
    client: Client,
}

impl Browser {
    pub(super) fn new() -> Result<Self, DemoError> {
        // An error means that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent("Mozilla/5.0 (demo)")
            .no_proxy()
            .tls_certs_only([])
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client })
    }

    /// The mail client's own unsubscribe button: RFC 8058, one POST to the address in the letter's header.
    pub(super) async fn unsubscribe(&self, letter: &Value) -> Result<(), DemoError> {
        let header = &letter["headers"]["List-Unsubscribe"];
        let url = header
            .as_str()
            .map(|value| value.trim_matches(['<', '>']))
            .ok_or(DemoError::NoLink("List-Unsubscribe"))?;
        self.post(url, "List-Unsubscribe=One-Click").await
    }

    /// A score of the survey: its link in the letter, then the page's button.
    pub(super) async fn answer(&self, letter: &Value, score: &str) -> Result<(), DemoError> {
        let survey = link(letter, "/nps/").ok_or(DemoError::NoLink("/nps/"))?;
        let survey = survey.split('?').next().unwrap_or_default();
        let page = format!("{survey}?score={score}");
        self.client.get(&page).send().await?.error_for_status()?;
        let form =
            format!("score={score}&comment=Indispensable%20%C3%A0%20chaque%20mise%20en%20prod.");
        self.post(survey, &form).await
    }

    /// The letter's own button, then one of those on the page.
    pub(super) async fn press(&self, letter: &Value, answer: &str) -> Result<(), DemoError> {
        let page = link(letter, "/answer/").ok_or(DemoError::NoLink("/answer/"))?;
        self.client.get(page).send().await?.error_for_status()?;
        self.post(page, &format!("answer={answer}")).await
    }

    async fn post(&self, url: &str, form: &str) -> Result<(), DemoError> {
        self.client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned())
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}

/// The first address of the letter's text that has this in it.
fn link<'a>(letter: &'a Value, part: &str) -> Option<&'a str> {
    letter["text"]
        .as_str()?
        .split_whitespace()
        .find(|word| word.starts_with("http") && word.contains(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_link_is_found_in_the_text() {
        let letter =
            json!({"text": "Bonjour,\n0 : http://x/nps/t?score=0\n1 : http://x/nps/t?score=1\n"});
        assert_eq!(link(&letter, "/nps/"), Some("http://x/nps/t?score=0"));
        assert_eq!(link(&letter, "/unsubscribe/"), None);
    }
}
