//! Where a program listens, as its entry file and its configuration say it. What is not plain is unknown, never guessed.

pub mod bindings;
pub mod blocks;
pub mod calls;
pub mod csharp;
pub mod documents;
pub mod evaluate;
pub mod expression;
pub mod formats;
pub mod go;
pub mod javascript;
pub mod listening;
pub mod modules;
pub mod parser;
pub mod paths;
pub mod php_fpm;
pub mod program;
pub mod python;
pub mod ruby;
pub mod rust;
pub mod settings;
pub mod supervisor;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod value;

use std::collections::BTreeSet;

use crate::read::app::listening::{Collected, Wait};
use crate::read::app::modules::Local;
use crate::read::app::program::{Effort, Program};
use crate::read::app::tokens::Language;
use crate::read::surroundings::Surroundings;
use crate::site::listener::Listening;
use crate::source::{Spanned, Text};

/// A program's first file, as it is started.
#[derive(Clone, Copy)]
pub struct EntryFile<'e> {
    /// Absolute, on the machine of the surroundings.
    pub path: &'e str,
    pub text: &'e Text,
    pub language: Language,
    /// The words behind the file's name on the command line; `None`: they are not known.
    pub arguments: Option<&'e [Text]>,
}

/// What an entry file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub listening: Listening,
    /// Calls that listen on any free port, and why: "no port is set". They make no listener.
    pub anywhere: Vec<Spanned<String>>,
    pub waits: Vec<Wait>,
    /// No call that listens was found, neither here nor in the modules that could be read: the framework's own settings
    /// decide, or something else does.
    pub silent: bool,
    /// It is written in JavaScript, and nothing in it hints at another server than that of Node.js, or at other waits.
    pub is_plain_node: bool,
    /// The `.env` files that it looks for, by absolute path, as far as their paths are plain.
    pub env_files: Vec<String>,
}

/// What shows that a JavaScript program has other waits than the server of Node.js: frameworks and runtimes with their
/// own, and the setting itself.
const OTHER_WAITS: &[&str] = &["fastify", "Fastify", "Bun.", "Deno.", "uWebSockets", "keepAliveTimeout"];

/// Modules are followed this deep.
const DEEPEST: usize = 3;

/// Reads an entry file and the modules of the program itself that it takes in.
pub fn entry(file: &EntryFile, surroundings: &Surroundings) -> Entry {
    let effort = Effort::fresh();
    let mut collected = Collected::default();
    let mut unread: Option<String> = None;
    let mut seen = BTreeSet::from([file.path.to_owned()]);
    let mut level = vec![(file.path.to_owned(), file.text.clone())];
    let mut env_files = Vec::new();
    let mut is_plain_node = file.language == Language::JavaScript;
    for depth in 0..=DEEPEST {
        let mut next = Vec::new();
        for (path, text) in &level {
            is_plain_node &= !OTHER_WAITS.iter().any(|name| text.as_str().contains(name));
            let program = Program::new(path, text, file.language, file.arguments, surroundings, &effort);
            let program = if depth == 0 { program } else { program.as_module() };
            collect(&program, &mut collected);
            env_files.extend(program.env_files.iter().flatten().cloned());
            if depth == DEEPEST {
                continue;
            }
            for local in program.local_modules() {
                match local {
                    Local::File(path, text) => {
                        let of_language = Language::of_path(&path) == Some(file.language);
                        if of_language && seen.len() < 40 && seen.insert(path.clone()) {
                            next.push((path, text));
                        }
                    }
                    Local::Unread(path) => unread = unread.or(Some(path)),
                }
            }
        }
        level = next;
    }
    let silent = collected.nothing_seen();
    if silent {
        let name = file.path.rsplit('/').next().unwrap_or(file.path);
        collected.open = Some(match unread {
            Some(module) => format!("no listen call found in {name}, and {module} is not read"),
            None => format!("no listen call found in {name}"),
        });
    }
    let listening = Listening { listeners: collected.listeners, open: collected.open };
    Entry { listening, anywhere: collected.anywhere, waits: collected.waits, silent, is_plain_node, env_files }
}

fn collect(program: &Program, collected: &mut Collected) {
    match program.language {
        Language::JavaScript => javascript::collect(program, collected),
        Language::Python => python::collect(program, collected),
        Language::Go => go::collect(program, collected),
        Language::Ruby => ruby::collect(program, collected),
        Language::Rust => rust::collect(program, collected),
        Language::CSharp => csharp::collect(program, collected),
    }
}
