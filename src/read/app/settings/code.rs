//! Configuration files that are programs.

use std::collections::BTreeSet;

use crate::read::app::expression::Shape;
use crate::read::app::program::{Effort, Program};
use crate::read::app::ruby::directives;
use crate::read::app::settings::{Format, Setting, Settings};
use crate::read::app::tokens::Language;
use crate::read::app::value::Value;
use crate::read::surroundings::Surroundings;
use crate::source::Text;

/// The names of the top level.
pub fn python(path: &str, text: &Text, surroundings: &Surroundings) -> Settings {
    let effort = Effort::fresh();
    let program = Program::new(path, text, Language::Python, None, surroundings, &effort);
    let mut settings = Settings::new(Format::Python);
    let names: BTreeSet<&String> = program.bindings.keys().collect();
    for name in names {
        if let Some(value) = program.value_at_end(name) {
            settings.add_value(name, &value);
        }
    }
    // `from base import *` and `exec` may set anything.
    let anything = program.bindings.get("*").and_then(|bindings| bindings.first()).map(|binding| binding.token);
    let anything = anything.or_else(|| program.calls(&["exec", "globals"]).first().map(|(at, _)| *at));
    if let Some(token) = anything.and_then(|at| program.tokens.list.get(at)) {
        settings.partial = Some(text.span(token.start as usize..token.end as usize));
    }
    settings
}

/// The directives of a Ruby file.
pub fn ruby(path: &str, text: &Text, surroundings: &Surroundings) -> Settings {
    let effort = Effort::fresh();
    let program = Program::new(path, text, Language::Ruby, None, surroundings, &effort);
    let mut settings = Settings::new(Format::Ruby);
    let starts = (0..program.tokens.list.len()).filter(|at| program.tokens.list[*at].new_line);
    let names: BTreeSet<&str> = starts.map(|at| program.name(at)).filter(|name| !name.is_empty()).take(200).collect();
    for name in names {
        if matches!(name, "if" | "unless" | "else" | "elsif" | "end" | "def" | "case" | "when" | "do" | "while") {
            continue;
        }
        let mut values = Vec::new();
        let mut unclear = None;
        for directive in directives(&program, name) {
            let Some(first) = directive.arguments.first() else { continue };
            let reached = if directive.modified { None } else { program.reached(directive.at) };
            match (reached, program.evaluate(first, directive.at)) {
                (Some(false), _) => {}
                (Some(true), Value::Text(value) | Value::Number(value)) => values.push(value),
                (_, other) => unclear = Some(other.span()),
            }
            if let Some(second) = directive.arguments.get(1).filter(|_| name == "port") {
                let host = program.evaluate(second, directive.at);
                settings.add_value("port.host", &host);
            }
        }
        let setting = match (unclear, values.len()) {
            (Some(span), _) => Setting::Unclear(span),
            (None, 0) => continue,
            (None, 1) => Setting::Value(values.remove(0)),
            (None, _) => Setting::Values(values),
        };
        settings.add(name, setting);
    }
    settings
}

/// The object that a file is or exports: JSON, vite.config.js.
pub fn object(format: Format, path: &str, text: &Text, surroundings: &Surroundings) -> Settings {
    let effort = Effort::fresh();
    let program = Program::new(path, text, Language::JavaScript, None, surroundings, &effort);
    let mut settings = Settings::new(format);
    let value = match format {
        Format::JavaScript => exported(&program),
        _ => program.evaluate(&program.parse(0), 0),
    };
    match value {
        Value::Object(..) | Value::List(..) => settings.add_value("", &value),
        other => settings.partial = Some(other.span()),
    }
    settings
}

/// `export default { … }`, `export default defineConfig({ … })`, `module.exports = { … }`
fn exported(program: &Program) -> Value {
    let count = program.tokens.list.len();
    for at in 0..count {
        let default = program.name(at) == "export" && program.name(at + 1) == "default";
        let common = program.name(at) == "exports" && program.symbol(at + 1) == "=";
        if !default && !common {
            continue;
        }
        let (mut expression, mut place) = program.made_from(&program.parse(at + 2), at);
        // defineConfig(() => ({ … })) and the like wrap the object.
        for _ in 0..3 {
            let inner = match &expression.shape {
                Shape::Call(call) => call.positional(0).cloned(),
                Shape::Function(result) => result.as_deref().cloned(),
                _ => None,
            };
            let Some(inner) = inner else { break };
            (expression, place) = program.made_from(&inner, place);
        }
        return program.evaluate(&expression, place);
    }
    Value::Unclear(program.text.whole())
}
