//! The entries of a data file, each parsed when somebody asks for it, since a run needs a handful of some hundreds.

use std::sync::OnceLock;

use serde::de::DeserializeOwned;

/// The entries of one file in their order. `build.rs` makes it from YAML: a mapping from headings to values, in which a
/// heading is a list of names or patterns, separated by commas.
pub struct Entries<T: 'static> {
    pub entries: &'static [Entry<T>],
    /// Names that begin with a plain word, sorted by it: the word, and the number of the entry and of the name in it.
    pub plain: &'static [(&'static str, usize, usize)],
    /// Names that begin with a pattern, in their order.
    pub patterns: &'static [(&'static str, usize, usize)],
}

pub struct Entry<T> {
    /// The names of the heading, in their order.
    pub names: &'static [&'static str],
    json: &'static str,
    /// In a box, so that entries that nobody asks for take no room.
    value: OnceLock<Option<Box<T>>>,
}

impl<T> Entries<T> {
    /// The names that begin with this word, then those whose first word is a pattern that fits; each with its first word
    /// and its entry.
    pub fn named(&self, first: &str) -> impl Iterator<Item = (&'static str, &'static str, &'static Entry<T>)> {
        let start = self.plain.partition_point(|(word, ..)| *word < first);
        let plain = self.plain[start..].iter().take_while(move |(word, ..)| *word == first);
        let patterns = self.patterns.iter().filter(move |(pattern, ..)| matches(pattern, first));
        plain
            .chain(patterns)
            .map(|(word, entry, name)| (*word, self.entries[*entry].names[*name], &self.entries[*entry]))
    }

    pub fn iter(&self) -> impl Iterator<Item = &'static Entry<T>> {
        self.entries.iter()
    }
}

impl<T> Entry<T> {
    pub const fn new(names: &'static [&'static str], json: &'static str) -> Entry<T> {
        Entry { names, json, value: OnceLock::new() }
    }
}

impl<T: DeserializeOwned> Entry<T> {
    /// The value; `None` for one that is not as its type says, which the tests of the catalogue do not let happen.
    pub fn value(&self) -> Option<&T> {
        self.value.get_or_init(|| serde_json::from_str(self.json).ok()).as_deref()
    }

    #[cfg(test)]
    pub fn problem(&self) -> Option<String> {
        let error = serde_json::from_str::<T>(self.json).err()?;
        let before = self.json.get(..error.column().saturating_sub(1)).unwrap_or(self.json);
        Some(format!("{}: {error}: {before} <-- here", self.names.join(", ")))
    }
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
