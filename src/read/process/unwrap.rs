//! Takes wrappers, shells and interpreters off a command, down to what they run.

use crate::read::catalogue;
use crate::read::catalogue::wrapper::Wrapper;
use crate::read::process::follow::{Follower, Role, State, absolute, base, process};
use crate::read::process::{Argument, Entry, Process, lists};
use crate::read::surroundings::Found;
use crate::source::{Lookup, Text};
use crate::syntax::command_line::{Script, shell};

/// Where programs are looked for when no folder is named.
const PATH: [&str; 8] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/app", ""];

/// A script that is a file of the machine.
pub enum OwnScript {
    Shell(Script),
    /// In another language: `python`, `js`, …
    Of(&'static str),
}

impl Follower<'_, '_> {
    /// A file of the project that is called like the entrypoint of an image, and cannot be seen, may do anything.
    pub fn is_what_it_seems(&self, wrapper: &Wrapper, word: &str, state: &State) -> bool {
        !wrapper.passes_on
            || !word.contains('/')
            || matches!((self.surroundings.file)(&absolute(&state.directory, word)), Found::Absent | Found::Directory)
    }

    /// Takes a wrapper off; `None` when there is nothing left to follow. `own`: so many words are its name.
    pub fn unwrap(
        &mut self,
        wrapper: &'static Wrapper,
        words: Vec<Argument>,
        own: usize,
        state: &mut State,
        role: Role,
    ) -> Option<Vec<Argument>> {
        let name = || words[..own].iter().map(Argument::as_str).collect::<Vec<&str>>().join(" ");
        let name_place = words[0].text.whole();
        state.changes_user |= wrapper.changes_user;
        if let Some(option) = &wrapper.directory
            && let Some(folder) = option_value(&words, option).filter(|folder| folder.complete)
        {
            state.directory = absolute(&state.directory, folder.as_str());
        }
        if let Some(kind) = &wrapper.list {
            lists::start(self, kind, &words[own..], state, role);
            return None;
        }
        if let Some(mark) = &wrapper.after {
            let at = words.iter().position(|word| word.as_str() == mark)?;
            return Some(words[at + 1..].to_vec());
        }
        let rest = own_options(wrapper, words[own..].to_vec());
        if wrapper.shell {
            return self.shell(&words[own..], state, role);
        }
        let runs_file = wrapper.language.is_some() && !self.has_script(&rest, state);
        if let Some(script) = wrapper.script.as_ref().filter(|_| !runs_file) {
            let (script, rest) = match &script.is {
                Some(name) => (Text::fixed(name, name_place), rest),
                None => {
                    let (first, rest) = rest.split_first()?;
                    if !first.complete {
                        self.open(format!("`{}` is told by a variable what to run", name()));
                        return None;
                    }
                    (first.text.clone(), rest.to_vec())
                }
            };
            lists::package_script(self, &name(), &script, rest, state, role);
            return None;
        }
        if wrapper.several {
            for command in rest.iter().filter(|word| word.complete && word.as_str().contains(' ')) {
                let role = if role == Role::Last { Role::Beside } else { role };
                self.script(&shell(&command.text), &mut state.clone(), Vec::new(), role);
            }
            return None;
        }
        if let Some(option) = &wrapper.module
            && let Some(at) = words[own..].iter().position(|word| word.as_str() == option)
        {
            let rest = words[own + at + 1..].to_vec();
            let module = wrapper.language.as_ref().and_then(|language| {
                let file = self.own_module(rest.first()?, state)?;
                Some((file, language))
            });
            let Some((path, language)) = module else { return Some(rest) };
            self.run_file(path, language, rest, state, role);
            return None;
        }
        let mut rest = rest;
        if wrapper.assignments {
            while let Some((name, value)) = rest.first().and_then(|word| word.text.split_once('=')) {
                let value = if rest[0].complete { Lookup::Value(value) } else { Lookup::Unknown };
                state.variables.insert(name.as_str().to_owned(), value);
                rest.remove(0);
            }
        }
        rest.drain(..wrapper.skip.min(rest.len()));
        if wrapper.service {
            rest.truncate(1);
        }
        if let Some(language) = &wrapper.language {
            return self.interpreter(&name(), language, rest, state, role);
        }
        if rest.is_empty() && role != Role::Before {
            self.open(format!("`{}` is given nothing to start", name()));
        }
        Some(rest)
    }

    /// Whether the first word is the name of a script of package.json.
    pub fn has_script(&self, words: &[Argument], state: &State) -> bool {
        let Some(name) = words.first().filter(|name| name.complete) else { return false };
        let Found::File(text) = (self.surroundings.file)(&absolute(&state.directory, "package.json")) else {
            return false;
        };
        lists::json_string(&text, &["scripts", name.as_str()]).is_some()
    }

    /// `python -m shop.main`: the file of a module that lies below the working directory.
    fn own_module(&self, module: &Argument, state: &State) -> Option<String> {
        if !module.complete {
            return None;
        }
        let path = absolute(&state.directory, &module.as_str().replace('.', "/"));
        let candidates = [format!("{path}.py"), format!("{path}/__main__.py")];
        candidates.into_iter().find(|path| matches!((self.surroundings.file)(path), Found::File(_)))
    }

    /// `sh -c text`, `bash script arguments`.
    pub fn shell(&mut self, words: &[Argument], state: &mut State, role: Role) -> Option<Vec<Argument>> {
        let mut at = 0;
        while let Some(word) = words.get(at).filter(|word| word.as_str().starts_with(['-', '+'])) {
            at += 1;
            let letters = &word.as_str()[1..];
            if word.as_str().starts_with('-') && !letters.starts_with('-') && letters.contains('c') {
                let text = words.get(at)?;
                if !text.complete {
                    self.open("the text for the shell is made from a variable".to_owned());
                    return None;
                }
                // The word behind the text is `$0`.
                state.parameters = words.get(at + 2..).unwrap_or_default().to_vec();
                self.script(&shell(&text.text), state, Vec::new(), role);
                return None;
            }
            if matches!(letters, "o" | "O") {
                at += 1;
            }
        }
        let file = words.get(at)?;
        let path = absolute(&state.directory, file.as_str());
        match (self.surroundings.file)(&path) {
            Found::File(text) if file.complete => {
                self.script_file(&shell(&text), words[at..].to_vec(), state, role);
                None
            }
            // An entrypoint that the catalogue knows to pass its arguments on.
            _ if file.complete && catalogue::wrapper(&[base(file.as_str())]).is_some() => Some(words[at..].to_vec()),
            _ => {
                if role != Role::Before {
                    self.open(format!("the script `{}` is not visible", file.as_str()));
                }
                None
            }
        }
    }

    /// `python -u app.py`, `node server.js`: a file that is a known program, or the program itself.
    pub fn interpreter(
        &mut self,
        name: &str,
        language: &'static str,
        rest: Vec<Argument>,
        state: &State,
        role: Role,
    ) -> Option<Vec<Argument>> {
        let Some(file) = rest.first() else {
            // Nothing to run: it reads its standard input.
            return None;
        };
        if !file.complete {
            self.open(format!("`{name}` is told by a variable what to run"));
            return None;
        }
        let words: Vec<&str> =
            std::iter::once(base(file.as_str())).chain(rest[1..].iter().map(Argument::as_str)).collect();
        if catalogue::program(&words).is_some()
            || catalogue::wrapper(&words).is_some_and(|found| found.value.is_a_file())
        {
            let mut rest = rest;
            rest[0] = Argument::known(rest[0].text.slice(file_name(rest[0].as_str())));
            return Some(rest);
        }
        let mut path = absolute(&state.directory, file.as_str());
        if language == "js" && matches!((self.surroundings.file)(&path), Found::Directory) {
            path = lists::package_main(self.surroundings, &path).unwrap_or(path);
        }
        self.run_file(path, language, rest, state, role);
        None
    }

    pub fn run_file(&mut self, path: String, language: &'static str, words: Vec<Argument>, state: &State, role: Role) {
        if role == Role::Before {
            // A script in front of others has ended before they start.
            return;
        }
        let name = base(&path).to_owned();
        let place = words[0].text.whole();
        let process = process(name, words[1..].to_vec(), state, place);
        self.add(Process { entry: Some(Entry { path, language }), ..process });
    }

    /// A script of the machine that is called like this.
    pub fn own_script(&self, word: &str, state: &State) -> Option<OwnScript> {
        if !self.surroundings.has_texts {
            return None;
        }
        let text_at = |path: &str| match (self.surroundings.file)(path) {
            Found::File(text) => Some(text),
            _ => None,
        };
        let text = match word.contains('/') {
            true => text_at(&absolute(&state.directory, word)),
            false => PATH.iter().find_map(|folder| text_at(&[folder, "/", word].concat())),
        }?;
        let first_line = text.as_str().lines().next().unwrap_or("");
        let Some(interpreter) = first_line.strip_prefix("#!") else {
            let (_, ending) = base(word).rsplit_once('.').unwrap_or(("", ""));
            return match ending {
                "py" => Some(OwnScript::Of("python")),
                "js" | "mjs" | "cjs" | "ts" => Some(OwnScript::Of("js")),
                "rb" => Some(OwnScript::Of("ruby")),
                // The shell runs a text without a first line of that kind itself.
                "sh" | "bash" | "" => script_in(&text).map(OwnScript::Shell),
                _ => None,
            };
        };
        let interpreter = interpreter.trim();
        let names = interpreter.split([' ', '/']).filter(|part| !part.is_empty());
        for name in names {
            let Some(found) = catalogue::wrapper(&[name]) else { continue };
            if found.value.shell {
                return script_in(&text).map(OwnScript::Shell);
            }
            if let Some(language) = &found.value.language {
                return Some(OwnScript::Of(language));
            }
        }
        None
    }
}

/// Takes the wrapper's own options off, with their values.
fn own_options(wrapper: &Wrapper, mut words: Vec<Argument>) -> Vec<Argument> {
    let mut taken = 0;
    while let Some(word) = words.get(taken).map(Argument::as_str).filter(|word| word.starts_with('-')) {
        taken += 1;
        if word == "--" {
            break;
        }
        if wrapper.values.iter().any(|option| option == word) {
            taken += 1;
        }
    }
    words.drain(..taken.min(words.len()));
    words
}

/// A text without a single command stands in for something that is put there later.
fn script_in(text: &Text) -> Option<Script> {
    if text.as_str().contains('\0') {
        return None;
    }
    Some(shell(text)).filter(|script| !script.commands.is_empty())
}

fn option_value<'w>(words: &'w [Argument], option: &str) -> Option<&'w Argument> {
    let at = words.iter().position(|word| word.as_str() == option)?;
    words.get(at + 1)
}

fn file_name(path: &str) -> std::ops::Range<usize> {
    path.len() - base(path).len()..path.len()
}
