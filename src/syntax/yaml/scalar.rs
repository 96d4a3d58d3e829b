//! Finds the place of each byte of a scalar that does not stand in the text as it is: escapes, folded lines, blocks.
//!
//! The parser has decoded the scalar already. Here the written form is walked beside the decoded one; should the two
//! ever disagree, the whole scalar is blamed on its whole place.

use std::ops::Range;

use crate::source::{Text, TextBuilder};
use crate::syntax::yaml::Style;

pub fn text(source: &Text, mut place: Range<usize>, decoded: &str, style: Style) -> Text {
    let whole = source.span(place.clone());
    if matches!(style, Style::Literal | Style::Folded) {
        // The parser leaves the indentation of the first line out.
        let before = source.as_str().get(..place.start).unwrap_or("");
        place.start = before.trim_end_matches(' ').len();
    }
    let written = source.as_str().get(place.clone()).unwrap_or("");
    let mut walk =
        Walk { source, base: place.start, written, decoded, at: 0, done: 0, builder: TextBuilder::default() };
    match style {
        Style::Plain => walk.flow(None),
        Style::SingleQuoted => walk.quoted('\''),
        Style::DoubleQuoted => walk.quoted('"'),
        Style::Literal => walk.literal(),
        Style::Folded => walk.folded(),
    }
    if walk.builder.as_str() == decoded { walk.builder.finish(whole) } else { Text::fixed(decoded, whole) }
}

struct Walk<'w> {
    source: &'w Text,
    /// Where the written form begins in the source.
    base: usize,
    written: &'w str,
    decoded: &'w str,
    /// How far the written form was read.
    at: usize,
    /// How far the decoded form was explained.
    done: usize,
    builder: TextBuilder,
}

impl<'w> Walk<'w> {
    fn verbatim(&mut self, length: usize) {
        self.builder.push(self.source, self.base + self.at..self.base + self.at + length);
        self.at += length;
        self.done += length;
    }

    /// `length` written bytes stand for `count` decoded ones.
    fn stands_for(&mut self, length: usize, count: usize) {
        let span = self.source.span(self.base + self.at..self.base + self.at + length);
        let part = self.decoded.get(self.done..self.done + count).unwrap_or("");
        self.builder.push_fixed(part, span);
        self.at += length;
        self.done += count;
    }

    fn quoted(&mut self, quote: char) {
        self.written = self.written.strip_suffix(quote).unwrap_or(self.written);
        self.at = 1;
        self.flow(Some(quote));
    }

    /// Plain and quoted scalars: lines are folded, quotes and backslashes escape.
    fn flow(&mut self, quote: Option<char>) {
        while let Some(rest) = self.written.get(self.at..).filter(|rest| !rest.is_empty()) {
            let special = rest.find(['\n', '\r', '\\', '\'']).unwrap_or(rest.len());
            if special > 0 && !rest[special..].starts_with(['\n', '\r']) {
                self.verbatim(special);
                continue;
            }
            // Blanks before a line break belong to the break.
            let kept = rest[..special].trim_end_matches([' ', '\t']).len();
            if kept > 0 {
                self.verbatim(kept);
                continue;
            }
            if rest[special..].starts_with(['\n', '\r']) {
                let length = rest.len() - rest.trim_start().len();
                self.stands_for(length, self.blank_run());
                continue;
            }
            match (quote, rest.as_bytes()[0]) {
                (Some('"'), b'\\') => self.escape(rest),
                (Some('\''), b'\'') => self.stands_for(rest.len().min(2), 1),
                _ => self.verbatim(1),
            }
        }
    }

    /// How many of the next decoded bytes are the blank or the breaks that a folded line break leaves.
    fn blank_run(&self) -> usize {
        let rest = &self.decoded[self.done.min(self.decoded.len())..];
        if rest.starts_with(' ') { 1 } else { rest.len() - rest.trim_start_matches('\n').len() }
    }

    fn escape(&mut self, rest: &str) {
        let length = match rest.as_bytes().get(1) {
            Some(b'x') => 4,
            Some(b'u') => 6,
            Some(b'U') => 10,
            Some(b'\n' | b'\r') => {
                let length = 1 + rest[1..].len() - rest[1..].trim_start().len();
                let breaks = self.decoded[self.done.min(self.decoded.len())..].len()
                    - self.decoded[self.done.min(self.decoded.len())..].trim_start_matches('\n').len();
                return self.stands_for(length, breaks.min(rest[1..length].matches('\n').count().saturating_sub(1)));
            }
            Some(_) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            None => 1,
        };
        let count = self.decoded.get(self.done..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        self.stands_for(length.min(rest.len()), count);
    }

    /// Each line of a `|` block is a line of the text without its indentation.
    fn literal(&mut self) {
        for line in self.decoded.split_inclusive('\n') {
            let content = line.trim_end_matches('\n');
            let written = self.line();
            let blank = written.len().saturating_sub(content.len());
            if !written.ends_with(content) {
                return;
            }
            self.at += blank;
            self.verbatim(content.len());
            if content.len() < line.len() {
                self.line_break();
            } else {
                self.skip_line();
            }
        }
    }

    /// The lines of a `>` block, with blanks or breaks between them.
    fn folded(&mut self) {
        let blanks = |text: &str| text.len() - text.trim_start_matches(' ').len();
        let indentation = blanks(self.written).saturating_sub(blanks(self.decoded));
        while self.at < self.written.len() && self.done < self.decoded.len() {
            let line = self.line();
            let content = line.get(indentation..).unwrap_or("");
            if content.is_empty() {
                self.line_break_or_nothing();
                continue;
            }
            if !self.decoded[self.done..].starts_with(content) {
                return;
            }
            self.at += indentation;
            self.verbatim(content.len());
            self.line_break_or_nothing();
        }
    }

    /// The line at the place that was reached, without its break.
    fn line(&self) -> &'w str {
        let rest = self.written.get(self.at..).unwrap_or("");
        rest.split('\n').next().unwrap_or("").trim_end_matches('\r')
    }

    fn skip_line(&mut self) {
        let rest = self.written.get(self.at..).unwrap_or("");
        self.at += rest.find('\n').map_or(rest.len(), |at| at + 1);
    }

    fn line_break(&mut self) {
        let rest = self.written.get(self.at..).unwrap_or("");
        let length = if rest.starts_with("\r\n") { 2 } else { rest.len().min(1) };
        if rest.starts_with('\n') { self.verbatim(1) } else { self.stands_for(length, 1) }
    }

    /// The break of a folded line, which a blank, a break or nothing at all stands for.
    fn line_break_or_nothing(&mut self) {
        let length = self.written[self.at..].find('\n').map_or(self.written.len() - self.at, |at| at + 1);
        let next = self.decoded.as_bytes().get(self.done);
        let next_line = self.written.get(self.at + length..).unwrap_or("").trim_start_matches(' ');
        let blank_follows = next_line.starts_with(['\n', '\r']);
        match next {
            Some(b' ') => self.stands_for(length, 1),
            // The break before an empty line is dropped; the empty line's own one counts.
            Some(b'\n') if !blank_follows || self.decoded[self.done..].starts_with("\n\n") => {
                self.stands_for(length, 1)
            }
            _ => self.stands_for(length, 0),
        }
    }
}
