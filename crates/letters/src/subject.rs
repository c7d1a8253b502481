//! A/B subjects from `email_subject_variants`, which may use the context's keys: `{project_name} : déjà {deployments_used}`.

use serde_json::Value;

use super::{french, value::Text};

/// The variant with its keys filled in; `None` when a key is null, absent or no plain value, so that the letter's own
/// subject is used instead of one with a hole. (Keys unknown to the letter are refused when the variant is inserted.)
pub(crate) fn fill(variant: &str, context: &Value) -> Option<String> {
    let mut subject = String::with_capacity(variant.len() + 32);
    let mut rest = variant;
    while let Some((before, tail)) = rest.split_once('{') {
        subject.push_str(before);
        let (key, after) = tail.split_once('}')?;
        match context.get(key)? {
            Value::String(text) => subject.push_str(Text::<60>::new(text)?.as_str()),
            Value::Number(number) => subject.push_str(&written(number)?),
            _ => return None,
        }
        rest = after;
    }
    subject.push_str(rest);
    Some(subject)
}

fn written(number: &serde_json::Number) -> Option<String> {
    match (number.as_u64(), number.as_f64()) {
        (Some(whole), _) => Some(french::number(whole)),
        (None, Some(value)) => Some(format!(
            "{}{}",
            if value < 0.0 { "−" } else { "" },
            french::decimal(value)
        )),
        _ => None,
    }
}
