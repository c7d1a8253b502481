//! The statements behind the pages that letters link to.
//!
//! What a token may do is decided by the functions of `sql/core/80_feedback.sql`; nothing here looks into a table.

use pgconnect::pool::{DbError, Pool};
use tokio_postgres::types::Type;
use uuid::Uuid;

const UNSUBSCRIBE: &str = include_str!("sql/unsubscribe.sql");
const PREFERENCES_OF: &str = include_str!("sql/preferences_of.sql");
const SET_PREFERENCES: &str = include_str!("sql/set_preferences.sql");
const ANSWER_NPS: &str = include_str!("sql/answer_nps.sql");

/// What the preferences page shows and sets.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent choices, each with its own box"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// `false`: a contact without an account, whose two lists are one switch.
    pub is_user: bool,
    /// Gets marketing letters.
    pub marketing: bool,
    /// Gets product letters.
    pub product: bool,
    /// Opens and clicks may be measured.
    pub tracking: bool,
    /// IANA name.
    pub timezone: String,
}

/// What became of an answer to the survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is on record.
    Recorded,
    /// There is one already, which stays.
    AnsweredBefore,
    /// Nobody was asked with this token.
    Unknown,
}

/// Opts out of `product`, of `marketing`, or of both; answers whether the token is known.
pub async fn unsubscribe(
    pool: &Pool,
    token: Uuid,
    category: Option<&str>,
) -> Result<bool, DbError> {
    let row = pool
        .query_one(
            UNSUBSCRIBE,
            &[(&token, Type::UUID), (&category, Type::TEXT)],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// `None` when nobody has this token.
pub async fn preferences_of(pool: &Pool, token: Uuid) -> Result<Option<Preferences>, DbError> {
    let rows = pool.query(PREFERENCES_OF, &[(&token, Type::UUID)]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Preferences {
        is_user: row.try_get("is_user")?,
        marketing: row.try_get("marketing")?,
        product: row.try_get("product")?,
        tracking: row.try_get("tracking")?,
        timezone: row.try_get("timezone")?,
    }))
}

/// Records choices; answers whether the token is known. For a contact only the two lists count.
pub async fn set_preferences(
    pool: &Pool,
    token: Uuid,
    wanted: &Preferences,
) -> Result<bool, DbError> {
    let row = pool
        .query_one(
            SET_PREFERENCES,
            &[
                (&token, Type::UUID),
                (&wanted.marketing, Type::BOOL),
                (&wanted.product, Type::BOOL),
                (&wanted.tracking, Type::BOOL),
                (&wanted.timezone, Type::TEXT),
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Records an answer of 0 to 10.
pub async fn answer_nps(
    pool: &Pool,
    token: Uuid,
    score: u8,
    comment: Option<&str>,
) -> Result<Answer, DbError> {
    let row = pool
        .query_one(
            ANSWER_NPS,
            &[
                (&token, Type::UUID),
                (&i32::from(score), Type::INT4),
                (&comment, Type::TEXT),
            ],
        )
        .await?;
    let answer: &str = row.try_get(0)?;
    match answer {
        "recorded" => Ok(Answer::Recorded),
        "answered before" => Ok(Answer::AnsweredBefore),
        "unknown" => Ok(Answer::Unknown),
        other => Err(DbError::Unexpected(format!("answer {other:?}"))),
    }
}
