//! The variables that a project's files are filled with: those of its `.env` file. The shell of whoever runs compose
//! cannot be seen.

use std::collections::HashMap;

use crate::source::{FileId, Lookup, Span, Text};
use crate::syntax::Problem;
use crate::syntax::compose_values::interpolation::interpolate;
use crate::syntax::env_file;

/// Set by every login, to values that no file tells.
const OF_THE_SHELL: &[&str] = &["HOME", "USER", "LOGNAME", "PATH", "SHELL", "LANG", "HOSTNAME", "TMPDIR"];

#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Tells apart the environments of one project: each `include` has its own.
    pub number: u32,
    pub values: HashMap<String, Text>,
    /// `COMPOSE_PROJECT_NAME`, unless a file sets it.
    pub project_name: Option<String>,
}

impl Environment {
    pub fn look_up(&self, name: &str) -> Lookup {
        if let Some(value) = self.values.get(name) {
            return Lookup::Value(value.clone());
        }
        let nowhere = Span { file: FileId(0), start: 0, end: 0 };
        match name {
            // Compose is nearly always run in the folder of its file, and `$PWD` stands in front of paths.
            "PWD" => Lookup::Value(Text::fixed(".", nowhere)),
            "COMPOSE_PROJECT_NAME" => match &self.project_name {
                Some(name) => Lookup::Value(Text::fixed(name, nowhere)),
                None => Lookup::Unknown,
            },
            _ if OF_THE_SHELL.contains(&name) => Lookup::Unknown,
            _ => Lookup::Unset,
        }
    }

    /// Adds what a file sets; names that are set already keep their value.
    pub fn add(&mut self, text: &Text) -> Vec<Problem> {
        let (entries, problems) = entries(text, self);
        for (name, value) in entries {
            if let Some(value) = value {
                self.values.entry(name.value).or_insert(value);
            }
        }
        problems
    }
}

/// A name with its place and its value, `None`: taken from the caller.
pub type Variable = (crate::source::Spanned<String>, Option<Text>);

/// What a file of variables sets, in its order, one entry a name; values may use earlier ones and those of `environment`.
pub fn entries(text: &Text, environment: &Environment) -> (Vec<Variable>, Vec<Problem>) {
    let file = env_file::parse(text);
    let mut problems = file.problems;
    let mut own: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<Variable> = Vec::new();
    for entry in file.entries {
        let value = match entry.value {
            Some(value) if !entry.literal => {
                let look_up = |name: &str| match (environment.look_up(name), own.get(name)) {
                    (Lookup::Unset | Lookup::Unknown, Some(number)) => {
                        found[*number].1.clone().map_or(Lookup::Unset, Lookup::Value)
                    }
                    (value, _) => value,
                };
                let result = interpolate(&value, &look_up);
                problems.extend(result.problems);
                Some(result.text)
            }
            Some(value) => Some(value),
            None => match environment.look_up(&entry.name.value) {
                Lookup::Value(value) => Some(value),
                _ => None,
            },
        };
        match own.get(&entry.name.value) {
            Some(number) => found[*number] = (entry.name, value),
            None => {
                own.insert(entry.name.value.clone(), found.len());
                found.push((entry.name, value));
            }
        }
    }
    (found, problems)
}

/// The lines of a file in the raw format: everything behind the `=` is the value, quotes and dollars as well.
pub fn raw_entries(text: &Text) -> Vec<Variable> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.as_str().split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let Some(separator) = line.find('=').filter(|_| !line.trim_start().starts_with('#')) else { continue };
        let name = text.slice(start..start + separator).trim().spanned();
        found.push((name, Some(text.slice(start + separator + 1..start + line.len()))));
    }
    found
}
