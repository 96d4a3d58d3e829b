//! Reads expressions from tokens.

mod brackets;
mod postfix;

use std::ops::Range;

use crate::read::app::expression::{Expression, Part, Shape};
use crate::read::app::tokens::{Kind, Language, NONE, Piece, Token, Tokens, tokens};

/// Deeper nesting is not read.
const DEEPEST: u32 = 40;

pub struct Parser<'t> {
    pub source: &'t str,
    pub tokens: &'t Tokens,
    pub language: Language,
    pub at: usize,
    /// Token index behind the last token to read.
    pub end: usize,
    /// A bracket is open: line breaks mean nothing.
    inside: bool,
    depth: u32,
    /// In Go, `Name{…}` is a value, not a block.
    composite: bool,
}

impl<'t> Parser<'t> {
    pub fn new(source: &'t str, tokens: &'t Tokens, language: Language, at: usize) -> Parser<'t> {
        Parser { source, tokens, language, at, end: tokens.list.len(), inside: false, depth: 0, composite: true }
    }

    /// For the condition of an `if`, where a brace opens the block.
    pub fn without_composites(mut self) -> Parser<'t> {
        self.composite = false;
        self
    }

    pub fn until(mut self, end: usize) -> Parser<'t> {
        self.end = end.min(self.end);
        self
    }

    fn token(&self, at: usize) -> Option<&'t Token> {
        if at < self.end { self.tokens.list.get(at) } else { None }
    }

    pub fn word(&self, at: usize) -> &'t str {
        self.token(at).map_or("", |token| &self.source[token.start as usize..token.end as usize])
    }

    fn symbol(&self, at: usize) -> &'t str {
        if self.token(at).is_some_and(|token| token.kind == Kind::Symbol) { self.word(at) } else { "" }
    }

    fn name(&self, at: usize) -> &'t str {
        if self.token(at).is_some_and(|token| token.kind == Kind::Name) { self.word(at) } else { "" }
    }

    fn is_new_line(&self, at: usize) -> bool {
        self.token(at).is_some_and(|token| token.new_line)
    }

    /// A statement cannot go on at this token.
    fn breaks(&self, at: usize) -> bool {
        !self.inside && self.language.ends_at_line() && self.is_new_line(at)
    }

    fn partner(&self, at: usize) -> Option<usize> {
        let partner = self.token(at)?.partner;
        (partner != NONE && (partner as usize) > at && (partner as usize) < self.end).then_some(partner as usize)
    }

    fn start_of(&self, at: usize) -> usize {
        self.token(at).map_or(self.source.len(), |token| token.start as usize)
    }

    /// The end of the last token that was read.
    fn end_before(&self, at: usize) -> usize {
        at.checked_sub(1).and_then(|last| self.tokens.list.get(last)).map_or(0, |token| token.end as usize)
    }

    fn made(&self, first: usize, shape: Shape) -> Expression {
        let start = self.start_of(first);
        Expression { shape, range: start..self.end_before(self.at).max(start) }
    }

    pub fn expression(&mut self) -> Expression {
        let first = self.at;
        if self.depth > DEEPEST {
            return self.made(first, Shape::Unclear);
        }
        self.depth += 1;
        let expression = self.choice(first);
        self.depth -= 1;
        expression
    }

    fn choice(&mut self, first: usize) -> Expression {
        if let Some(function) = self.function() {
            return function;
        }
        let condition = self.binary(0);
        let question = !matches!(self.language, Language::Python | Language::Go | Language::Rust);
        if question && self.symbol(self.at) == "?" && !self.breaks(self.at) {
            self.at += 1;
            let then = self.expression();
            if self.symbol(self.at) != ":" {
                return self.made(first, Shape::Unclear);
            }
            self.at += 1;
            let other = self.expression();
            return self.made(first, Shape::Choice(Box::new([condition, then, other])));
        }
        if self.language == Language::Python && self.name(self.at) == "if" && !self.breaks(self.at) {
            self.at += 1;
            let test = self.binary(0);
            if self.name(self.at) != "else" {
                return self.made(first, Shape::Unclear);
            }
            self.at += 1;
            let other = self.expression();
            return self.made(first, Shape::Choice(Box::new([test, condition, other])));
        }
        condition
    }

    /// A function or closure, its body skipped or, when it is one expression, read.
    fn function(&mut self) -> Option<Expression> {
        let first = self.at;
        let mut at = self.at;
        let body = match self.language {
            Language::JavaScript | Language::CSharp => {
                if self.name(at) == "async" {
                    at += 1;
                }
                if self.name(at) == "function" {
                    let open = (at..self.end.min(at + 6)).find(|at| self.symbol(*at) == "(")?;
                    let close = self.partner(open)?;
                    (close + 1..self.end.min(close + 12)).find(|at| self.symbol(*at) == "{")?
                } else {
                    let close = if self.symbol(at) == "(" { self.partner(at)? } else { at };
                    if self.symbol(at) != "(" && self.name(at).is_empty() {
                        return None;
                    }
                    let typed = self.symbol(close + 1) == ":";
                    let furthest = if typed { close + 10 } else { close + 2 };
                    let arrow = (close + 1..furthest).find(|at| self.symbol(*at) == "=>")?;
                    let plain_type = (close + 2..arrow).all(|at| {
                        !self.name(at).is_empty() || matches!(self.symbol(at), "." | "<" | ">" | "[" | "]" | "|")
                    });
                    if typed && !plain_type {
                        return None;
                    }
                    arrow + 1
                }
            }
            Language::Go if self.name(at) == "func" => {
                (at..self.end.min(at + 60)).find(|at| self.symbol(*at) == "{" && self.partner(*at).is_some())?
            }
            Language::Rust => {
                if self.name(at) == "async" || self.name(at) == "move" {
                    at += 1;
                }
                match self.symbol(at) {
                    "||" => at + 1,
                    "|" => (at + 1..self.end.min(at + 20)).find(|at| self.symbol(*at) == "|")? + 1,
                    _ => return None,
                }
            }
            Language::Python if self.name(at) == "lambda" => {
                (at..self.end.min(at + 40)).find(|at| self.symbol(*at) == ":")? + 1
            }
            _ => return None,
        };
        self.at = body;
        let result = if self.symbol(body) == "{" {
            let close = self.partner(body).unwrap_or(self.end.saturating_sub(1));
            self.at = close + 1;
            None
        } else {
            Some(Box::new(self.expression()))
        };
        Some(self.made(first, Shape::Function(result)))
    }

    /// The operator at `at` and how many tokens it takes.
    fn operator(&self, at: usize, level: usize) -> Option<(&'static str, usize)> {
        let word = self.word(at);
        let kind = self.token(at)?.kind;
        let found = match (level, kind, word) {
            (0, Kind::Symbol, "||") => "||",
            (0, Kind::Symbol, "??") => "??",
            (1, Kind::Symbol, "&&") => "&&",
            (2, Kind::Symbol, "==" | "===") => "==",
            (2, Kind::Symbol, "!=" | "!==") => "!=",
            (2, Kind::Symbol, "<" | ">" | "<=" | ">=") => "<",
            (3, Kind::Symbol, "+") => "+",
            (3, Kind::Symbol, "-") => "-",
            (4, Kind::Symbol, "*") => "*",
            (4, Kind::Symbol, "/" | "%") if word == "/" => "/",
            (4, Kind::Symbol, "%") => "%",
            (0, Kind::Name, "or") if matches!(self.language, Language::Python | Language::Ruby) => "||",
            (1, Kind::Name, "and") if matches!(self.language, Language::Python | Language::Ruby) => "&&",
            (2, Kind::Name, "is") if self.language == Language::Python => {
                return Some(if self.name(at + 1) == "not" { ("!=", 2) } else { ("==", 1) });
            }
            (2, Kind::Name, "in") if self.language == Language::Python => "in",
            (2, Kind::Name, "not") if self.language == Language::Python && self.name(at + 1) == "in" => {
                return Some(("in", 2));
            }
            _ => return None,
        };
        Some((found, 1))
    }

    fn binary(&mut self, level: usize) -> Expression {
        if level == 5 {
            return self.unary();
        }
        let first = self.at;
        let mut left = self.binary(level + 1);
        // A long chain makes a deep tree; what is longer than this is no port.
        for _ in 0..DEEPEST {
            if self.breaks(self.at) {
                return left;
            }
            let Some((operator, length)) = self.operator(self.at, level) else { return left };
            self.at += length;
            let right = self.binary(level + 1);
            left = self.made(first, Shape::Binary(operator, Box::new(left), Box::new(right)));
        }
        Expression { shape: Shape::Unclear, range: left.range }
    }

    fn unary(&mut self) -> Expression {
        let first = self.at;
        if self.depth > DEEPEST {
            return self.made(first, Shape::Unclear);
        }
        self.depth += 1;
        let expression = match (self.symbol(self.at), self.name(self.at)) {
            ("!", _) | (_, "not") => {
                self.at += 1;
                let of = self.unary();
                self.made(first, Shape::Not(Box::new(of)))
            }
            ("&" | "*" | "+", _) | (_, "await" | "new" | "mut" | "move") => {
                self.at += 1;
                self.unary()
            }
            ("-" | "~", _) => {
                self.at += 1;
                self.unary();
                self.made(first, Shape::Unclear)
            }
            _ => {
                let primary = self.primary();
                self.postfix(first, primary)
            }
        };
        self.depth -= 1;
        expression
    }

    fn primary(&mut self) -> Expression {
        let first = self.at;
        let Some(token) = self.token(first) else { return self.made(first, Shape::Unclear) };
        match token.kind {
            Kind::Text => self.text(),
            Kind::Number => {
                self.at += 1;
                self.made(first, Shape::Number)
            }
            Kind::Name => self.name_or_word(),
            Kind::Symbol => match self.word(first) {
                "(" => self.group(),
                "[" => self.list(),
                "{" if self.composite || self.inside => self.object(),
                ":" if self.language == Language::Ruby && !self.name(first + 1).is_empty() => {
                    self.at += 2;
                    let range = self.start_of(first + 1)..self.end_before(self.at);
                    self.made(first, Shape::Text(vec![Part::Verbatim(range)]))
                }
                _ => self.made(first, Shape::Unclear),
            },
            Kind::Other => {
                self.at += 1;
                self.made(first, Shape::Unclear)
            }
        }
    }

    fn name_or_word(&mut self) -> Expression {
        let first = self.at;
        let word = self.word(first);
        let shape = match word {
            "true" | "True" => Shape::True,
            "false" | "False" => Shape::False,
            "null" | "None" | "nil" | "undefined" => Shape::Nothing,
            "if" | "unless" | "else" | "elif" | "for" | "while" | "do" | "then" | "return" | "end" => {
                return self.made(first, Shape::Unclear);
            }
            _ => {
                self.at += 1;
                // A Rust macro.
                if self.language == Language::Rust
                    && self.symbol(self.at) == "!"
                    && matches!(self.symbol(self.at + 1), "(" | "[")
                {
                    self.at += 1;
                    return self.made(first, Shape::Name(format!("{word}!")));
                }
                return self.made(first, Shape::Name(word.to_owned()));
            }
        };
        self.at += 1;
        self.made(first, shape)
    }

    fn text(&mut self) -> Expression {
        let first = self.at;
        let mut parts = Vec::new();
        let mut clear = true;
        while let Some(token) = self.token(self.at).filter(|token| token.kind == Kind::Text) {
            if self.at > first && (self.language != Language::Python || self.breaks(self.at)) {
                break;
            }
            for piece in self.tokens.strings.get(token.partner as usize).into_iter().flatten() {
                match piece {
                    Piece::Verbatim(range) => parts.push(Part::Verbatim(range.clone())),
                    Piece::Fixed(text, range) => parts.push(Part::Fixed(text.clone(), range.clone())),
                    Piece::Unclear(_) => clear = false,
                    Piece::Code(range) => parts.push(Part::Code(self.embedded(range.clone()))),
                }
            }
            self.at += 1;
        }
        self.made(first, if clear { Shape::Text(parts) } else { Shape::Unclear })
    }

    /// The expression in a string.
    fn embedded(&self, range: Range<usize>) -> Expression {
        let unclear = Expression { shape: Shape::Unclear, range: range.clone() };
        // Longer ones are markup or queries, and a bound keeps strings within strings from being read many times.
        if self.depth > DEEPEST / 4 || range.len() > 300 {
            return unclear;
        }
        let inner = tokens(self.source, range, self.language);
        let mut parser = Parser::new(self.source, &inner, self.language, 0);
        parser.inside = true;
        parser.depth = self.depth + DEEPEST / 8;
        let expression = parser.expression();
        if parser.at < inner.list.len() { unclear } else { expression }
    }
}
