//! What an expression comes to, as far as it can be seen without running anything.

use crate::source::{Span, Text};

#[derive(Clone, Debug)]
pub enum Value {
    Text(Text),
    /// Its digits, in base ten.
    Number(Text),
    Bool(bool, Span),
    /// `null`, or a variable that is not set.
    Nothing(Span),
    List(Vec<Value>, Span),
    /// The entries that are visible, and whether these are all.
    Object(Vec<(String, Value)>, bool, Span),
    Function(Span),
    Unclear(Span),
}

impl Value {
    pub fn span(&self) -> Span {
        match self {
            Value::Text(text) | Value::Number(text) => text.whole(),
            Value::Bool(_, span)
            | Value::Nothing(span)
            | Value::List(_, span)
            | Value::Object(_, _, span)
            | Value::Function(span)
            | Value::Unclear(span) => *span,
        }
    }

    /// The characters of a string or a number.
    pub fn text(&self) -> Option<&Text> {
        match self {
            Value::Text(text) | Value::Number(text) => Some(text),
            _ => None,
        }
    }

    pub fn port(&self) -> Option<u16> {
        self.text()?.as_str().trim().parse().ok()
    }

    pub fn number(&self) -> Option<i64> {
        self.text()?.as_str().trim().parse().ok()
    }

    /// Whether it counts as true, as most of these languages see it.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Value::Text(text) => Some(!text.as_str().is_empty()),
            Value::Number(text) => Some(text.as_str() != "0"),
            Value::Bool(value, _) => Some(*value),
            Value::Nothing(_) => Some(false),
            Value::List(..) | Value::Object(..) | Value::Unclear(_) => None,
            Value::Function(_) => Some(true),
        }
    }

    pub fn is_unclear(&self) -> bool {
        matches!(self, Value::Unclear(_))
    }

    /// The entry of an object.
    pub fn entry(&self, key: &str) -> Value {
        match self {
            Value::Object(entries, whole, span) => match entries.iter().rev().find(|(name, _)| name == key) {
                Some((_, value)) => value.clone(),
                None if *whole => Value::Nothing(*span),
                None => Value::Unclear(*span),
            },
            other => Value::Unclear(other.span()),
        }
    }

    /// Whether two values are equal, where that is plain.
    pub fn equals(&self, other: &Value) -> Option<bool> {
        match (self, other) {
            (Value::Text(left) | Value::Number(left), Value::Text(right) | Value::Number(right)) => {
                Some(left.as_str() == right.as_str())
            }
            (Value::Bool(left, _), Value::Bool(right, _)) => Some(left == right),
            (Value::Nothing(_), Value::Nothing(_)) => Some(true),
            (Value::Nothing(_), Value::Text(_) | Value::Number(_) | Value::Bool(..))
            | (Value::Text(_) | Value::Number(_) | Value::Bool(..), Value::Nothing(_)) => Some(false),
            _ => None,
        }
    }
}
