//! A data file whose entries are parsed when somebody asks for them, since a run needs a handful of some hundreds.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

/// The entries of one YAML file: a mapping from headings to values. A heading is a list of names or patterns,
/// separated by commas, alone on its line; its value is indented below it.
pub struct Entries<T> {
    entries: Vec<Entry<T>>,
    by_first_word: OnceLock<FirstWords>,
}

/// Names with the number of their entry, found by their first word.
#[derive(Default)]
struct FirstWords {
    plain: HashMap<&'static str, Vec<(usize, &'static str)>>,
    patterns: Vec<(usize, &'static str)>,
}

pub struct Entry<T> {
    /// The names of the heading, in their order.
    pub names: Vec<&'static str>,
    body: &'static str,
    value: OnceLock<Option<T>>,
}

impl<T: DeserializeOwned> Entries<T> {
    /// Finds the headings; nothing is parsed yet.
    pub fn index(yaml: &'static str) -> Entries<T> {
        let mut entries: Vec<Entry<T>> = Vec::new();
        let mut body_start = 0;
        let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', yaml.as_bytes()).map(|at| at + 1));
        for start in starts {
            // Most lines are indented: the bodies of the entries.
            if matches!(yaml.as_bytes().get(start), None | Some(b' ' | b'#' | b'\n')) {
                continue;
            }
            let end = memchr::memchr(b'\n', &yaml.as_bytes()[start..]).map_or(yaml.len(), |length| start + length);
            let Some(heading) = heading(&yaml[start..end]) else { continue };
            if let Some(last) = entries.last_mut() {
                last.body = &yaml[body_start..start];
            }
            let names = heading.split(',').map(str::trim).collect();
            entries.push(Entry { names, body: "", value: OnceLock::new() });
            body_start = end;
        }
        if let Some(last) = entries.last_mut() {
            last.body = &yaml[body_start..];
        }
        Entries { entries, by_first_word: OnceLock::new() }
    }

    /// The names that begin with this word, then those whose first word is a pattern; each with its entry.
    pub fn named(&self, first: &str) -> impl Iterator<Item = (&'static str, &Entry<T>)> {
        let words = self.by_first_word.get_or_init(|| {
            let mut words = FirstWords::default();
            let names = self.entries.iter().enumerate();
            for (number, name) in names.flat_map(|(number, entry)| entry.names.iter().map(move |name| (number, *name)))
            {
                match name.split(' ').next().unwrap_or(name) {
                    start if start.contains('*') => words.patterns.push((number, name)),
                    start => words.plain.entry(start).or_default().push((number, name)),
                }
            }
            words
        });
        let plain = words.plain.get(first).into_iter().flatten();
        plain.chain(&words.patterns).map(|(number, name)| (*name, &self.entries[*number]))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry<T>> {
        self.entries.iter()
    }
}

impl<T: DeserializeOwned> Entry<T> {
    /// The value; `None` for one that cannot be parsed, which the tests of the catalogue do not let happen.
    pub fn value(&self) -> Option<&T> {
        self.value.get_or_init(|| serde_yaml::from_str(self.body).ok()).as_ref()
    }

    #[cfg(test)]
    pub fn problem(&self) -> Option<String> {
        serde_yaml::from_str::<T>(self.body).err().map(|error| format!("{}: {error}", self.names.join(", ")))
    }
}

/// The names of a line that begins an entry: it is closed by a colon.
fn heading(line: &str) -> Option<&str> {
    Some(line.trim_end().strip_suffix(':')?.trim_matches('"'))
}

/// Whether `text` matches `pattern`, in which `*` stands for any characters. In time proportional to the product of
/// the two lengths at worst.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut in_pattern, mut in_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        if pattern.get(in_pattern) == Some(&b'*') {
            retry = Some((in_pattern + 1, in_text));
            in_pattern += 1;
        } else if pattern.get(in_pattern) == Some(&text[in_text]) {
            in_pattern += 1;
            in_text += 1;
        } else if let Some((after_star, taken)) = retry {
            retry = Some((after_star, taken + 1));
            in_pattern = after_star;
            in_text = taken + 1;
        } else {
            return false;
        }
    }
    pattern[in_pattern..].iter().all(|byte| *byte == b'*')
}

/// What the first `*` of `pattern` stands for in `text`; "" for a pattern without one.
pub fn captured<'t>(pattern: &str, text: &'t str) -> &'t str {
    let Some((before, after)) = pattern.split_once('*') else { return "" };
    let rest = text.strip_prefix(before).unwrap_or(text);
    let after = after.split('*').next().unwrap_or("");
    if after.is_empty() { rest } else { rest.find(after).map_or(rest, |at| &rest[..at]) }
}

#[cfg(test)]
mod tests {
    use super::{captured, matches};

    #[test]
    fn stars_stand_for_any_characters() {
        assert!(matches("*-fpm*", "8.2-fpm-alpine"));
        assert!(matches("php-fpm*", "php-fpm"));
        assert!(!matches("php-fpm", "php-fpm8.2"));
        assert!(!matches("*alpine", "alpine-slim"));
        assert_eq!(captured("php*-fpm", "php8.3-fpm"), "8.3");
        assert_eq!(captured("nginx", "nginx"), "");
    }
}
