//! What a program takes from other files: modules of its own, `.env` files, JSON and YAML documents.

use std::collections::BTreeSet;

use crate::read::app::bindings::Import;
use crate::read::app::documents::document;
use crate::read::app::expression::{Expression, Shape};
use crate::read::app::paths::absolute;
use crate::read::app::program::Program;
use crate::read::app::tokens::Language;
use crate::read::app::value::Value;
use crate::read::surroundings::Found;
use crate::source::{Lookup, Span, Text};
use crate::syntax::env_file;

/// A file of the program that one of its other files takes in.
pub enum Local {
    File(String, Text),
    /// It is meant to be there, and its contents are not known.
    Unread(String),
}

impl Program<'_> {
    /// The `.env` files that the program loads; `None` for one whose path is not plain.
    pub fn find_env_files(&self) -> Vec<Option<String>> {
        let mut files = Vec::new();
        let here = || Some(absolute(self.surroundings.directory, ".env"));
        match self.language {
            Language::JavaScript => {
                let configs = self.calls(&["config"]).into_iter().filter(|(_, call)| self.is_dotenv(call));
                for (at, call) in configs {
                    let Shape::Call(call) = &call.shape else { continue };
                    let options = call.positional(0).map(|options| self.evaluate(options, at));
                    files.push(match options.map(|options| options.entry("path")) {
                        None | Some(Value::Nothing(_)) => here(),
                        Some(Value::Text(path)) => Some(absolute(self.surroundings.directory, path.as_str())),
                        Some(_) => None,
                    });
                }
                if self.imports("dotenv/config") {
                    files.push(here());
                }
            }
            Language::Python => {
                for (at, call) in self.calls(&["load_dotenv"]) {
                    let Shape::Call(call) = &call.shape else { continue };
                    let path = call.positional(0).or_else(|| call.named("dotenv_path"));
                    files.push(match path.map(|path| self.evaluate(path, at)) {
                        None => Some(absolute(self.folder(), ".env")),
                        Some(Value::Text(path)) => Some(absolute(self.surroundings.directory, path.as_str())),
                        Some(_) => None,
                    });
                }
            }
            Language::Go | Language::Ruby => {
                let loads = self.calls(&["Load", "Overload", "load", "overload"]).into_iter().any(|(_, call)| {
                    let Shape::Call(call) = &call.shape else { return false };
                    matches!(call.callee.path().first(), Some(&"godotenv" | &"Dotenv"))
                });
                if loads {
                    files.push(here());
                }
            }
            Language::Rust if !self.calls(&["dotenv"]).is_empty() => files.push(here()),
            Language::Rust | Language::CSharp => {}
        }
        files
    }

    /// `require('dotenv').config()`, `dotenv.config()`
    fn is_dotenv(&self, call: &Expression) -> bool {
        let Shape::Call(call) = &call.shape else { return false };
        let Shape::Member(of, _) = &call.callee.shape else { return false };
        match &of.shape {
            Shape::Name(name) => {
                name.eq_ignore_ascii_case("dotenv")
                    || self.bindings.get(name.as_str()).is_some_and(|bindings| {
                        bindings.iter().any(|binding| {
                            binding.module.as_ref().is_some_and(|import| import.module == "dotenv")
                                || binding.value.is_some_and(|value| self.requires(&self.parse(value), "dotenv"))
                        })
                    })
            }
            _ => self.requires(of, "dotenv"),
        }
    }

    /// `require('module')`
    pub fn requires(&self, expression: &Expression, module: &str) -> bool {
        self.required_module(expression)
            .is_some_and(|name| name == module || name.strip_prefix("node:") == Some(module))
    }

    pub fn required_module(&self, expression: &Expression) -> Option<String> {
        let Shape::Call(call) = &expression.shape else { return None };
        if !call.callee.is_path(&["require"]) {
            return None;
        }
        let Shape::Text(parts) = &call.positional(0)?.shape else { return None };
        match parts.as_slice() {
            [crate::read::app::expression::Part::Verbatim(range)] => {
                self.text.as_str().get(range.clone()).map(str::to_owned)
            }
            _ => None,
        }
    }

    pub fn from_env_files(&self, name: &str) -> Lookup {
        for file in &self.env_files {
            let Some(path) = file else { return Lookup::Unknown };
            match (self.surroundings.file)(path) {
                Found::File(text) => {
                    let entries = env_file::parse(&text).entries;
                    let Some(entry) = entries.into_iter().rev().find(|entry| entry.name.value == name) else {
                        continue;
                    };
                    return match entry.value {
                        Some(value) if entry.literal || !value.as_str().contains('$') => Lookup::Value(value),
                        _ => Lookup::Unknown,
                    };
                }
                Found::Absent | Found::Directory => {}
                Found::Opaque | Found::Unknown => return Lookup::Unknown,
            }
        }
        Lookup::Unset
    }

    /// What an imported name stands for.
    pub fn imported(&self, import: &Import, span: Span) -> Value {
        self.module_value(&import.module, import.name.as_deref(), span)
    }

    /// The value of a module of the program itself, or of one name in it.
    pub fn module_value(&self, module: &str, name: Option<&str>, span: Span) -> Value {
        let Some(Local::File(path, text)) = self.resolve(module) else { return Value::Unclear(span) };
        let left = self.effort.modules.get();
        if left == 0 {
            return Value::Unclear(span);
        }
        self.effort.modules.set(left - 1);
        if path.ends_with(".json") {
            let document = json(&text, self, &path);
            return match name {
                None | Some("*" | "default") => document,
                Some(name) => document.entry(name),
            };
        }
        let program =
            Program::new(&path, &text, self.language, self.arguments, self.surroundings, self.effort).as_module();
        match (self.language, name) {
            (Language::JavaScript, None | Some("*" | "default")) => program.exported(span),
            (Language::JavaScript, Some(name)) => match program.value_at_end(name) {
                Some(value) => value,
                None => program.exported(span).entry(name),
            },
            (_, Some(name)) if name != "*" => program.value_at_end(name).unwrap_or(Value::Unclear(span)),
            _ => {
                let names: BTreeSet<&String> = program.bindings.keys().collect();
                let entries = names
                    .into_iter()
                    .filter_map(|name| Some((name.clone(), program.value_at_end(name)?)))
                    .take(200)
                    .collect();
                Value::Object(entries, false, span)
            }
        }
    }

    /// What a name of the top level stands for when the file has been run.
    pub fn value_at_end(&self, name: &str) -> Option<Value> {
        let bindings = self.bindings.get(name)?;
        if bindings.iter().all(|binding| binding.module.is_some()) {
            return None;
        }
        let end = self.tokens.list.len();
        let start = self.tokens.list.get(bindings.last()?.token).map_or(0, |token| token.start as usize);
        let range = start..start + name.len();
        Some(self.evaluate(&Expression { shape: Shape::Name(name.to_owned()), range }, end))
    }

    /// `module.exports`, `export default`, and single exports.
    fn exported(&self, span: Span) -> Value {
        let mut entries = Vec::new();
        for at in 0..self.tokens.list.len() {
            if self.name(at) == "export" && self.name(at + 1) == "default" {
                return self.evaluate(&self.parse(at + 2), at);
            }
            if self.name(at) == "export" && matches!(self.name(at + 1), "const" | "let" | "var") {
                let name = self.name(at + 2);
                if let Some(value) = self.value_at_end(name) {
                    entries.push((name.to_owned(), value));
                }
            }
            if self.name(at) != "exports" || (at > 0 && self.symbol(at - 1) == "." && self.name(at - 2) != "module") {
                continue;
            }
            if self.symbol(at + 1) == "=" {
                return self.evaluate(&self.parse(at + 2), at);
            }
            if self.symbol(at + 1) == "." && self.symbol(at + 3) == "=" {
                entries.push((self.name(at + 2).to_owned(), self.evaluate(&self.parse(at + 4), at)));
            }
        }
        Value::Object(entries, false, span)
    }

    /// The document that `yaml.load(fs.readFileSync('config.yml'))` gives.
    pub fn file_contents(&self, argument: &Expression, span: Span, at: usize) -> Value {
        let (argument, at) = self.made_from(argument, at);
        let Shape::Call(call) = &argument.shape else { return Value::Unclear(span) };
        if call.callee.path().last() != Some(&"readFileSync") {
            return Value::Unclear(span);
        }
        let path = call.positional(0).map(|path| self.evaluate(path, at));
        let Some(Value::Text(path)) = path else { return Value::Unclear(span) };
        let path = absolute(self.surroundings.directory, path.as_str());
        match (self.surroundings.file)(&path) {
            Found::File(text) if path.ends_with(".json") => json(&text, self, &path),
            Found::File(text) if path.ends_with(".yml") || path.ends_with(".yaml") => document(&text),
            _ => Value::Unclear(span),
        }
    }

    /// The file that a module name of the program itself stands for; `None`: a package, or nothing that is there.
    pub fn resolve(&self, module: &str) -> Option<Local> {
        let candidates = match self.language {
            Language::JavaScript => javascript_candidates(self.folder(), module)?,
            Language::Python => python_candidates(self.folder(), module),
            Language::Ruby => vec![absolute(self.folder(), &format!("{module}.rb")), absolute(self.folder(), module)],
            _ => return None,
        };
        let mut unknown = None;
        for candidate in candidates {
            match (self.surroundings.file)(&candidate) {
                Found::File(text) => return Some(Local::File(candidate, text)),
                Found::Opaque => return Some(Local::Unread(candidate)),
                Found::Unknown => unknown = unknown.or(Some(candidate)),
                Found::Directory | Found::Absent => {}
            }
        }
        // A Python package of this name is as likely as a file that is not visible.
        unknown.filter(|_| self.language == Language::JavaScript).map(Local::Unread)
    }

    /// The modules of the program itself that this file takes in.
    pub fn local_modules(&self) -> Vec<Local> {
        let mut names = BTreeSet::new();
        for at in 1..self.tokens.list.len() {
            let Some(module) = self.plain_text(at) else { continue };
            let by_call = self.symbol(at - 1) == "(" && at > 1;
            let taken = match self.language {
                Language::JavaScript => {
                    matches!(self.name(at - 1), "from" | "import")
                        || (by_call && matches!(self.name(at - 2), "require" | "import"))
                }
                Language::Ruby => {
                    self.name(at - 1) == "require_relative" || (by_call && self.name(at - 2) == "require_relative")
                }
                _ => false,
            };
            if taken {
                names.insert(module.as_str().to_owned());
            }
        }
        if self.language == Language::Python {
            for import in self.bindings.values().flatten().filter_map(|binding| binding.module.as_ref()) {
                names.insert(import.module.clone());
                if let Some(name) = import.name.as_ref().filter(|name| *name != "*") {
                    let dot = if import.module.ends_with('.') { "" } else { "." };
                    names.insert(format!("{}{dot}{name}", import.module));
                }
            }
        }
        let mut found: Vec<Local> = names.iter().filter_map(|name| self.resolve(name)).collect();
        if self.language == Language::Go {
            found.extend(self.files_of_package());
        }
        found
    }

    /// The other files of a Go program's folder belong to it.
    fn files_of_package(&self) -> Vec<Local> {
        let listing = (self.surroundings.list)(self.folder());
        let own = self.file_name().to_owned();
        let names = listing.names.into_iter().filter(|name| name.ends_with(".go") && !name.ends_with("_test.go"));
        names
            .filter(|name| *name != own)
            .filter_map(|name| {
                let path = absolute(self.folder(), &name);
                match (self.surroundings.file)(&path) {
                    Found::File(text) => Some(Local::File(path, text)),
                    Found::Opaque => Some(Local::Unread(path)),
                    _ => None,
                }
            })
            .collect()
    }
}

/// A JSON document is a JavaScript expression.
fn json(text: &Text, program: &Program, path: &str) -> Value {
    let document =
        Program::new(path, text, Language::JavaScript, program.arguments, program.surroundings, program.effort);
    document.evaluate(&document.parse(0), 0)
}

fn javascript_candidates(folder: &str, module: &str) -> Option<Vec<String>> {
    if !module.starts_with('.') && !module.starts_with('/') {
        return None;
    }
    let base = absolute(folder, module);
    let mut candidates = Vec::new();
    let name = base.rsplit('/').next().unwrap_or(&base);
    if name.contains('.') {
        candidates.push(base.clone());
    }
    // TypeScript imports `./x.js` and means `./x.ts`.
    if let Some(stem) = base.strip_suffix(".js") {
        candidates.push(format!("{stem}.ts"));
    }
    for end in [".js", ".ts", ".mjs", ".cjs", ".json", ".tsx", "/index.js", "/index.ts"] {
        candidates.push(format!("{base}{end}"));
    }
    Some(candidates)
}

fn python_candidates(folder: &str, module: &str) -> Vec<String> {
    let dots = module.bytes().take_while(|byte| *byte == b'.').count();
    let mut base = folder.to_owned();
    for _ in 1..dots {
        base = absolute(&base, "..");
    }
    let rest = module[dots..].replace('.', "/");
    let mut candidates = vec![absolute(&base, &format!("{rest}.py")), absolute(&base, &format!("{rest}/__init__.py"))];
    // `from app.settings import x` in app/main.py, run as a module from the folder above.
    if dots == 0 {
        let above = absolute(&base, "..");
        candidates.push(absolute(&above, &format!("{rest}.py")));
        candidates.push(absolute(&above, &format!("{rest}/__init__.py")));
    }
    candidates
}
