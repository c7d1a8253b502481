//! What a letter is for.

use std::str::FromStr;

/// What a message is for, which decides its Postmark stream and whether it may be tracked (docs/rules.md#principles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Account security: always goes out, never tracked.
    Security,
    /// Caused by what the user did or must do.
    Transactional,
    /// Product news and reports; obeys `product_updates_opt_in`.
    Product,
    /// Marketing; obeys `marketing_opt_in`.
    Marketing,
}

impl FromStr for Category {
    type Err = UnknownCategory;

    /// From `email_types.category`.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "security" => Ok(Self::Security),
            "transactional" => Ok(Self::Transactional),
            "product" => Ok(Self::Product),
            "marketing" => Ok(Self::Marketing),
            _ => Err(UnknownCategory),
        }
    }
}

/// A word that names no category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected security, transactional, product or marketing")]
pub struct UnknownCategory;
