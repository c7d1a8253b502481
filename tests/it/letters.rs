//! The letters: what they say, that they always say it, and what they do with bad input.

#![expect(clippy::unwrap_used, reason = "tests")]

mod buttons;
mod engine;
mod errors;
mod french;
mod hostile;
mod language;
mod links;
mod markup;
mod preview;
mod snapshots;
mod spec;
mod subjects;
mod workflow;

use letters::samples::{self, Sample};
use letters::{Letter, RenderError};
use serde_json::Value;

/// The letter of a sample.
fn written(sample: &Sample) -> Letter {
    try_written(sample).unwrap_or_else(|error| panic!("{}: {error}", sample.name))
}

fn try_written(sample: &Sample) -> Result<Letter, RenderError> {
    letters::render(
        sample.code,
        &sample.context,
        &sample.recipient(),
        &samples::site(),
    )
}

/// The sample of this name, such as `E-BILL-01-J3`.
fn sample(name: &str) -> Sample {
    samples::all()
        .into_iter()
        .find(|sample| sample.name == name)
        .unwrap()
}

/// The same sample with one key set.
fn with(mut sample: Sample, key: &str, value: impl Into<Value>) -> Sample {
    sample.context[key] = value.into();
    sample
}

/// The same sample with one key removed.
fn without(mut sample: Sample, key: &str) -> Sample {
    sample.context.as_object_mut().unwrap().remove(key);
    sample
}

/// What a person sees of an HTML part: no head, no tags, entities decoded, white space collapsed.
fn visible(html: &str) -> String {
    let body = html.split_once("<body").unwrap().1;
    let mut text = String::new();
    let mut inside = true;
    for character in body.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(character),
            _ => {}
        }
    }
    text.replace("&nbsp;", "\u{a0}")
        .replace("&#847;&#8199;", "")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#039;", "'")
        .replace("&amp;", "&")
        .split([' ', '\n'])
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Every value of `attribute` in an HTML part, entities decoded.
fn attributes(html: &str, attribute: &str) -> Vec<String> {
    html.split(&format!(" {attribute}=\""))
        .skip(1)
        .map(|rest| {
            rest.split_once('"')
                .unwrap()
                .0
                .replace("&amp;", "&")
                .replace("&#039;", "'")
        })
        .collect()
}
