//! Evaluates expressions: literals, names, environment variables with their defaults, and the few functions that people
//! put around a port.

use crate::read::app::bindings::{Binding, Part as Bound};
use crate::read::app::expression::{Expression, Part, Shape};
use crate::read::app::formats::arithmetic;
use crate::read::app::program::Program;
use crate::read::app::tokens::Language;
use crate::read::app::value::Value;
use crate::source::{Lookup, Span, Text, TextBuilder};

/// Nested evaluations: a name within a name within a name.
const DEEPEST: u32 = 40;

impl Program<'_> {
    /// What an expression comes to at a token of the program.
    pub fn evaluate(&self, expression: &Expression, at: usize) -> Value {
        let effort = self.effort;
        let span = self.span(expression);
        let (steps, depth) = (effort.steps.get(), effort.depth.get());
        if steps == 0 || depth > DEEPEST {
            return Value::Unclear(span);
        }
        effort.steps.set(steps - 1);
        effort.depth.set(depth + 1);
        let value = self.shape_value(expression, span, at);
        effort.depth.set(depth);
        value
    }

    fn shape_value(&self, expression: &Expression, span: Span, at: usize) -> Value {
        match &expression.shape {
            Shape::Text(parts) => self.string(parts, span, at),
            Shape::Number => self.literal_number(expression),
            Shape::True => Value::Bool(true, span),
            Shape::False => Value::Bool(false, span),
            Shape::Nothing => Value::Nothing(span),
            Shape::Name(name) => self.value_of_name(name, span, at),
            Shape::Member(of, name) => self.member(expression, of, name, at),
            Shape::Index(of, key) => self.index(expression, of, key, at),
            Shape::Call(call) => self.call_value(call, span, at),
            Shape::Object(entries, whole) => {
                let entries = entries.iter().map(|(key, value)| (key.clone(), self.evaluate(value, at))).collect();
                Value::Object(entries, *whole, span)
            }
            Shape::List(items) => Value::List(items.iter().map(|item| self.evaluate(item, at)).collect(), span),
            Shape::Binary(operator, left, right) => self.binary_value(operator, left, right, span, at),
            Shape::Not(of) => match self.evaluate(of, at).truth() {
                Some(truth) => Value::Bool(!truth, span),
                None => Value::Unclear(span),
            },
            Shape::Choice(parts) => {
                let [condition, then, other] = &**parts;
                match self.evaluate(condition, at).truth() {
                    Some(true) => self.evaluate(then, at),
                    Some(false) => self.evaluate(other, at),
                    None => Value::Unclear(span),
                }
            }
            Shape::Function(_) => Value::Function(span),
            Shape::Unclear => Value::Unclear(span),
        }
    }

    fn literal_number(&self, expression: &Expression) -> Value {
        let quote = self.quote(expression);
        let span = quote.whole();
        let digits = quote.as_str().replace('_', "");
        let suffix = digits.trim_end_matches(|letter: char| !letter.is_ascii_digit());
        let octal = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0O"));
        let value = if let Some(octal) = octal {
            i64::from_str_radix(octal, 8).ok()
        } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
            i64::from_str_radix(hexadecimal, 16).ok()
        } else if let Some((mantissa, exponent)) = digits.split_once('e') {
            let power = exponent.parse::<u32>().ok().and_then(|exponent| 10i64.checked_pow(exponent));
            mantissa.parse::<i64>().ok().zip(power).and_then(|(mantissa, power)| mantissa.checked_mul(power))
        } else {
            let typed = matches!(&digits[suffix.len()..], "" | "n" | "u16" | "u32" | "i32" | "u64" | "usize");
            if typed { suffix.trim_end_matches("u16").parse().ok() } else { typed_number(&digits) }
        };
        match value {
            Some(value) if value.to_string() == quote.as_str() => Value::Number(quote),
            Some(value) => Value::Number(Text::fixed(&value.to_string(), span)),
            None => Value::Unclear(span),
        }
    }

    fn string(&self, parts: &[Part], span: Span, at: usize) -> Value {
        if let [Part::Verbatim(range)] = parts {
            return Value::Text(self.text.slice(range.clone()));
        }
        let mut builder = TextBuilder::default();
        for part in parts {
            match part {
                Part::Verbatim(range) => builder.push(self.text, range.clone()),
                Part::Fixed(text, range) => builder.push_fixed(text, self.text.span(range.clone())),
                Part::Code(expression) => match self.evaluate(expression, at) {
                    Value::Text(text) | Value::Number(text) => builder.push(&text, 0..text.as_str().len()),
                    _ => return Value::Unclear(span),
                },
            }
        }
        Value::Text(builder.finish(span))
    }

    /// The bindings of a name that count at a token, in their order; `None`: a parameter hides them, or they are not plain.
    pub fn visible(&self, name: &str, at: usize) -> Option<Vec<&Binding>> {
        let all = self.bindings.get(name)?;
        let scope = |binding: &Binding| {
            let place = binding.module.is_none().then_some(binding.token)?;
            if binding.declares { self.blocks.innermost(place) } else { self.function_scope(place) }
        };
        // The innermost scope around the place of use in which the name is declared.
        let visible = all.iter().filter(|binding| self.blocks.encloses(scope(binding), at));
        let scopes: Vec<Option<usize>> = visible.map(scope).collect();
        let innermost = scopes.iter().copied().max_by_key(|scope| scope.map(|block| self.blocks.list[block].open))?;
        let hidden = self.blocks.parameters.get(name).is_some_and(|functions| {
            functions.iter().any(|function| {
                self.blocks.encloses(Some(*function), at)
                    && innermost.is_none_or(|scope| self.blocks.list[scope].open < self.blocks.list[*function].open)
            })
        });
        if hidden {
            return None;
        }
        let declared_elsewhere = |binding: &&Binding| binding.declares && scope(binding) != innermost;
        let relevant: Vec<&Binding> = all
            .iter()
            .filter(|binding| self.blocks.encloses(innermost, binding.token) && !declared_elsewhere(binding))
            .collect();
        let before: Vec<&Binding> = relevant.iter().copied().filter(|binding| binding.token < at).collect();
        Some(if before.is_empty() { relevant } else { before })
    }

    /// In languages that do not declare, a name belongs to its function; in the others, an assignment goes outwards.
    fn function_scope(&self, token: usize) -> Option<usize> {
        match self.language {
            Language::Python | Language::Ruby => self.blocks.function(token),
            _ => None,
        }
    }

    pub fn value_of_name(&self, name: &str, span: Span, at: usize) -> Value {
        let Some(bindings) = self.visible(name, at) else { return self.foreign_name(name, span) };
        for binding in bindings.into_iter().rev() {
            match self.happens(binding, at) {
                Some(true) => {
                    return match self.bound(binding, span) {
                        Value::Object(entries, _, span) if self.members.contains_key(name) => {
                            Value::Object(entries, false, span)
                        }
                        value => value,
                    };
                }
                Some(false) => {}
                None => return Value::Unclear(span),
            }
        }
        Value::Unclear(span)
    }

    /// Names that nobody binds.
    fn foreign_name(&self, name: &str, span: Span) -> Value {
        if name == "__name__" && self.language == Language::Python {
            let name = if self.is_main { "__main__" } else { "module" };
            return Value::Text(Text::fixed(name, span));
        }
        if name == "__dirname" && self.language == Language::JavaScript {
            return Value::Text(Text::fixed(self.folder(), span));
        }
        match (self.language, name) {
            (Language::Python, "__file__") | (Language::Ruby, "__FILE__") => Value::Text(Text::fixed(self.path, span)),
            (Language::Ruby, "__dir__") => Value::Text(Text::fixed(self.folder(), span)),
            _ => Value::Unclear(span),
        }
    }

    /// Whether an assignment was made by the time the program is at a token.
    fn happens(&self, binding: &Binding, at: usize) -> Option<bool> {
        for block in self.blocks.around(binding.token) {
            if self.blocks.encloses(Some(block), at) {
                return Some(true);
            }
            if !self.blocks.list[block].is_conditional() {
                // The body of a loop, of `try`, of another function: perhaps.
                return if binding.declares { Some(true) } else { None };
            }
            match self.taken(block) {
                Some(true) => {}
                other => return other,
            }
        }
        Some(true)
    }

    fn bound(&self, binding: &Binding, span: Span) -> Value {
        if let Some(import) = &binding.module {
            return self.imported(import, span);
        }
        if binding.updates || binding.part == Bound::Unclear {
            return Value::Unclear(span);
        }
        let Some(token) = binding.value else {
            return if self.language == Language::Go { Value::Unclear(span) } else { Value::Nothing(span) };
        };
        let expression = self.parse(token);
        match &binding.part {
            Bound::Whole => self.evaluate(&expression, token),
            Bound::Unclear => Value::Unclear(span),
            Bound::Key(key, default) => {
                let value = if expression.is_path(&["process", "env"]) {
                    self.variable(key, self.span(&expression))
                } else {
                    self.evaluate(&expression, token).entry(key)
                };
                match (value, default) {
                    (Value::Nothing(_), Some(default)) => self.evaluate(&self.parse(*default), *default),
                    (value, _) => value,
                }
            }
            // value, found := os.LookupEnv("PORT")
            Bound::Item(1) if expression.is_path(&["os", "LookupEnv"]) => self.is_set(&expression, token, span),
            Bound::Item(index) => match self.evaluate(&expression, token) {
                Value::List(items, _) => items.into_iter().nth(*index).unwrap_or(Value::Unclear(span)),
                // port, err := strconv.Atoi(…); the value comes first.
                value if *index == 0 && self.language == Language::Go => value,
                _ => Value::Unclear(span),
            },
        }
    }

    fn member(&self, expression: &Expression, of: &Expression, name: &str, at: usize) -> Value {
        let span = self.span(expression);
        let path = expression.path();
        match (self.language, path.as_slice()) {
            (Language::JavaScript, ["process" | "Bun", "env", _] | ["import", "meta", "env", _]) => {
                return self.variable(name, span);
            }
            (Language::JavaScript, ["require", "main"]) => return Value::Text(Text::fixed("module", span)),
            (Language::Go, ["time", unit]) => {
                let milliseconds = match *unit {
                    "Millisecond" => "1",
                    "Second" => "1000",
                    "Minute" => "60000",
                    "Hour" => "3600000",
                    _ => return Value::Unclear(span),
                };
                return Value::Number(Text::fixed(milliseconds, span));
            }
            (_, ["args" | "options" | "opts" | "arguments" | "parsed", flag]) => {
                if let Some(value) = self.parsed_flag(flag, span, at) {
                    return value;
                }
            }
            _ => {}
        }
        if let Some(value) = self.assigned_member(of, name, span, at) {
            return value;
        }
        let value = self.evaluate(of, at);
        match (&value, name) {
            (Value::Text(_) | Value::Number(_), "to_i" | "to_s" | "strip" | "to_str" | "freeze") => value,
            (Value::Text(_), "Length" | "length") => Value::Unclear(span),
            // `import * as x` and CommonJS meet: the default of an object that has none is the object.
            (Value::Object(entries, ..), "default") if entries.iter().all(|(key, _)| key != "default") => value,
            // An object may be filled in ways that are not seen, so a missing entry is not missing for sure.
            (Value::Object(..), _) => match value.entry(name) {
                Value::Nothing(span) => Value::Unclear(span),
                entry => entry,
            },
            _ => Value::Unclear(span),
        }
    }

    /// `config.port` after `config.port = 3000`.
    fn assigned_member(&self, of: &Expression, name: &str, span: Span, at: usize) -> Option<Value> {
        let Shape::Name(object) = &of.shape else { return None };
        let mut assigned = self.members.get(object)?.iter().filter(|(member, token)| member == name && *token < at);
        let (_, token) = assigned.next()?;
        if assigned.next().is_some() || self.reached(*token) != Some(true) {
            return Some(Value::Unclear(span));
        }
        Some(self.evaluate(&self.parse(*token), *token))
    }

    fn index(&self, expression: &Expression, of: &Expression, key: &Expression, at: usize) -> Value {
        let span = self.span(expression);
        let path = of.path();
        let environment = match self.language {
            Language::JavaScript => matches!(path.as_slice(), ["process" | "Bun", "env"]),
            Language::Python => matches!(path.as_slice(), ["os", "environ"] | ["environ"]),
            Language::Ruby => matches!(path.as_slice(), ["ENV"]),
            _ => false,
        };
        let key = self.evaluate(key, at);
        if environment {
            return match key.text() {
                Some(name) => self.variable(name.as_str(), span),
                None => Value::Unclear(span),
            };
        }
        match (self.evaluate(of, at), key) {
            (value @ Value::Object(..), Value::Text(key)) => value.entry(key.as_str()),
            (Value::List(items, _), key @ Value::Number(_)) => {
                let index = key.number().and_then(|index| usize::try_from(index).ok());
                index.and_then(|index| items.into_iter().nth(index)).unwrap_or(Value::Unclear(span))
            }
            _ => Value::Unclear(span),
        }
    }

    /// Whether the variable is set that a call asks for.
    fn is_set(&self, expression: &Expression, at: usize, span: Span) -> Value {
        let Shape::Call(call) = &expression.shape else { return Value::Unclear(span) };
        let name = call.positional(0).map(|name| self.evaluate(name, at));
        let Some(Value::Text(name)) = name else { return Value::Unclear(span) };
        let lookup = match (self.surroundings.variable)(name.as_str()) {
            Lookup::Unset => self.from_env_files(name.as_str()),
            other => other,
        };
        match lookup {
            Lookup::Value(_) => Value::Bool(true, span),
            Lookup::Unset => Value::Bool(false, span),
            Lookup::Unknown => Value::Unclear(span),
        }
    }

    /// The value of an environment variable, with the `.env` files that the program reads itself.
    pub fn variable(&self, name: &str, span: Span) -> Value {
        match (self.surroundings.variable)(name) {
            Lookup::Value(text) => Value::Text(text),
            Lookup::Unknown => Value::Unclear(span),
            Lookup::Unset => match self.from_env_files(name) {
                Lookup::Value(text) => Value::Text(text),
                Lookup::Unknown => Value::Unclear(span),
                // Go has no nothing: an unset variable is an empty string.
                Lookup::Unset if self.language == Language::Go => Value::Text(Text::fixed("", span)),
                Lookup::Unset => Value::Nothing(span),
            },
        }
    }

    fn binary_value(&self, operator: &str, left: &Expression, right: &Expression, span: Span, at: usize) -> Value {
        let first = self.evaluate(left, at);
        match operator {
            "||" => match first.truth() {
                Some(true) => return first,
                Some(false) => return self.evaluate(right, at),
                None => return Value::Unclear(span),
            },
            "&&" => match first.truth() {
                Some(true) => return self.evaluate(right, at),
                Some(false) => return first,
                None => return Value::Unclear(span),
            },
            "??" => match first {
                Value::Nothing(_) => return self.evaluate(right, at),
                Value::Unclear(_) => return first,
                _ => return first,
            },
            _ => {}
        }
        let second = self.evaluate(right, at);
        match operator {
            "==" | "!=" => match first.equals(&second) {
                // `require.main === module`: this is the entry file.
                _ if self.is_main_test(left, right) => Value::Bool((operator == "==") == self.is_main, span),
                Some(equal) => Value::Bool(equal == (operator == "=="), span),
                None => Value::Unclear(span),
            },
            "+" => self.sum(&first, &second, span),
            "-" | "*" | "/" => arithmetic(operator, &first, &second, span),
            "%" if self.language == Language::Python => {
                let Value::Text(template) = &first else { return Value::Unclear(span) };
                let values = match second {
                    Value::List(items, _) => items,
                    single => vec![single],
                };
                self.percent_format(template, &values, span)
            }
            _ => Value::Unclear(span),
        }
    }

    fn is_main_test(&self, left: &Expression, right: &Expression) -> bool {
        left.is_path(&["require", "main"]) && right.is_path(&["module"])
            || left.is_path(&["module"]) && right.is_path(&["require", "main"])
    }
}

/// `3000u16`
fn typed_number(digits: &str) -> Option<i64> {
    ["u16", "u32", "i32", "u64", "usize", "_u16"].iter().find_map(|suffix| digits.strip_suffix(suffix)?.parse().ok())
}
