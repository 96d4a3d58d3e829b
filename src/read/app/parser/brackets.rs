//! What stands in brackets: groups, lists, arguments, objects.

use crate::read::app::expression::{Argument, Expression, Shape};
use crate::read::app::parser::Parser;
use crate::read::app::tokens::{Kind, Language, Piece};

impl Parser<'_> {
    pub(super) fn group(&mut self) -> Expression {
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
    pub(super) fn unreadable(&mut self, first: usize) -> Expression {
        self.at = self.end;
        Expression { shape: Shape::Unclear, range: self.start_of(first)..self.end_before(first + 1) }
    }

    pub(super) fn list(&mut self) -> Expression {
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
    pub(super) fn items(&mut self, open: usize, close: usize) -> (Vec<Argument>, bool) {
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

    pub(super) fn object(&mut self) -> Expression {
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
}
