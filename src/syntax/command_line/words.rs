//! Splits a script into words, operators and redirections. It reads each byte once and keeps its own count of nesting.

use crate::source::{Span, Text, TextBuilder};
use crate::syntax::Problem;
use crate::syntax::command_line::{Part, Word};
use pest::Parser;
use pest::iterators::Pair;
use pest_derive::Parser;
use std::ops::Range;

/// Deeper `${a:-${b:-…}}` is opaque.
const DEEPEST: usize = 32;

#[derive(Parser)]
#[grammar = "../grammar/command_line.pest"]
struct Notation;

#[derive(Debug)]
pub enum Token<'t> {
    Operator(&'t str),
    Redirection(&'t str),
    Word(Word),
    End,
}

pub struct Words<'t> {
    pub text: &'t Text,
    pub source: &'t str,
    /// Behind the last token.
    pub at: usize,
    pub problems: Vec<Problem>,
}

/// Where the pieces of a word stand.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Bare,
    /// In `${name:-…}`; `quoted` when that stands in double quotes.
    Brace {
        quoted: bool,
    },
    Quotes,
    Document,
    /// A word that no shell reads.
    Plain,
    /// A line of such words that counts as one.
    Line,
}

/// The parts of a word as they come to be; adjacent literals become one.
#[derive(Default)]
struct Parts {
    list: Vec<Part>,
    literal: TextBuilder,
    /// Quotes were seen: there is a word, even if it is empty.
    quotes: Option<Span>,
}

impl Parts {
    fn push(&mut self, part: Part) {
        self.flush();
        self.list.push(part);
    }

    fn flush(&mut self) {
        let literal = std::mem::take(&mut self.literal);
        if !literal.is_empty() {
            let nowhere = Span { file: crate::source::FileId(0), start: 0, end: 0 };
            self.list.push(Part::Literal(literal.finish(nowhere)));
        }
    }

    fn finish(mut self) -> Vec<Part> {
        self.flush();
        if let (true, Some(place)) = (self.list.is_empty(), self.quotes) {
            self.list.push(Part::Literal(Text::fixed("", place)));
        }
        self.list
    }
}

/// The parts of a here-document that is expanded.
pub fn document(text: &Text) -> Vec<Part> {
    let mut words = Words::of(text);
    let mut parts = Parts::default();
    words.parts(Place::Document, 0, &mut parts);
    parts.finish()
}

/// The words of a line that no shell reads: only blanks, quotes, backslashes, `$NAME` and `${NAME:-…}` count.
pub fn plain(text: &Text, problems: &mut Vec<Problem>) -> Vec<Word> {
    let mut words = Words::of(text);
    let mut list = Vec::new();
    loop {
        let rest = &words.source[words.at..];
        words.at = words.source.len() - rest.trim_start().len();
        if words.at >= words.source.len() {
            break;
        }
        let start = words.at;
        let mut parts = Parts::default();
        words.parts(Place::Plain, 0, &mut parts);
        list.push(Word { parts: parts.finish(), span: text.span(start..words.at) });
        if words.at == start {
            break;
        }
    }
    problems.append(&mut words.problems);
    list
}

/// The same, with the whole line as one word, blanks included.
pub fn plain_line(text: &Text, problems: &mut Vec<Problem>) -> Word {
    let mut words = Words::of(text);
    let mut parts = Parts::default();
    words.parts(Place::Line, 0, &mut parts);
    problems.append(&mut words.problems);
    Word { parts: parts.finish(), span: text.whole() }
}

impl<'t> Words<'t> {
    pub fn of(text: &'t Text) -> Words<'t> {
        Words { text, source: text.as_str(), at: 0, problems: Vec::new() }
    }

    /// The next token, and where it begins.
    pub fn token(&mut self) -> (usize, Token<'t>) {
        let rest = &self.source.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let start = self.at;
        let rest = &self.source.as_bytes()[start..];
        if let Some(length) = plain_operator(rest) {
            self.at += length;
            return (start, Token::Operator(&self.source[start..self.at]));
        }
        if let Some(length) = plain_word(rest) {
            self.at += length;
            let parts = vec![Part::Literal(self.text.slice(start..self.at))];
            return (start, Token::Word(Word { parts, span: self.text.span(start..self.at) }));
        }
        if begins_word(rest) {
            return (start, Token::Word(self.word()));
        }
        self.any_token()
    }

    /// The same by the grammar alone.
    fn any_token(&mut self) -> (usize, Token<'t>) {
        loop {
            let start = self.at;
            if start >= self.source.len() {
                return (start, Token::End);
            }
            let Some(piece) = self.piece(Rule::between) else { return (start, Token::End) };
            let range = start..start + piece.as_str().len();
            match piece.as_rule() {
                Rule::gap => self.at = range.end,
                Rule::comment => {
                    let rest = &self.source.as_bytes()[start..];
                    self.at = memchr::memchr(b'\n', rest).map_or(self.source.len(), |length| start + length);
                }
                Rule::operator => {
                    self.at = range.end;
                    return (start, Token::Operator(&self.source[range]));
                }
                Rule::redirection => {
                    self.at = range.end;
                    return (start, Token::Redirection(&self.source[range]));
                }
                _ => {
                    let word = self.word();
                    if self.at == start {
                        // No piece of a word begins here: never the case, but it must not hang.
                        self.at += self.source[start..].chars().next().map_or(1, char::len_utf8);
                    }
                    return (start, Token::Word(word));
                }
            }
        }
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        let mut parts = Parts::default();
        self.parts(Place::Bare, 0, &mut parts);
        Word { parts: parts.finish(), span: self.text.span(start..self.at) }
    }

    fn piece(&self, rule: Rule) -> Option<Pair<'t, Rule>> {
        Notation::parse(rule, &self.source[self.at..]).ok()?.next()
    }

    /// Reads up to the end of `place`; false when the text ends before.
    fn parts(&mut self, place: Place, depth: usize, parts: &mut Parts) -> bool {
        let rule = match place {
            Place::Bare => Rule::bare,
            Place::Brace { quoted: false } => Rule::braced,
            Place::Brace { quoted: true } => Rule::quoted_braced,
            Place::Quotes => Rule::quoted,
            Place::Document => Rule::document,
            Place::Plain => Rule::plain,
            Place::Line => Rule::line,
        };
        let quoted = matches!(place, Place::Quotes | Place::Document | Place::Brace { quoted: true });
        let word_start = self.at;
        while self.at < self.source.len() {
            let start = self.at;
            let plain = plain_piece(place, &self.source.as_bytes()[start..]);
            let Some((kind, length)) = plain.or_else(|| {
                let piece = self.piece(rule)?;
                Some((piece.as_rule(), piece.as_str().len()))
            }) else {
                return true;
            };
            let end = start + length;
            self.at = end;
            match kind {
                Rule::word_end => {
                    // An array: NAME=(…)
                    let array = place == Place::Bare
                        && self.source[start..].starts_with('(')
                        && start > word_start
                        && self.source[..start].ends_with('=');
                    if !array {
                        return true;
                    }
                    self.at += 1;
                    self.opaque(start, b')', parts);
                }
                Rule::brace_end => {
                    self.at = start;
                    return true;
                }
                Rule::join => {}
                Rule::double_quote if place == Place::Quotes => return true,
                Rule::double_quote => {
                    parts.quotes = Some(self.text.span(start..end));
                    if !self.parts(Place::Quotes, depth, parts) {
                        self.problem(start..end, "this quote is never closed");
                    }
                }
                Rule::single_quote => self.single(start, parts),
                Rule::ansi_quote => self.ansi(start, parts),
                Rule::escape | Rule::quoted_escape | Rule::document_escape => {
                    let brace_in_quotes = &self.source[start..end] == "\\}" && place == Place::Quotes;
                    let kept = if brace_in_quotes { start } else { start + 1 };
                    parts.literal.push(self.text, kept..end);
                }
                Rule::command => self.opaque(start, b')', parts),
                Rule::process => self.opaque(start, b')', parts),
                Rule::arithmetic => self.opaque_in(start, vec![b')', b')'], parts),
                Rule::opaque_brace => self.opaque(start, b'}', parts),
                Rule::backtick => self.opaque(start, b'`', parts),
                Rule::variable => {
                    let name = self.source[start + 1..end].to_owned();
                    parts.push(Part::Variable { name, operator: None, quoted, span: self.text.span(start..end) });
                }
                Rule::parameter => self.parameter(start, quoted, depth, parts),
                _ => parts.literal.push(self.text, start..end),
            }
        }
        false
    }

    /// Behind `${name` and the operator that may follow.
    fn parameter(&mut self, start: usize, quoted: bool, depth: usize, parts: &mut Parts) {
        let written = &self.source[start + 2..self.at];
        // Names of other kinds have one character.
        let (name, operation) = written.split_at(name_length(written.as_bytes()).max(1));
        if depth >= DEEPEST || (operation.is_empty() && !self.source[self.at..].starts_with('}')) {
            return self.opaque(start, b'}', parts);
        }
        let mut operator = None;
        if !operation.is_empty() {
            let mut word = Parts::default();
            self.parts(Place::Brace { quoted }, depth + 1, &mut word);
            operator = Some((operation.to_owned(), word.finish()));
        }
        if !self.source[self.at..].starts_with('}') {
            self.problem(start..start + 2, "this brace is never closed");
            return parts.push(Part::Opaque(self.text.span(start..self.at)));
        }
        self.at += 1;
        let span = self.text.span(start..self.at);
        parts.push(Part::Variable { name: name.to_owned(), operator, quoted, span });
    }

    fn single(&mut self, start: usize, parts: &mut Parts) {
        parts.quotes = Some(self.text.span(start..start + 1));
        let rest = &self.source.as_bytes()[self.at..];
        let end = match memchr::memchr(b'\'', rest) {
            Some(length) => self.at + length,
            None => {
                self.problem(start..start + 1, "this quote is never closed");
                self.source.len()
            }
        };
        parts.literal.push(self.text, self.at..end);
        self.at = (end + 1).min(self.source.len());
    }

    /// `$'…'` of bash: a text without a backslash is plain, anything else is not worth a table of escapes.
    fn ansi(&mut self, start: usize, parts: &mut Parts) {
        let bytes = self.source.as_bytes();
        let mut end = self.at;
        let mut escapes = false;
        while end < bytes.len() && bytes[end] != b'\'' {
            escapes |= bytes[end] == b'\\';
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(bytes.len());
        if escapes {
            parts.push(Part::Opaque(self.text.span(start..end)));
        } else {
            parts.quotes = Some(self.text.span(start..start + 2));
            parts.literal.push(self.text, self.at..end);
        }
        self.at = (end + 1).min(bytes.len());
    }

    fn opaque(&mut self, start: usize, closing: u8, parts: &mut Parts) {
        self.opaque_in(start, vec![closing], parts);
    }

    /// Skips to the end of what began at `start`. `open` holds the closing bytes that are waited for, the inmost last.
    fn opaque_in(&mut self, start: usize, mut open: Vec<u8>, parts: &mut Parts) {
        let bytes = self.source.as_bytes();
        let mut at = self.at;
        while let Some(&waiting) = open.last() {
            let Some(&byte) = bytes.get(at) else { break };
            at += 1;
            let next = bytes.get(at).copied();
            match byte {
                b'\\' => at += 1,
                _ if byte == waiting => {
                    open.pop();
                }
                // Inside of backticks everything else is text; a nested one would be escaped.
                _ if waiting == b'`' => {}
                b'$' if matches!(next, Some(b'(' | b'{')) => {
                    open.push(if next == Some(b'(') { b')' } else { b'}' });
                    at += 1;
                }
                b'`' | b'"' => open.push(byte),
                _ if waiting == b'"' => {}
                b'\'' => at = memchr::memchr(b'\'', &bytes[at..]).map_or(bytes.len(), |length| at + length + 1),
                b'(' if waiting == b')' => open.push(b')'),
                b'#' if waiting == b')' && at >= 2 && bytes[at - 2].is_ascii_whitespace() => {
                    at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
                }
                _ => {}
            }
        }
        if !open.is_empty() {
            self.problem(start..start + 1, "this substitution is never closed");
        }
        self.at = at.min(bytes.len());
        while !self.source.is_char_boundary(self.at) {
            self.at += 1;
        }
        parts.push(Part::Opaque(self.text.span(start..self.at)));
    }

    pub fn problem(&mut self, range: Range<usize>, message: &str) {
        let span = self.text.span(range);
        self.problems.push(Problem { span, message: message.to_owned(), related: None });
    }
}

/// Words and operators that are plain to see are most of every script. The grammar takes fifty times as long for them and
/// says the same (the tests compare them).
fn plain_word(bytes: &[u8]) -> Option<usize> {
    let length = bytes.iter().position(|byte| is_quoting(*byte) || is_between(*byte)).unwrap_or(bytes.len());
    // A number before an arrow belongs to a redirection, a parenthesis may open a list.
    let is_plain = matches!(bytes.get(length), None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b')'));
    (is_plain && length > 0 && bytes[0] != b'#').then_some(length)
}

fn plain_operator(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'|', b'|', ..] | [b'&', b'&', ..] => Some(2),
        [b'\n', ..] => Some(1),
        [b';'] => Some(1),
        [b';', next, ..] => (!matches!(next, b';' | b'&')).then_some(1),
        _ => None,
    }
}

/// Neither an operator nor the number of a redirection, a comment or a line that goes on.
fn begins_word(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|byte| !is_between(*byte) && !matches!(byte, b'0'..=b'9' | b'#' | b'\\'))
}

/// A piece of a word, as the grammar names it, and its length.
fn plain_piece(place: Place, bytes: &[u8]) -> Option<(Rule, usize)> {
    let holds_blanks = !matches!(place, Place::Bare | Place::Plain);
    let is_text = |byte: &&u8| !is_quoting(**byte) && **byte != b'}' && (holds_blanks || !is_between(**byte));
    let text = bytes.iter().take_while(is_text).count();
    if text > 0 {
        return Some((Rule::bare_text, text));
    }
    match bytes {
        [b'"', ..] if place != Place::Document => Some((Rule::double_quote, 1)),
        [b'\'', ..] if !matches!(place, Place::Quotes | Place::Document | Place::Brace { quoted: true }) => {
            Some((Rule::single_quote, 1))
        }
        [b' ' | b'\t' | b'\r' | b'\n', ..] if !holds_blanks => Some((Rule::word_end, 0)),
        [b';' | b'&' | b'|' | b')', ..] if place == Place::Bare => Some((Rule::word_end, 0)),
        [b'$', b'0'..=b'9' | b'@' | b'*' | b'#' | b'?', ..] => Some((Rule::variable, 2)),
        [b'$', rest @ ..] => Some(name_length(rest)).filter(|name| *name > 0).map(|name| (Rule::variable, 1 + name)),
        _ => None,
    }
}

/// How many of the bytes are the name of a variable.
fn name_length(bytes: &[u8]) -> usize {
    if bytes.first().is_none_or(u8::is_ascii_digit) {
        return 0;
    }
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

fn is_quoting(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'$' | b'\\' | b'`')
}

/// Blanks and what operators begin with.
fn is_between(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
}

#[cfg(test)]
mod tests {
    use super::{Place, Rule, Token, Words, plain_piece};
    use crate::source::{FileId, Text};

    #[test]
    fn plain_pieces_are_those_of_the_grammar() {
        let pieces = [
            "run", "}", " ", "\t", "\r\n", "\n", ";", "&", ")", "(", "<", "9", "'", "\"", "$", "@", "*", "\\", "`",
            "é", "{", "_",
        ];
        let places = [
            (Place::Bare, Rule::bare),
            (Place::Brace { quoted: false }, Rule::braced),
            (Place::Brace { quoted: true }, Rule::quoted_braced),
            (Place::Quotes, Rule::quoted),
            (Place::Document, Rule::document),
            (Place::Plain, Rule::plain),
            (Place::Line, Rule::line),
        ];
        let mut plain = 0;
        for source in pieces.iter().flat_map(|first| {
            pieces.iter().flat_map(move |second| pieces.map(|third| format!("{first}{second}{third}a b")))
        }) {
            let text = Text::of_file(FileId(0), source.as_str());
            for (place, rule) in places {
                let Some((kind, length)) = plain_piece(place, source.as_bytes()) else { continue };
                let wanted = Words::of(&text).piece(rule).expect("the grammar has a piece for everything");
                plain += 1;
                if kind == Rule::bare_text {
                    assert!(format!("{:?}", wanted.as_rule()).ends_with("_text"), "{place:?} {source:?}");
                    assert!(wanted.as_str().starts_with(&source[..length]), "{place:?} {source:?}");
                } else {
                    assert_eq!((kind, length), (wanted.as_rule(), wanted.as_str().len()), "{place:?} {source:?}");
                }
            }
        }
        assert!(plain > 20_000, "{plain}");
    }

    #[test]
    fn plain_tokens_are_those_of_the_grammar() {
        let pieces = [
            "run", "a=b", "#", " ", "\t", "\r\n", "\n", ";", ";;", "&", "|", "(", ")", "<", ">", "2", "'", "\"", "$",
            "$x", "\\", "`", "é", "{", "!",
        ];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let source = format!("{first}{second}{third}x 'y' {first}{third}");
                    let text = Text::of_file(FileId(0), source.as_str());
                    let (mut quick, mut slow) = (Words::of(&text), Words::of(&text));
                    loop {
                        let (token, wanted) = (quick.token(), slow.any_token());
                        assert_eq!(format!("{token:?} {}", quick.at), format!("{wanted:?} {}", slow.at), "{source:?}");
                        if matches!(wanted.1, Token::End) {
                            break;
                        }
                    }
                }
            }
        }
    }
}
