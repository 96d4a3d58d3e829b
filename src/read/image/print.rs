//! What `echo`, `printf` and `envsubst` print, as far as every shell agrees on it.

use crate::source::{Lookup, Span, Text, TextBuilder};

/// `echo`: shells differ about backslashes and about `-e`, so a text with either is not known.
pub fn echo(arguments: &[Text], place: Span) -> Option<Text> {
    let (line_break, words) = match arguments {
        [flag, words @ ..] if *flag == "-n" => (false, words),
        words => (true, words),
    };
    if words.first().is_some_and(|word| matches!(word.as_str(), "-e" | "-E" | "-en" | "-ne")) {
        return None;
    }
    let mut builder = TextBuilder::default();
    for (index, word) in words.iter().enumerate() {
        if word.as_str().contains('\\') {
            return None;
        }
        if index > 0 {
            builder.push_fixed(" ", word.whole());
        }
        builder.push(word, 0..word.as_str().len());
    }
    if line_break {
        builder.push_fixed("\n", place);
    }
    Some(builder.finish(place))
}

/// `printf` with `%s`, `%d`, `%%` and the usual escapes. The format is used again while there are words left.
pub fn printf(arguments: &[Text], place: Span) -> Option<Text> {
    let (format, mut words) = match arguments {
        [flag, format, words @ ..] if *flag == "--" => (format, words),
        [format, words @ ..] => (format, words),
        [] => return None,
    };
    let mut builder = TextBuilder::default();
    loop {
        let before = words.len();
        words = formatted(format, words, &mut builder)?;
        if words.is_empty() {
            return Some(builder.finish(place));
        }
        if words.len() == before {
            return None;
        }
    }
}

fn formatted<'w>(format: &Text, mut words: &'w [Text], builder: &mut TextBuilder) -> Option<&'w [Text]> {
    let source = format.as_str();
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'\\' | b'%') {
            let length = memchr::memchr2(b'\\', b'%', &bytes[at..]).unwrap_or(bytes.len() - at);
            builder.push(format, at..at + length);
            at += length;
            continue;
        }
        let next = *bytes.get(at + 1)?;
        let place = source.is_char_boundary(at + 2).then(|| format.span(at..at + 2))?;
        match (bytes[at], next) {
            (b'%', b'%') => builder.push_fixed("%", place),
            (b'%', b's' | b'd') => {
                if let [word, rest @ ..] = words {
                    builder.push(word, 0..word.as_str().len());
                    words = rest;
                }
            }
            (b'\\', b'n') => builder.push_fixed("\n", place),
            (b'\\', b't') => builder.push_fixed("\t", place),
            (b'\\', b'r') => builder.push_fixed("\r", place),
            (b'\\', b'\\') => builder.push_fixed("\\", place),
            (b'\\', b'"') => builder.push_fixed("\"", place),
            _ => return None,
        }
        at += 2;
    }
    Some(words)
}

/// `envsubst`: replaces `$NAME` and `${NAME}`, all of them or those that `chosen` names. `None` when a value is not known.
pub fn substituted(text: &Text, chosen: Option<&str>, lookup: &dyn Fn(&str) -> Lookup) -> Option<Text> {
    let chosen: Option<Vec<&str>> = chosen.map(|chosen| variables(chosen).map(|(_, name)| name).collect());
    let source = text.as_str();
    let mut builder = TextBuilder::default();
    let mut from = 0;
    for (range, name) in variables(source) {
        if chosen.as_ref().is_some_and(|chosen| !chosen.contains(&name)) {
            continue;
        }
        builder.push(text, from..range.start);
        match lookup(name) {
            Lookup::Value(value) => builder.push_fixed(value.as_str(), text.span(range.clone())),
            Lookup::Unset => {}
            Lookup::Unknown => return None,
        }
        from = range.end;
    }
    builder.push(text, from..source.len());
    Some(builder.finish(text.whole()))
}

/// Each `$NAME` and `${NAME}` of a text.
fn variables(source: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    source.match_indices('$').filter_map(|(at, _)| {
        let rest = &source[at + 1..];
        let brace = rest.starts_with('{');
        let name = &rest[usize::from(brace)..];
        let end = name.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(name.len());
        let name = &name[..end];
        let closed = !brace || rest[1 + end..].starts_with('}');
        let named = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let length = 1 + end + 2 * usize::from(brace);
        (named && closed).then_some((at..at + length, name))
    })
}
