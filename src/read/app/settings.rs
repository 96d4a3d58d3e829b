//! The settings of application configuration files, by key, whatever notation they are written in.

mod code;
mod plain;
mod spring;
mod uwsgi;

use crate::read::app::value::Value;
use crate::read::surroundings::Surroundings;
use crate::source::{Span, Text};

/// What a configuration file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A Python file whose names are the settings: gunicorn.conf.py, hypercorn's.
    Python,
    /// A Ruby file of directives: puma.rb, unicorn.rb. `port.host` is the second argument of `port`.
    Ruby,
    /// The exported object of a JavaScript file: vite.config.js.
    JavaScript,
    /// `[uwsgi]` of an ini file. Dashes and underscores are the same.
    Uwsgi,
    /// Any other ini file; keys are `section.key`.
    Ini,
    /// application.properties.
    SpringProperties,
    /// application.yml.
    SpringYaml,
    /// Keys are joined with dots, list items are numbered: `services.0.port`.
    Json,
    /// appsettings.json: keys are joined with dots or colons, case does not count.
    AppSettings,
    Yaml,
    Toml,
    Env,
    /// Phoenix's config/dev.exs.
    Elixir,
    /// config.ru, of which only the options in a line that begins with `#\` are settings: `port` and `host`.
    Rackup,
}

impl Format {
    /// By its name in data files: `spring-properties`.
    pub fn named(name: &str) -> Option<Format> {
        Some(match name {
            "python" => Format::Python,
            "ruby" => Format::Ruby,
            "javascript" => Format::JavaScript,
            "uwsgi" => Format::Uwsgi,
            "ini" => Format::Ini,
            "spring-properties" => Format::SpringProperties,
            "spring-yaml" => Format::SpringYaml,
            "json" => Format::Json,
            "app-settings" => Format::AppSettings,
            "yaml" => Format::Yaml,
            "toml" => Format::Toml,
            "env" => Format::Env,
            "elixir" => Format::Elixir,
            "rackup" => Format::Rackup,
            _ => return None,
        })
    }
}

/// The value of one setting.
#[derive(Clone, Debug)]
pub enum Setting {
    Value(Text),
    Values(Vec<Text>),
    Absent,
    /// It is there and computed, or it may be there.
    Unclear(Span),
}

#[derive(Clone, Debug)]
pub struct Settings {
    entries: Vec<(String, Setting)>,
    /// Settings that are not here may stand in a part that is not read.
    partial: Option<Span>,
    format: Format,
}

impl Settings {
    fn new(format: Format) -> Settings {
        Settings { entries: Vec::new(), partial: None, format }
    }

    fn normal(&self, key: &str) -> String {
        match self.format {
            Format::Uwsgi => key.replace('_', "-"),
            Format::AppSettings => key.replace([':'], ".").replace("__", ".").to_ascii_lowercase(),
            // Spring's relaxed binding.
            Format::SpringProperties | Format::SpringYaml => key.replace(['-', '_'], "").to_ascii_lowercase(),
            _ => key.to_owned(),
        }
    }

    fn add(&mut self, key: &str, setting: Setting) {
        let key = self.normal(key);
        self.entries.push((key, setting));
    }

    /// The last setting of this key. A `*` stands for one part of a key; then all values are given together.
    pub fn get(&self, key: &str) -> Setting {
        let key = self.normal(key);
        let matching: Vec<&Setting> = if key.contains('*') {
            self.entries.iter().filter(|(name, _)| matches_key(&key, name)).map(|(_, setting)| setting).collect()
        } else {
            let last = self.entries.iter().rev().find(|(name, _)| *name == key);
            last.map(|(_, setting)| setting).into_iter().collect()
        };
        match (matching.as_slice(), self.partial) {
            ([], Some(span)) => Setting::Unclear(span),
            ([], None) => Setting::Absent,
            ([one], _) => (*one).clone(),
            (several, _) => {
                let mut values = Vec::new();
                for setting in several {
                    match setting {
                        Setting::Value(text) => values.push(text.clone()),
                        Setting::Values(texts) => values.extend(texts.iter().cloned()),
                        Setting::Unclear(span) => return Setting::Unclear(*span),
                        Setting::Absent => {}
                    }
                }
                Setting::Values(values)
            }
        }
    }

    /// Every key with its setting, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.entries.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    fn add_value(&mut self, key: &str, value: &Value) {
        match value {
            Value::Text(text) | Value::Number(text) => self.add(key, Setting::Value(text.clone())),
            Value::Bool(truth, span) => {
                let word = if *truth { "true" } else { "false" };
                self.add(key, Setting::Value(Text::fixed(word, *span)));
            }
            Value::Nothing(_) => {}
            Value::List(items, span) => {
                let texts: Option<Vec<Text>> = items.iter().map(|item| item.text().cloned()).collect();
                for (index, item) in items.iter().enumerate().filter(|(_, item)| item.text().is_none()) {
                    self.add_value(&format!("{key}.{index}"), item);
                }
                match texts {
                    Some(texts) => self.add(key, Setting::Values(texts)),
                    None => self.add(key, Setting::Unclear(*span)),
                }
            }
            Value::Object(entries, whole, span) => {
                for (name, value) in entries {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    self.add_value(&key, value);
                }
                if !whole {
                    self.partial = Some(*span);
                }
            }
            Value::Function(span) | Value::Unclear(span) => {
                if key.is_empty() {
                    self.partial = Some(*span);
                } else {
                    self.add(key, Setting::Unclear(*span));
                }
            }
        }
    }
}

fn matches_key(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.split('.'), key.split('.'));
    loop {
        match (pattern.next(), key.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(left), Some(right)) if left == right => {}
            _ => return false,
        }
    }
}

/// Reads a configuration file that stands at `path` (absolute, on the machine of the surroundings).
pub fn settings(format: Format, path: &str, text: &Text, surroundings: &Surroundings) -> Settings {
    match format {
        Format::Python => code::python(path, text, surroundings),
        Format::Ruby => code::ruby(path, text, surroundings),
        Format::JavaScript | Format::Json | Format::AppSettings => code::object(format, path, text, surroundings),
        Format::Uwsgi => uwsgi::read(path, text, surroundings),
        Format::Ini => plain::ini(text),
        Format::SpringProperties => spring::properties(text, surroundings),
        Format::SpringYaml => spring::yaml(text, surroundings),
        Format::Yaml => plain::yaml(text),
        Format::Toml => plain::toml(text),
        Format::Elixir => plain::elixir(text),
        Format::Rackup => plain::rackup(text),
        Format::Env => plain::env(text),
    }
}
