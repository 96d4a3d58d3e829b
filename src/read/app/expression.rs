//! Expressions as far as a port or an address may be written in one. What is more than that is unclear, never an error.

use std::ops::Range;

use crate::read::app::tokens::{Kind, Language, NONE, Piece, Token, Tokens, tokens};

#[derive(Clone, Debug)]
pub struct Expression {
    pub shape: Shape,
    /// Bytes of the text.
    pub range: Range<usize>,
}

#[derive(Clone, Debug)]
pub enum Shape {
    Text(Vec<Part>),
    Number,
    True,
    False,
    /// `null`, `None`, `nil`, `undefined`
    Nothing,
    Name(String),
    Member(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    Call(Box<Call>),
    /// The entries, and whether these are all.
    Object(Vec<(String, Expression)>, bool),
    /// Arrays and tuples.
    List(Vec<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Choice(Box<[Expression; 3]>),
    /// A function; its result, when it is one expression.
    Function(Option<Box<Expression>>),
    Unclear,
}

#[derive(Clone, Debug)]
pub enum Part {
    Verbatim(Range<usize>),
    Fixed(String, Range<usize>),
    Code(Expression),
}

#[derive(Clone, Debug)]
pub struct Call {
    pub callee: Expression,
    pub arguments: Vec<Argument>,
    /// A Ruby block's result.
    pub block: Option<Expression>,
}

#[derive(Clone, Debug)]
pub struct Argument {
    /// `...` for a spread list.
    pub name: Option<String>,
    pub value: Expression,
}

impl Call {
    /// The arguments without a name, in order.
    pub fn positional(&self, index: usize) -> Option<&Expression> {
        self.arguments.iter().filter(|argument| argument.name.is_none()).nth(index).map(|argument| &argument.value)
    }

    pub fn named(&self, name: &str) -> Option<&Expression> {
        self.arguments.iter().find(|argument| argument.name.as_deref() == Some(name)).map(|argument| &argument.value)
    }

    /// `f(*list, **more)`: what is passed is not all visible.
    pub fn has_spread(&self) -> bool {
        self.arguments.iter().any(|argument| argument.name.as_deref() == Some("..."))
    }
}

impl Expression {
    /// `a.b.c` as its names; calls within count as the name of what is called.
    pub fn path(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut current = self;
        loop {
            match &current.shape {
                Shape::Name(name) => {
                    names.push(name.as_str());
                    break;
                }
                Shape::Member(of, name) => {
                    names.push(name.as_str());
                    current = of;
                }
                Shape::Call(call) => current = &call.callee,
                _ => break,
            }
        }
        names.reverse();
        names
    }

    pub fn is_path(&self, names: &[&str]) -> bool {
        self.path() == names
    }
}

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

    fn group(&mut self) -> Expression {
        let first = self.at;
        let Some(close) = self.partner(first) else { return self.unreadable(first) };
        let (items, trailing_comma) = self.items(first + 1, close);
        self.at = close + 1;
        let mut values: Vec<Expression> = items.into_iter().map(|item| item.value).collect();
        match values.pop() {
            Some(only) if values.is_empty() && !trailing_comma => only,
            last => {
                values.extend(last);
                self.made(first, Shape::List(values))
            }
        }
    }

    /// An opening bracket without a partner: nothing behind it can be trusted.
    fn unreadable(&mut self, first: usize) -> Expression {
        self.at = self.end;
        Expression { shape: Shape::Unclear, range: self.start_of(first)..self.end_before(first + 1) }
    }

    fn list(&mut self) -> Expression {
        let first = self.at;
        let Some(close) = self.partner(first) else { return self.unreadable(first) };
        // Go: []string{"a", "b"}
        if self.language == Language::Go && !self.name(close + 1).is_empty() && self.symbol(close + 2) == "{" {
            let Some(end) = self.partner(close + 2) else { return self.unreadable(first) };
            let (items, _) = self.items(close + 3, end);
            self.at = end + 1;
            return self.made(first, Shape::List(items.into_iter().map(|item| item.value).collect()));
        }
        let (items, _) = self.items(first + 1, close);
        self.at = close + 1;
        let spread = items.iter().any(|item| item.name.as_deref() == Some("..."));
        if spread {
            return self.made(first, Shape::Unclear);
        }
        self.made(first, Shape::List(items.into_iter().map(|item| item.value).collect()))
    }

    /// Comma-separated values up to `close`, and whether the last one has a comma behind it.
    fn items(&mut self, open: usize, close: usize) -> (Vec<Argument>, bool) {
        let (outer_end, outer_inside) = (self.end, self.inside);
        self.end = close;
        self.inside = true;
        self.at = open;
        let mut items = Vec::new();
        let mut comma = false;
        while self.at < close {
            let first = self.at;
            let name = self.argument_name();
            let mut value = self.expression();
            if self.at < close && self.symbol(self.at) != "," {
                self.skip_to_comma();
                value = self.made(first, Shape::Unclear);
            }
            items.push(Argument { name, value });
            comma = self.symbol(self.at) == ",";
            self.at += 1;
        }
        self.at = close;
        (self.end, self.inside) = (outer_end, outer_inside);
        (items, comma)
    }

    fn skip_to_comma(&mut self) {
        while self.at < self.end && self.symbol(self.at) != "," {
            self.at = self.partner(self.at).unwrap_or(self.at) + 1;
        }
    }

    fn argument_name(&mut self) -> Option<String> {
        if matches!(self.symbol(self.at), "..." | "**")
            || (self.symbol(self.at) == "*" && matches!(self.language, Language::Python | Language::Ruby))
        {
            self.at += 1;
            return Some("...".to_owned());
        }
        let name = self.name(self.at);
        let follows = self.symbol(self.at + 1);
        let named = match self.language {
            Language::Python => follows == "=",
            Language::Ruby | Language::CSharp | Language::Go => follows == ":",
            _ => false,
        };
        if !name.is_empty() && named {
            self.at += 2;
            return Some(name.to_owned());
        }
        if self.language == Language::Ruby && self.symbol(self.at) == ":" && self.symbol(self.at + 2) == "=>" {
            let name = self.name(self.at + 1).to_owned();
            self.at += 3;
            return Some(name);
        }
        None
    }

    fn object(&mut self) -> Expression {
        let first = self.at;
        let Some(close) = self.partner(first) else { return self.unreadable(first) };
        let (outer_end, outer_inside) = (self.end, self.inside);
        self.end = close;
        self.inside = true;
        self.at += 1;
        let mut entries = Vec::new();
        let mut whole = true;
        while self.at < close {
            let start = self.at;
            match self.entry() {
                Some(entry) if self.at >= close || self.symbol(self.at) == "," => entries.push(entry),
                Some((key, _)) => {
                    self.skip_to_comma();
                    let value = self.made(start, Shape::Unclear);
                    entries.push((key, value));
                }
                None => {
                    whole = false;
                    self.skip_to_comma();
                }
            }
            self.at += 1;
        }
        self.at = close + 1;
        (self.end, self.inside) = (outer_end, outer_inside);
        self.made(first, Shape::Object(entries, whole))
    }

    fn entry(&mut self) -> Option<(String, Expression)> {
        let first = self.at;
        let token = self.token(first)?;
        if self.language == Language::Ruby && self.symbol(first) == ":" && self.symbol(first + 2) == "=>" {
            self.at += 3;
            let key = self.name(first + 1).to_owned();
            return Some((key, self.expression()));
        }
        let key = match token.kind {
            Kind::Name | Kind::Number => self.word(first).to_owned(),
            Kind::Text => match self.tokens.strings.get(token.partner as usize)?.as_slice() {
                [Piece::Verbatim(range)] => self.source[range.clone()].to_owned(),
                _ => return None,
            },
            _ => return None,
        };
        if matches!(self.symbol(first + 1), ":" | "=>") {
            self.at += 2;
            return Some((key, self.expression()));
        }
        self.at += 1;
        if token.kind != Kind::Name {
            return None;
        }
        // `{ port }` and `{ port = 3000 }`; a method `fetch() {…}` comes out as unclear.
        let value = self.made(first, Shape::Name(key.clone()));
        if self.symbol(self.at) == "=" {
            self.at += 1;
            let default = self.expression();
            return Some((key, self.made(first, Shape::Binary("??", Box::new(value), Box::new(default)))));
        }
        Some((key, value))
    }

    fn postfix(&mut self, first: usize, mut value: Expression) -> Expression {
        // As for operators: a chain of more links than this is not followed.
        for _ in 0..60 {
            let Some(token) = self.token(self.at) else { return value };
            let word = self.word(self.at);
            if token.kind == Kind::Name {
                let cast =
                    word == "as" && matches!(self.language, Language::JavaScript | Language::Rust | Language::CSharp);
                if cast && !token.new_line {
                    self.skip_type();
                    continue;
                }
                if self.language == Language::Ruby && word == "do" && matches!(value.shape, Shape::Call(_)) {
                    value = self.ruby_block(first, value);
                    continue;
                }
                return value;
            }
            if token.kind != Kind::Symbol || self.breaks(self.at) && !(self.language == Language::Ruby && word == ".") {
                return value;
            }
            let attached = !token.new_line || self.inside;
            match word {
                "." | "?." | "::" | "->" if !self.name(self.at + 1).is_empty() => {
                    let name = self.name(self.at + 1).to_owned();
                    self.at += 2;
                    if self.language == Language::Rust && name == "await" {
                        continue;
                    }
                    value = self.made(first, Shape::Member(Box::new(value), name));
                }
                "?." if matches!(self.symbol(self.at + 1), "(" | "[") => self.at += 1,
                "::" if self.symbol(self.at + 1) == "<" => {
                    let Some(end) = self.generics_end(self.at + 1) else { return value };
                    self.at = end;
                }
                "<" if matches!(self.language, Language::JavaScript | Language::CSharp) => {
                    let Some(end) = self.generics_end(self.at).filter(|end| self.symbol(*end) == "(") else {
                        return value;
                    };
                    self.at = end;
                }
                "(" if attached && callable(&value) => value = self.call(first, value),
                "[" if attached => {
                    let Some(close) = self.partner(self.at) else { return value };
                    let (items, _) = self.items(self.at + 1, close);
                    self.at = close + 1;
                    value = match items.into_iter().next() {
                        Some(item) if value.path().last().is_some_and(|name| name.ends_with('!')) => {
                            Expression { shape: Shape::List(vec![item.value]), range: value.range }
                        }
                        Some(item) => self.made(first, Shape::Index(Box::new(value), Box::new(item.value))),
                        None => self.made(first, Shape::Unclear),
                    };
                }
                "{" if self.language == Language::Go
                    && attached
                    && self.composite
                    && matches!(value.shape, Shape::Name(_) | Shape::Member(..)) =>
                {
                    value = self.call(first, value);
                }
                "{" if self.language == Language::Ruby && matches!(value.shape, Shape::Call(_)) => {
                    value = self.ruby_block(first, value);
                }
                "!" if self.language == Language::JavaScript && attached => self.at += 1,
                "?" if self.language == Language::Rust => self.at += 1,
                _ => return value,
            }
        }
        self.at = self.end;
        Expression { shape: Shape::Unclear, range: value.range }
    }

    fn call(&mut self, first: usize, callee: Expression) -> Expression {
        let Some(close) = self.partner(self.at) else { return self.unreadable(first) };
        let (arguments, _) = self.items(self.at + 1, close);
        self.at = close + 1;
        self.made(first, Shape::Call(Box::new(Call { callee, arguments, block: None })))
    }

    /// `{ 3000 }` or `do 3000 end` behind a call.
    fn ruby_block(&mut self, first: usize, value: Expression) -> Expression {
        let Shape::Call(mut call) = value.shape else { return value };
        let braces = self.symbol(self.at) == "{";
        let close = if braces {
            self.partner(self.at)
        } else {
            (self.at..self.end.min(self.at + 40)).find(|at| self.name(*at) == "end")
        };
        let Some(close) = close else { return self.unreadable(first) };
        let (outer_end, outer_inside) = (self.end, self.inside);
        self.end = close;
        self.inside = true;
        self.at += 1;
        let result = self.expression();
        let read_whole = self.at >= close;
        (self.end, self.inside) = (outer_end, outer_inside);
        self.at = close + 1;
        let unclear = Expression { shape: Shape::Unclear, range: result.range.clone() };
        call.block = Some(if read_whole { result } else { unclear });
        self.made(first, Shape::Call(call))
    }

    /// Behind `<A, B<C>>`, where that is what stands at `at`.
    fn generics_end(&self, at: usize) -> Option<usize> {
        let mut depth = 0;
        for index in at..self.end.min(at + 24) {
            match self.symbol(index) {
                "<" => depth += 1,
                ">" => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(index + 1);
                    }
                }
                "," | "." | "::" | "[" | "]" | "|" => {}
                "" if !self.name(index).is_empty() => {}
                _ => return None,
            }
        }
        None
    }

    /// `as string`, `as unknown as number[]`, `as u16`
    fn skip_type(&mut self) {
        self.at += 1;
        while !self.name(self.at).is_empty() && !self.is_new_line(self.at) {
            self.at += 1;
            if self.symbol(self.at) == "<" {
                let Some(end) = self.generics_end(self.at) else { return };
                self.at = end;
            }
            while self.symbol(self.at) == "[" && self.symbol(self.at + 1) == "]" {
                self.at += 2;
            }
            if !matches!(self.symbol(self.at), "." | "|" | "::") {
                return;
            }
            self.at += 1;
        }
    }
}

fn callable(value: &Expression) -> bool {
    matches!(value.shape, Shape::Name(_) | Shape::Member(..) | Shape::Call(_) | Shape::Index(..))
}
