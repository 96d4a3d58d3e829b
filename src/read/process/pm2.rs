//! What pm2 starts: a file, or the apps of an ecosystem file (pm2.keymetrics.io/docs/usage/application-declaration).

use std::collections::BTreeMap;

use crate::read::app::settings::{Format, Setting, Settings, settings};
use crate::read::process::Argument;
use crate::read::process::follow::{Follower, Role, State, absolute, base};
use crate::read::surroundings::Found;
use crate::source::{Lookup, Text};
use crate::syntax::command_line::{Word, shell};

/// An ecosystem file with more apps is no ecosystem file.
const MANY: usize = 500;

/// Names of files that list apps.
pub fn is_ecosystem(path: &str) -> bool {
    let name = base(path);
    let listed =
        [".config.js", ".config.cjs", ".config.json", ".json", ".yml", ".yaml"].iter().any(|end| name.ends_with(end));
    listed && name != "package.json"
}

/// `pm2 start FILE …`, `pm2-runtime FILE …`; `words` stand behind the name of the program.
pub fn start(follower: &mut Follower, words: &[Argument], state: &State, role: Role) {
    let role = if role == Role::Last { Role::Beside } else { role };
    let given = |options: &[&str]| {
        let at = words.iter().position(|word| options.contains(&word.as_str()))?;
        words.get(at + 1).filter(|word| word.complete)
    };
    let environment = given(&["--env"]).map(|word| word.as_str().to_owned());
    let own_end = words.iter().position(|word| word.as_str() == "--").unwrap_or(words.len());
    const VALUES: [&str; 14] = [
        "--env",
        "--only",
        "--name",
        "-n",
        "-i",
        "--instances",
        "--cwd",
        "--interpreter",
        "--max-memory-restart",
        "-o",
        "-e",
        "-l",
        "--log",
        "--namespace",
    ];
    let mut plain = Vec::new();
    let mut at = 0;
    while at < own_end {
        let word = &words[at];
        at += if VALUES.contains(&word.as_str()) { 2 } else { 1 };
        if !word.as_str().starts_with('-') {
            plain.push(word);
        }
    }
    let commands = [
        "start",
        "restart",
        "reload",
        "startOrRestart",
        "startOrReload",
        "resurrect",
        "serve",
        "save",
        "stop",
        "delete",
        "kill",
        "ping",
        "link",
    ];
    let named = plain.first().map(|word| word.as_str()).filter(|word| commands.contains(word));
    let file = match named {
        Some("start" | "restart" | "reload" | "startOrRestart" | "startOrReload") => plain.get(1),
        Some("resurrect") => return resurrect(follower, state, role),
        Some(_) => return follower.open("what `pm2` does is not followed".to_owned()),
        None => plain.first(),
    };
    let Some(file) = file.filter(|file| file.complete) else {
        return follower.open("what `pm2` starts is not visible".to_owned());
    };
    if is_ecosystem(file.as_str()) {
        return ecosystem(
            follower,
            &absolute(&state.directory, file.as_str()),
            environment.as_deref().or(Some("")),
            state,
            role,
        );
    }
    let mut inner = state.clone();
    if let Some(folder) = given(&["--cwd"]) {
        inner.directory = absolute(&state.directory, folder.as_str());
        inner.directory_place = Some(folder.text.whole());
    }
    let mut command: Vec<Argument> = interpreter(given(&["--interpreter"]).map(|word| word.as_str()), &file.text);
    command.push((*file).clone());
    command.extend(words.iter().skip(own_end + 1).cloned());
    follower.command(command, inner, role);
}

/// Starts again what `pm2 save` has noted in the folder of pm2, a list of apps with all their settings.
fn resurrect(follower: &mut Follower, state: &State, role: Role) {
    let variable = |name: &str| match state.variables.get(name).cloned() {
        Some(value) => value,
        None => (follower.surroundings.variable)(name),
    };
    let folder = match (variable("PM2_HOME"), variable("HOME")) {
        (Lookup::Value(folder), _) => folder.as_str().to_owned(),
        (Lookup::Unset, Lookup::Value(home)) => format!("{}/.pm2", home.as_str()),
        _ => return follower.open("what `pm2 resurrect` starts again is not visible".to_owned()),
    };
    let path = absolute(&folder, "dump.pm2");
    let Found::File(text) = (follower.surroundings.file)(&path) else {
        return follower.open(format!("`{path}` is not visible, and `pm2 resurrect` starts what it lists"));
    };
    let read = settings(Format::Json, &path, &text, follower.surroundings);
    let apps = apps(&read, "");
    if apps.is_empty() {
        follower.open(format!("`{path}` lists nothing that is understood"));
    }
    for app in apps.values().filter(|app| !app.is_idle()) {
        app.start(follower, &path, &folder, Some(""), state, role);
    }
}

/// Starts the apps of a file. `environment`: the name given with `--env`, empty for none; `None`: not known.
pub fn ecosystem(follower: &mut Follower, path: &str, environment: Option<&str>, state: &State, role: Role) {
    let Found::File(text) = (follower.surroundings.file)(path) else {
        return follower.open(format!("`{path}` is not visible"));
    };
    let format = match path.rsplit('.').next() {
        Some("json") => Format::Json,
        Some("yml" | "yaml") => Format::Yaml,
        _ => Format::JavaScript,
    };
    let read = settings(format, path, &text, follower.surroundings);
    let apps = apps(&read, "apps");
    if apps.is_empty() || matches!(read.get("no such key"), Setting::Unclear(_)) || has_unclear_list(&read) {
        follower.open(format!("a part of `{path}` is computed"));
    }
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    for app in apps.values() {
        app.start(follower, path, folder, environment, state, role);
    }
}

/// The apps of a list by their numbers.
fn apps(read: &Settings, list: &str) -> BTreeMap<usize, App> {
    let mut apps: BTreeMap<usize, App> = BTreeMap::new();
    for (key, setting) in read.entries() {
        let rest = key.strip_prefix(list).and_then(|rest| rest.strip_prefix('.'));
        let Some((number, key)) = rest.and_then(|rest| rest.split_once('.')) else { continue };
        let Some(number) = number.parse().ok().filter(|number| *number < MANY) else { continue };
        apps.entry(number).or_default().0.push((key.to_owned(), setting.clone()));
    }
    apps
}

/// Of a list with objects the list itself is unclear; an app that is no plain object leaves a gap.
fn has_unclear_list(read: &Settings) -> bool {
    read.entries().any(|(key, setting)| {
        let number = key.strip_prefix("apps.");
        matches!(setting, Setting::Unclear(_)) && number.is_some_and(|rest| rest.parse::<usize>().is_ok())
    })
}

/// The settings of one app.
#[derive(Default)]
struct App(Vec<(String, Setting)>);

impl App {
    fn get(&self, key: &str) -> Option<&Setting> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, setting)| setting)
    }

    fn text(&self, key: &str) -> Option<&Text> {
        match self.get(key) {
            Some(Setting::Value(text)) => Some(text),
            _ => None,
        }
    }

    /// It was stopped when it was noted, or belongs to pm2 itself.
    fn is_idle(&self) -> bool {
        self.text("status").is_some_and(|status| status.as_str() == "stopped") || self.get("pmx_module").is_some()
    }

    fn start(
        &self,
        follower: &mut Follower,
        path: &str,
        folder: &str,
        environment: Option<&str>,
        state: &State,
        role: Role,
    ) {
        // What is noted has names of its own.
        let Some(script) = self.text("script").or(self.text("pm_exec_path")) else {
            return follower.open(format!("the script of an app in `{path}` is not plain"));
        };
        let mut inner = state.clone();
        let cwd = if self.get("pm_cwd").is_some() { "pm_cwd" } else { "cwd" };
        inner.directory = match (self.text(cwd), self.get(cwd)) {
            (Some(cwd), _) => absolute(folder, cwd.as_str()),
            (None, Some(_)) => return follower.open(format!("the folder of an app in `{path}` is not plain")),
            (None, None) => folder.to_owned(),
        };
        inner.directory_place = self.text("cwd").map(Text::whole);
        self.environment(environment, &mut inner);
        let named = self.text("interpreter").or(self.text("exec_interpreter")).map(Text::as_str);
        let mut words = interpreter(named, script);
        if script.as_str().contains(' ') {
            // A whole command line.
            return follower.script(&shell(script), &mut inner, Vec::new(), role);
        }
        words.push(Argument::known(script.clone()));
        match self.get("args") {
            None => {}
            Some(Setting::Value(text)) => {
                let words_of = shell(text).commands.into_iter().flat_map(|command| command.words);
                words.extend(words_of.map(|word| argument(&word)));
            }
            Some(Setting::Values(texts)) => words.extend(texts.iter().cloned().map(Argument::known)),
            Some(_) => words.push(Argument { text: Text::fixed("", script.whole()), complete: false }),
        }
        follower.command(words, inner, role);
    }

    fn environment(&self, environment: Option<&str>, state: &mut State) {
        let chosen = environment.filter(|name| !name.is_empty()).map(|name| format!("env_{name}."));
        for (key, setting) in &self.0 {
            let Some((group, name)) = key.split_once('.') else { continue };
            let value = match setting {
                Setting::Value(text) => Lookup::Value(text.clone()),
                _ => Lookup::Unknown,
            };
            if group == "env" {
                state.variables.insert(name.to_owned(), value);
            }
        }
        for (key, setting) in &self.0 {
            let Some((group, name)) = key.split_once('.').filter(|(group, _)| group.starts_with("env_")) else {
                continue;
            };
            let value = match (setting, &chosen) {
                (Setting::Value(text), Some(prefix)) if key.starts_with(prefix.as_str()) => Lookup::Value(text.clone()),
                // Another environment than the one that is asked for.
                (_, Some(prefix)) if *prefix != format!("{group}.") => continue,
                (_, None) if environment.is_some() => continue,
                (Setting::Value(text), None) => match state.variables.get(name) {
                    Some(Lookup::Value(known)) if known.as_str() == text.as_str() => continue,
                    _ => Lookup::Unknown,
                },
                _ => Lookup::Unknown,
            };
            state.variables.insert(name.to_owned(), value);
        }
        let counts = self.get("increment_var").is_some()
            || (self.get("port").is_some() && !state.variables.contains_key("PORT"));
        if counts {
            let name = self.text("increment_var").map_or("PORT", Text::as_str).to_owned();
            state.variables.insert(name, Lookup::Unknown);
        }
    }
}

fn argument(word: &Word) -> Argument {
    match word.literal() {
        Some(text) => Argument::known(text),
        None => Argument { text: Text::fixed("", word.span), complete: false },
    }
}

/// What runs the script: by its ending, node for a file without one; a command of the system runs itself.
fn interpreter(named: Option<&str>, script: &Text) -> Vec<Argument> {
    let name = base(script.as_str());
    let by_ending = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("py") => Some("python3"),
        Some("rb") => Some("ruby"),
        Some("sh") => Some("bash"),
        Some("php") => Some("php"),
        Some("js" | "cjs" | "mjs" | "ts") => Some("node"),
        _ if script.as_str().contains("node_modules/") => Some("node"),
        _ => None,
    };
    let program = match named {
        Some("none") => None,
        Some(named) => Some(named),
        None => by_ending,
    };
    program.map(|program| Argument::known(Text::fixed(program, script.whole()))).into_iter().collect()
}
