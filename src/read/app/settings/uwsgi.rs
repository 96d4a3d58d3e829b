//! The options of uWSGI in a file: `[uwsgi]` of ini, the same as YAML, JSON or XML, with magic variables and placeholders.

use roxmltree::Document;

use crate::read::app::documents::document;
use crate::read::app::settings::{Format, Setting, Settings};
use crate::read::app::value::Value;
use crate::read::surroundings::Surroundings;
use crate::source::{Lookup, Span, Text, TextBuilder};
use crate::syntax::ini::{self, Style};

/// uWSGI's documentation, "Configuring uWSGI": `%d`, `%n`, `%p`, …, `%(option)`, `$(VARIABLE)`, `include`, and its `for` and
/// `if` lines, which are not followed.
pub fn read(path: &str, text: &Text, surroundings: &Surroundings) -> Settings {
    let mut settings = Settings::new(Format::Uwsgi);
    let mut logic: Option<Span> = None;
    let Some(options) = options(path, text) else {
        settings.partial = Some(text.whole());
        return settings;
    };
    for (name, value) in &options {
        let name = name.replace('_', "-");
        match name.as_str() {
            "include" | "ini" | "yaml" | "json" | "xml" | "inherit" | "config" | "import" => {
                settings.partial = Some(value.whole());
            }
            "for" | "for-times" => logic = Some(value.whole()),
            _ if name.starts_with("if-") => logic = Some(value.whole()),
            "endfor" | "end-for" | "endif" | "end-if" => {
                logic = None;
                continue;
            }
            _ => {}
        }
        let setting = match (logic, expanded(value, path, &settings, surroundings)) {
            (Some(span), _) => Setting::Unclear(span),
            (None, Some(value)) => Setting::Value(value),
            (None, None) => Setting::Unclear(value.whole()),
        };
        join(&mut settings, &name, setting);
    }
    settings
}

/// Every option with its value, in the order of the file; `None`: it cannot be read.
fn options(path: &str, text: &Text) -> Option<Vec<(String, Text)>> {
    match path.rsplit('.').next() {
        // JSON is YAML.
        Some("yaml" | "yml" | "json") => {
            let Value::Object(parts, true, _) = document(text) else { return None };
            let mut options = Vec::new();
            for (_, part) in parts.iter().filter(|(name, _)| name == "uwsgi") {
                let Value::Object(entries, true, _) = part else { return None };
                for (name, value) in entries {
                    match value {
                        Value::List(items, _) => options.extend(items.iter().map(|item| (name.clone(), plain(item)))),
                        one => options.push((name.clone(), plain(one))),
                    }
                }
            }
            Some(options)
        }
        Some("xml") => {
            let tree = Document::parse(text.as_str()).ok()?;
            let part = tree.descendants().find(|node| node.has_tag_name("uwsgi"))?;
            let option = |node: roxmltree::Node<'_, '_>| {
                let value = node.first_child().map_or(node.range().start..node.range().start, |inner| inner.range());
                (node.tag_name().name().to_owned(), text.slice(value).trim())
            };
            Some(part.children().filter(|node| node.is_element()).map(option).collect())
        }
        _ => {
            let sections = ini::parse(text, Style::UWSGI).sections.into_iter();
            let entries = sections.filter(|section| section.name.value == "uwsgi").flat_map(|section| section.entries);
            Some(entries.map(|(key, value)| (key.value, value)).collect())
        }
    }
}

/// A value as ini would have it; what is no plain one stands for a variable that nobody sets.
fn plain(value: &Value) -> Text {
    match value {
        Value::Bool(truth, span) => Text::fixed(if *truth { "true" } else { "false" }, *span),
        Value::Text(text) | Value::Number(text) => text.clone(),
        other => Text::fixed("@(unclear)", other.span()),
    }
}

/// Options such as `socket` and `http` may be given several times; all count.
fn join(settings: &mut Settings, name: &str, setting: Setting) {
    let repeatable = matches!(name, "socket" | "uwsgi-socket" | "http" | "http-socket" | "https" | "fastcgi-socket");
    let Some((_, before)) = settings.entries.iter_mut().find(|(key, _)| repeatable && key == name) else {
        return settings.add(name, setting);
    };
    let old = std::mem::replace(before, Setting::Absent);
    *before = match (old, setting) {
        (Setting::Unclear(span), _) | (_, Setting::Unclear(span)) => Setting::Unclear(span),
        (Setting::Value(first), Setting::Value(second)) => Setting::Values(vec![first, second]),
        (Setting::Values(mut values), Setting::Value(next)) => {
            values.push(next);
            Setting::Values(values)
        }
        (old, _) => old,
    };
}

fn expanded(value: &Text, path: &str, settings: &Settings, surroundings: &Surroundings) -> Option<Text> {
    let source = value.as_str();
    if !source.contains(['%', '$', '@']) {
        return Some(value.clone());
    }
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let mut builder = TextBuilder::default();
    let mut at = 0;
    while let Some(found) = source[at..].find(['%', '$', '@']) {
        let start = at + found;
        builder.push(value, at..start);
        let rest = &source[start + 1..];
        let inner = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')).map(|(inner, _)| inner);
        let span = |length: usize| value.span(start..start + length);
        match (source.as_bytes()[start], inner) {
            (b'%', Some(option)) => {
                let Setting::Value(text) = settings.get(option) else { return None };
                builder.push_fixed(text.as_str(), span(option.len() + 3));
                at = start + option.len() + 3;
            }
            (b'$', Some(variable)) => {
                let Lookup::Value(text) = (surroundings.variable)(variable) else { return None };
                builder.push(&text, 0..text.as_str().len());
                at = start + variable.len() + 3;
            }
            (b'@', Some(_)) => return None,
            (b'%', None) => {
                let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                let text = match rest.chars().next() {
                    // The folder comes with its slash.
                    Some('d') => format!("{folder}/"),
                    Some('n') => stem.to_owned(),
                    Some('s') => file.to_owned(),
                    Some('p' | 'o') => path.to_owned(),
                    Some('c') => folder.rsplit('/').next().unwrap_or("").to_owned(),
                    Some('%') => "%".to_owned(),
                    _ => return None,
                };
                builder.push_fixed(&text, span(2));
                at = start + 2;
            }
            _ => {
                builder.push(value, start..start + 1);
                at = start + 1;
            }
        }
    }
    builder.push(value, at..source.len());
    Some(builder.finish(value.whole()))
}
