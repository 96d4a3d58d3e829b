//! Files of `NAME=value` lines: `.env`, the `env_file` of a compose service, the `EnvironmentFile` of a systemd unit.
//!
//! Read as docker compose reads them (`export` in front, both kinds of quotes over several lines, comments behind a blank),
//! with what systemd adds: `;` comments and lines continued by a backslash.

use crate::source::{Spanned, Text, TextBuilder};
use crate::syntax::Problem;
use std::ops::Range;

#[derive(Clone, Debug, Default)]
pub struct EnvFile {
    /// In the order of the file; of two equal names the last one counts.
    pub entries: Vec<Entry>,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub name: Spanned<String>,
    /// Without its quotes, `${…}` left as it is; `None` for a name without `=`, which takes the caller's variable.
    pub value: Option<Text>,
    /// It stood in single quotes: compose puts no variables in.
    pub literal: bool,
}

/// Reads a whole file. An escaped dollar of a double-quoted value is given as `$$`, which is how compose writes it elsewhere.
pub fn parse(text: &Text) -> EnvFile {
    let source = text.as_str();
    let mut file = EnvFile::default();
    let mut at = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    while at < source.len() {
        let end = line_end(source, at);
        let line = source[at..end].trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            at = end + 1;
            continue;
        }
        at = entry(text, at, end, &mut file) + 1;
    }
    file
}

fn line_end(source: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &source.as_bytes()[at..]).map_or(source.len(), |length| at + length)
}

/// Reads the entry whose first line is `start..end`; gives where its last line ends.
fn entry(text: &Text, start: usize, end: usize, file: &mut EnvFile) -> usize {
    let source = text.as_str();
    let mut start = end - source[start..end].trim_start().len();
    if let Some(rest) = source[start..end].strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) {
        start = end - rest.trim_start().len();
    }
    let line = &source[start..end];
    let separator = line.find(['=', ':']);
    let name_end = separator.unwrap_or(line.len());
    let name = line[..name_end].trim_end();
    let name = if separator.is_none() { name.split('#').next().unwrap_or("").trim_end() } else { name };
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '-' | '[' | ']');
    if name.is_empty() || !name.chars().all(plain) {
        let span = text.span(start..start + line.trim_end().len());
        file.problems.push(Problem { span, message: "this line is no `NAME=value`".to_owned(), related: None });
        return end;
    }
    let name = Spanned::new(name.to_owned(), text.span(start..start + name.len()));
    if separator.is_none() {
        file.entries.push(Entry { name, value: None, literal: false });
        return end;
    }
    let value_start = start + name_end + 1;
    let value_start = end - source[value_start..end].trim_start().len();
    let (value, literal, end) = match source.as_bytes().get(value_start) {
        Some(b'\'') if value_start < end => quoted(text, value_start, file),
        Some(b'"') if value_start < end => quoted(text, value_start, file),
        _ => bare(text, value_start, end),
    };
    file.entries.push(Entry { name, value: Some(value), literal });
    end
}

fn bare(text: &Text, start: usize, mut end: usize) -> (Text, bool, usize) {
    let source = text.as_str();
    let mut builder = TextBuilder::default();
    let mut from = start;
    loop {
        let line = source[from..end].trim_end();
        let value = without_comment(line);
        match value.strip_suffix('\\').filter(|_| end < source.len() && value.len() == line.len()) {
            Some(kept) => builder.push(text, from..from + kept.len()),
            None => {
                builder.push(text, from..from + value.len());
                return (builder.finish(text.span(start..from + value.len())).trim(), false, end);
            }
        }
        from = end + 1;
        end = line_end(source, from);
    }
}

/// A comment begins at a `#` behind a blank.
fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = value.match_indices('#').find(|(at, _)| value[..*at].ends_with([' ', '\t']));
    value[..comment.map_or(value.len(), |(at, _)| at)].trim_end()
}

fn quoted(text: &Text, start: usize, file: &mut EnvFile) -> (Text, bool, usize) {
    let source = text.as_str();
    let bytes = source.as_bytes();
    let quote = bytes[start];
    let literal = quote == b'\'';
    let mut builder = TextBuilder::default();
    let (mut from, mut at) = (start + 1, start + 1);
    while at < bytes.len() && bytes[at] != quote {
        if bytes[at] != b'\\' || at + 1 >= bytes.len() {
            at += 1;
            continue;
        }
        match replacement(bytes[at + 1], literal) {
            Some(replacement) => {
                builder.push(text, from..at);
                builder.push_fixed(replacement, text.span(at..at + 2));
                at += 2;
                from = at;
            }
            None => at += 1,
        }
    }
    let inside: Range<usize> = start + 1..at;
    builder.push(text, from..at);
    let value = builder.finish(text.span(inside));
    if at >= bytes.len() {
        let span = text.span(start..start + 1);
        file.problems.push(Problem { span, message: "this quote is never closed".to_owned(), related: None });
        return (value, literal, bytes.len());
    }
    let end = line_end(source, at);
    let rest = source[at + 1..end].trim();
    if !rest.is_empty() && !rest.starts_with('#') {
        let span = text.span(at + 1..end);
        file.problems.push(Problem { span, message: "text behind the closing quote".to_owned(), related: None });
    }
    (value, literal, end)
}

fn replacement(escaped: u8, literal: bool) -> Option<&'static str> {
    Some(match (escaped, literal) {
        (b'\'', true) => "'",
        (b'"', false) => "\"",
        (b'\\', false) => "\\",
        (b'n', false) => "\n",
        (b'r', false) => "\r",
        (b't', false) => "\t",
        (b'$', false) => "$$",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{EnvFile, parse};
    use crate::source::Sources;

    fn read(source: &str) -> EnvFile {
        let mut sources = Sources::default();
        let file = sources.add(".env", source);
        let text = sources.text(file);
        let env_file = parse(&text);
        for entry in &env_file.entries {
            assert_eq!(sources.quote(entry.name.span), entry.name.value);
        }
        env_file
    }

    fn shown(source: &str) -> Vec<String> {
        let show = |value: Option<String>| value.map_or("-".to_owned(), |value| format!("[{value}]"));
        read(source)
            .entries
            .iter()
            .map(|entry| format!("{} {}", entry.name.value, show(entry.value.as_ref().map(ToString::to_string))))
            .collect()
    }

    #[test]
    fn the_forms_of_a_value() {
        assert_eq!(
            shown("A=1\r\nexport B = two words # no\n# C=3\n;D=4\nE=a#b\nF=\nG\nH: 8\nI=#\n"),
            ["A [1]", "B [two words]", "E [a#b]", "F []", "G -", "H [8]", "I []",]
        );
        assert_eq!(
            shown("A=\"x # ${B}\\n\\$y\\\"\" # no\nB='it\\'s\ntwo'\nC=z"),
            ["A [x # ${B}\n$$y\"]", "B [it's\ntwo]", "C [z]",]
        );
        assert_eq!(shown("A=one \\\n  two\nB=3"), ["A [one   two]", "B [3]"]);
        let file = read("A='$x'\nB=$x");
        assert_eq!((file.entries[0].literal, file.entries[1].literal), (true, false));
        assert!(file.problems.is_empty());
    }

    #[test]
    fn what_is_no_entry_hides_no_other() {
        let file = read("A=1\nwhat is this=2\nB=\"x\" y\nC=3");
        assert_eq!(file.entries.len(), 3);
        assert_eq!(file.problems.len(), 2);
        assert_eq!(read("A='never\nB=1").problems.len(), 1);
    }

    #[test]
    fn nothing_breaks_it() {
        let source = "\u{feff}export A=\"é\\n\\\"\" # c\nB='d\\'\ne'\r\nC=f\\\ng\nH\n";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            read(&source[..end]);
        }
    }
}
