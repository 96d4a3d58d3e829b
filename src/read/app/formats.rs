//! Strings and numbers put together: sums, `%s`, `{}`.

use crate::read::app::expression::Call;
use crate::read::app::program::Program;
use crate::read::app::tokens::Language;
use crate::read::app::value::Value;
use crate::source::{Span, Text, TextBuilder};

impl Program<'_> {
    pub fn sum(&self, first: &Value, second: &Value, span: Span) -> Value {
        if let (Value::Number(_), Value::Number(_)) = (first, second) {
            return arithmetic("+", first, second, span);
        }
        let (Some(left), Some(right)) = (first.text(), second.text()) else { return Value::Unclear(span) };
        let mut builder = TextBuilder::default();
        builder.push(left, 0..left.as_str().len());
        builder.push(right, 0..right.as_str().len());
        Value::Text(builder.finish(span))
    }

    /// `"%s:%d" % (a, b)`, `fmt.Sprintf("%s:%d", a, b)`
    pub fn percent_format(&self, template: &Text, values: &[Value], span: Span) -> Value {
        let source = template.as_str();
        let mut builder = TextBuilder::default();
        let mut values = values.iter();
        let mut at = 0;
        while let Some(found) = source[at..].find('%') {
            builder.push(template, at..at + found);
            let verb = source[at + found + 1..].chars().next();
            match verb {
                Some('%') => builder.push_fixed("%", template.span(at + found..at + found + 2)),
                Some('s' | 'd' | 'v' | 'i') => match values.next().and_then(Value::text) {
                    Some(text) => builder.push(text, 0..text.as_str().len()),
                    None => return Value::Unclear(span),
                },
                _ => return Value::Unclear(span),
            }
            at += found + 2;
        }
        builder.push(template, at..source.len());
        Value::Text(builder.finish(span))
    }

    /// `"{}:{}".format(a, b)`, `format!("{}:{port}", a)`
    pub fn brace_format(&self, template: &Text, call: &Call, skip: usize, span: Span, at: usize) -> Value {
        let source = template.as_str();
        let mut builder = TextBuilder::default();
        let mut next = skip;
        let mut position = 0;
        while let Some(found) = source[position..].find('{') {
            let open = position + found;
            builder.push(template, position..open);
            let Some(length) = source[open..].find('}') else { return Value::Unclear(span) };
            let name = &source[open + 1..open + length];
            let value = if name.is_empty() {
                next += 1;
                call.positional(next - 1).map(|argument| self.evaluate(argument, at))
            } else if let Ok(index) = name.parse::<usize>() {
                call.positional(index.saturating_add(skip)).map(|argument| self.evaluate(argument, at))
            } else if let Some(argument) = call.named(name) {
                Some(self.evaluate(argument, at))
            } else if self.language == Language::Rust
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                Some(self.value_of_name(name, span, at))
            } else {
                None
            };
            let Some(text) = value.as_ref().and_then(Value::text) else { return Value::Unclear(span) };
            builder.push(text, 0..text.as_str().len());
            position = open + length + 1;
        }
        builder.push(template, position..source.len());
        Value::Text(builder.finish(span))
    }
}

/// Whole numbers; what overflows is unclear.
pub fn arithmetic(operator: &str, first: &Value, second: &Value, span: Span) -> Value {
    let (Value::Number(_), Value::Number(_)) = (first, second) else { return Value::Unclear(span) };
    let (Some(left), Some(right)) = (first.number(), second.number()) else { return Value::Unclear(span) };
    let result = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        _ => left.checked_div(right),
    };
    result.map_or(Value::Unclear(span), |result| Value::Number(Text::fixed(&result.to_string(), span)))
}
