//! What `echo` and `printf` print, as far as every shell agrees on it.

use crate::source::{Span, Text, TextBuilder};

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
