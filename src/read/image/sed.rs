//! `sed -i`, as far as it can be followed: substitutions, deleted, added and changed lines, with plain patterns.

use crate::read::image::sed::pattern::Pattern;
use crate::source::{Text, TextBuilder};
use std::ops::Range;

mod pattern;

/// All patterns of one edit together may take this many steps.
const MOST_STEPS: usize = 2_000_000;
/// In bytes; a substitution may double what it finds.
const LONGEST_TEXT: usize = 1024 * 1024;

/// A call of `sed -i` on one file.
#[derive(Clone, Debug)]
pub struct Edit {
    pub scripts: Vec<Text>,
    /// `-E`, `-r`
    pub extended: bool,
}

/// The text after the edit; `None` when the script says something that is not followed here.
pub fn edited(text: &Text, edit: &Edit) -> Option<Text> {
    let mut commands = Vec::new();
    for script in &edit.scripts {
        parse(script, edit.extended, &mut commands)?;
    }
    let source = text.as_str();
    let mut builder = TextBuilder::default();
    let mut steps = MOST_STEPS;
    let mut at = 0;
    let mut number = 0;
    while at < source.len() {
        let rest = &source.as_bytes()[at..];
        let (end, next) =
            memchr::memchr(b'\n', rest).map_or((source.len(), source.len()), |length| (at + length, at + length + 1));
        number += 1;
        let place = Line { number, last: next >= source.len() };
        let (before, line, after) = one_line(text.slice(at..end), &place, &commands, &mut steps)?;
        for added in before {
            builder.push(added, 0..added.as_str().len());
            builder.push_fixed("\n", added.whole());
        }
        if let Some(line) = line {
            builder.push(&line, 0..line.as_str().len());
            builder.push(text, end..next);
        }
        for added in after {
            if next == end {
                builder.push_fixed("\n", added.whole());
            }
            builder.push(added, 0..added.as_str().len());
            if next > end {
                builder.push_fixed("\n", added.whole());
            }
        }
        at = next;
        if builder.len() > LONGEST_TEXT {
            return None;
        }
    }
    Some(builder.finish(text.whole()))
}

struct Line {
    number: usize,
    last: bool,
}

struct Command {
    address: Option<Address>,
    negated: bool,
    action: Action,
}

enum Address {
    Number(usize),
    Last,
    Pattern(Pattern),
}

enum Action {
    Substitute { pattern: Pattern, replacement: Vec<Replacement>, every: bool },
    Delete,
    Before(Text),
    After(Text),
    Change(Text),
}

enum Replacement {
    Text(Text),
    /// `&` is 0.
    Group(usize),
}

type Edited<'c> = (Vec<&'c Text>, Option<Text>, Vec<&'c Text>);

fn one_line<'c>(mut line: Text, place: &Line, commands: &'c [Command], steps: &mut usize) -> Option<Edited<'c>> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for command in commands {
        let wanted = match &command.address {
            None => true,
            Some(Address::Number(number)) => *number == place.number,
            Some(Address::Last) => place.last,
            Some(Address::Pattern(pattern)) => pattern.find(line.as_str(), 0, steps)?.is_some(),
        };
        if wanted == command.negated {
            continue;
        }
        match &command.action {
            Action::Substitute { pattern, replacement, every } => {
                line = substituted(&line, pattern, replacement, *every, steps)?;
            }
            Action::Delete => return Some((before, None, after)),
            Action::Before(text) => before.push(text),
            Action::After(text) => after.push(text),
            Action::Change(text) => {
                before.push(text);
                return Some((before, None, after));
            }
        }
    }
    Some((before, Some(line), after))
}

fn substituted(
    line: &Text,
    pattern: &Pattern,
    replacement: &[Replacement],
    every: bool,
    steps: &mut usize,
) -> Option<Text> {
    let source = line.as_str();
    let mut builder = TextBuilder::default();
    let (mut from, mut at) = (0, 0);
    while at <= source.len() {
        let Some(groups) = pattern.find(source, at, steps)? else { break };
        let found = groups[0].clone();
        builder.push(line, from..found.start);
        for part in replacement {
            match part {
                Replacement::Text(text) => builder.push(text, 0..text.as_str().len()),
                Replacement::Group(group) => builder.push(line, groups.get(*group)?.clone()),
            }
        }
        from = found.end;
        at = found.end;
        if found.is_empty() {
            let next = source[at..].chars().next().map_or(1, char::len_utf8);
            builder.push(line, at..(at + next).min(source.len()));
            at += next;
            from = at.min(source.len());
        }
        if !every {
            break;
        }
        if builder.len() > LONGEST_TEXT {
            return None;
        }
    }
    builder.push(line, from..source.len());
    Some(builder.finish(line.whole()))
}

/// Reads one script of commands that `;` or a line break separates.
fn parse(script: &Text, extended: bool, commands: &mut Vec<Command>) -> Option<()> {
    let source = script.as_str();
    let mut at = 0;
    loop {
        at = source.len() - source[at..].trim_start_matches([' ', '\t', '\n', ';']).len();
        if at >= source.len() {
            return Some(());
        }
        let mut address = None;
        let first = source[at..].chars().next()?;
        if first == '/' {
            let (pattern, end) = delimited(source, at + 1, '/')?;
            address = Some(Address::Pattern(Pattern::parse(&source[pattern], '/', extended, false)?));
            at = end;
        } else if first == '$' {
            address = Some(Address::Last);
            at += 1;
        } else if first.is_ascii_digit() {
            let length = source[at..].find(|letter: char| !letter.is_ascii_digit())?;
            address = Some(Address::Number(source[at..at + length].parse().ok()?));
            at += length;
        }
        let negated = source[at..].starts_with('!');
        at += usize::from(negated);
        let name = source[at..].chars().next()?;
        at += name.len_utf8();
        let action = match name {
            'd' => Action::Delete,
            's' => {
                let (action, end) = substitution(script, at, extended)?;
                at = end;
                action
            }
            'a' | 'i' | 'c' => {
                let end = source[at..].find('\n').map_or(source.len(), |length| at + length);
                let text = script.slice(at..end).trim();
                let text = if text.as_str().starts_with('\\') { text.slice(1..text.as_str().len()) } else { text };
                if text.as_str().is_empty() || text.as_str().contains('\\') {
                    return None;
                }
                at = end;
                match name {
                    'a' => Action::After(text),
                    'i' => Action::Before(text),
                    _ => Action::Change(text),
                }
            }
            _ => return None,
        };
        if !(source[at..].trim_start_matches([' ', '\t']).is_empty()
            || source[at..].trim_start_matches([' ', '\t']).starts_with([';', '\n']))
        {
            return None;
        }
        commands.push(Command { address, negated, action });
        if commands.len() > 200 {
            return None;
        }
    }
}

/// Up to the delimiter; gives also where the text goes on behind it.
fn delimited(source: &str, from: usize, delimiter: char) -> Option<(Range<usize>, usize)> {
    let mut escaped = false;
    for (at, letter) in source[from..].char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == delimiter {
            return Some((from..from + at, from + at + delimiter.len_utf8()));
        }
    }
    None
}

fn substitution(script: &Text, at: usize, extended: bool) -> Option<(Action, usize)> {
    let source = script.as_str();
    let delimiter = source[at..].chars().next()?;
    let (pattern, end) = delimited(source, at + delimiter.len_utf8(), delimiter)?;
    let (with, end) = delimited(source, end, delimiter)?;
    let length = source[end..].find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(source.len() - end);
    let flags = &source[end..end + length];
    if flags.contains(|flag| !matches!(flag, 'g' | 'i' | 'I')) {
        return None;
    }
    let pattern = Pattern::parse(&source[pattern], delimiter, extended, flags.contains(['i', 'I']))?;
    let replacement = replacement(&script.slice(with), delimiter)?;
    Some((Action::Substitute { pattern, replacement, every: flags.contains('g') }, end + length))
}

fn replacement(text: &Text, delimiter: char) -> Option<Vec<Replacement>> {
    let source = text.as_str();
    let mut parts = Vec::new();
    let mut from = 0;
    let mut letters = source.char_indices();
    while let Some((at, letter)) = letters.next() {
        if !matches!(letter, '&' | '\\') {
            continue;
        }
        parts.push(Replacement::Text(text.slice(from..at)));
        from = at + 1;
        if letter == '&' {
            parts.push(Replacement::Group(0));
            continue;
        }
        let (at, next) = letters.next()?;
        match next {
            '0'..='9' => {
                parts.push(Replacement::Group(next as usize - '0' as usize));
                from = at + 1;
            }
            'n' => {
                parts.push(Replacement::Text(Text::fixed("\n", text.span(at - 1..at + 1))));
                from = at + 1;
            }
            // The letter itself, from here on.
            _ if next == delimiter || !next.is_ascii_alphanumeric() => from = at,
            _ => return None,
        }
    }
    parts.push(Replacement::Text(text.slice(from..source.len())));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::{Edit, edited};
    use crate::source::Sources;

    fn edit(text: &str, script: &str, extended: bool) -> Option<String> {
        let mut sources = Sources::default();
        let file = sources.add("f", text);
        let script_file = sources.add("s", script);
        let edit = Edit { scripts: vec![sources.text(script_file)], extended };
        edited(&sources.text(file), &edit).map(|text| text.to_string())
    }

    #[test]
    fn substitutions() {
        for (text, script, expected) in [
            ("listen 80;\nlisten 80 80;\n", "s/80/81/", "listen 81;\nlisten 81 80;\n"),
            ("a 80 80", "s|80|81|g", "a 81 81"),
            (";listen = 127.0.0.1:9000\n", r"s|;*listen\s*=\s*127.0.0.1:9000|listen = 9000|g", "listen = 9000\n"),
            ("User www", "s/^user/X/I", "X www"),
            ("a=1\n#b\n", "s/^#\\(.*\\)/\\1=2 \\/ &/", "a=1\nb=2 / #b\n"),
            ("a\nb\nc", "/b/d", "a\nc"),
            ("a\nb\nc", "2d;$d", "a\n"),
            ("a\nb", "/a/a new line", "a\nnew line\nb"),
            ("a\nb", "1i\\first", "first\na\nb"),
            ("a\nb", "s/[[:alpha:]]/<&>/; 2c x", "<a>\nx\n"),
            ("b", "s/x*/-/g", "-b-"),
            ("aéa", "s/é/e/", "aea"),
        ] {
            assert_eq!(edit(text, script, false).as_deref(), Some(expected), "{script}");
        }
        assert_eq!(edit("ab12", r"s/([a-z]+)([0-9]+)/\2\1/", true).as_deref(), Some("12ab"));
        for script in ["s/a|b/c/", "1,2d", "s/a/b/w f", "y/a/b/", "s/a", "/a"] {
            assert_eq!(edit("a", script, true), None, "{script}");
        }
    }

    #[test]
    fn a_changed_text_stands_in_the_script() {
        let mut sources = Sources::default();
        let (file, script) = (sources.add("f", "port 80;"), sources.add("s", "s/80/81/"));
        let edit = Edit { scripts: vec![sources.text(script)], extended: false };
        let text = edited(&sources.text(file), &edit).expect("it is plain");
        assert_eq!(text.span(5..7).file, script);
        assert_eq!(sources.quote(text.span(0..4)), "port");
    }

    #[test]
    fn it_gives_up_in_time() {
        let text = "a".repeat(2_000);
        assert_eq!(edit(&text, "s/.*.*.*.*.*.*b/x/", false), None);
        let script = "s/\\(é[^]x-z]*\\)\\s\\+$/\\1&\\n/gI;$!d";
        for end in (0..=script.len()).filter(|end| script.is_char_boundary(*end)) {
            edit("é  \nb", &script[..end], false);
        }
    }
}
