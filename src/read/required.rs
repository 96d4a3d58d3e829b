//! Variables without which a container does not start and that nobody sets: its start script asks for them, or the
//! settings of an application of Python index the environment, and a file of variables, or a sample of one, shows how
//! they are meant to be given.

use std::collections::BTreeSet;

use crate::read::compose::model::{HostPath, Kept};
use crate::read::container::Container;
use crate::read::image::files::join;
use crate::read::process::{Process, Start};
use crate::read::snapshot::Tree as Snapshot;
use crate::read::start_troubles::named_module;
use crate::read::starting;
use crate::read::surroundings::Found;
use crate::site::Site;
use crate::site::trouble::{EmptyEffect, EmptyVariable, Trouble};
use crate::source::{Entry, Lookup, Sources, Span, Text};
use crate::syntax::command_line::{Part, Word};

/// Servers that import the module they are given.
const SERVERS: &[&str] = &["gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "uwsgi"];

/// Settings that ask for more are made by a program.
const MOST_NAMES: usize = 200;

/// What reads a file of variables before the settings are evaluated.
const LOADERS: &[&str] = &["load_dotenv", "read_env(", "read_envfile", "from decouple import", "AutoConfig", "dotenv"];

/// Variables that Docker sets in every container.
const OF_EVERY_CONTAINER: &[&str] = &["HOME", "HOSTNAME", "PATH", "PWD", "TERM"];

/// What a sample of a file of variables has in its name.
const SAMPLES: &[&str] = &["example", "sample", "template", "dist"];

pub fn read(site: &mut Site, service: &Kept, container: &Container<'_>) {
    if container.variables_are_open {
        return;
    }
    let mut found: Vec<EmptyVariable> = Vec::new();
    for process in &container.started.processes {
        if !SERVERS.contains(&process.name.as_str()) || process.conditional {
            continue;
        }
        for text in modules(container, process) {
            for (name, place) in indexed(&text) {
                if found.iter().any(|known| known.name == name) || !is_unset(container, process, &text, &name) {
                    continue;
                }
                let sources = container.files.snapshot.sources;
                let sample = sample(sources, &name);
                // Without a sample, a file of variables for this very service shows which ones it is meant to be given.
                if sample.is_none() && !service.env_files.iter().any(|file| file.found.is_some()) {
                    continue;
                }
                let mut given = not_given(service, sources);
                given.extend(sample.map(|place| (place, format!("this sample names `{name}`"))));
                let effect = EmptyEffect::Required { program: process.name.clone() };
                found.push(EmptyVariable { name, place, effect, given, certain: false });
            }
        }
    }
    for process in container.started.processes.iter().filter(|process| !process.conditional) {
        let Some(text) = javascript(container, process).filter(|_| !preloads(container, process)) else { continue };
        for (name, place) in refused(&text) {
            if found.iter().any(|known| known.name == name) || !is_unset(container, process, &text, &name) {
                continue;
            }
            let effect = EmptyEffect::Required { program: process.name.clone() };
            let given = not_given(service, container.files.snapshot.sources);
            found.push(EmptyVariable { name, place, effect, given, certain: false });
        }
    }
    for (name, place) in demanded(container) {
        let effect = EmptyEffect::Required { program: service.name.to_string() };
        let given = not_given(service, container.files.snapshot.sources);
        found.push(EmptyVariable { name, place, effect, given, certain: false });
    }
    site.troubles.extend(found.into_iter().map(Trouble::EmptyVariable));
}

/// The variables without which the start script ends by itself, `: "${KEY:?it must be set}"`, and that are not set.
fn demanded(container: &Container<'_>) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    let mut assigned: BTreeSet<String> = BTreeSet::new();
    for command in starting::script(container).iter().flat_map(|script| &script.commands) {
        let first = command.words.first().and_then(Word::literal);
        if first.is_some_and(|word| matches!(word.as_str(), "." | "source" | "eval" | "read")) {
            break;
        }
        let values = command.assignments.iter().map(|(_, word)| word);
        for part in command.words.iter().chain(values).flat_map(|word| &word.parts) {
            let Part::Variable { name, operator: Some((operator, _)), span, .. } = part else { continue };
            let is_own = assigned.contains(name) || found.iter().any(|(known, _)| known == name);
            let is_demand = matches!(operator.as_str(), ":?" | "?") && !command.conditional;
            if is_demand && !is_own && matches!(container.variable(name), Lookup::Unset) {
                found.push((name.clone(), *span));
            }
        }
        assigned.extend(command.assignments.iter().map(|(name, _)| name.value.clone()));
        assigned.extend(command.words.iter().filter_map(|word| Some(word.assignment()?.0.value)));
    }
    found
}

/// The file that Node.js is started with.
fn javascript(container: &Container<'_>, process: &Process) -> Option<Text> {
    let entry = process.entry.as_ref().filter(|entry| entry.language == "js")?;
    match container.files.find(&entry.path) {
        Found::File(text) => Some(text),
        _ => None,
    }
}

/// Node.js is told to read a file of variables first: `--env-file=.env`, `-r dotenv/config`.
fn preloads(container: &Container<'_>, process: &Process) -> bool {
    let says = |text: &str| text.contains("--env-file") || text.contains("dotenv/config");
    let of_start = match &container.start {
        Some(Start::Exec(words)) => words.iter().any(|word| says(word.as_str())),
        Some(Start::Shell(text)) => says(text.as_str()),
        None => false,
    };
    let package = container.files.find(&join(&process.directory, "package.json"));
    let script = starting::script(container);
    let mut words = script.iter().flat_map(|script| &script.commands).flat_map(|command| &command.words);
    of_start
        || matches!(package, Found::File(text) if says(text.as_str()))
        || words.any(|word| word.literal().is_some_and(|word| says(word.as_str())))
}

/// `if (!process.env.KEY) throw …` and `… process.exit(1)` outside of every function.
fn refused(text: &Text) -> Vec<(String, Span)> {
    const ASKS: &str = "if (!process.env.";
    let source = text.as_str();
    let mut found = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let from = start;
        start += line.len();
        let Some(rest) = line.strip_prefix(ASKS) else { continue };
        let before = &source[..from];
        // What it takes in before may set variables, and so may it itself.
        if takes_in_own_files(before) || before.matches("/*").count() > before.matches("*/").count() {
            break;
        }
        let length = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(length);
        let Some(then) = behind.strip_prefix(')') else { continue };
        // The statement itself, or the lines of its block up to the brace that closes it.
        let body = match then.trim_start().strip_prefix('{') {
            Some(_) => source[from..].split_once("\n}").map_or("", |(block, _)| block),
            None => then,
        };
        let ends = ["throw ", "process.exit("].iter().any(|sign| body.contains(sign));
        if ends && !name.is_empty() && found.len() < MOST_NAMES {
            let at = from + ASKS.len();
            found.push((name.to_owned(), text.span(at..at + length)));
        }
    }
    found.retain(|(name, _)| !is_assigned(source, name));
    found
}

/// `require('./settings')`, `import './settings.js'`.
fn takes_in_own_files(source: &str) -> bool {
    ["require('.", "require(\".", "import '.", "import \".", "import('.", "import(\"."]
        .iter()
        .any(|sign| source.contains(sign))
}

/// `process.env.KEY ??= …`, `process.env.KEY = …`
fn is_assigned(source: &str, name: &str) -> bool {
    source.split(&format!("process.env.{name}")).skip(1).any(|behind| {
        let behind = behind.trim_start().trim_start_matches(['|', '?', '&']);
        behind.starts_with('=') && !behind.starts_with("==")
    })
}

/// The module that the server imports, and the settings of Django that it names.
fn modules(container: &Container<'_>, process: &Process) -> Vec<Text> {
    let file = |module: &str| {
        let path = join(&process.directory, &module.replace('.', "/"));
        [format!("{path}.py"), format!("{path}/__init__.py")].iter().find_map(|path| match container.files.find(path) {
            Found::File(text) => Some(text),
            _ => None,
        })
    };
    let Some(argument) = named_module(&process.arguments) else { return Vec::new() };
    let Some(entry) = file(argument.as_str().split(':').next().unwrap_or_default()) else { return Vec::new() };
    let settings = match process
        .variables
        .get("DJANGO_SETTINGS_MODULE")
        .cloned()
        .unwrap_or_else(|| container.variable("DJANGO_SETTINGS_MODULE"))
    {
        Lookup::Value(module) => Some(module.to_string()),
        Lookup::Unset => default_settings(&entry),
        Lookup::Unknown => None,
    };
    let settings = settings.and_then(|module| file(&module));
    std::iter::once(entry).chain(settings).collect()
}

/// `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")`
fn default_settings(entry: &Text) -> Option<String> {
    let (_, rest) = entry.as_str().split_once("DJANGO_SETTINGS_MODULE")?;
    let rest = rest.get(1..)?.trim_start_matches([' ', ',', '\n', ']', '=']);
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let module = rest[1..].split(quote).next()?;
    module.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_')).then(|| module.to_owned())
}

/// The variables that the lines outside of every block ask for without another value at hand.
fn indexed(text: &Text) -> Vec<(String, Span)> {
    let source = text.as_str();
    let mut asked: Vec<&str> = vec!["os.environ[", "environ["];
    if source.contains("environ.Env(") {
        asked.extend(["env(", "env.str("]);
    }
    if source.contains("from decouple import") {
        asked.push("config(");
    }
    let mut found = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        if found.len() == MOST_NAMES {
            break;
        }
        let from = start;
        start += line.len();
        if line.starts_with([' ', '\t', '#', ')'])
            || [" if ", " or ", "try:", "raises"].iter().any(|word| line.contains(word))
        {
            continue;
        }
        let call = asked.iter().find_map(|call| {
            let at = line.find(call)?;
            let before = line[..at].chars().next_back();
            let own = before.is_none_or(|it| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '.')));
            own.then_some((at, at + call.len()))
        });
        let Some((at, behind)) = call else { continue };
        let rest = &line[behind..];
        let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'')) else { continue };
        let Some(name) = rest[1..].split(quote).next() else { continue };
        let end = behind + name.len() + 2;
        let Some(closed) = line.get(end..).map(str::trim_start) else { continue };
        // A comma begins a default; `=` gives the variable a value.
        if !closed.starts_with([']', ')']) || closed[1..].trim_start().starts_with('=') {
            continue;
        }
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let has_default = ["'", "\""].iter().any(|quote| source.contains(&format!("setdefault({quote}{name}{quote}")));
        if is_name && !has_default && !OF_EVERY_CONTAINER.contains(&name) && !source.contains(&format!("{name}=(")) {
            found.push((name.to_owned(), text.span(from + at..from + end + 1)));
        }
    }
    found
}

fn is_unset(container: &Container<'_>, process: &Process, settings: &Text, name: &str) -> bool {
    if process.variables.contains_key(name) || !matches!(container.variable(name), Lookup::Unset) {
        return false;
    }
    let exported = starting::script(container).is_some_and(|script| {
        script.commands.iter().any(|command| {
            let own = command.assignments.iter().any(|(assigned, _)| assigned.value == name);
            let words = || command.words.iter().filter_map(|word| word.literal());
            let sourced = words().next().is_some_and(|word| matches!(word.as_str(), "." | "source"));
            own || sourced || words().any(|word| word.as_str().split('=').next() == Some(name))
        })
    });
    if exported {
        return false;
    }
    if !LOADERS.iter().any(|loader| settings.as_str().contains(loader)) {
        return true;
    }
    // The file of variables that it loads lies somewhere on the machine.
    let sources = container.files.snapshot.sources;
    let is_file =
        |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with(".env") || name.ends_with(".env"));
    let mut files = sources.files().filter(|(_, file)| is_file(&file.path));
    matches!(container.files.find(&join(&process.directory, ".env")), Found::Absent)
        && !files.any(|(_, file)| !is_sample(&file.path) && assigns(&file.text, name).is_some())
}

fn is_sample(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name.contains("env") && SAMPLES.iter().any(|word| name.contains(word))
}

/// Where a file of variables names one.
fn assigns(text: &str, name: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches([' ', '\t']);
        let bare = bare.strip_prefix("export ").unwrap_or(bare);
        if bare.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// A sample of the tree that names the variable.
fn sample(sources: &Sources, name: &str) -> Option<Span> {
    let snapshot = Snapshot { sources, root: None };
    for (path, entry) in sources.below("") {
        if !matches!(entry, Entry::File(_)) || !is_sample(path) {
            continue;
        }
        let Found::File(text) = snapshot.find(path) else { continue };
        if let Some(start) = assigns(text.as_str(), name) {
            return Some(text.span(start..start + name.len()));
        }
    }
    None
}

/// The places in which the service could give the variable.
fn not_given(service: &Kept, sources: &Sources) -> Vec<(Span, String)> {
    let mut given = Vec::new();
    for file in &service.env_files {
        let HostPath::Inside(path) = &file.file.path else { continue };
        given.push((file.file.text.whole(), format!("`{path}` does not set it")));
        if let Some(id) = file.found {
            let end = sources.get(id).text.trim_end().len();
            let start = sources.get(id).text[..end].rfind('\n').map_or(0, |at| at + 1);
            given.push((sources.text(id).span(start..end), "it could stand here".to_owned()));
        }
    }
    if given.is_empty() {
        given.push((service.name.span, format!("`{}` does not set it", service.name)));
    }
    given
}

#[cfg(test)]
mod tests {
    use super::{assigns, default_settings, indexed};
    use crate::source::{FileId, Text};

    fn names(source: &str) -> String {
        let text = Text::of_file(FileId(0), source);
        indexed(&text).into_iter().map(|(name, span)| format!("{name} {}\n", &source[span.range()])).collect()
    }

    #[test]
    fn only_what_is_asked_for_outside_of_blocks() {
        let source = "import os\nKEY = os.environ[\"SHOP_KEY\"]\nif DEBUG:\n    A = os.environ['A']\nos.environ['B'] = 'b'\nC = os.environ.get('C')\nD = os.environ['D'] if X else 1\n";
        assert_eq!(names(source), "SHOP_KEY os.environ[\"SHOP_KEY\"]\n");
        let source = "env = environ.Env(DEBUG=(bool, False))\nKEY = env('KEY')\nDEBUG = env('DEBUG')\nURL = env('URL', default='x')\n";
        assert_eq!(names(source), "KEY env('KEY')\n");
        assert_eq!(names("KEY = config('KEY')\n"), "");
    }

    #[test]
    fn where_settings_and_values_are() {
        let entry = "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings.live\")\n";
        let entry = Text::of_file(FileId(0), entry);
        assert_eq!(default_settings(&entry).as_deref(), Some("shop.settings.live"));
        assert_eq!(assigns("A=1\nexport KEY=\n", "KEY"), Some(4));
        assert_eq!(assigns("#KEY=1\nKEYS=2\n", "KEY"), None);
    }
}
