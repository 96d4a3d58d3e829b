//! Files that name further commands: package.json scripts, supervisor's programs, Procfiles.

use std::ops::Range;

use crate::read::app::supervisor::{SupervisedProgram, expanded, supervised};
use crate::read::process::Argument;
use crate::read::process::follow::{Follower, Role, State, absolute};
use crate::read::process::pm2;
use crate::read::surroundings::{Found, Surroundings};
use crate::source::{Lookup, Text, TextBuilder};
use crate::syntax::command_line::shell;
use crate::syntax::env_file;

/// Runs a script of package.json: `npm run NAME`, `npm start`. Words behind `--`, or all of them, go to the script.
pub fn package_script(
    follower: &mut Follower,
    wrapper: &str,
    name: &Text,
    mut rest: Vec<Argument>,
    state: &mut State,
    role: Role,
) {
    if let Some(at) = rest.iter().position(|word| word.as_str() == "--") {
        rest.drain(..=at);
    } else if wrapper.starts_with("npm") {
        // npm keeps options for itself.
        rest.retain(|word| !word.as_str().starts_with('-'));
    }
    let path = absolute(&state.directory, "package.json");
    let text = match (follower.surroundings.file)(&path) {
        Found::File(text) => text,
        _ if role == Role::Before => return,
        Found::Absent => return follower.open(format!("`{wrapper}` finds no package.json in `{}`", state.directory)),
        _ => return follower.open(format!("`{path}` is not visible")),
    };
    if let Some(script) = json_string(&text, &["scripts", name.as_str()]) {
        return follower.script(&shell(&script), state, rest, role);
    }
    if name == "start"
        && matches!((follower.surroundings.file)(&absolute(&state.directory, "server.js")), Found::File(_))
    {
        // npm's own default.
        let words = ["node", "server.js"].map(|word| Argument::known(Text::fixed(word, name.whole())));
        return follower.command(words.to_vec(), state.clone(), role);
    }
    if role == Role::Before {
        return;
    }
    // `yarn serve` also runs what a dependency brings.
    if !wrapper.contains(' ') && name != "start" {
        let words = std::iter::once(Argument::known(name.clone())).chain(rest).collect();
        return follower.command(words, state.clone(), role);
    }
    follower.open(format!("package.json has no script `{}`", name.as_str()));
}

/// The file that `node FOLDER` runs.
pub fn package_main(surroundings: &Surroundings, folder: &str) -> Option<String> {
    let Found::File(text) = (surroundings.file)(&absolute(folder, "package.json")) else {
        return Some(absolute(folder, "index.js"));
    };
    let main = json_string(&text, &["main"]);
    Some(absolute(folder, main.as_ref().map_or("index.js", Text::as_str)))
}

/// Starts what a list of processes names.
pub fn start(follower: &mut Follower, kind: &str, words: &[Argument], state: &mut State, role: Role) {
    let given = |options: &[&str]| {
        let at = words.iter().position(|word| options.contains(&word.as_str()))?;
        words.get(at + 1).filter(|word| word.complete)
    };
    match kind {
        "supervisor" => {
            let path = given(&["-c", "--configuration"]).map(|word| absolute(&state.directory, word.as_str()));
            supervisor(follower, path, state, role);
        }
        "procfile" => {
            let path = given(&["-f", "--procfile"]).map_or("Procfile", Argument::as_str);
            procfile(follower, &absolute(&state.directory, path), words, state);
        }
        "pm2" => pm2::start(follower, words, state, role),
        _ => follower.open(format!("what `{kind}` starts is not visible")),
    }
}

/// supervisord looks for its configuration in these places (its manual, "Configuration File").
const SUPERVISOR_PLACES: [&str; 5] = [
    "supervisord.conf",
    "etc/supervisord.conf",
    "/etc/supervisord.conf",
    "/etc/supervisor/supervisord.conf",
    "../supervisord.conf",
];

fn supervisor(follower: &mut Follower, path: Option<String>, state: &State, role: Role) {
    let paths = match path {
        Some(path) => vec![path],
        None => SUPERVISOR_PLACES.iter().map(|path| absolute(&state.directory, path)).collect(),
    };
    let found = paths.iter().find_map(|path| match (follower.surroundings.file)(path) {
        Found::File(text) => Some((path, text)),
        _ => None,
    });
    let Some((path, text)) = found else {
        return follower.open("the configuration of supervisord is not visible".to_owned());
    };
    let supervised = supervised(&text, path, follower.surroundings);
    if supervised.programs.is_empty() && supervised.open.is_none() {
        follower.open("supervisord has no program that is visible".to_owned());
    }
    if let Some(why) = supervised.open {
        follower.open(why);
    }
    for program in supervised.programs.iter().filter(|program| program.autostart) {
        for number in program.numbers.clone() {
            run_supervised(follower, program, number, state, role);
        }
    }
}

/// One process of a program: supervisord knows its number, its name and its variables in `%(…)s` (its manual, "String
/// expressions").
fn run_supervised(follower: &mut Follower, program: &SupervisedProgram, number: u32, state: &State, role: Role) {
    let mut inner = state.clone();
    let place = program.name.span;
    let named = |name: &str| match name {
        "program_name" => Some(Text::fixed(&program.name.value, place)),
        "process_num" => Some(Text::fixed(&number.to_string(), place)),
        _ => None,
    };
    for (name, value) in &program.environment {
        let value = expanded(value, &named).map_or(Lookup::Unknown, Lookup::Value);
        inner.variables.insert(name.value.clone(), value);
    }
    let known = |name: &str| {
        let Some(variable) = name.strip_prefix("ENV_") else { return named(name) };
        let outside = || (follower.surroundings.variable)(variable);
        match inner.variables.get(variable).cloned().unwrap_or_else(outside) {
            Lookup::Value(value) => Some(value),
            Lookup::Unset | Lookup::Unknown => None,
        }
    };
    let folder = program.directory.clone().unwrap_or_else(|| Text::fixed(&inner.directory, place));
    let Some((command, folder)) = expanded(&program.command, &known).zip(expanded(&folder, &known)) else {
        return follower.open(format!("the command of `{}` holds an expansion", program.name));
    };
    if program.directory.is_some() {
        inner.directory = absolute("/", folder.as_str());
    }
    let role = if role == Role::Last { Role::Beside } else { role };
    let first = follower.started.processes.len();
    follower.script(&shell(&command), &mut inner, Vec::new(), role);
    for process in &mut follower.started.processes[first..] {
        process.handed.clone_from(&program.socket);
        process.user = program.user.as_ref().map(|user| user.as_str().trim().to_owned());
        process.umask = program.umask;
    }
}

/// Options of foreman and honcho that take a value.
const OPTIONS: [&str; 12] =
    ["-f", "--procfile", "-e", "--env", "-p", "--port", "-d", "--root", "--app-root", "-c", "-m", "--concurrency"];

/// foreman and honcho give each process a `PORT`, from 5000, or the `PORT` that they have themselves, in steps of 100; and
/// what stands in `.env` (ddollar.github.io/foreman, honcho.readthedocs.io).
fn procfile(follower: &mut Follower, path: &str, words: &[Argument], state: &State) {
    let Found::File(text) = (follower.surroundings.file)(path) else {
        return follower.open(format!("`{path}` is not visible"));
    };
    let mut only = Vec::new();
    let mut port: Option<Lookup> = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-p" | "--port" => port = words.next().map(|word| Lookup::Value(word.text.clone())),
            "-c" | "-m" | "--concurrency" | "--formation" => {
                words.next();
                follower.open(format!("how many of each process in `{path}` run is not followed"));
            }
            option if OPTIONS.contains(&option) => drop(words.next()),
            name if !name.starts_with('-') && name != "start" => only.push(name),
            _ => {}
        }
    }
    let mut state = state.clone();
    if let Found::File(text) = (follower.surroundings.file)(&absolute(&state.directory, ".env")) {
        for entry in env_file::parse(&text).entries {
            let Some(value) = entry.value else { continue };
            state.variables.entry(entry.name.value).or_insert(Lookup::Value(value));
        }
    }
    let own = || state.variables.get("PORT").cloned().unwrap_or_else(|| (follower.surroundings.variable)("PORT"));
    let base = match port.unwrap_or_else(own) {
        Lookup::Unset => Some((5000, None)),
        Lookup::Value(text) => text.as_str().parse::<u16>().ok().map(|port| (port, Some(text.whole()))),
        Lookup::Unknown => None,
    };
    let mut number = 0;
    for range in lines(text.as_str()) {
        let line = text.slice(range);
        let Some((name, command)) = line.split_once(':') else { continue };
        if name.as_str().starts_with('#') {
            continue;
        }
        if only.is_empty() || only.contains(&name.as_str().trim()) {
            let mut inner = state.clone();
            let port = base.and_then(|(port, place)| Some((port.checked_add(100 * number)?, place)));
            let port = port.map_or(Lookup::Unknown, |(port, place)| {
                Lookup::Value(Text::fixed(&port.to_string(), place.unwrap_or(command.whole())))
            });
            inner.variables.insert("PORT".to_owned(), port);
            follower.script(&shell(&command.trim()), &mut inner, Vec::new(), Role::Beside);
        }
        number = number.saturating_add(1).min(600);
    }
}

fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = text.split_inclusive('\n').map(|line| {
        let range = start..start + line.trim_end().len();
        start += line.len();
        range
    });
    ends.collect()
}

/// The string below these keys of a JSON text.
pub fn json_string(text: &Text, keys: &[&str]) -> Option<Text> {
    let bytes = text.as_str().as_bytes();
    // How deep we are, and how many of the keys led here.
    let (mut depth, mut matched, mut at) = (0, 0, 0);
    let mut key: Option<Range<usize>> = None;
    let mut after_colon = false;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                let end = string_end(bytes, at + 1)?;
                let inner = at + 1..end;
                at = end;
                if after_colon {
                    let is_wanted = depth == keys.len() && matched + 1 == depth && named(text, &key, keys[matched]);
                    if is_wanted {
                        return Some(unescaped(text, inner));
                    }
                    after_colon = false;
                } else {
                    key = Some(inner);
                }
            }
            b':' => after_colon = true,
            b'{' | b'[' => {
                let leads_on =
                    bytes[at] == b'{' && depth > 0 && matched + 1 == depth && depth < keys.len() && after_colon;
                if leads_on && named(text, &key, keys[matched]) {
                    matched += 1;
                }
                depth += 1;
                after_colon = false;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                matched = matched.min(depth.saturating_sub(1));
                after_colon = false;
            }
            b',' => after_colon = false,
            _ => {}
        }
        at += 1;
    }
    None
}

fn named(text: &Text, key: &Option<Range<usize>>, name: &str) -> bool {
    key.as_ref().is_some_and(|range| &text.as_str()[range.clone()] == name)
}

fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn unescaped(text: &Text, range: Range<usize>) -> Text {
    let inner = text.slice(range);
    let raw = inner.as_str();
    let mut builder = TextBuilder::default();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = raw[at..].find('\\') {
        let escape = at + found;
        builder.push(&inner, start..escape);
        let next = raw[escape + 1..].chars().next();
        match next {
            Some('n') => builder.push_fixed("\n", inner.span(escape..escape + 2)),
            Some('t') => builder.push_fixed("\t", inner.span(escape..escape + 2)),
            Some('"' | '\\' | '/') => {
                builder.push(&inner, escape + 1..escape + 2);
            }
            _ => {
                start = escape;
                at = escape + 1;
                continue;
            }
        }
        start = escape + 2;
        at = start;
    }
    builder.push(&inner, start..raw.len());
    builder.finish(inner.whole())
}

#[cfg(test)]
mod tests {
    use super::json_string;
    use crate::source::Sources;

    #[test]
    fn strings_below_keys() {
        let mut sources = Sources::default();
        let json = r#"{"a": {"scripts": {"start": "no"}}, "files": ["scripts", {"start": "no"}],
            "scripts": {"test": "x", "start": "sh -c \"node a.js\"", "n": 3}, "main": "m.js"}"#;
        let file = sources.add("package.json", json);
        let text = sources.text(file);
        let start = json_string(&text, &["scripts", "start"]).unwrap();
        assert_eq!(start.as_str(), "sh -c \"node a.js\"");
        assert_eq!(sources.quote(start.span(7..11)), "node");
        assert_eq!(json_string(&text, &["main"]).unwrap().as_str(), "m.js");
        assert!(json_string(&text, &["start"]).is_none());
        for end in 0..json.len() {
            let file = sources.add("cut", &json[..end]);
            let _ = json_string(&sources.text(file), &["scripts", "start"]);
        }
    }
}
