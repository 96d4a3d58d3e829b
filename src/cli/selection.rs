//! Which rules are meant by an id or a family, and what to say about a word that is neither.

use crate::rules;
use crate::site::reach::edit_distance;

/// The rules that are asked for and those that are switched off, by id or family.
#[derive(Debug)]
pub struct Selection {
    only: Vec<String>,
    without: Vec<String>,
}

impl Selection {
    pub fn of(only: &[String], without: &[String]) -> Result<Selection, String> {
        for word in only.iter().chain(without) {
            if !rules::ALL.iter().any(|rule| covers(word, rule.id)) {
                return Err(unknown(word));
            }
        }
        Ok(Selection { only: only.to_vec(), without: without.to_vec() })
    }

    pub fn has(&self, id: &str) -> bool {
        let is_asked = self.only.is_empty() || self.only.iter().any(|word| covers(word, id));
        is_asked && !self.without.iter().any(|word| covers(word, id))
    }
}

/// `word` is the id or its family.
pub fn covers(word: &str, id: &str) -> bool {
    word == id || id.split_once('/').is_some_and(|(family, _)| family == word)
}

/// A sentence about a word that names no rule.
pub fn unknown(word: &str) -> String {
    let halves = || rules::ALL.iter().filter_map(|rule| rule.id.split_once('/'));
    let names = rules::ALL.iter().map(|rule| rule.id).chain(halves().map(|(family, _)| family));
    // Who knows only the second half of an id means that rule.
    let second = word.rsplit_once('/').map_or(word, |(_, name)| name);
    let by_second = || nearest(second, halves().map(|(_, name)| name));
    let whole = |name: &str| rules::ALL.iter().map(|rule| rule.id).find(|id| id.ends_with(&format!("/{name}")));
    let near = nearest(word, names).or_else(|| by_second().and_then(whole));
    let hint = near.map_or("`no502 rules` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
    format!("no rule or family is called `{word}`; {hint}")
}

/// The candidate that looks most like `word`, when it is at most a third of it away.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word: String = word.chars().take(80).collect();
    let distances = candidates.map(|candidate| (edit_distance(&word, candidate), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= word.chars().count().max(3) / 3).then_some(candidate)
}
