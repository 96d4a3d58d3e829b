//! A small machine for the tests of this folder, and what they share.

mod code;
mod configuration;
mod javascript;
mod python;

use std::collections::BTreeMap;

use crate::read::app::tokens::Language;
use crate::read::app::{Entry, EntryFile, entry};
use crate::read::surroundings::{Found, Listing, Surroundings};
use crate::site::listener::{Bind, Endpoint, Evidence, Listening};
use crate::source::{Lookup, Sources, Span, Text};

/// Files and variables. A variable whose value is `?` is unknown, and so is a file with that text.
#[derive(Default)]
pub struct Machine {
    sources: Sources,
    files: BTreeMap<String, Text>,
    variables: BTreeMap<String, Text>,
}

impl Machine {
    pub fn new(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Machine {
        let mut machine = Machine::default();
        for (path, text) in files {
            let file = machine.sources.add(path.trim_start_matches('/'), *text);
            machine.files.insert((*path).to_owned(), machine.sources.text(file));
        }
        for (name, value) in variables {
            let file = machine.sources.add(&format!("variables/{name}"), *value);
            machine.variables.insert((*name).to_owned(), machine.sources.text(file));
        }
        machine
    }

    pub fn with<R>(&self, act: impl FnOnce(&Surroundings) -> R) -> R {
        let variable = |name: &str| match self.variables.get(name) {
            None => Lookup::Unset,
            Some(text) if *text == "?" => Lookup::Unknown,
            Some(text) => Lookup::Value(text.clone()),
        };
        let file = |path: &str| match self.files.get(path) {
            None => Found::Absent,
            Some(text) if *text == "?" => Found::Opaque,
            Some(text) => Found::File(text.clone()),
        };
        let list = |folder: &str| {
            let prefix = format!("{folder}/");
            let names = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
            Listing { names: names.filter(|name| !name.contains('/')).map(str::to_owned).collect(), complete: true }
        };
        act(&Surroundings {
            directory: "/app",
            variable: &variable,
            file: &file,
            list: &list,
            has_texts: true,
            partial: false,
        })
    }

    pub fn text(&self, path: &str) -> Text {
        self.files[path].clone()
    }

    pub fn quote(&self, span: Span) -> &str {
        self.sources.quote(span)
    }

    pub fn entry(&self, path: &str, arguments: &[&str]) -> Entry {
        let words: Vec<Text> = arguments.iter().map(|word| Text::fixed(word, self.files[path].span(0..0))).collect();
        let language = Language::of_path(path).expect("the tests name known languages");
        let file = EntryFile { path, text: &self.files[path], language, arguments: Some(&words) };
        self.with(|surroundings| entry(&file, surroundings))
    }

    /// `any:3000 http "3000"`, one line a listener, and a last one when the list is open.
    pub fn listening(&self, listening: &Listening) -> String {
        let mut lines = Vec::new();
        for listener in &listening.listeners {
            let address = match &listener.endpoint {
                Endpoint::Unix { path } => path.clone(),
                Endpoint::Tcp { bind, port } => match bind {
                    Bind::Any | Bind::AnyIpv4 => format!("any:{port}"),
                    Bind::Only(address) => format!("{address}:{port}"),
                    Bind::Localhost => format!("localhost:{port}"),
                    Bind::Loopbacks => format!("both:{port}"),
                    Bind::OwnName => format!("hostname:{port}"),
                    Bind::Unknown => format!("unknown:{port}"),
                },
            };
            let protocol = listener.protocol.map_or("?".to_owned(), |protocol| protocol.to_string());
            let place = match listener.evidence {
                Evidence::Default => "default".to_owned(),
                Evidence::Binding => format!("{:?}", self.quote(listener.place)),
            };
            lines.push(format!("{address} {protocol} {place}"));
        }
        if let Some(why) = &listening.open {
            lines.push(format!("open: {why}"));
        }
        lines.join("\n")
    }
}

/// Reads one program and says where it listens.
pub fn heard(name: &str, text: &str, variables: &[(&str, &str)]) -> String {
    let path = format!("/app/{name}");
    let machine = Machine::new(&[(&path, text)], variables);
    let entry = machine.entry(&path, &[]);
    let mut answer = machine.listening(&entry.listening);
    for place in &entry.anywhere {
        answer.push_str(&format!("anywhere: {}", place.value));
    }
    // No part of a program may make the reader stumble.
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
        Machine::new(&[(&path, &text[..end])], variables).entry(&path, &[]);
    }
    answer
}

/// A program, variables, and what is heard.
pub type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], &'c str);

/// Each text with what is heard; all differences are shown at once.
pub fn check(name: &str, cases: &[Case]) {
    let mut differences = String::new();
    for (text, variables, expected) in cases {
        let answer = heard(name, text, variables);
        if answer != *expected {
            differences
                .push_str(&format!("\n--- {text}\n    with {variables:?}\nexpected {expected}\nbut      {answer}\n"));
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Long and deep texts are read in time that grows with their length.
#[test]
fn large_programs_do_not_take_long() {
    let pieces = [
        "app.listen(",
        "((((",
        "{[(",
        "`${",
        "/[",
        "if (a) { ",
        "x = x + ",
        "'",
        "\"",
        "f'{",
        "listen(listen(",
        "a.b(c).",
        "app.listen(a, () => { ",
        "a => ",
        "a ? b : ",
        "const {a, b = ",
        "'''",
        "\\",
        "lambda: ",
        "require('./a');",
        "if x:\n ",
        "#{",
        "port = port\n",
        "r#",
        "/*",
        "func(",
        "|x| ",
        "<A, ",
    ];
    for name in ["a.js", "a.py", "a.go", "a.rb", "a.rs", "a.cs"] {
        for piece in pieces {
            let path = format!("/app/{name}");
            let text = piece.repeat(30_000 / piece.len());
            // Quadratic time would be minutes.
            Machine::new(&[(&path, &text)], &[]).entry(&path, &[]);
        }
    }
}

/// Real programs, where they are at hand: none makes the reader stumble.
#[test]
fn real_programs_are_read() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let files = walkdir::WalkDir::new(&folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    let mut count = 0;
    for entry in files {
        let name = entry.path().to_string_lossy().into_owned();
        if Language::of_path(&name).is_none() || entry.metadata().is_ok_and(|metadata| metadata.len() > 300_000) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let path = format!("/app/{}", entry.file_name().to_string_lossy());
        let machine = Machine::new(&[(&path, &text)], &[]);
        let found = machine.entry(&path, &[]);
        println!("{name}\n    {}", machine.listening(&found.listening).replace('\n', "\n    "));
        for place in &found.anywhere {
            println!("    anywhere: {}", place.value);
        }
        count += 1;
    }
    println!("{count} programs");
}
