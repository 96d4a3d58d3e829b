//! Program text as tokens: names, numbers, strings, symbols. Comments are gone, strings know their pieces, brackets
//! know their partners. One reader for a handful of languages; where they differ, [`Language`] decides.

mod strings;

use std::ops::Range;

/// The languages whose entry files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// JavaScript and TypeScript.
    JavaScript,
    Python,
    Go,
    Ruby,
    Rust,
    CSharp,
}

impl Language {
    /// The language of a file, by the end of its name.
    pub fn of_path(path: &str) -> Option<Language> {
        let name = path.rsplit('/').next().unwrap_or(path);
        if matches!(name, "config.ru" | "Rakefile") {
            return Some(Language::Ruby);
        }
        match name.rsplit_once('.')?.1 {
            "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "jsx" | "tsx" => Some(Language::JavaScript),
            "py" | "pyw" => Some(Language::Python),
            "go" => Some(Language::Go),
            "rb" | "ru" => Some(Language::Ruby),
            "rs" => Some(Language::Rust),
            "cs" => Some(Language::CSharp),
            _ => None,
        }
    }

    /// A line break ends a statement unless a bracket is open.
    pub fn ends_at_line(self) -> bool {
        matches!(self, Language::Python | Language::Go | Language::Ruby)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Name,
    Number,
    /// A string; its pieces are in [`Tokens::strings`].
    Text,
    Symbol,
    /// A regular expression or a character literal: nothing we can use.
    Other,
}

/// No partner, no string.
pub const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
    /// It is the first one on its line.
    pub new_line: bool,
    /// Bytes before it on its line.
    pub column: u32,
    /// For a bracket, the token index of its partner; for a string, its index in [`Tokens::strings`].
    pub partner: u32,
}

/// A piece of a string literal.
#[derive(Clone, Debug)]
pub enum Piece {
    /// These bytes stand for themselves.
    Verbatim(Range<usize>),
    /// An escape, decoded.
    Fixed(String, Range<usize>),
    /// Code between `${` and `}` or the like.
    Code(Range<usize>),
    /// Something in it whose result is not plain.
    Unclear(Range<usize>),
}

#[derive(Debug, Default)]
pub struct Tokens {
    pub list: Vec<Token>,
    pub strings: Vec<Vec<Piece>>,
}

/// Reads a part of a source. Positions count from the start of `source`.
pub fn tokens(source: &str, range: Range<usize>, language: Language) -> Tokens {
    let mut reader = Reader {
        bytes: source.as_bytes(),
        source,
        at: range.start,
        end: range.end.min(source.len()),
        language,
        out: Tokens::default(),
        new_line: true,
        line_start: range.start,
    };
    reader.run();
    pair_brackets(source, &mut reader.out.list);
    reader.out
}

struct Reader<'s> {
    bytes: &'s [u8],
    source: &'s str,
    at: usize,
    end: usize,
    language: Language,
    out: Tokens,
    new_line: bool,
    line_start: usize,
}

/// Longest first.
const SYMBOLS: [&str; 29] = [
    "===", "!==", "...", "**=", "??=", "||=", "&&=", "..=", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", ":=",
    "::", "->", "+=", "-=", "*=", "/=", "%=", "|=", "**", "..", "<<",
];

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

impl Reader<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        let at = self.at + ahead;
        if at < self.end { self.bytes[at] } else { 0 }
    }

    fn starts_with(&self, what: &str) -> bool {
        self.bytes[self.at..self.end].starts_with(what.as_bytes())
    }

    fn push(&mut self, kind: Kind, start: usize, partner: u32) {
        self.out.list.push(Token {
            kind,
            start: start as u32,
            end: self.at as u32,
            new_line: self.new_line,
            column: (start - self.line_start.min(start)) as u32,
            partner,
        });
        self.new_line = false;
    }

    fn line_break(&mut self) {
        self.at += 1;
        self.new_line = true;
        self.line_start = self.at;
    }

    fn skip_line(&mut self) {
        self.at = memchr::memchr(b'\n', &self.bytes[self.at..self.end]).map_or(self.end, |found| self.at + found);
    }

    fn run(&mut self) {
        if self.at == 0 && self.starts_with("#!") {
            self.skip_line();
        }
        if self.at == 0 && self.starts_with("\u{feff}") {
            self.at = 3;
        }
        while self.at < self.end {
            let byte = self.byte(0);
            match byte {
                b'\n' => self.line_break(),
                b' ' | b'\t' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'\\' if self.byte(1) == b'\n' => self.at += 2,
                b'\\' if self.starts_with("\\\r\n") => self.at += 3,
                _ if self.comment() => {}
                _ if self.string() => {}
                b'0'..=b'9' => self.number(),
                _ if is_name_byte(byte) || (byte == b'@' && self.language == Language::Ruby) => self.name(),
                _ => self.symbol(),
            }
        }
    }

    fn comment(&mut self) -> bool {
        let hash = matches!(self.language, Language::Python | Language::Ruby);
        if hash && self.byte(0) == b'#' {
            self.skip_line();
            return true;
        }
        if self.language == Language::Ruby && self.at == self.line_start && self.starts_with("=begin") {
            let close = self.source[self.at..self.end].find("\n=end").map_or(self.end, |found| self.at + found + 5);
            self.at = close;
            self.skip_line();
            return true;
        }
        if hash || self.byte(0) != b'/' {
            return false;
        }
        match self.byte(1) {
            b'/' => self.skip_line(),
            b'*' => self.block_comment(),
            _ => return false,
        }
        true
    }

    fn block_comment(&mut self) {
        let mut depth = 0usize;
        while self.at < self.end {
            if self.starts_with("/*") && (depth == 0 || self.language == Language::Rust) {
                depth += 1;
                self.at += 2;
            } else if self.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else if self.byte(0) == b'\n' {
                self.line_break();
            } else {
                self.at += 1;
            }
        }
    }

    fn number(&mut self) {
        let start = self.at;
        while is_name_byte(self.byte(0)) || (self.byte(0) == b'.' && self.byte(1).is_ascii_digit()) {
            self.at += 1;
        }
        self.push(Kind::Number, start, NONE);
    }

    fn name(&mut self) {
        let start = self.at;
        self.at += 1;
        while is_name_byte(self.byte(0)) || (self.byte(0) == b'@' && self.language == Language::Ruby) {
            self.at += 1;
        }
        let ruby_mark = matches!(self.byte(0), b'?' | b'!') && !matches!(self.byte(1), b'=' | b'.' | b' ');
        if self.language == Language::Ruby && ruby_mark {
            self.at += 1;
        }
        self.push(Kind::Name, start, NONE);
    }

    fn symbol(&mut self) {
        if self.byte(0) == b'/' && self.pattern() {
            return;
        }
        let start = self.at;
        let length = SYMBOLS.iter().find(|symbol| self.starts_with(symbol)).map_or(1, |symbol| symbol.len());
        self.at += length;
        self.push(Kind::Symbol, start, NONE);
    }

    /// A regular expression, where one may stand.
    fn pattern(&mut self) -> bool {
        if !matches!(self.language, Language::JavaScript | Language::Ruby) {
            return false;
        }
        let may_stand = match self.out.list.last() {
            None => true,
            Some(last) => {
                let before = &self.source[last.start as usize..last.end as usize];
                match last.kind {
                    Kind::Symbol => !matches!(before, ")" | "]" | "}"),
                    Kind::Name => matches!(before, "return" | "typeof" | "case" | "in" | "of" | "if" | "when"),
                    _ => false,
                }
            }
        };
        if !may_stand {
            return false;
        }
        let start = self.at;
        let mut at = self.at + 1;
        let mut in_class = false;
        // Longer ones do not occur, and a bound keeps a line of slashes from being read again and again.
        let limit = self.end.min(at + 1000);
        while at < limit {
            match self.bytes[at] {
                b'\n' => return false,
                b'\\' => at += 1,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    self.at = at + 1;
                    while is_name_byte(self.byte(0)) {
                        self.at += 1;
                    }
                    self.push(Kind::Other, start, NONE);
                    return true;
                }
                _ => {}
            }
            at += 1;
        }
        false
    }
}

fn pair_brackets(source: &str, tokens: &mut [Token]) {
    let mut open: Vec<usize> = Vec::new();
    let byte_of = |token: &Token| source.as_bytes()[token.start as usize];
    for index in 0..tokens.len() {
        let token = tokens[index];
        if token.kind != Kind::Symbol || token.end - token.start != 1 {
            continue;
        }
        let opener = match byte_of(&token) {
            b'(' | b'[' | b'{' => {
                open.push(index);
                continue;
            }
            b')' => b'(',
            b']' => b'[',
            b'}' => b'{',
            _ => continue,
        };
        // One bracket that was never closed does not spoil what follows.
        let matching = open.iter().rev().take(3).position(|at| byte_of(&tokens[*at]) == opener);
        let Some(matching) = matching else { continue };
        open.truncate(open.len() - matching);
        let Some(partner) = open.pop() else { continue };
        tokens[partner].partner = index as u32;
        tokens[index].partner = partner as u32;
    }
}
