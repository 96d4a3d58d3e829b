//! What keeps the start command of a container from working: scripts that are not there or cannot be run, modules that
//! do not exist, packages that a mount hides.

use crate::read::app::settings::{Format, settings};
use crate::read::container::Container;
use crate::read::image::files::{below, executable, join, parent};
use crate::read::image::packages::INSTALLED;
use crate::read::image::{Change, CopySource};
use crate::read::process::follow::base;
use crate::read::process::{Argument, Process, Start};
use crate::read::starting;
use crate::read::surroundings::{Found, Surroundings};
use crate::site::Site;
use crate::site::machine::{MachineId, MountSource};
use crate::site::trouble::{StartTrouble, StartWhy, Trouble};
use crate::source::{FileId, Lookup, Span, Text};
use crate::syntax::command_line::{Word, shell};

/// Programs that run the script that is their first word.
const INTERPRETERS: &[&str] = &["sh", "bash", "ash", "dash", "python", "python3", "node", "ruby", "php", "perl"];

/// Scripts that npm knows without package.json, and flags that lead to another one.
const OWN_SCRIPTS: &[&str] = &["env", "start", "restart", "stop"];
const ELSEWHERE: &[&str] = &["--if-present", "--prefix", "-C", "-w", "--workspace", "--workspaces", "-ws"];

/// Programs in front of the one that is meant.
const WRAPPERS: &[&str] =
    &["tini", "dumb-init", "--", "-g", "-s", "exec", "docker-entrypoint.sh", "docker-php-entrypoint"];

/// Endings of files that people write; others are made by a build.
const WRITTEN: &[&str] = &["sh", "bash", "py", "js", "mjs", "cjs", "rb", "php"];

/// Folders that a build fills.
const MADE: &[&str] =
    &["dist", "build", "out", "output", "target", "bin", "public", ".next", ".output", "node_modules", "vendor", "lib"];

/// Folders of packages that are hidden by a mount of the folder around them.
const PACKAGES: &[&str] = &["node_modules", "vendor", ".venv"];

/// So many modules are offered instead of one that does not exist.
const CANDIDATES: usize = 3;

pub fn read(site: &mut Site, id: MachineId, container: &Container<'_>) {
    let mut found = Vec::new();
    found.extend(container.ends_at_once().map(|(place, command)| (place, StartWhy::EndsAtOnce { command })));
    if let Some(program) = started(container) {
        found.extend(script(container, &program));
    }
    found.extend(package_script(container));
    found.extend(hidden(container));
    for process in &container.started.processes {
        found.extend(module(container, process));
    }
    site.troubles
        .extend(found.into_iter().map(|(place, why)| Trouble::Start(StartTrouble { machine: id, place, why })));
}

/// The file that the start command names first.
struct Program {
    word: Text,
    /// It is run by itself; otherwise an interpreter reads it.
    direct: bool,
}

fn started(container: &Container<'_>) -> Option<Program> {
    let words: Vec<Text> = match container.start.as_ref()? {
        Start::Exec(words) => words.clone(),
        Start::Shell(text) => {
            let script = shell(text);
            let command = script.commands.first().filter(|command| !command.conditional)?;
            command.words.iter().map(|word| word.literal()).collect::<Option<Vec<Text>>>()?
        }
    };
    let at = words.iter().position(|word| !WRAPPERS.contains(&base(word.as_str())))?;
    let word = words[at].clone();
    if !INTERPRETERS.contains(&base(word.as_str())) {
        return Some(Program { word, direct: true });
    }
    let next = words.get(at + 1).filter(|next| !next.as_str().starts_with('-'))?;
    Some(Program { word: next.clone(), direct: false })
}

fn script(container: &Container<'_>, program: &Program) -> Option<(Span, StartWhy)> {
    let word = program.word.as_str();
    let place = program.word.whole();
    if word.is_empty() || word.contains(['$', '*', ' ']) {
        return None;
    }
    let folders: &[&str] = match (word.contains('/'), program.direct) {
        (false, true) => &["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"],
        _ => &[&container.directory],
    };
    let Some((path, text)) = container.files.text_in(folders, word) else {
        let [directory] = folders else { return None };
        return missing(container, &join(directory, word)).map(|why| (place, why));
    };
    let file = text.file()?;
    let first_line = text.as_str().lines().next().unwrap_or_default();
    let is_shell = path.ends_with(".sh") || first_line.starts_with("#!");
    // `lines` takes the carriage return away.
    let returns = text.as_str().split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n"));
    let why = if returns && is_shell && !is_treated(container, &path) {
        StartWhy::CarriageReturns { file: Span { file, start: 0, end: first_line.len() as u32 }, path }
    } else if program.direct
        && is_shell
        // A script without commands stands for something that is built elsewhere.
        && !shell(&text).commands.is_empty()
        && may_execute(container, &path, file) == Some(false)
        && !is_treated(container, &path)
    {
        StartWhy::NotExecutable { file: Span { file, start: 0, end: first_line.len() as u32 }, path }
    } else {
        return None;
    };
    Some((place, why))
}

/// `npm run serve`, where package.json has no such script.
fn package_script(container: &Container<'_>) -> Option<(Span, StartWhy)> {
    let (words, script) = match container.start.as_ref()? {
        Start::Shell(text) => (&[][..], Some(text)),
        Start::Exec(words) => {
            let words = &words[words.iter().position(|word| !WRAPPERS.contains(&base(word.as_str())))?..];
            match words {
                [program, flag, text, ..] if INTERPRETERS.contains(&base(program.as_str())) && flag == "-c" => {
                    (words, Some(text))
                }
                _ => (words, None),
            }
        }
    };
    let words: Vec<Text> = match script {
        Some(text) => {
            let script = shell(text);
            let commands = script.commands.iter().take_while(|command| !command.conditional);
            let literal = commands.map(|it| it.words.iter().filter_map(Word::literal).collect::<Vec<Text>>());
            // A change of the folder leads to another package.json.
            let mut steps = literal.take_while(|words| words.first().is_none_or(|first| first != "cd"));
            steps.find(|words| matches!(words.as_slice(), [runner, run, ..] if runner == "npm" && run == "run"))?
        }
        None => words.to_vec(),
    };
    let at = words.iter().position(|word| !WRAPPERS.contains(&base(word.as_str())))?;
    let [runner, run, name, ..] = &words[at..] else { return None };
    let is_plain = name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte));
    let is_elsewhere =
        words.iter().any(|word| ELSEWHERE.contains(&word.as_str().split('=').next().unwrap_or_default()));
    if runner != "npm" || run != "run" || !is_plain || name.as_str().starts_with('-') || is_elsewhere {
        return None;
    }
    let path = join(&container.directory, "package.json");
    let Found::File(text) = container.files.find(&path) else { return None };
    let surroundings = |it: &Surroundings<'_>| settings(Format::Json, &path, &text, it);
    let package = container.with_surroundings(surroundings);
    // It is no JSON, or it has no scripts at all that could be read.
    let scripts: Vec<String> =
        package.entries().filter_map(|(key, _)| key.strip_prefix("scripts.").map(str::to_owned)).collect();
    let is_there = scripts.iter().map(String::as_str).chain(OWN_SCRIPTS.iter().copied()).any(|it| it == name.as_str());
    if scripts.is_empty() || is_there {
        return None;
    }
    let at = text.as_str().find("\"scripts\"")?;
    let package = text.span(at..at + "\"scripts\"".len());
    Some((name.whole(), StartWhy::NoScript { name: name.to_string(), package, scripts }))
}

/// A command of the build whose effect is not followed names the file, all files of its kind, or what finds them.
fn is_treated(container: &Container<'_>, path: &str) -> bool {
    let name = parent(path).1;
    let commands = container.files.image.iter().flat_map(|image| &image.commands);
    let words = commands.flat_map(|command| &command.words).filter_map(|word| word.literal());
    let modes = container.files.image.iter().flat_map(|image| &image.changes);
    let mut modes = modes.filter_map(|change| match change {
        Change::Mode { path, executable: true, .. } => Some(path.as_str()),
        _ => None,
    });
    modes.any(|it| it.contains(['*', '?']))
        || words.into_iter().any(|word| {
            let word = word.as_str();
            word.contains(name) || word.contains('*') || matches!(word, "dos2unix" | "find" | "xargs")
        })
}

fn may_execute(container: &Container<'_>, path: &str, file: FileId) -> Option<bool> {
    let files = &container.files;
    let covering = files.mounts.iter().filter(|it| below(&it.mount.target, path).is_some());
    match covering.max_by_key(|it| it.mount.target.len()).map(|it| &it.mount.from) {
        Some(MountSource::Snapshot(_)) => files.snapshot.sources.get(file).executable,
        Some(_) => None,
        None => executable(files.image.as_ref()?, files.snapshot.sources, path),
    }
}

/// Nothing stands at a path that only people fill.
fn missing(container: &Container<'_>, path: &str) -> Option<StartWhy> {
    let files = &container.files;
    let ending = parent(path).1.rsplit_once('.').map_or("", |(_, ending)| ending);
    if !WRITTEN.contains(&ending) || path.split('/').any(|part| MADE.contains(&part)) {
        return None;
    }
    if !matches!(files.find(path), Found::Absent) {
        return None;
    }
    let elsewhere = elsewhere(container, parent(path).1).filter(|(other, _)| other != path);
    // A build step may have made it, unless it is a file of the tree that went elsewhere.
    let made = files.image.as_ref().is_none_or(|image| !image.commands.is_empty());
    if made && elsewhere.is_none() {
        return None;
    }
    Some(StartWhy::Missing { path: path.to_owned(), elsewhere })
}

/// Where a file of this name, copied from the tree, ends up.
fn elsewhere(container: &Container<'_>, name: &str) -> Option<(String, Span)> {
    let image = container.files.image.as_ref()?;
    for change in image.changes.iter().rev() {
        let Change::Copy { source: CopySource::Context(source), target, place, .. } = change else { continue };
        let at = match parent(target).1 == name {
            true => target.clone(),
            false => {
                let sources = container.files.snapshot.sources;
                let inside = sources.below(source).find(|(path, _)| parent(path).1 == name)?.0;
                join(target, below(source, inside)?)
            }
        };
        if matches!(container.files.find(&at), Found::File(_) | Found::Opaque) {
            return Some((at, *place));
        }
    }
    None
}

/// Folders of packages that the build fills and a mount of the project covers, without any packages in it.
fn hidden(container: &Container<'_>) -> Vec<(Span, StartWhy)> {
    let files = &container.files;
    let changes = || files.image.iter().flat_map(|image| &image.changes);
    // `mv node_modules /`: Node finds packages in the folders above, too.
    let is_moved = |folder: &str| changes().any(|it| matches!(it, Change::Remove { path, .. } if path == folder));
    let mut found: Vec<(Span, StartWhy)> = Vec::new();
    for change in changes() {
        let (path, place) = match change {
            Change::Unknown { path: Some(path), place, why } if *why == INSTALLED => (path, *place),
            Change::Copy { source: CopySource::Image { .. }, target, place, .. } => (target, *place),
            _ => continue,
        };
        if !PACKAGES.contains(&parent(path).1) {
            continue;
        }
        let covering = files.mounts.iter().filter_map(|it| Some((it, below(&it.mount.target, path)?)));
        let Some((mounted, rest)) = covering.max_by_key(|(it, _)| it.mount.target.len()) else { continue };
        let MountSource::Snapshot(source) = &mounted.mount.from else { continue };
        let is_project = matches!(files.snapshot.find(&join(source, parent(rest).0)), Found::Directory);
        let has_packages = !matches!(files.snapshot.find(&join(source, rest)), Found::Absent);
        if rest.is_empty() || !is_project || has_packages || installs_itself(container) || is_moved(path) {
            continue;
        }
        let why = StartWhy::Hidden { folder: path.clone(), installed: place, target: mounted.mount.target.clone() };
        if !found.iter().any(|(known, _)| *known == mounted.mount.place) {
            found.push((mounted.mount.place, why));
        }
    }
    found
}

/// The start installs packages before it runs anything, or what it does is not visible.
fn installs_itself(container: &Container<'_>) -> bool {
    let asks = |text: &str| {
        ["install", " ci", "update", "sync", "npm i", "yarn;", "yarn &"].iter().any(|word| text.contains(word))
    };
    let words = match &container.start {
        None => return true,
        Some(Start::Shell(text)) => text.to_string(),
        Some(Start::Exec(words)) => words.iter().map(Text::as_str).collect::<Vec<_>>().join(" "),
    };
    let scripted = starting::script(container).is_some_and(|script| {
        script.commands.iter().any(|command| {
            let words: Vec<String> =
                command.words.iter().filter_map(|word| word.literal()).map(|word| word.to_string()).collect();
            asks(&words.join(" ")) || words == ["yarn"]
        })
    });
    asks(&words) || scripted || (container.started.open.is_some() && container.started.processes.is_empty())
}

/// Servers whose first word names a module of Python, and the flags that move where it is looked for.
const SERVERS: &[&str] = &["gunicorn", "uvicorn", "hypercorn", "daphne", "granian"];
const MOVERS: &[&str] =
    &["--chdir", "--pythonpath", "--app-dir", "--root-path", "-c", "--config", "--paste", "--factory-dir"];

fn module(container: &Container<'_>, process: &Process) -> Option<(Span, StartWhy)> {
    if !SERVERS.contains(&process.name.as_str()) || process.conditional {
        return None;
    }
    let moved = |argument: &Argument| MOVERS.iter().any(|flag| argument.as_str().split('=').next() == Some(*flag));
    if process.arguments.iter().any(moved) || !matches!(container.variable("PYTHONPATH"), Lookup::Unset) {
        return None;
    }
    let argument = named_module(&process.arguments)?;
    let written = argument.as_str().split(':').next().unwrap_or_default();
    let place = argument.text.slice(0..written.len()).whole();
    let parts: Vec<&str> = written.split('.').collect();
    let is_there = |folder: &str, parts: &[&str]| {
        let path = join(folder, &parts.join("/"));
        !matches!(container.files.find(&format!("{path}.py")), Found::Absent)
            || !matches!(container.files.find(&path), Found::Absent)
    };
    let (first, rest) = parts.split_first()?;
    let directory = &process.directory;
    if is_there(directory, &parts) {
        return None;
    }
    let listing = container.files.list(directory);
    if !listing.complete {
        return None;
    }
    let package = join(directory, first);
    let mut candidates = Vec::new();
    if matches!(container.files.find(&package), Found::Directory) {
        // The package is there, the module in it is not.
        let inside = container.files.list(&package);
        if !inside.complete || rest.len() != 1 {
            return None;
        }
        for name in
            inside.names.iter().filter_map(|name| name.strip_suffix(".py")).filter(|name| !name.starts_with('_'))
        {
            offer(container, &mut candidates, format!("{first}.{name}"), &format!("{package}/{name}.py"));
        }
    } else if is_there(directory, &[first]) {
        return None;
    } else {
        for name in &listing.names {
            let mut other = vec![name.trim_end_matches(".py")];
            other.extend(rest);
            let path = format!("{}.py", join(directory, &other.join("/")));
            offer(container, &mut candidates, other.join("."), &path);
            // The package around the module was left out: `main` for `shop.main`.
            let inside = join(directory, &format!("{name}/{}", parts.join("/")));
            offer(container, &mut candidates, format!("{name}.{written}"), &format!("{inside}.py"));
        }
    }
    candidates.truncate(CANDIDATES);
    if candidates.is_empty() {
        return None;
    }
    Some((place, StartWhy::ModuleMissing { module: written.to_owned(), folder: directory.clone(), candidates }))
}

/// The first word that is no flag and no value of one: a module, perhaps with the name of the application.
pub fn named_module(arguments: &[Argument]) -> Option<&Argument> {
    let is_module = |argument: &&Argument| {
        let text = argument.as_str();
        let (module, application) = text.split_once(':').unwrap_or((text, ""));
        let plain = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        };
        let is_application = !application.is_empty() && !application.starts_with(|first: char| first.is_ascii_digit());
        // `uvicorn.workers.UvicornWorker` and `localhost:80` are values of flags.
        argument.complete && plain(module) && (is_application || module.contains(".wsgi") || module.contains(".asgi"))
    };
    let mut found = arguments.iter().filter(is_module);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A module that looks like an application that a server can run.
fn offer(container: &Container<'_>, candidates: &mut Vec<(String, Span)>, module: String, path: &str) {
    let Found::File(text) = container.files.find(path) else {
        return;
    };
    let is_application = |line: &str| {
        ["app", "application", "asgi", "create_app"]
            .iter()
            .any(|name| line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', ':'])))
            || line.starts_with("def create_app")
    };
    if text.as_str().lines().any(is_application) {
        candidates.push((module, text.span(0..0)));
    }
}
