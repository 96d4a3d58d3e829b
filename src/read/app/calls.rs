//! The functions that may stand around a port: conversions, defaults, environment look-ups, formats.

use crate::read::app::expression::{Call, Expression, Shape};
use crate::read::app::paths::absolute;
use crate::read::app::program::Program;
use crate::read::app::tokens::Language;
use crate::read::app::value::Value;
use crate::source::{Span, Text};

impl Program<'_> {
    pub fn call_value(&self, call: &Call, span: Span, at: usize) -> Value {
        let path = call.callee.path();
        let first = call.positional(0);
        if let Some(value) = self.environment_call(call, &path, span, at) {
            return value;
        }
        let last = path.last().copied().unwrap_or("");
        match (self.language, path.as_slice()) {
            (Language::JavaScript, ["Number" | "String" | "parseInt"] | ["Number", "parseInt"])
            | (Language::Python, ["int" | "str"])
            | (Language::Ruby, ["Integer" | "String"])
            | (Language::Go, ["strconv", "Itoa" | "Atoi" | "ParseInt" | "ParseUint"] | ["int" | "string" | "uint16"])
            | (Language::Rust, ["String" | "Some" | "Ok", ..])
            | (Language::CSharp, ["int" | "Int32" | "Convert" | "ushort", ..]) => {
                let Some(first) = first else { return Value::Unclear(span) };
                return match self.evaluate(first, at) {
                    value @ (Value::Text(_) | Value::Number(_) | Value::Unclear(_)) => value,
                    value @ Value::Nothing(_) if self.language == Language::JavaScript => value,
                    other => Value::Unclear(other.span()),
                };
            }
            (Language::JavaScript, ["process", "cwd"])
            | (Language::Python, ["os", "getcwd"])
            | (Language::Ruby, ["Dir", "pwd" | "getwd"]) => {
                return Value::Text(Text::fixed(self.surroundings.directory, span));
            }
            (Language::JavaScript, ["path", "join" | "resolve"])
            | (Language::Python, ["os", "path", "join"])
            | (Language::Ruby, ["File", "join"]) => {
                return self.joined_path(call, span, at);
            }
            (Language::Python, ["os", "path", "abspath" | "realpath" | "dirname"])
            | (Language::Ruby, ["File", "expand_path" | "realpath" | "dirname"]) => {
                return self.tidied_path(call, last, span, at);
            }
            (Language::JavaScript, ["require"]) => {
                return match first.map(|first| self.evaluate(first, at)) {
                    Some(Value::Text(module)) => self.module_value(module.as_str(), None, span),
                    _ => Value::Unclear(span),
                };
            }
            (_, [.., "readFileSync"]) => return Value::Unclear(span),
            (Language::JavaScript, ["yaml" | "YAML" | "JSON", "load" | "parse" | "safeLoad"]) => {
                return first.map_or(Value::Unclear(span), |first| self.file_contents(first, span, at));
            }
            // The file that express-generator writes has this function; it leaves a port as it is.
            (Language::JavaScript, ["normalizePort"]) => {
                return first.map_or(Value::Unclear(span), |first| self.evaluate(first, at));
            }
            (Language::Go, ["fmt", "Sprintf"]) => {
                let mut values = call.arguments.iter().map(|argument| self.evaluate(&argument.value, at));
                let Some(Value::Text(template)) = values.next() else { return Value::Unclear(span) };
                return self.percent_format(&template, &values.collect::<Vec<_>>(), span);
            }
            (Language::Go, ["net", "JoinHostPort"]) => {
                let host = call.positional(0).map(|host| self.evaluate(host, at));
                let port = call.positional(1).map(|port| self.evaluate(port, at));
                let (Some(host), Some(port)) = (host, port) else { return Value::Unclear(span) };
                let colon = Value::Text(Text::fixed(":", span));
                return self.concatenated(&[host, colon, port], span);
            }
            (Language::Go, ["cmp", "Or"]) => return self.first_true(call, span, at),
            (Language::Go, ["flag", "String" | "Int" | "Uint"]) => return self.go_flag(call, span, at),
            (Language::Rust, ["format!"]) => {
                let Some(Value::Text(template)) = first.map(|first| self.evaluate(first, at)) else {
                    return Value::Unclear(span);
                };
                return self.brace_format(&template, call, 1, span, at);
            }
            _ => {}
        }
        let Shape::Member(of, _) = &call.callee.shape else { return Value::Unclear(span) };
        self.method_value(call, of, last, span, at)
    }

    /// `File.expand_path("../..", __FILE__)`, `os.path.dirname(os.path.abspath(__file__))`
    fn tidied_path(&self, call: &Call, function: &str, span: Span, at: usize) -> Value {
        let text = |index: usize| call.positional(index).map(|argument| self.evaluate(argument, at));
        let Some(Value::Text(path)) = text(0) else { return Value::Unclear(span) };
        if function == "dirname" {
            let folder = path.as_str().rsplit_once('/').map_or(".", |(folder, _)| folder);
            return Value::Text(Text::fixed(if folder.is_empty() { "/" } else { folder }, span));
        }
        let folder = match text(1) {
            Some(Value::Text(folder)) => folder.as_str().to_owned(),
            Some(_) => return Value::Unclear(span),
            None => self.surroundings.directory.to_owned(),
        };
        Value::Text(Text::fixed(&absolute(&folder, path.as_str()), span))
    }

    fn method_value(&self, call: &Call, of: &Expression, method: &str, span: Span, at: usize) -> Value {
        let setting = if method == "get" { self.express_setting(call, of, at) } else { None };
        if let Some(value) = setting {
            return value;
        }
        let value = self.evaluate(of, at);
        match (method, &value) {
            ("get", Value::Object(..)) => match call.positional(0).map(|key| self.evaluate(key, at)) {
                Some(Value::Text(key)) => match (value.entry(key.as_str()), call.positional(1)) {
                    (Value::Nothing(_), Some(default)) => self.evaluate(default, at),
                    (value, _) => value,
                },
                _ => Value::Unclear(span),
            },
            ("format", Value::Text(template)) if self.language == Language::Python => {
                self.brace_format(template, call, 0, span, at)
            }
            (
                "toString" | "ToString" | "to_string" | "to_owned" | "into" | "as_str" | "trim" | "strip" | "parse"
                | "unwrap" | "expect" | "clone" | "to_i" | "to_s" | "ok" | "valueOf" | "unwrap_or_default",
                Value::Text(_) | Value::Number(_),
            ) => value,
            (
                "unwrap_or" | "unwrap_or_else" | "or" | "or_else" | "map_err" | "map" | "and_then",
                Value::Text(_) | Value::Number(_),
            ) => {
                // `.map(|port| port.parse().unwrap())` changes the type, not the number.
                value
            }
            ("ok" | "map" | "map_err" | "and_then", Value::Nothing(_)) => value,
            ("unwrap_or" | "or", Value::Nothing(_)) => {
                call.positional(0).map_or(Value::Unclear(span), |default| self.evaluate(default, at))
            }
            ("unwrap_or_else" | "or_else", Value::Nothing(_)) => match call.positional(0).map(|given| &given.shape) {
                Some(Shape::Function(Some(result))) => self.evaluate(result, at),
                _ => Value::Unclear(span),
            },
            _ => Value::Unclear(span),
        }
    }

    /// `os.getenv("PORT", "8000")` and its sisters.
    fn environment_call(&self, call: &Call, path: &[&str], span: Span, at: usize) -> Option<Value> {
        let known = match self.language {
            Language::Python => {
                matches!(path, ["os", "getenv"] | ["getenv"] | ["os", "environ", "get"] | ["environ", "get"])
            }
            Language::Ruby => matches!(path, ["ENV", "fetch"]),
            Language::Go => matches!(path, ["os", "Getenv" | "LookupEnv"]),
            Language::Rust => matches!(path, ["env", "var"] | ["std", "env", "var"]),
            Language::CSharp => matches!(path, [.., "Environment", "GetEnvironmentVariable"]),
            Language::JavaScript => matches!(path, ["Deno", "env", "get"]),
        };
        let helper = !known && self.is_environment_helper(path);
        if !known && !helper {
            return None;
        }
        let Some(Value::Text(name)) = call.positional(0).map(|name| self.evaluate(name, at)) else {
            return Some(Value::Unclear(span));
        };
        let value = self.variable(name.as_str(), span);
        let unset = match &value {
            Value::Nothing(_) => true,
            // Helpers of this kind treat an empty variable as one that is not set, or it is not set.
            Value::Text(text) => self.language == Language::Go && text.as_str().is_empty(),
            _ => false,
        };
        if !unset {
            return Some(value);
        }
        let default = call.positional(1).or_else(|| call.named("default")).or(call.block.as_ref());
        Some(match default {
            Some(default) => self.evaluate(default, at),
            // A fetch without a default raises.
            None if self.language == Language::Ruby || helper => Value::Unclear(span),
            None => value,
        })
    }

    /// A function of this file that is named `getEnv` or so and looks a variable up.
    fn is_environment_helper(&self, path: &[&str]) -> bool {
        let [name] = path else { return false };
        let lower = name.to_ascii_lowercase().replace('_', "");
        let named = ["getenv", "envor", "getenvor", "envordefault", "getenvordefault", "getenvdefault", "lookupenvor"];
        if self.language != Language::Go || !named.contains(&lower.as_str()) {
            return false;
        }
        let count = self.tokens.list.len();
        let Some(definition) = (1..count).find(|at| self.name(*at) == *name && self.name(at - 1) == "func") else {
            return false;
        };
        (definition..count.min(definition + 60)).any(|at| matches!(self.name(at), "Getenv" | "LookupEnv"))
    }

    fn first_true(&self, call: &Call, span: Span, at: usize) -> Value {
        for argument in &call.arguments {
            let value = self.evaluate(&argument.value, at);
            match value.truth() {
                Some(true) => return value,
                Some(false) => {}
                None => break,
            }
        }
        Value::Unclear(span)
    }

    /// Strings and numbers one after the other.
    pub fn concatenated(&self, values: &[Value], span: Span) -> Value {
        let mut builder = crate::source::TextBuilder::default();
        for value in values {
            let Some(text) = value.text() else { return Value::Unclear(span) };
            builder.push(text, 0..text.as_str().len());
        }
        Value::Text(builder.finish(span))
    }

    fn joined_path(&self, call: &Call, span: Span, at: usize) -> Value {
        let mut path = self.surroundings.directory.to_owned();
        for argument in &call.arguments {
            let value = self.evaluate(&argument.value, at);
            let Some(text) = value.text() else { return Value::Unclear(span) };
            path = absolute(&path, text.as_str());
        }
        Value::Text(Text::fixed(&path, span))
    }

    /// `app.get('port')` after `app.set('port', …)`.
    fn express_setting(&self, call: &Call, of: &Expression, at: usize) -> Option<Value> {
        let Shape::Name(application) = &of.shape else { return None };
        let key = self.evaluate(call.positional(0)?, at);
        if self.language != Language::JavaScript || call.arguments.len() != 1 {
            return None;
        }
        let key = key.text()?.clone();
        let mut found = None;
        for (place, setting) in self.calls(&["set"]) {
            let Shape::Call(set) = &setting.shape else { continue };
            if set.callee.path() != [application.as_str(), "set"] {
                continue;
            }
            let same = set.positional(0).is_some_and(|name| {
                self.evaluate(name, place).text().is_some_and(|name| name.as_str() == key.as_str())
            });
            if same {
                if found.is_some() {
                    return None;
                }
                found = Some(self.evaluate(set.positional(1)?, place));
            }
        }
        found
    }

    /// `flag.String("addr", ":8080", "…")`
    fn go_flag(&self, call: &Call, span: Span, at: usize) -> Value {
        let name = call.positional(0).map(|name| self.evaluate(name, at));
        let (Some(Value::Text(name)), Some(default)) = (name, call.positional(1)) else { return Value::Unclear(span) };
        match self.flag(&[name.as_str()]) {
            Flag::Given(text) => Value::Text(text),
            Flag::Absent => self.evaluate(default, at),
            Flag::Unknown => Value::Unclear(span),
        }
    }

    /// `args.port` after `add_argument("--port", default=8000)`.
    pub fn parsed_flag(&self, flag: &str, span: Span, at: usize) -> Option<Value> {
        if self.language != Language::Python {
            return None;
        }
        let dashed = flag.replace('_', "-");
        for (place, added) in self.calls(&["add_argument"]) {
            let Shape::Call(added) = &added.shape else { continue };
            let names: Vec<String> = added
                .arguments
                .iter()
                .filter(|argument| argument.name.is_none())
                .filter_map(|argument| Some(self.evaluate(&argument.value, place).text()?.as_str().to_owned()))
                .collect();
            let long = |name: &String| {
                let bare = name.trim_start_matches('-');
                name.starts_with("--") && (bare == dashed || bare == flag)
            };
            if !names.iter().any(long) {
                continue;
            }
            let bare: Vec<&str> = names.iter().map(|name| name.trim_start_matches('-')).collect();
            return Some(match self.flag(&bare) {
                Flag::Given(text) => Value::Text(text),
                Flag::Absent => match added.named("default") {
                    Some(default) => self.evaluate(default, at),
                    None => Value::Nothing(span),
                },
                Flag::Unknown => Value::Unclear(span),
            });
        }
        None
    }

    /// What the command line says for a flag with these names (without dashes).
    fn flag(&self, names: &[&str]) -> Flag {
        let Some(words) = self.arguments else { return Flag::Unknown };
        for (index, word) in words.iter().enumerate() {
            let Some(rest) = word.as_str().strip_prefix('-') else { continue };
            let shift = word.as_str().len() - rest.trim_start_matches('-').len();
            let bare = &word.as_str()[shift..];
            let (name, value) = match bare.find('=') {
                Some(equals) => (&bare[..equals], Some(word.slice(shift + equals + 1..word.as_str().len()))),
                None => (bare, words.get(index + 1).cloned()),
            };
            if names.contains(&name) {
                return value.map_or(Flag::Unknown, Flag::Given);
            }
        }
        Flag::Absent
    }
}

enum Flag {
    Given(Text),
    Absent,
    Unknown,
}
