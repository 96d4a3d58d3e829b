//! Spring's application.properties and application.yml, with placeholders and profiles.

use crate::read::app::documents::{documents, is_damaged};
use crate::read::app::settings::{Format, Setting, Settings};
use crate::read::surroundings::Surroundings;
use crate::source::{Lookup, Text, TextBuilder};

/// One document: its settings, and the profiles that it is for.
#[derive(Default)]
struct Document {
    entries: Vec<(Text, Text)>,
}

/// Documents are divided by `#---` (Spring's reference, "Working With Multi-Document Files").
pub fn properties(text: &Text, surroundings: &Surroundings) -> Settings {
    let mut documents = vec![Document::default()];
    let mut start = 0;
    for line in text.as_str().split_inclusive('\n') {
        let line_text = text.slice(start..start + line.len()).trim();
        start += line.len();
        let line = line_text.as_str();
        if matches!(line, "#---" | "!---") {
            documents.push(Document::default());
            continue;
        }
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let end = line.find(['=', ':']).unwrap_or(line.len());
        let value = line_text.slice((end + 1).min(line.len())..line.len()).trim();
        if let Some(document) = documents.last_mut() {
            document.entries.push((line_text.slice(0..end).trim(), value));
        }
    }
    joined(Format::SpringProperties, documents, surroundings)
}

/// Nested keys and dotted ones are the same.
pub fn yaml(text: &Text, surroundings: &Surroundings) -> Settings {
    let mut found = Vec::new();
    for value in documents(text) {
        let mut flat = Settings::new(Format::Yaml);
        flat.add_value("", &value);
        let mut document = Document::default();
        for (key, setting) in flat.entries() {
            if let Setting::Value(value) = setting {
                document.entries.push((Text::fixed(key, value.whole()), value.clone()));
            }
        }
        found.push(document);
    }
    let mut settings = joined(Format::SpringYaml, found, surroundings);
    if is_damaged(text) {
        settings.partial = Some(text.whole());
    }
    settings
}

fn joined(format: Format, documents: Vec<Document>, surroundings: &Surroundings) -> Settings {
    let mut settings = Settings::new(format);
    for document in &documents {
        let active = is_active(document, surroundings);
        if active == Some(false) {
            continue;
        }
        for (key, value) in &document.entries {
            let setting = match active {
                Some(_) => resolved(value, &documents, surroundings, 0).map(Setting::Value),
                None => None,
            };
            settings.add(key.as_str(), setting.unwrap_or(Setting::Unclear(value.whole())));
        }
    }
    settings
}

/// Whether a document's profile is on.
fn is_active(document: &Document, surroundings: &Surroundings) -> Option<bool> {
    let condition = document.entries.iter().find(|(key, _)| {
        matches!(key.as_str(), "spring.config.activate.on-profile" | "spring.profiles")
            || key.as_str().starts_with("spring.config.activate")
    });
    let Some((_, profile)) = condition else { return Some(true) };
    match (surroundings.variable)("SPRING_PROFILES_ACTIVE") {
        Lookup::Value(active) => {
            let profile = profile.as_str().trim();
            // Expressions of profiles are not evaluated.
            if profile.contains(['!', '&', '|', '(', ',']) {
                return None;
            }
            Some(active.as_str().split(',').any(|name| name.trim() == profile))
        }
        // A profile may be chosen by a flag or in the program.
        Lookup::Unset | Lookup::Unknown => None,
    }
}

/// A value with its `${NAME:default}` put in; `None`: not plain.
fn resolved(value: &Text, documents: &[Document], surroundings: &Surroundings, depth: u32) -> Option<Text> {
    let source = value.as_str();
    if !source.contains("${") {
        return Some(value.clone());
    }
    if depth > 5 {
        return None;
    }
    let mut builder = TextBuilder::default();
    let mut at = 0;
    while let Some(found) = source[at..].find("${") {
        let start = at + found;
        builder.push(value, at..start);
        let end = closing(source, start + 2)?;
        let inner = value.slice(start + 2..end);
        let (name, default) = match inner.split_once(':') {
            Some((name, default)) => (name, Some(default)),
            None => (inner.clone(), None),
        };
        let text = match (surroundings.variable)(name.as_str()) {
            Lookup::Value(text) => text,
            Lookup::Unknown => return None,
            Lookup::Unset => {
                let same = |(key, value): &(Text, Text)| (key.as_str() == name.as_str()).then(|| value.clone());
                let other = documents.first().and_then(|document| document.entries.iter().rev().find_map(same));
                resolved(&other.or(default)?, documents, surroundings, depth + 1)?
            }
        };
        builder.push(&text, 0..text.as_str().len());
        at = end + 1;
    }
    builder.push(value, at..source.len());
    Some(builder.finish(value.whole()))
}

/// The brace that closes a placeholder.
fn closing(source: &str, from: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in source.bytes().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}
