//! Joins the lines of a Dockerfile that belong together, and takes the bodies of here-documents from between them.

use crate::source::{Span, Text, TextBuilder};
use crate::syntax::Problem;
use pest::Parser;
use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../grammar/dockerfile.pest"]
pub struct Notation;

pub struct Lines<'t> {
    text: &'t Text,
    source: &'t str,
    at: usize,
    escape: char,
}

/// The body of a here-document, and the body with the line that ends it.
pub struct Body {
    pub text: Text,
    pub with_end: Text,
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t Text) -> Lines<'t> {
        let source = text.as_str();
        let at = if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut lines = Lines { text, source, at, escape: '\\' };
        lines.directives();
        lines
    }

    /// Parser directives stand at the very top, one a line.
    fn directives(&mut self) {
        loop {
            let before = self.at;
            let Some((_, line)) = self.physical() else { return };
            let Some(pair) = Notation::parse(Rule::directive, line).ok().and_then(|mut pairs| pairs.next()) else {
                self.at = before;
                return;
            };
            let mut inner = pair.into_inner().map(|pair| pair.as_str());
            let (name, value) = (inner.next().unwrap_or(""), inner.next().unwrap_or(""));
            if name.eq_ignore_ascii_case("escape") && value == "`" {
                self.escape = '`';
            }
        }
    }

    /// The next line as it stands on disk, without its end, and where it begins.
    fn physical(&mut self) -> Option<(usize, &'t str)> {
        let start = self.at;
        if start >= self.source.len() {
            return None;
        }
        let rest = &self.source[start..];
        let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        self.at = start + length + 1;
        Some((start, rest[..length].trim_end_matches('\r')))
    }

    /// The next instruction: its lines without their continuation marks, comments and blank lines.
    pub fn next(&mut self, problems: &mut Vec<Problem>) -> Option<Text> {
        let mut builder = TextBuilder::default();
        let mut first: Option<Span> = None;
        while let Some((start, line)) = self.physical() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            let from = if first.is_none() { start + line.len() - line.trim_start().len() } else { start };
            let place = *first.get_or_insert(self.text.span(from..start + line.trim_end().len()));
            let kept = line.trim_end_matches([' ', '\t']);
            let Some(kept) = kept.strip_suffix(self.escape) else {
                builder.push(self.text, from..start + line.trim_end().len());
                return Some(builder.finish(place));
            };
            builder.push(self.text, from..(start + kept.len()).max(from));
        }
        let place = first?;
        let message = "the file ends in a continued line".to_owned();
        problems.push(Problem { span: place, message, related: None });
        Some(builder.finish(place))
    }

    /// The lines up to the one that is `mark`.
    pub fn body(&mut self, mark: &str, tabs: bool, announced: Span, problems: &mut Vec<Problem>) -> Body {
        let start = self.at.min(self.source.len());
        let mut builder = TextBuilder::default();
        while let Some((from, line)) = self.physical() {
            let indent = if tabs { line.len() - line.trim_start_matches('\t').len() } else { 0 };
            if line[indent..] == *mark {
                let with_end = self.text.slice(start..from + line.len());
                return Body { text: self.finish(tabs, start, from, builder), with_end };
            }
            if tabs {
                builder.push(self.text, from + indent..self.at.min(self.source.len()));
            }
        }
        let message = "this here-document never ends".to_owned();
        problems.push(Problem { span: announced, message, related: None });
        let end = self.source.len();
        Body { text: self.finish(tabs, start, end, builder), with_end: self.text.slice(start..end) }
    }

    fn finish(&self, tabs: bool, start: usize, end: usize, builder: TextBuilder) -> Text {
        if tabs { builder.finish(self.text.span(start..end)) } else { self.text.slice(start..end) }
    }
}
