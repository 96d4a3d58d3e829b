//! From a start command to the processes that it leaves running, and from a process to its listeners.

pub mod access;
pub mod address;
pub mod flags;
pub mod follow;
pub mod judged;
pub mod listening;
pub mod lists;
pub mod moved;
pub mod pm2;
pub mod settings;
pub mod unwrap;
pub mod web_server;

use std::collections::BTreeMap;

use crate::read::catalogue::entries::matches;
use crate::read::catalogue::image::ImageFacts;
use crate::read::catalogue::program::Program;
use crate::read::surroundings::Surroundings;
use crate::source::{Lookup, Span, Spanned, Text};

/// What starts on a machine.
#[derive(Clone, Debug)]
pub enum Start {
    /// Words that no shell touches: `["gunicorn", "app"]`, entrypoint and command one behind the other.
    Exec(Vec<Text>),
    /// A line for `sh -c`.
    Shell(Text),
}

/// What a start command leaves running.
#[derive(Clone, Debug, Default)]
pub struct Started {
    pub processes: Vec<Process>,
    /// Why there may be other processes than these; `None`: these are all.
    pub open: Option<String>,
    /// The first command that takes long and runs to its end before the program that stays.
    pub slow: Option<Spanned<String>>,
    /// A command that adds names to its `/etc/hosts`.
    pub names_hosts: Option<Span>,
}

/// A process, behind all wrappers.
#[derive(Clone, Debug)]
pub struct Process {
    /// What the catalogue knows of it.
    pub program: Option<&'static Program>,
    /// The name that it is called by: `gunicorn`, `next dev`, `server.js`.
    pub name: String,
    /// The word that starts it, with its folder where one is written.
    pub called: String,
    /// The words of its name as they are written: `/opt/tomcat/bin/catalina.sh`, `run`.
    pub words: Vec<String>,
    /// The socket that it is started with as its standard input, as supervisord does it.
    pub handed: Option<Text>,
    /// It runs as somebody else than the one who started it: `sudo`, `gosu`.
    pub changes_user: bool,
    /// As whom and with which umask it is started, where that is said on the way to it, as supervisord does it.
    pub user: Option<String>,
    pub umask: Option<u32>,
    /// The words behind its name.
    pub arguments: Vec<Argument>,
    /// Variables that were set on the way, over those of the machine.
    pub variables: BTreeMap<String, Lookup>,
    /// The working directory, absolute.
    pub directory: String,
    /// What says so on the way to the process; `None`: it is that of what was started first.
    pub directory_place: Option<Span>,
    /// Where its name is written.
    pub place: Span,
    /// The file in one of the languages that `read::app::entry` knows, which is all the program there is: its absolute path.
    pub entry: Option<Entry>,
    /// Whether it starts depends on something that is not visible.
    pub conditional: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Absolute.
    pub path: String,
    /// `js`, `python`, `ruby`, `php`, …
    pub language: &'static str,
}

/// A word of a command as far as it is known.
#[derive(Clone, Debug)]
pub struct Argument {
    /// All of it, or its beginning.
    pub text: Text,
    /// Nothing unknown follows.
    pub complete: bool,
}

impl Argument {
    pub fn known(text: Text) -> Argument {
        Argument { text, complete: true }
    }

    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl Process {
    /// A variable as this process sees it.
    pub fn variable(&self, name: &str, surroundings: &Surroundings) -> Lookup {
        match self.variables.get(name) {
            Some(value) => value.clone(),
            None => (surroundings.variable)(name),
        }
    }
}

/// The processes that a command leaves running: wrappers, shells, scripts and lists of processes are followed as far
/// as their files are visible.
pub fn start(command: &Start, surroundings: &Surroundings) -> Started {
    follow::follow(command, surroundings)
}

/// The processes that a shell script leaves running when it ends.
pub fn left_by_script(script: &Text, surroundings: &Surroundings) -> Started {
    follow::left_by_script(script, surroundings)
}

/// The apps of a pm2 ecosystem file, by its absolute path; which of its environments is asked for is not known.
pub fn ecosystem(path: &str, surroundings: &Surroundings) -> Started {
    follow::ecosystem(path, surroundings)
}

/// What a container starts: its own entrypoint and command where they are written, else those of the image.
/// As Docker has it, a written entrypoint drops the image's command.
/// An image that is not in the catalogue is believed to pass its command on when that names a program.
/// `None`: neither the files nor the catalogue say what it starts. `place` is where the image is named.
pub fn container_start(
    image: Option<&ImageFacts>,
    place: Span,
    entrypoint: Option<&Start>,
    command: Option<&Start>,
) -> Option<Start> {
    let fixed = |words: &[String]| words.iter().map(|word| Text::fixed(word, place)).collect::<Vec<Text>>();
    let mut words = match entrypoint {
        Some(Start::Shell(text)) => return Some(Start::Shell(text.clone())),
        Some(Start::Exec(words)) => words.clone(),
        None => image.and_then(|image| image.entrypoint.as_deref()).map(fixed).unwrap_or_default(),
    };
    let given = match command {
        Some(Start::Shell(text)) if words.is_empty() => return Some(Start::Shell(text.clone())),
        Some(Start::Shell(text)) => {
            vec![Text::fixed("/bin/sh", text.whole()), Text::fixed("-c", text.whole()), text.clone()]
        }
        Some(Start::Exec(words)) => words.clone(),
        None if entrypoint.is_some() => Vec::new(),
        None => image.and_then(|image| image.command.as_deref()).map(fixed).unwrap_or_default(),
    };
    let is_argument = |image: &ImageFacts, first: &Text| {
        first.as_str().starts_with('-') || image.before.iter().any(|pattern| matches(pattern, first.as_str()))
    };
    if let (None, Some(image), Some(first)) = (entrypoint, image, given.first())
        && is_argument(image, first)
    {
        words.extend(image.dashes.as_deref().map(|word| Text::fixed(word, place)));
    }
    words.extend(given);
    (!words.is_empty()).then_some(Start::Exec(words))
}

#[cfg(test)]
mod tests;
