//! The statements behind `/answer/`: what a letter asks, and what its recipient says.
//!
//! What a token may do is decided by the functions of `sql/core/81_answers.sql`.

use chrono::{DateTime, Utc};
use pgconnect::pool::{DbError, Pool};
use serde::Deserialize;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

const QUESTION: &str = include_str!("sql/question.sql");
const ANSWER: &str = include_str!("sql/answer.sql");

/// What the link of a letter holds: which letter, and the key that shows that one has received it.
#[derive(Debug, Clone)]
pub struct Token {
    /// `email_deliveries.id`.
    pub letter: Uuid,
    /// 32 hexadecimal digits.
    pub key: String,
}

/// What a letter asks.
#[derive(Debug)]
pub struct Question {
    /// Of the letter.
    pub code: String,
    /// The kinds of signal it was answered with already.
    pub answered: Vec<String>,
    /// What the letter was about.
    pub about: About,
}

/// Some keys of the letter's context; none once that is erased.
#[derive(Debug, Default, Deserialize)]
pub struct About {
    /// When the login was (E-SEC-02).
    #[serde(default)]
    pub occurred_at: Option<DateTime<Utc>>,
    /// The recipient's, an IANA name.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The login's.
    #[serde(default)]
    pub device: Option<String>,
    /// The project (E-RET-02).
    #[serde(default)]
    pub project_name: Option<String>,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is on record.
    Recorded,
    /// It was before.
    AnsweredBefore,
    /// The login was disowned before, and stays so.
    DisownedBefore,
    /// This letter asks something else.
    NoAnswer,
    /// No letter has this token, or its recipient is gone or forgotten.
    Unknown,
}

/// `None` when no letter has this token.
pub async fn question(pool: &Pool, token: &Token) -> Result<Option<Question>, DbError> {
    let rows = pool
        .query(
            QUESTION,
            &[(&token.letter, Type::UUID), (&token.key, Type::TEXT)],
        )
        .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    // What cannot be read was another program's context: the question stands without it.
    let Json(about): Json<serde_json::Value> = row.try_get("about")?;
    Ok(Some(Question {
        code: row.try_get("code")?,
        answered: row.try_get("answered")?,
        about: serde_json::from_value(about).unwrap_or_default(),
    }))
}

/// Records an answer.
pub async fn answer(pool: &Pool, token: &Token, said: &str) -> Result<Outcome, DbError> {
    let row = pool
        .query_one(
            ANSWER,
            &[
                (&token.letter, Type::UUID),
                (&token.key, Type::TEXT),
                (&said, Type::TEXT),
            ],
        )
        .await?;
    let outcome: &str = row.try_get(0)?;
    match outcome {
        "recorded" => Ok(Outcome::Recorded),
        "answered before" => Ok(Outcome::AnsweredBefore),
        "disowned before" => Ok(Outcome::DisownedBefore),
        "no answer" => Ok(Outcome::NoAnswer),
        "unknown" => Ok(Outcome::Unknown),
        other => Err(DbError::Unexpected(format!("answer {other:?}"))),
    }
}
