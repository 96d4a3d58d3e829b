//! Finds flags among the words of a command, in all the ways in which they are written.

use crate::read::process::Argument;
use crate::source::{Span, Text};

/// A flag, variable, key or argument that is there.
#[derive(Clone, Debug)]
pub enum Given {
    Value(Text),
    /// A flag without a value.
    Bare(Span),
    /// What it says is not visible; the reason.
    Unknown(Span, String),
}

/// Every occurrence of a flag: `-p 80`, `--port=80`, `-p80`. Names are separated by blanks; one that ends in `=` or `:`
/// is always joined to its value. `plausible` judges the value of a joined short flag.
pub fn find(words: &[Argument], names: &str, takes_value: bool, plausible: &dyn Fn(&str) -> bool) -> Vec<Given> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let text = word.as_str();
        for name in names.split(' ') {
            let Some(rest) = text.strip_prefix(name) else { continue };
            let hidden = |place| Given::Unknown(place, format!("`{name}` comes from a variable that is not visible"));
            let value = |from: usize| match word.complete {
                true => Given::Value(word.text.slice(from..text.len())),
                false => hidden(word.text.whole()),
            };
            if name.ends_with(['=', ':']) {
                found.push(value(name.len()));
            } else if rest.is_empty() && word.complete {
                if !takes_value {
                    found.push(Given::Bare(word.text.whole()));
                    continue;
                }
                found.push(match words.get(index + 1) {
                    Some(next) if !next.complete => hidden(next.text.whole()),
                    Some(next) if !next.as_str().starts_with('-') => Given::Value(next.text.clone()),
                    _ => Given::Bare(word.text.whole()),
                });
            } else if rest.starts_with('=') {
                found.push(value(name.len() + 1));
            } else if name.len() == 2 && !name.ends_with('-') && takes_value {
                if !word.complete && rest.is_empty() {
                    found.push(hidden(word.text.whole()));
                } else if word.complete && plausible(rest) {
                    found.push(value(name.len()));
                }
            }
        }
    }
    found
}

/// The words of a variable that holds arguments.
pub fn split(text: &Text) -> Vec<Argument> {
    let mut words = Vec::new();
    let mut at = 0;
    for piece in text.as_str().split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if !word.is_empty() {
            words.push(Argument::known(text.slice(at..at + word.len())));
        }
        at += piece.len();
    }
    words
}
