//! What may follow a value: members, calls, indices, casts, blocks.

use crate::read::app::expression::{Call, Expression, Shape};
use crate::read::app::parser::Parser;
use crate::read::app::tokens::{Kind, Language};

impl Parser<'_> {
    pub(super) fn postfix(&mut self, first: usize, mut value: Expression) -> Expression {
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
