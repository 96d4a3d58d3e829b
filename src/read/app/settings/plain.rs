//! Configuration files without a program's logic: ini, TOML, YAML, variables.

use crate::read::app::documents::{document, is_damaged};
use crate::read::app::settings::{Format, Setting, Settings};
use crate::source::Text;
use crate::syntax::compose_values::words::words;
use crate::syntax::env_file;
use crate::syntax::ini::{self, Style};

pub fn ini(text: &Text) -> Settings {
    let mut settings = Settings::new(Format::Ini);
    for section in ini::parse(text, Style::SYSTEMD).sections {
        for (key, value) in section.entries {
            let name =
                if section.name.value.is_empty() { key.value } else { format!("{}.{}", section.name.value, key.value) };
            settings.add(&name, Setting::Value(value));
        }
    }
    settings
}

pub fn env(text: &Text) -> Settings {
    let mut settings = Settings::new(Format::Env);
    for entry in env_file::parse(text).entries {
        let Some(value) = entry.value else { continue };
        let setting = if entry.literal || !value.as_str().contains('$') {
            Setting::Value(value)
        } else {
            Setting::Unclear(value.whole())
        };
        settings.add(&entry.name.value, setting);
    }
    settings
}

/// Keys are joined with dots.
pub fn yaml(text: &Text) -> Settings {
    let mut settings = Settings::new(Format::Yaml);
    settings.add_value("", &document(text));
    if is_damaged(text) {
        settings.partial = Some(text.whole());
    }
    settings
}

/// `http: [ip: {127, 0, 0, 1}, port: 4000]` of a Phoenix endpoint: the keys `http.ip` and `http.port`.
pub fn elixir(text: &Text) -> Settings {
    let mut settings = Settings::new(Format::Elixir);
    let mut start = 0;
    let mut found = None;
    for line in text.as_str().split_inclusive('\n') {
        let is_option = line.trim_start().strip_prefix("http:").is_some_and(|rest| rest.trim_start().starts_with('['));
        if is_option {
            found = line.find('[').map(|at| start + at + 1);
        }
        start += line.len();
    }
    let Some(from) = found else { return settings };
    let source = text.as_str();
    let end = source[from..].find(']').map_or(source.len(), |length| from + length);
    let options = text.slice(from..end);
    let behind = |key: &str| {
        let at = options.as_str().find(key)? + key.len();
        Some(options.slice(at..options.as_str().len()).trim())
    };
    if let Some(value) = behind("port:") {
        let digits = value.as_str().bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
        let is_plain = digits > 0 && !value.as_str()[digits..].trim_start().starts_with(['+', '-', '*', '|']);
        settings.add(
            "http.port",
            match is_plain {
                true => Setting::Value(value.slice(0..digits)),
                false => Setting::Unclear(value.whole()),
            },
        );
    }
    if let Some(value) = behind("ip:") {
        let tuple = value.as_str().strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(inside, _)| inside);
        let numbers: Vec<&str> = tuple.into_iter().flat_map(|inside| inside.split(',')).map(str::trim).collect();
        let is_plain = numbers.iter().all(|number| number.parse::<u8>().is_ok());
        let separator = if numbers.len() == 4 { "." } else { ":" };
        settings.add(
            "http.ip",
            match tuple.filter(|_| is_plain) {
                Some(inside) => {
                    let place = value.span(0..inside.len() + 2);
                    Setting::Value(Text::fixed(&numbers.join(separator), place))
                }
                None => Setting::Unclear(value.whole()),
            },
        );
    }
    settings
}

/// The options that rackup up to version 2 takes from the file itself: from the first line of it that begins with `#\`
/// (github.com/rack/rack 2.2, `Rack::Builder.load_file`).
pub fn rackup(text: &Text) -> Settings {
    let mut settings = Settings::new(Format::Rackup);
    let mut start = 0;
    let line = text.as_str().split_inclusive('\n').find(|line| {
        start += line.len();
        line.starts_with("#\\")
    });
    let Some(line) = line else { return settings };
    start -= line.len();
    let Some(words) = words(&text.slice(start + 2..start + line.trim_end().len())) else {
        settings.partial = Some(text.whole());
        return settings;
    };
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let key = match word.as_str() {
            "-p" | "--port" => "port",
            "-o" | "--host" => "host",
            _ => continue,
        };
        let Some(value) = rest.next() else { break };
        settings.add(key, Setting::Value(value.clone()));
    }
    settings
}

/// `key = value` under `[section]`: strings, numbers, lists on one line. Keys are `section.key`.
pub fn toml(text: &Text) -> Settings {
    let mut settings = Settings::new(Format::Toml);
    let source = text.as_str();
    let mut section = String::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let line_text = text.slice(start..start + line.len()).trim();
        start += line.len();
        let line = line_text.as_str();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            // Items of `[[list]]` are not told apart.
            section = name.split(']').next().unwrap_or("").trim_start_matches('[').trim().replace('"', "");
            continue;
        }
        let Some((key, value)) = line_text.split_once('=') else { continue };
        let key = key.as_str().trim().replace('"', "");
        let name = if section.is_empty() { key } else { format!("{section}.{key}") };
        settings.add(&name, toml_value(&value.trim()));
    }
    settings
}

fn toml_value(value: &Text) -> Setting {
    let source = value.as_str();
    match source.bytes().next() {
        Some(b'"' | b'\'') => toml_string(value).map_or(Setting::Unclear(value.whole()), Setting::Value),
        Some(b'[') => {
            let Some(end) = source.find(']') else { return Setting::Unclear(value.whole()) };
            let mut items = Vec::new();
            let mut at = 1;
            for item in source[1..end].split(',') {
                let text = value.slice(at..at + item.len()).trim();
                at += item.len() + 1;
                match text.as_str().bytes().next() {
                    None => {}
                    Some(b'"' | b'\'') => match toml_string(&text) {
                        Some(text) => items.push(text),
                        None => return Setting::Unclear(value.whole()),
                    },
                    Some(b'0'..=b'9') => items.push(text),
                    Some(_) => return Setting::Unclear(value.whole()),
                }
            }
            Setting::Values(items)
        }
        Some(b'{') | None => Setting::Unclear(value.whole()),
        Some(_) => {
            let end = source.find('#').unwrap_or(source.len());
            Setting::Value(value.slice(0..end).trim())
        }
    }
}

/// A string on one line, without escapes.
fn toml_string(value: &Text) -> Option<Text> {
    let source = value.as_str();
    let quote = source.chars().next()?;
    if source.starts_with("\"\"\"") || source.starts_with("'''") {
        return None;
    }
    let end = source[1..].find(quote)? + 1;
    let inner = value.slice(1..end);
    (quote == '\'' || !inner.as_str().contains('\\')).then_some(inner)
}
