//! The configuration files of a program, and what a key says in them.

use std::ops::Range;

use crate::read::app::settings::{Format, Setting, Settings, settings};
use crate::read::process::follow::absolute;
use crate::read::surroundings::{Found, Surroundings};
use crate::source::{Span, Text};

/// A configuration file that is there, or may be there.
pub enum Loaded {
    Read {
        path: String,
        text: Text,
        settings: Option<Settings>,
        format: String,
    },
    /// The reason why it cannot be read, and the place that names it.
    Hidden(Span, String),
}

/// What a file says of a key.
pub enum Said {
    Nothing,
    Values(Vec<Text>),
    Unclear(Span, String),
}

/// Loads a file; `None` when it is not there. `named`: the command asks for it, so it must be there.
pub fn load(format: &str, path: &str, place: Span, named: bool, surroundings: &Surroundings) -> Option<Loaded> {
    let path = path.strip_prefix("file:").unwrap_or(path);
    let path = absolute(surroundings.directory, path);
    match (surroundings.file)(&path) {
        Found::Absent | Found::Directory if !named => None,
        Found::Absent | Found::Directory => Some(Loaded::Hidden(place, format!("`{path}` is not there"))),
        Found::File(text) => {
            let known = format_of(format, &path).map(|known| settings(known, &path, &text, surroundings));
            Some(Loaded::Read { path, text, settings: known, format: format.to_owned() })
        }
        Found::Opaque | Found::Unknown => Some(Loaded::Hidden(place, format!("`{path}` is not visible"))),
    }
}

fn format_of(name: &str, path: &str) -> Option<Format> {
    if name != "spring" {
        return Format::named(name);
    }
    Some(if path.ends_with(".properties") { Format::SpringProperties } else { Format::SpringYaml })
}

impl Loaded {
    /// What the file says of the first of these keys, which are separated by blanks, that it knows.
    pub fn get(&self, keys: &str) -> Said {
        let (path, text, settings, format) = match self {
            Loaded::Hidden(span, why) => return Said::Unclear(*span, why.clone()),
            Loaded::Read { path, text, settings, format } => (path, text, settings, format),
        };
        for key in keys.split(' ') {
            let key = &*key.replace("%20", " ");
            let setting = match (settings, format.as_str()) {
                (Some(settings), _) => settings.get(key),
                (None, "xml") => xml_attribute(text, key),
                (None, _) => mentioned(text, key).map_or(Setting::Absent, Setting::Unclear),
            };
            match setting {
                Setting::Absent => {}
                Setting::Value(value) => return Said::Values(vec![value]),
                Setting::Values(values) if values.is_empty() => {}
                Setting::Values(values) => return Said::Values(values),
                Setting::Unclear(span) => {
                    // The part that cannot be read says nothing of a key that the whole text never mentions.
                    if mentioned(text, key).is_some() || takes_others_in(text) {
                        return Said::Unclear(span, format!("`{path}` may say it"));
                    }
                }
            }
        }
        Said::Nothing
    }
}

/// Whether settings may come from another file.
fn takes_others_in(text: &Text) -> bool {
    let text = text.as_str();
    ["'./", "\"./", "'../", "\"../", "spring.config.import", "include", "extends", "import *"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Where a file mentions the last part of a key as a word of its own.
fn mentioned(text: &Text, key: &str) -> Option<Span> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_str().as_bytes();
    let mut found = text.as_str().match_indices(name);
    let (at, _) = found.find(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_word(before) && !is_word(bytes.get(at + name.len()))
    })?;
    Some(text.span(at..at + name.len()))
}

/// `Element.attribute` of an XML file, comments left out: the values of all elements of this name. `Element[name~part]`
/// takes only those whose attribute has this part, `!~` only those where it has not.
fn xml_attribute(text: &Text, key: &str) -> Setting {
    let Some((element, attribute)) = key.rsplit_once('.') else { return Setting::Absent };
    let mut conditions = element.split('[');
    let element = conditions.next().unwrap_or_default();
    let conditions: Vec<&str> = conditions.map(|condition| condition.trim_end_matches(']')).collect();
    let raw = text.as_str();
    let mut values = Vec::new();
    let mut at = 0;
    while let Some(open) = raw[at..].find('<').map(|found| at + found) {
        let is_comment = raw[open..].starts_with("<!--");
        let closing = if is_comment { "-->" } else { ">" };
        let Some(close) = raw[open..].find(closing).map(|found| open + found) else { break };
        at = close + closing.len();
        let inner = &raw[open + 1..close];
        let is_wanted = inner.strip_prefix(element).is_some_and(|rest| rest.starts_with(char::is_whitespace));
        if is_comment || !is_wanted || !conditions.iter().all(|condition| holds(inner, condition)) {
            continue;
        }
        let Some(place) = attribute_of(inner, attribute) else { continue };
        let value = text.slice(open + 1 + place.start..open + 1 + place.end);
        if value.as_str().contains("${") {
            return Setting::Unclear(value.whole());
        }
        values.push(value);
    }
    Setting::Values(values)
}

/// Whether `name~part` or `name!~part` is true of an element.
fn holds(element: &str, condition: &str) -> bool {
    let Some((name, part)) = condition.split_once('~') else { return false };
    let (name, wanted) = name.strip_suffix('!').map_or((name, true), |name| (name, false));
    let value = attribute_of(element, name).map_or("", |place| &element[place]);
    value.to_ascii_lowercase().contains(part) == wanted
}

/// Where the value of an attribute stands in the text of an element.
fn attribute_of(element: &str, attribute: &str) -> Option<Range<usize>> {
    element.match_indices(attribute).find_map(|(found, _)| {
        let behind = found + attribute.len();
        let rest = element[behind..].strip_prefix('=').filter(|_| element[..found].ends_with(char::is_whitespace))?;
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let length = rest[1..].find(quote)?;
        Some(behind + 2..behind + 2 + length)
    })
}
