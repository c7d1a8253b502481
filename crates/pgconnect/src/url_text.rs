//! The text of a database URL: taken apart into a base and parameters, and put together again.

use percent_encoding::percent_decode_str;

/// What is wrong with a database URL, as a phrase that follows the variable's name. Never the password, and no part of
/// the URL that could be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(pub(crate) String);

pub(crate) fn wrong<T>(problem: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError(problem.into()))
}

/// One parameter of the URL: decoded for us, and as it was written for tokio-postgres.
pub(super) struct Parameter<'a> {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) raw: &'a str,
}

/// What stands before the parameters: the URL without its query, or nothing in the key=value form.
#[derive(Clone, Copy)]
pub(super) enum Base<'a> {
    Url(&'a str),
    KeyValue,
}

pub(super) fn split(url: &str) -> Result<(Base<'_>, Vec<Parameter<'_>>), UrlError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.contains('=') {
            Ok((Base::KeyValue, key_values(url)?))
        } else {
            wrong("is neither a URL like postgres://… nor key=value pairs")
        };
    };
    match scheme {
        "postgres" | "postgresql" => {}
        // The application's own URL names SQLAlchemy's driver.
        _ if scheme.starts_with("postgres") && scheme.contains('+') => {
            return wrong(
                "names a driver in its scheme: write postgresql:// without the part from the + on",
            );
        }
        // "host=db password=a://b" is the key=value form.
        _ if scheme.contains('=') => return Ok((Base::KeyValue, key_values(url)?)),
        _ => return wrong("must start with postgres:// or postgresql://"),
    }
    // As libpq does it: credentials end at the first @ before any /, so a ? in a password is no query.
    let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
    let credentials = authority.find('@').map_or(0, |at| at + 1);
    let hosts = &authority[credentials..];
    if hosts.contains('@')
        || (credentials == 0
            && rest
                .split('?')
                .next()
                .is_some_and(|part| part.contains('@')))
    {
        return wrong("has an @ or / in the password: write %40 for @ and %2F for /");
    }
    let Some(query) = rest[credentials..].find('?').map(|at| credentials + at) else {
        return Ok((Base::Url(url), Vec::new()));
    };
    let base = &url[..url.len() - rest.len() + query];
    let parameters = rest[query + 1..]
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|raw| {
            let Some((name, value)) = raw.split_once('=') else {
                return wrong("has a parameter without = after the ?");
            };
            let decode = |text| {
                let decoded = percent_decode_str(text).decode_utf8();
                decoded
                    .map(Into::into)
                    .map_err(|_| UrlError("has a %-escape that is not UTF-8".into()))
            };
            Ok(Parameter {
                name: decode(name)?,
                value: decode(value)?,
                raw,
            })
        });
    Ok((Base::Url(base), parameters.collect::<Result<_, _>>()?))
}

/// `name = value` pairs; values in quotes may hold spaces, and \ takes the next character as it is.
fn key_values(text: &str) -> Result<Vec<Parameter<'_>>, UrlError> {
    let mut parameters = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else {
            return wrong("has a key without = in its key=value pairs");
        };
        let after = after.trim_start();
        let (quoted, mut characters) = match after.strip_prefix('\'') {
            Some(inside) => (true, inside.char_indices()),
            None => (false, after.char_indices()),
        };
        let mut value = String::new();
        let mut end = None;
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                '\'' if quoted => {
                    end = Some(at + 2);
                    break;
                }
                c if !quoted && c.is_whitespace() => {
                    end = Some(at);
                    break;
                }
                c => value.push(c),
            }
        }
        if quoted && end.is_none() {
            return wrong("has a value whose closing ' is missing");
        }
        let length = rest.len() - after.len() + end.unwrap_or(after.len());
        parameters.push(Parameter {
            name: name.trim().to_owned(),
            value,
            raw: &rest[..length],
        });
        rest = rest[length..].trim_start();
    }
    Ok(parameters)
}

pub(super) fn join(base: Base<'_>, parameters: &[Parameter<'_>]) -> String {
    match base {
        Base::Url(base) => {
            let raw: Vec<&str> = parameters.iter().map(|parameter| parameter.raw).collect();
            if raw.is_empty() {
                base.to_owned()
            } else {
                format!("{base}?{}", raw.join("&").replace('@', "%40"))
            }
        }
        Base::KeyValue => {
            let quote = |value: &str| value.replace('\\', r"\\").replace('\'', r"\'");
            let pair = |parameter: &Parameter<'_>| {
                format!("{}='{}'", parameter.name, quote(&parameter.value))
            };
            parameters.iter().map(pair).collect::<Vec<_>>().join(" ")
        }
    }
}
