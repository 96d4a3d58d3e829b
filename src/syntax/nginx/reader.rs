//! Builds the tree: pest reads the words of a statement from the first one on that has a backslash or a quote in a wrong
//! place; the loop here owns plain words, `;`, `{`, `}`, nesting and what to do about everything that is broken.

use std::ops::Range;

use memchr::{memchr, memchr2};
use pest::Parser;
use pest_derive::Parser;

use crate::source::Text;
use crate::syntax::Problem;
use crate::syntax::nginx::lua::LuaBlocks;
use crate::syntax::nginx::{Directive, Kind, Tree, Word, inside_quotes, missing_semicolon, unescape};

#[derive(Parser)]
#[grammar = "../grammar/nginx.pest"]
struct Words;

/// nginx reads its configuration through a buffer of this many bytes, and a word or a comment has to fit into it.
const BUFFER: usize = 4096;

/// So many Lua blocks without an end are looked at for a likely end; more of them would take quadratic time.
const LUA_BLOCKS_TO_MEND: usize = 8;

/// A text with more problems is no configuration, and nobody reads them all.
const MOST_PROBLEMS: usize = 1000;

pub fn read(text: &Text) -> Tree {
    let source = text.as_str();
    let mut reader = Reader {
        text,
        source,
        at: 0,
        words: Vec::with_capacity(source.len() / 16),
        directives: Vec::with_capacity(source.len() / 40),
        comments: Vec::new(),
        problems: Vec::new(),
        first_word: 0,
        open: Vec::new(),
        misplaced: None,
        quote_lost: false,
        quote_reported: false,
        lines_break: false,
        lua: LuaBlocks::new(source),
        unclosed_lua: 0,
    };
    if u32::try_from(source.len()).is_ok() {
        reader.run();
    } else {
        reader.problem(0..0, "the text is longer than 4 GiB");
    }
    reader.finish()
}

struct Reader<'t> {
    text: &'t Text,
    source: &'t str,
    at: usize,
    words: Vec<Word>,
    directives: Vec<Directive>,
    comments: Vec<Word>,
    problems: Vec<Problem>,
    /// The name of the statement that is being read, once it was.
    first_word: usize,
    /// The blocks around `at`, the outermost first.
    open: Vec<usize>,
    /// The first block whose `}` stands further left than the line that opens it, and that `}`.
    misplaced: Option<(usize, usize)>,
    /// A quote swallowed or hid braces, so that nothing more can be said about them.
    quote_lost: bool,
    /// The statement that is being read has a problem with quotes already.
    quote_reported: bool,
    /// It may have several lines.
    lines_break: bool,
    lua: LuaBlocks<'t>,
    unclosed_lua: usize,
}

impl<'t> Reader<'t> {
    fn run(&mut self) {
        let bytes = self.source.as_bytes();
        if self.source.starts_with('\u{feff}') {
            self.at = '\u{feff}'.len_utf8();
            self.problem(
                0..self.at,
                "the file begins with a byte order mark, which nginx takes for a part of the first directive",
            );
        }
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.lines_break |= self.in_statement();
                    let behind = bytes[self.at + 1..].iter();
                    self.at += 1 + behind.take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                }
                b'#' => self.comment(self.at..self.line_end(self.at)),
                b';' => self.semicolon(),
                b'{' => self.open_brace(),
                b'}' => self.close_brace(),
                b'"' | b'\'' => match plain_quoted(&bytes[self.at..]) {
                    Some(length) => self.push_word(Word::written(self.at..self.at + length)),
                    None => self.read_words(),
                },
                _ => match plain_word(&bytes[self.at..]) {
                    Some(length) => self.push_word(Word::plain(self.at..self.at + length)),
                    None => self.read_words(),
                },
            }
        }
    }

    fn finish(mut self) -> Tree {
        if self.in_statement() {
            let end = self.last_word_end();
            if !self.quote_lost {
                self.problem(end..end, "missing `;` at the end of the file");
            }
            self.end_statement(end, Kind::Simple);
        }
        self.report_open_blocks();
        let all = self.directives.len() as u32;
        for block in std::mem::take(&mut self.open) {
            self.directives[block].block_end = self.source.len() as u32;
            self.directives[block].next = all;
        }
        self.problems.sort_by_key(|problem| problem.span.start);
        self.words.shrink_to_fit();
        self.directives.shrink_to_fit();
        self.comments.shrink_to_fit();
        Tree {
            text: self.text.clone(),
            words: self.words,
            directives: self.directives,
            comments: self.comments,
            problems: self.problems,
        }
    }

    fn read_words(&mut self) {
        let base = self.at;
        let statement = Words::parse(Rule::words, &self.source[base..]).ok().and_then(|mut pairs| pairs.next());
        let Some(statement) = statement else {
            // Every byte that comes here begins a word; should the grammar see it otherwise, it is one of its own.
            let length = self.source[base..].chars().next().map_or(1, char::len_utf8);
            return self.word(base..base + length);
        };
        self.at = base + statement.as_span().end();
        self.lines_break = true;
        for pair in statement.into_inner() {
            let span = pair.as_span();
            let range = base + span.start()..base + span.end();
            match pair.as_rule() {
                Rule::comment => self.comment(range),
                Rule::broken => self.broken(range.start),
                _ => self.word(range),
            }
        }
    }

    fn word(&mut self, range: Range<usize>) {
        let written = &self.source.as_bytes()[range.clone()];
        let is_plain = !matches!(written.first(), Some(b'"' | b'\'')) && memchr(b'\\', written).is_none();
        self.push_word(if is_plain { Word::plain(range) } else { Word::written(range) });
    }

    fn push_word(&mut self, word: Word) {
        let range = word.range();
        if range.len() + 2 >= BUFFER {
            self.check_length(range.clone());
        }
        self.at = self.at.max(range.end);
        self.words.push(word);
    }

    fn comment(&mut self, range: Range<usize>) {
        self.at = self.at.max(range.end);
        if range.len() >= BUFFER && range.start + BUFFER < self.source.len() {
            let message = "the comment is longer than the 4096 bytes that nginx can read at once";
            self.problem(range.start..range.start + 1, message);
        }
        let carriage_return = self.source[range.clone()].ends_with('\r') as usize;
        self.comments.push(Word::written(range.start..range.end - carriage_return));
    }

    /// What ends a word has to be read within the same buffer, and a closing quote, too.
    fn check_length(&mut self, range: Range<usize>) {
        let bytes = self.source.as_bytes();
        let quoted = matches!(bytes[range.start], b'"' | b'\'');
        let start = range.start + quoted as usize;
        let ends_here = matches!(bytes.get(range.end), Some(b';' | b'{' | b')'));
        let needed = range.end - start + !ends_here as usize;
        if needed < BUFFER {
            return;
        }
        let message = if quoted {
            "the word is longer than the 4096 bytes that nginx can read at once; perhaps its closing quote is missing"
        } else {
            "the word is longer than the 4096 bytes that nginx can read at once"
        };
        self.problem(range.start..range.start + 1, message);
    }

    /// A quote that is not closed, or not as nginx wants it; or a backslash with nothing behind it.
    fn broken(&mut self, start: usize) {
        let quote = self.source.as_bytes()[start];
        if quote == b'\\' {
            return self.word(start..start + 1);
        }
        match self.closing_quote(start) {
            Some(closing) if memchr(b'\n', &self.source.as_bytes()[start..closing]).is_none() => {
                self.word(start..closing + 1);
                let behind = self.source[closing + 1..].chars().next().map_or(0, char::len_utf8);
                if !self.quote_reported {
                    self.quote_reported = true;
                    self.problem(closing + 1..closing + 1 + behind, "no space after the closing quote");
                }
            }
            closing => self.unclosed_quote(start, closing),
        }
    }

    /// The quote was meant to be closed in its line, most likely: the line is the word, and the next one a new statement.
    fn unclosed_quote(&mut self, start: usize, closing: Option<usize>) {
        // Once a quote is missing, opening and closing ones change places in all that follows.
        if !self.quote_lost {
            self.problem(start..start + 1, "the quote is never closed");
            if let (Some(closing), Some(problem)) = (closing, self.problems.last_mut()) {
                let place = self.text.span(closing..closing + 1);
                problem.related = Some((place, "nginx takes this for its end".to_owned()));
            }
        }
        self.quote_lost = true;
        let line = &self.source[start..self.line_end(start)];
        let written = line.trim_end_matches([' ', '\t', '\r']);
        let word = written.strip_suffix([';', '{']).unwrap_or(written).trim_end_matches([' ', '\t']);
        let word_end = start + word.len().max(1);
        self.word(start..word_end);
        self.at = word_end;
        if word.len() == written.len() {
            self.end_statement(word_end, Kind::Simple);
        }
    }

    fn closing_quote(&self, start: usize) -> Option<usize> {
        let bytes = self.source.as_bytes();
        let mut at = start + 1;
        loop {
            at += memchr2(bytes[start], b'\\', bytes.get(at..)?)?;
            if bytes[at] != b'\\' {
                return Some(at);
            }
            at += 2;
        }
    }

    fn semicolon(&mut self) {
        self.at += 1;
        if self.in_statement() {
            return self.end_statement(self.at, Kind::Simple);
        }
        self.problem(self.at - 1..self.at, "unexpected `;`: there is no directive before it");
    }

    fn open_brace(&mut self) {
        self.at += 1;
        if !self.in_statement() {
            self.problem(self.at - 1..self.at, "unexpected `{`: there is no directive before it");
            return self.open_block();
        }
        let name = self.words[self.first_word].range();
        let name = &self.source[name.clone()][inside_quotes(&self.source[name])];
        if unescape(name).ends_with("_by_lua_block") { self.lua_block() } else { self.open_block() }
    }

    fn open_block(&mut self) {
        self.end_statement(self.at, Kind::Block);
        self.open.push(self.directives.len() - 1);
    }

    fn close_brace(&mut self) {
        let brace = self.at..self.at + 1;
        self.at += 1;
        if self.in_statement() {
            let end = self.last_word_end();
            let is_hole = self.words.len() == self.first_word + 1 && self.is_hole();
            if !self.quote_lost && !is_hole {
                self.problem(end..end, "missing `;` before `}`");
            }
            self.end_statement(end, Kind::Simple);
        }
        let Some(block) = self.open.pop() else {
            if !self.quote_lost {
                self.problem(brace, "unexpected `}`: no block is open here");
            }
            return;
        };
        self.remember_misplaced(block, brace.start);
        self.directives[block].block_end = brace.end as u32;
        self.directives[block].next = self.directives.len() as u32;
    }

    fn lua_block(&mut self) {
        let body = self.at;
        self.end_statement(body, Kind::Lua);
        let last = self.directives.len() - 1;
        let end = match self.lua.end(body) {
            Some(closing) => {
                self.remember_misplaced(last, closing);
                closing + 1
            }
            None => {
                let head = self.head(last);
                self.problem(head, "the lua block is never closed");
                self.likely_lua_end(last, body)
            }
        };
        self.directives[last].block_end = end as u32;
        self.at = end;
    }

    /// Behind the first `}` that stands as far left as the line of the directive; otherwise the end of the text.
    fn likely_lua_end(&mut self, block: usize, body: usize) -> usize {
        self.unclosed_lua += 1;
        let Some(indent) = self.indent(self.start(block)) else { return self.source.len() };
        if self.unclosed_lua > LUA_BLOCKS_TO_MEND {
            return self.source.len();
        }
        let mut line = body;
        let source = self.source;
        while let Some(length) = memchr(b'\n', &source.as_bytes()[line..]) {
            line += length + 1;
            if self.source[line..].strip_prefix(indent).is_some_and(|rest| rest.starts_with('}')) {
                return line + indent.len() + 1;
            }
        }
        self.source.len()
    }

    /// The statement begins with `${NAME}`: whole directives are put there, with their `;`, before nginx reads the text.
    fn is_hole(&self) -> bool {
        let written = self.words.get(self.first_word).map_or("", |word| &self.source[word.range()]);
        written.starts_with("${") && written.ends_with('}')
    }

    fn end_statement(&mut self, end: usize, kind: Kind) {
        while self.lines_break && self.words.len() > self.first_word + 1 && self.is_hole() {
            let (hole, next) = (self.words[self.first_word].range().end, self.words[self.first_word + 1].range().start);
            if memchr(b'\n', &self.source.as_bytes()[hole..next]).is_none() {
                break;
            }
            self.push_directive(self.first_word + 1, hole, Kind::Simple);
        }
        while let Some(found) = self.missing_semicolon(kind) {
            let before = self.words[found - 1].range().end;
            let place = before..before;
            self.problem(place, "missing `;` at the end of the line before");
            let name = self.text.span(self.words[found].range());
            if let Some(problem) = self.problems.last_mut() {
                problem.related = Some((name, "nginx takes this for one of its arguments".to_owned()));
            }
            self.push_directive(found, before, Kind::Simple);
        }
        self.push_directive(self.words.len(), end, kind);
        self.quote_reported = false;
        self.lines_break = false;
    }

    /// The first word of the statement that begins another one.
    fn missing_semicolon(&self, kind: Kind) -> Option<usize> {
        if !self.lines_break {
            return None;
        }
        let source = self.source;
        let block = self.open.last().and_then(|block| self.words_of(*block).first());
        let block = block.map(|name| &source[name.range()]);
        missing_semicolon::find(source, &self.words, self.first_word, kind, block)
    }

    fn push_directive(&mut self, words_end: usize, end: usize, kind: Kind) {
        self.directives.push(Directive {
            first_word: self.first_word as u32,
            end: end as u32,
            block_end: end as u32,
            next: self.directives.len() as u32 + 1,
            kind,
        });
        self.first_word = words_end;
    }

    /// One problem for all of them: a single `}` is missing, as a rule, and the indentation says where.
    fn report_open_blocks(&mut self) {
        let Some(innermost) = self.open.last().copied() else { return };
        if self.quote_lost {
            return;
        }
        let (block, brace) = match self.misplaced {
            Some((block, brace)) => (block, Some(brace)),
            None => (innermost, None),
        };
        let head = self.head(block);
        self.problem(head, "the block is never closed");
        if let (Some(brace), Some(problem)) = (brace, self.problems.last_mut()) {
            let place = self.text.span(brace..brace + 1);
            problem.related = Some((place, "this `}` closes it, but stands further left".to_owned()));
        }
    }

    /// A `}` at the start of its line that is less indented than the line of the block was not meant for it.
    fn remember_misplaced(&mut self, block: usize, brace: usize) {
        if self.misplaced.is_some() {
            return;
        }
        let (Some(closing), Some(opening)) = (self.indent(brace), self.indent(self.start(block))) else { return };
        if closing.len() < opening.len() && opening.starts_with(closing) {
            self.misplaced = Some((block, brace));
        }
    }

    /// The blanks before the first byte of a line; `None` for any other byte.
    fn indent(&self, at: usize) -> Option<&'t str> {
        let before = &self.source.as_bytes()[..at];
        let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = at - blanks;
        (start == 0 || before[start - 1] == b'\n').then(|| &self.source[start..at])
    }

    fn in_statement(&self) -> bool {
        self.words.len() > self.first_word
    }

    fn last_word_end(&self) -> usize {
        self.words.last().map_or(self.at, |word| word.range().end)
    }

    fn line_end(&self, at: usize) -> usize {
        memchr(b'\n', &self.source.as_bytes()[at..]).map_or(self.source.len(), |length| at + length)
    }

    fn words_of(&self, directive: usize) -> &[Word] {
        let end = self.directives.get(directive + 1).map_or(self.first_word, |behind| behind.first_word as usize);
        &self.words[self.directives[directive].first_word as usize..end]
    }

    fn start(&self, directive: usize) -> usize {
        let end = self.directives[directive].end as usize;
        self.words_of(directive).first().map_or(end - 1, |name| name.range().start)
    }

    /// From the name of a block to its `{`.
    fn head(&self, block: usize) -> Range<usize> {
        self.start(block)..self.directives[block].end as usize
    }

    fn problem(&mut self, range: Range<usize>, message: &str) {
        if self.problems.len() == MOST_PROBLEMS {
            return;
        }
        self.problems.push(Problem { span: self.text.span(range), message: message.to_owned(), related: None });
    }
}

/// Bytes that end a bare word, or that decide with the ones behind them whether it ends.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let bytes = b" \t\r\n;{$\\";
    let mut index = 0;
    while index < bytes.len() {
        stops[bytes[index] as usize] = true;
        index += 1;
    }
    stops
};

/// How long the bare word at the start of `bytes` is, where that is plain to see: without backslashes. Nearly all words
/// are so; the grammar takes ten times as long for them and says the same (the tests compare them).
fn plain_word(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes[at..].iter().take_while(|byte| !STOPS[**byte as usize]).count();
        match bytes.get(at) {
            Some(b'\\') => return None,
            Some(b'$') => at += 1 + bytes[at + 1..].iter().take_while(|byte| **byte == b'{').count(),
            _ => return Some(at),
        }
    }
}

/// The same for a word in quotes, with both of them.
fn plain_quoted(bytes: &[u8]) -> Option<usize> {
    let (quote, inside) = bytes.split_first()?;
    let end = memchr2(*quote, b'\\', inside)?;
    let behind = matches!(inside.get(end + 1), None | Some(b';' | b' ' | b'\n' | b'{' | b')' | b'}' | b'\t' | b'\r'));
    (behind && inside[end] == *quote).then_some(end + 2)
}

#[cfg(test)]
mod tests {
    use pest::Parser;

    use super::{Rule, Words, plain_quoted, plain_word};

    /// What the grammar takes for the first word.
    fn by_grammar(source: &str) -> Option<usize> {
        let mut words = Words::parse(Rule::words, source).ok()?.next()?.into_inner();
        words.next().filter(|word| word.as_rule() != Rule::broken).map(|word| word.as_span().end())
    }

    #[test]
    fn plain_words_are_those_of_the_grammar() {
        let pieces = [
            "a",
            "server_name",
            "é",
            "$",
            "${",
            "{",
            "}",
            "#",
            "'",
            "\"",
            ";",
            " ",
            "\t",
            "\r\n",
            "\n",
            "/x",
            "~*",
            "=",
            "\\",
            "(",
        ];
        for first in pieces
            .iter()
            .filter(|first| !matches!(first.as_bytes()[0], b' ' | b'\t' | b'\r' | b'\n' | b'#' | b';' | b'{' | b'}'))
        {
            for second in pieces {
                for third in pieces {
                    let source = format!("{first}{second}{third}b c;");
                    let is_quoted = source.starts_with(['"', '\'']);
                    let read = if is_quoted { plain_quoted } else { plain_word };
                    if let Some(length) = read(source.as_bytes()) {
                        assert_eq!(by_grammar(&source), Some(length), "{source:?}");
                    }
                }
            }
        }
        assert_eq!(plain_word(b"listen 80;"), Some(6));
        assert_eq!(plain_word(b"${a}_b{"), Some(6));
        assert_eq!(plain_word(b"a\\ b"), None);
        assert_eq!(plain_quoted(b"'a b' c"), Some(5));
        assert_eq!(plain_quoted(b"'a' \"b\""), Some(3));
        assert_eq!(plain_quoted(b"''"), Some(2));
        assert_eq!(plain_quoted(b"'a'b"), None);
        assert_eq!(plain_quoted(b"'a"), None);
        assert_eq!(plain_quoted(b"'a\\'' b"), None);
    }
}
