//! What the catalogue says of a command that starts another command.

use serde::Deserialize;

/// An entry of `wrappers.yaml`. Without any field but `source`, the command stands behind the wrapper's own options.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wrapper {
    /// The documentation that says so.
    pub source: String,
    /// Options of its own that take a value.
    pub values: Vec<String>,
    /// So many words without a dash are its own: the user for `gosu`.
    pub skip: usize,
    /// The command stands behind this word, `--`; without it nothing is started.
    pub after: Option<String>,
    /// `NAME=value` in front of the command sets a variable.
    pub assignments: bool,
    /// The next word is the name of a script of `package.json`; `is` says which one when it is not written.
    pub script: Option<Script>,
    /// It takes `-c text`, or a script file and its arguments.
    pub shell: bool,
    /// Each further word is the text of a command of its own.
    pub several: bool,
    /// Only the next word counts, as the name of a service: `service nginx start`.
    pub service: bool,
    /// The command runs as somebody else.
    pub changes_user: bool,
    /// The entrypoint script of an image, which ends in its arguments.
    pub passes_on: bool,
    /// The option that names the working directory.
    pub directory: Option<String>,
    /// The option that names a module to run: `-m` for python.
    pub module: Option<String>,
    /// It runs files of this language: the file's name may be that of a program, else it is read as an entry file.
    pub language: Option<String>,
    /// It starts what a configuration of its own lists: `supervisor`, `procfile`.
    pub list: Option<String>,
}

impl Wrapper {
    /// A script of its own that an interpreter may be given: `python /usr/bin/supervisord`.
    pub fn is_a_file(&self) -> bool {
        self.list.is_some()
    }
}

/// Which script of `package.json` runs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Its name; without one, the next word is the name.
    pub is: Option<String>,
}
