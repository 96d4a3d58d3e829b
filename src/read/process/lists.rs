//! Files that name further commands: package.json scripts, supervisor's programs, Procfiles.

use std::ops::Range;

use crate::read::process::Argument;
use crate::read::process::follow::{Follower, Role, State, absolute};
use crate::read::surroundings::{Found, Surroundings};
use crate::source::{Lookup, Text, TextBuilder};
use crate::syntax::command_line::shell;
use crate::syntax::ini::{Style, parse};

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
    let mut texts = vec![text.clone()];
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    for section in parse(&text, Style::SUPERVISOR).sections {
        if section.name.value != "include" {
            continue;
        }
        for (_, files) in section.entries.iter().filter(|(key, _)| key.value == "files") {
            for pattern in files.as_str().split_whitespace() {
                included(follower, &absolute(folder, pattern), &mut texts);
            }
        }
    }
    let mut any = false;
    for text in &texts {
        for section in parse(text, Style::SUPERVISOR).sections {
            if !section.name.value.starts_with("program:") {
                continue;
            }
            any = true;
            let value = |key: &str| section.entries.iter().rfind(|(name, _)| name.value == key).map(|(_, text)| text);
            if value("autostart").is_some_and(|value| value.as_str().eq_ignore_ascii_case("false")) {
                continue;
            }
            let Some(command) = value("command") else { continue };
            let mut inner = state.clone();
            if let Some(folder) = value("directory") {
                inner.directory = absolute("/", folder.as_str());
            }
            for (name, value) in value("environment").map(environment).unwrap_or_default() {
                inner.variables.insert(name, Lookup::Value(value));
            }
            if command.as_str().contains("%(") {
                follower.open(format!("the command of `{}` holds an expansion", section.name.value));
                continue;
            }
            let role = if role == Role::Last { Role::Beside } else { role };
            follower.script(&shell(command), &mut inner, Vec::new(), role);
        }
    }
    if !any {
        follower.open("supervisord has no program that is visible".to_owned());
    }
}

fn included(follower: &mut Follower, pattern: &str, texts: &mut Vec<Text>) {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or(("/", pattern));
    let listing = (follower.surroundings.list)(folder);
    if !listing.complete {
        follower.open(format!("the folder `{folder}` may hold further programs for supervisord"));
    }
    for file in listing.names.iter().filter(|file| crate::read::catalogue::entries::matches(name, file)) {
        match (follower.surroundings.file)(&format!("{folder}/{file}")) {
            Found::File(text) => texts.push(text),
            Found::Directory | Found::Absent => {}
            Found::Opaque | Found::Unknown => follower.open(format!("`{folder}/{file}` is not visible")),
        }
    }
}

/// `A="b",C=d`.
fn environment(text: &Text) -> Vec<(String, Text)> {
    let mut pairs = Vec::new();
    let bytes = text.as_str().as_bytes();
    let (mut start, mut quote) = (0, None);
    for at in 0..=bytes.len() {
        match (bytes.get(at), quote) {
            (Some(byte @ (b'"' | b'\'')), None) => quote = Some(*byte),
            (Some(byte), Some(open)) if *byte == open => quote = None,
            (Some(b','), None) | (None, _) => {
                if let Some((name, value)) = text.slice(start..at).split_once('=') {
                    let value = value.trim();
                    let inner = value.as_str().trim_matches(['"', '\'']);
                    let skipped = value.as_str().len() - value.as_str().trim_start_matches(['"', '\'']).len();
                    let value = value.slice(
                        skipped.min(value.as_str().len() - inner.len())
                            ..(skipped + inner.len()).min(value.as_str().len()),
                    );
                    pairs.push((name.trim().as_str().to_owned(), value));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    pairs
}

/// foreman and honcho give each process a `PORT`, from 5000 in steps of 100.
fn procfile(follower: &mut Follower, path: &str, words: &[Argument], state: &State) {
    let Found::File(text) = (follower.surroundings.file)(path) else {
        return follower.open(format!("`{path}` is not visible"));
    };
    let mut port = 5000;
    for range in lines(text.as_str()) {
        let line = text.slice(range);
        let Some((name, command)) = line.split_once(':') else { continue };
        if name.as_str().starts_with('#') {
            continue;
        }
        let wanted = words.iter().filter(|word| !word.as_str().starts_with('-'));
        let only: Vec<&str> = wanted.map(Argument::as_str).filter(|word| *word != "start").collect();
        let is_wanted = only.is_empty() || only.contains(&name.as_str().trim());
        if is_wanted {
            let mut inner = state.clone();
            if matches!((follower.surroundings.variable)("PORT"), Lookup::Unset) {
                inner
                    .variables
                    .insert("PORT".to_owned(), Lookup::Value(Text::fixed(&port.to_string(), command.whole())));
            }
            follower.script(&shell(&command.trim()), &mut inner, Vec::new(), Role::Beside);
        }
        port += 100;
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
