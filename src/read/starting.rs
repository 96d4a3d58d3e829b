//! What a container's start writes before anything listens: templates that its entrypoint fills in, and the files that
//! its start script makes with `envsubst`, `cp` and redirections.

use rustc_hash::FxHashMap;

use crate::read::catalogue::tree::Templates;
use crate::read::container::Container;
use crate::read::envsubst::{Leftover, LeftoverWhy, Substituted, Which, names, substitute};
use crate::read::image::files::join;
use crate::read::image::{Base, Change, Image};
use crate::read::process::Start;
use crate::read::process::follow::base;
use crate::read::surroundings::Found;
use crate::source::{Lookup, Span, Text};
use crate::syntax::command_line::{Command, Script, Word, shell};
use crate::syntax::nginx::is_foreign_template;

/// Folders of templates below each other.
const DEPTH: usize = 6;

/// The changes, as an image that holds nothing else; `None` when there are none.
pub fn changes(container: &Container<'_>) -> Option<Image> {
    let changes: Vec<Change> = templates(container).into_iter().map(|it| it.change).collect();
    if changes.is_empty() {
        return None;
    }
    Some(Image { changes, ..Image::untouched(Base::Scratch, container.image_place, Default::default()) })
}

/// The scripts that the image's entrypoint runs before its command, in the order of their names.
pub fn earlier_scripts(container: &Container<'_>) -> Vec<Text> {
    let Some(folder) = container.files.known.iter().rev().find_map(|tree| tree.scripts.as_ref()) else {
        return Vec::new();
    };
    if !runs_entrypoint(container) {
        return Vec::new();
    }
    let names = container.files.list(folder).names.into_iter().filter(|name| name.ends_with(".sh"));
    let text = |name: String| match container.files.find(&join(folder, &name)) {
        Found::File(text) => Some(text),
        _ => None,
    };
    names.filter_map(text).collect()
}

/// A file that is made from a template.
pub struct Rendered {
    pub change: Change,
    pub leftovers: Vec<Leftover>,
}

/// Every file that the start makes from a template, with the expressions that were left over.
pub fn templates(container: &Container<'_>) -> Vec<Rendered> {
    let mut all = rendered(container);
    for text in earlier_scripts(container) {
        all.extend(written(container, &shell(&text)));
    }
    if let Some(script) = script(container) {
        all.extend(written(container, script));
    }
    all
}

/// The official nginx image fills templates in when its own entrypoint starts nginx
/// (docker-entrypoint.d/20-envsubst-on-templates.sh).
fn rendered(container: &Container<'_>) -> Vec<Rendered> {
    let Some(spec) = container.files.known.iter().rev().find_map(|tree| tree.templates.as_ref()) else {
        return Vec::new();
    };
    if !runs_entrypoint(container) {
        return Vec::new();
    }
    let mut all = Vec::new();
    let Some(from) = setting(container, &spec.from_variable, &spec.from) else { return all };
    let kinds = [
        Some((&spec.suffix_variable, &spec.suffix, &spec.to_variable, &spec.to)),
        spec.stream.as_ref().map(|it| (&it.suffix_variable, &it.suffix, &it.to_variable, &it.to)),
    ];
    let paths = below(container, &from, DEPTH);
    for (suffix_variable, suffix, to_variable, to) in kinds.into_iter().flatten() {
        let Some(suffix) = setting(container, suffix_variable, suffix) else { continue };
        let Some(to) = setting(container, to_variable, to) else { continue };
        for path in &paths {
            let Some(name) = path.strip_suffix(suffix.as_str()) else { continue };
            let Some(rest) = name.strip_prefix(from.as_str()) else { continue };
            let Found::File(template) = container.files.find(path) else { continue };
            let to = join(&to, rest.trim_start_matches('/'));
            // Another program makes the template first.
            if is_foreign_template(template.as_str()).is_some() {
                all.push(unknown(to, template.whole()));
                continue;
            }
            let lookup = |name: &str| filtered(container, spec, name);
            let Substituted { text, leftovers } = substitute(&template, &Which::Set, &lookup);
            let place = template.whole();
            let change = Change::Write { path: to, text, append: false, place };
            all.push(Rendered { change, leftovers });
        }
    }
    all
}

/// The image's entrypoint runs only when nothing replaces it and the command is the proxy itself.
fn runs_entrypoint(container: &Container<'_>) -> bool {
    let Some(Start::Exec(words)) = &container.start else { return false };
    let own = container.facts.as_ref().and_then(|facts| facts.entrypoint.as_ref()).and_then(|words| words.first());
    own.map(|own| base(own)) == words.first().map(|word| base(word.as_str()))
        && words.get(1).is_some_and(|word| matches!(base(word.as_str()), "nginx" | "nginx-debug"))
}

fn setting(container: &Container<'_>, variable: &str, default: &str) -> Option<String> {
    match container.variable(variable) {
        Lookup::Value(text) => Some(text.to_string()),
        Lookup::Unset => Some(default.to_owned()),
        // An env file that is not visible hardly ever moves the folders of the image.
        Lookup::Unknown => Some(default.to_owned()),
    }
}

/// A variable as the entrypoint sees it: those that the filter does not let through are not replaced.
fn filtered(container: &Container<'_>, spec: &Templates, name: &str) -> Lookup {
    match container.variable(&spec.filter_variable) {
        Lookup::Value(filter) if !filter.as_str().is_empty() => match takes(filter.as_str(), name) {
            Some(true) => container.variable(name),
            Some(false) => Lookup::Unset,
            None => Lookup::Unknown,
        },
        _ => container.variable(name),
    }
}

/// Whether a simple regular expression (`^WEB_`, `API|HOST`, `_URL$`) is found in a name; `None`: it is not simple.
fn takes(filter: &str, name: &str) -> Option<bool> {
    let mut found = false;
    for part in filter.trim_matches(['(', ')']).split('|') {
        let (start, part) = part.strip_prefix('^').map_or((false, part), |part| (true, part));
        let (end, part) = part.strip_suffix('$').map_or((false, part), |part| (true, part));
        let part = part.trim_end_matches(".*");
        if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        found |= match (start, end) {
            (true, true) => name == part,
            (true, false) => name.starts_with(part),
            (false, true) => name.ends_with(part),
            (false, false) => name.contains(part),
        };
    }
    Some(found)
}

fn below(container: &Container<'_>, folder: &str, depth: usize) -> Vec<String> {
    let mut paths = Vec::new();
    if depth == 0 {
        return paths;
    }
    for name in container.files.list(folder).names {
        let path = join(folder, &name);
        match container.files.find(&path) {
            Found::Directory => paths.extend(below(container, &path, depth - 1)),
            Found::File(_) | Found::Opaque => paths.push(path),
            Found::Absent | Found::Unknown => {}
        }
    }
    paths
}

/// The script that a container's start consists of: a shell line, `sh -c '…'`, or a file of the machine.
pub fn script<'c>(container: &'c Container<'_>) -> Option<&'c Script> {
    container.script.get_or_init(|| find_script(container)).as_ref()
}

fn find_script(container: &Container<'_>) -> Option<Script> {
    let words = match container.start.as_ref()? {
        Start::Shell(text) => return Some(shell(text)),
        Start::Exec(words) => words,
    };
    let start = words.iter().position(|word| !is_wrapper(base(word.as_str())))?;
    let first = &words[start];
    if matches!(base(first.as_str()), "sh" | "bash" | "ash" | "dash") {
        let second = words.get(start + 1)?;
        if second.as_str().starts_with('-') {
            let has_c = second.as_str().contains('c') && !second.as_str().starts_with("--");
            return words.get(start + 2).filter(|_| has_c).map(shell);
        }
        return file_script(container, second);
    }
    file_script(container, first)
}

fn is_wrapper(name: &str) -> bool {
    matches!(name, "tini" | "dumb-init" | "--" | "docker-entrypoint.sh" | "-s" | "-g")
}

fn file_script(container: &Container<'_>, word: &Text) -> Option<Script> {
    let path = word.as_str();
    let folders: &[&str] =
        if path.contains('/') { &[&container.directory] } else { &["/usr/local/bin", "/usr/bin", "/"] };
    let (_, text) = container.files.text_in(folders, path)?;
    let first_line = text.as_str().lines().next().unwrap_or_default();
    let is_shell = first_line.starts_with("#!") && first_line.contains("sh") || path.ends_with(".sh");
    is_shell.then(|| shell(&text))
}

/// What a start script sets on its way, over the variables of its container.
#[derive(Default)]
struct Variables {
    set: FxHashMap<String, Lookup>,
    /// It takes in something that is not followed and may set any of them.
    hidden: bool,
}

impl Variables {
    fn look_up(&self, container: &Container<'_>, name: &str) -> Lookup {
        match self.set.get(name).cloned().unwrap_or_else(|| container.variable(name)) {
            Lookup::Unset if self.hidden => Lookup::Unknown,
            value => value,
        }
    }

    fn follow(&mut self, container: &Container<'_>, command: &Command) {
        let assigned = command.assignments.iter().map(|(name, word)| (name.value.clone(), word.clone()));
        let mut assigned: Vec<(String, Word)> = assigned.collect();
        let first = command.words.first().and_then(Word::literal);
        match first.as_ref().map(Text::as_str) {
            Some("export" | "readonly" | "declare" | "local" | "typeset") => {
                assigned
                    .extend(command.words.iter().filter_map(Word::assignment).map(|(name, word)| (name.value, word)));
            }
            Some("read" | "unset") => {
                let names = command.words.iter().skip(1).filter_map(Word::literal);
                self.set.extend(names.map(|name| (name.to_string(), Lookup::Unknown)));
            }
            Some("." | "source" | "eval") => self.hidden = true,
            _ => {}
        }
        for (name, word) in assigned {
            let value = word.expand(&|name| self.look_up(container, name)).filter(|_| !command.conditional);
            self.set.insert(name, value.map_or(Lookup::Unknown, Lookup::Value));
        }
    }
}

/// The files that the commands of a script write.
fn written(container: &Container<'_>, script: &Script) -> Vec<Rendered> {
    let mut variables = Variables::default();
    let mut all = Vec::new();
    for command in &script.commands {
        variables.follow(container, command);
        let lookup = |name: &str| variables.look_up(container, name);
        let words: Vec<Option<Text>> = command.words.iter().map(|word| word.expand(&lookup)).collect();
        let name = words.first().cloned().flatten().map_or(String::new(), |word| base(word.as_str()).to_owned());
        let path_of = |word: &Word| word.expand(&lookup).map(|text| join(&container.directory, text.as_str()));
        let output = command.redirections.iter().find(|it| matches!(it.operator.as_str(), ">" | ">>" | ">|"));
        if let Some(path) = output.and_then(|it| path_of(&it.target)) {
            if path.starts_with("/dev/") || path.starts_with("/proc/") {
                continue;
            }
            let change = match (name.as_str(), command.conditional) {
                ("envsubst", false) => substituted(container, command, &words, &path, &lookup),
                _ => None,
            };
            all.push(change.unwrap_or_else(|| unknown(path, command.span)));
            continue;
        }
        let arguments: Vec<&Text> = words.iter().skip(1).flatten().filter(|it| !it.as_str().starts_with('-')).collect();
        match (name.as_str(), arguments.as_slice()) {
            ("cp" | "mv", [from, to]) => {
                let (from, to) = (join(&container.directory, from.as_str()), join(&container.directory, to.as_str()));
                let to = match container.files.find(&to) {
                    Found::Directory => join(&to, from.rsplit('/').next().unwrap_or_default()),
                    _ => to,
                };
                all.push(match (container.files.find(&from), command.conditional) {
                    (Found::File(text), false) => Rendered {
                        change: Change::Write { path: to, text, append: false, place: command.span },
                        leftovers: Vec::new(),
                    },
                    _ => unknown(to, command.span),
                });
            }
            ("rm", paths) if !command.conditional => {
                all.extend(paths.iter().map(|path| Rendered {
                    change: Change::Remove { path: join(&container.directory, path.as_str()), place: command.span },
                    leftovers: Vec::new(),
                }));
            }
            ("sed", [.., path]) if words.iter().flatten().any(|it| it.as_str().starts_with("-i")) => {
                all.push(unknown(join(&container.directory, path.as_str()), command.span));
            }
            _ => {}
        }
    }
    all
}

fn substituted(
    container: &Container<'_>,
    command: &Command,
    words: &[Option<Text>],
    path: &str,
    lookup: &dyn Fn(&str) -> Lookup,
) -> Option<Rendered> {
    let input = command.redirections.iter().find(|it| it.operator == "<")?;
    let from = input.target.expand(lookup)?;
    let from = join(&container.directory, from.as_str());
    let Found::File(template) = container.files.find(&from) else { return None };
    let appends = command.redirections.iter().any(|it| it.operator == ">>");
    if from == path && !appends {
        let text = Text::fixed("", command.span);
        let change = Change::Write { path: from.clone(), text, append: false, place: command.span };
        let why = LeftoverWhy::OwnTemplate;
        let leftover = Leftover { name: from, expression: String::new(), place: command.span, why };
        return Some(Rendered { change, leftovers: vec![leftover] });
    }
    // The list is quoted, or the shell would have replaced it.
    let list = command.words.get(1).and_then(Word::literal);
    if list.is_none() && words.len() > 1 {
        return None;
    }
    let which = list.map_or(Which::All, |list| Which::Listed(names(list.as_str())));
    let Substituted { text, leftovers } = substitute(&template, &which, lookup);
    let change = Change::Write { path: path.to_owned(), text, append: false, place: command.span };
    Some(Rendered { change, leftovers })
}

fn unknown(path: String, place: Span) -> Rendered {
    let why = "the start script writes it";
    Rendered { change: Change::Unknown { path: Some(path), place, why }, leftovers: Vec::new() }
}
