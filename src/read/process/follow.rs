//! Follows a start command through wrappers, shells and scripts to the programs that keep running.

use std::collections::BTreeMap;

use crate::read::catalogue;
use crate::read::image::files::join;
use crate::read::process::unwrap::OwnScript;
use crate::read::process::{Argument, Process, Start, Started, pm2};
use crate::read::surroundings::{Found, Surroundings};
use crate::source::{Lookup, Span, Spanned, Text};
use crate::syntax::command_line::{Command, Joined, Part, Script, Word, shell};

/// Scripts that call scripts are followed so far; more is a circle.
const DEPTH: u32 = 12;

/// Commands that end on their own or only keep the shell busy, so that the one before them counts as the last.
const IDLE: [&str; 16] = [
    "wait", "tail", "sleep", "exit", "true", ":", "cat", "echo", "return", "trap", "kill", "read", "while", "fg",
    "jobs", "false",
];

pub fn follow(command: &Start, surroundings: &Surroundings) -> Started {
    let mut follower = Follower { surroundings, started: Started::default(), depth: 0, running: Vec::new() };
    let mut state = State::fresh(surroundings);
    match command {
        Start::Exec(words) => {
            let arguments = words.iter().cloned().map(Argument::known).collect();
            follower.command(arguments, state, Role::Last);
        }
        Start::Shell(text) => follower.script(&shell(text), &mut state, Vec::new(), Role::Last),
    }
    follower.started
}

/// What a script leaves running when it ends.
pub fn left_by_script(script: &Text, surroundings: &Surroundings) -> Started {
    let mut follower = Follower { surroundings, started: Started::default(), depth: 0, running: Vec::new() };
    follower.script(&shell(script), &mut State::fresh(surroundings), Vec::new(), Role::Before);
    follower.started
}

/// The apps of a pm2 ecosystem file.
pub fn ecosystem(path: &str, surroundings: &Surroundings) -> Started {
    let mut follower = Follower { surroundings, started: Started::default(), depth: 0, running: Vec::new() };
    pm2::ecosystem(&mut follower, path, None, &State::fresh(surroundings), Role::Beside);
    follower.started
}

/// What a shell knows while it reads a script.
#[derive(Clone)]
pub struct State {
    pub variables: BTreeMap<String, Lookup>,
    pub directory: String,
    /// What says so.
    pub directory_place: Option<Span>,
    /// `$0`, in a script file.
    pub script: Option<Text>,
    /// `$1`, `$2`, …
    pub parameters: Vec<Argument>,
    /// What runs here runs only under a condition.
    pub conditional: bool,
    /// It runs as somebody else than the one who started the script.
    pub changes_user: bool,
    /// A file that was taken in cannot be seen, so any variable may be set.
    pub hidden: bool,
}

impl State {
    fn fresh(surroundings: &Surroundings) -> State {
        State {
            variables: BTreeMap::new(),
            directory: surroundings.directory.to_owned(),
            directory_place: None,
            script: None,
            parameters: Vec::new(),
            conditional: false,
            changes_user: false,
            hidden: false,
        }
    }
}

/// What becomes of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is what the machine runs.
    Last,
    /// It runs beside the others.
    Beside,
    /// Others follow once it has ended.
    Before,
}

pub struct Follower<'s, 'm> {
    pub surroundings: &'s Surroundings<'m>,
    pub started: Started,
    depth: u32,
    /// The paths of the script files that are being read.
    running: Vec<String>,
}

impl Follower<'_, '_> {
    fn lookup(&self, state: &State, name: &str) -> Lookup {
        if name == "0" {
            return state.script.clone().map_or(Lookup::Unknown, Lookup::Value);
        }
        if let Ok(number) = name.parse::<usize>() {
            return match number.checked_sub(1).map(|index| state.parameters.get(index)) {
                Some(Some(argument)) if argument.complete => Lookup::Value(argument.text.clone()),
                Some(None) => Lookup::Unset,
                _ => Lookup::Unknown,
            };
        }
        if matches!(name, "@" | "*" | "#" | "?" | "$" | "!" | "-") {
            return Lookup::Unknown;
        }
        let value = match state.variables.get(name) {
            Some(value) => value.clone(),
            None => (self.surroundings.variable)(name),
        };
        match value {
            Lookup::Unset if state.hidden => Lookup::Unknown,
            value => value,
        }
    }

    /// Says that there may be processes that are not listed; the first reason is kept.
    pub fn open(&mut self, why: String) {
        self.started.open.get_or_insert(why);
    }

    /// Runs a script. `appended` goes behind its last command, as `npm run x -- …` does it.
    pub fn script(&mut self, script: &Script, state: &mut State, appended: Vec<Argument>, role: Role) {
        if self.depth >= DEPTH {
            self.open("the start scripts call each other".to_owned());
            return;
        }
        self.depth += 1;
        let last = last_command(script);
        for (index, command) in script.commands.iter().enumerate() {
            let conditional = state.conditional || command.conditional;
            if writes_hosts(command) {
                self.started.names_hosts.get_or_insert(command.span);
            }
            self.assign(command, conditional, state);
            let mut arguments = self.arguments(&command.words, state);
            if index + 1 == script.commands.len() {
                arguments.extend(appended.iter().cloned());
            }
            let Some(first) = arguments.first() else { continue };
            if first.complete && self.builtin(first.as_str(), &arguments, command, conditional, state) {
                continue;
            }
            let replaces_shell = first.as_str() == "exec";
            let mut inner = state.clone();
            inner.conditional = conditional;
            for (name, value) in &command.assignments {
                inner.variables.insert(name.value.clone(), self.value(value, state));
            }
            let role = match role {
                Role::Last | Role::Before if command.background => Role::Beside,
                Role::Last if replaces_shell || index >= last => Role::Last,
                Role::Last => Role::Before,
                other => other,
            };
            self.command(arguments, inner, role);
            if replaces_shell && !conditional {
                break;
            }
        }
        self.depth -= 1;
    }

    /// Runs a script file; its name is the first of the words.
    pub fn script_file(&mut self, script: &Script, mut words: Vec<Argument>, state: &mut State, role: Role) {
        let path = absolute(&state.directory, words[0].as_str());
        // `exec gosu app "$0" "$@"`: the script comes by again with fewer rights.
        if state.conditional && self.running.contains(&path) {
            return;
        }
        let parameters = words.split_off(1);
        state.script = words.pop().map(|name| name.text);
        state.parameters = parameters;
        self.running.push(path);
        self.script(script, state, Vec::new(), role);
        self.running.pop();
    }

    /// Notes the variables that a command sets for those that follow.
    fn assign(&mut self, command: &Command, conditional: bool, state: &mut State) {
        if !command.words.is_empty() {
            // `: "${PORT:=8000}"` sets a variable, too.
            for part in command.words.iter().flat_map(|word| &word.parts) {
                let Part::Variable { name, operator: Some((operator, _)), span, .. } = part else { continue };
                if !operator.ends_with('=') {
                    continue;
                }
                let word = Word { parts: vec![part.clone()], span: *span };
                let value = if conditional { Lookup::Unknown } else { self.value(&word, state) };
                state.variables.insert(name.clone(), value);
            }
            return;
        }
        for (name, word) in &command.assignments {
            let value = if conditional { Lookup::Unknown } else { self.value(word, state) };
            state.variables.insert(name.value.clone(), value);
        }
    }

    fn value(&self, word: &Word, state: &State) -> Lookup {
        match word.expand(&|name| self.lookup(state, name)) {
            Some(text) => Lookup::Value(text),
            None => Lookup::Unknown,
        }
    }

    /// The words of a command with everything put in that is known.
    fn arguments(&self, words: &[Word], state: &State) -> Vec<Argument> {
        let mut arguments = Vec::new();
        for word in words {
            if let [Part::Variable { name, operator: None, .. }] = word.parts.as_slice()
                && matches!(name.as_str(), "@" | "*")
            {
                arguments.extend(state.parameters.iter().cloned());
                continue;
            }
            if let Some(fields) = word.fields(&|name| self.lookup(state, name)) {
                arguments.extend(fields.into_iter().map(Argument::known));
                continue;
            }
            // Its beginning may still say which flag it is.
            let mut known = Word { parts: Vec::new(), span: word.span };
            for part in &word.parts {
                known.parts.push(part.clone());
                if known.expand(&|name| self.lookup(state, name)).is_none() {
                    known.parts.pop();
                    break;
                }
            }
            let text = known.expand(&|name| self.lookup(state, name)).unwrap_or_else(|| Text::fixed("", word.span));
            arguments.push(Argument { text, complete: false });
        }
        arguments
    }

    /// What the shell does itself. `true`: that is all there is to the command.
    fn builtin(
        &mut self,
        name: &str,
        arguments: &[Argument],
        command: &Command,
        conditional: bool,
        state: &mut State,
    ) -> bool {
        match name {
            "export" | "readonly" | "declare" | "local" | "typeset" => {
                for word in command.words.iter().skip(1) {
                    let Some((name, value)) = word.assignment() else { continue };
                    let value = if conditional { Lookup::Unknown } else { self.value(&value, state) };
                    state.variables.insert(name.value, value);
                }
            }
            "unset" => {
                for argument in &arguments[1..] {
                    let value = if conditional { Lookup::Unknown } else { Lookup::Unset };
                    state.variables.insert(argument.as_str().to_owned(), value);
                }
            }
            "cd" | "pushd" => {
                if let Some(folder) = arguments.get(1).filter(|folder| folder.complete && !conditional) {
                    state.directory = absolute(&state.directory, folder.as_str());
                    state.directory_place = Some(folder.text.whole());
                }
            }
            "set" => {
                let Some(at) = arguments.iter().position(|argument| argument.as_str() == "--") else { return true };
                // `if [ "${1#-}" != "$1" ]; then set -- php-fpm "$@"; fi` is how entrypoints put their program in front.
                let wants_program = state.parameters.first().is_none_or(|first| first.as_str().starts_with('-'));
                if !conditional || wants_program {
                    state.parameters = arguments[at + 1..].to_vec();
                }
            }
            "shift" => {
                let count = arguments.get(1).and_then(|count| count.as_str().parse().ok()).unwrap_or(1);
                if !conditional {
                    state.parameters.drain(..state.parameters.len().min(count));
                }
            }
            "." | "source" => self.take_in(arguments.get(1), state),
            _ => return false,
        }
        true
    }

    /// Reads a file into the running shell: only its variables count.
    fn take_in(&mut self, file: Option<&Argument>, state: &mut State) {
        let Some(file) = file else { return };
        if file.as_str().ends_with("/activate") {
            return;
        }
        let found = match file.complete {
            true => (self.surroundings.file)(&absolute(&state.directory, file.as_str())),
            false => Found::Unknown,
        };
        match found {
            Found::File(text) => {
                for command in shell(&text).commands {
                    let conditional = state.conditional || command.conditional;
                    self.assign(&command, conditional, state);
                    let arguments = self.arguments(&command.words, state);
                    if let Some(first) = arguments.first().filter(|first| matches!(first.as_str(), "export" | "unset"))
                    {
                        self.builtin(first.as_str(), &arguments, &command, conditional, state);
                    }
                }
            }
            Found::Absent => {}
            _ => state.hidden = true,
        }
    }

    /// Follows one command to its program.
    pub fn command(&mut self, mut arguments: Vec<Argument>, mut state: State, role: Role) {
        if role == Role::Before && !state.conditional {
            self.note_slow(&arguments);
        }
        for _ in 0..2 * DEPTH {
            let Some(first) = arguments.first() else { return };
            if !first.complete || first.as_str().is_empty() {
                let name = first.as_str().to_owned();
                return self.unknown(&name, &arguments, &state, role);
            }
            let words: Vec<&str> = arguments.iter().map(Argument::as_str).collect();
            let program = catalogue::program(&words).filter(|found| match found.value.is_silent() {
                true => in_a_usual_place(words[0]) && !in_a_folder_of_its_own(words[0]),
                false => in_a_usual_place(words[0]),
            });
            let wrapper = catalogue::wrapper(&words);
            let longer = match (&program, &wrapper) {
                (Some(program), Some(wrapper)) => program.words.len() > wrapper.words.len(),
                (program, _) => program.is_some(),
            };
            if let Some(found) = program.filter(|_| longer) {
                let name = found.words.iter().map(|at| words[*at]).collect::<Vec<&str>>().join(" ");
                let name = name.rsplit('/').next().unwrap_or(&name).to_owned();
                let place = arguments[0].text.whole();
                let own = found.words.iter().map(|at| words[*at].to_owned()).collect();
                let mut index = 0;
                arguments.retain(|_| {
                    index += 1;
                    !found.words.contains(&(index - 1))
                });
                if found.value.is_silent() && role == Role::Before {
                    return;
                }
                self.add(Process { program: Some(found.value), words: own, ..process(name, arguments, &state, place) });
                return;
            }
            // `wait-for-it.sh` may be a file of the project, and does what it is known for all the same. `exec` is never one.
            let is_known = words[0] == "exec" || wrapper.as_ref().is_some_and(|found| found.value.after.is_some());
            let script = if is_known { None } else { self.own_script(words[0], &state) };
            match script {
                Some(OwnScript::Shell(script)) => return self.script_file(&script, arguments, &mut state, role),
                Some(OwnScript::Of(language)) => {
                    let path = absolute(&state.directory, words[0]);
                    return self.run_file(path, language, arguments, &state, role);
                }
                None => {}
            }
            let Some(found) = wrapper.filter(|found| self.is_what_it_seems(found.value, words[0], &state)) else {
                let name = base(words[0]).to_owned();
                return self.unknown(&name, &arguments, &state, role);
            };
            let own = found.words.iter().max().map_or(1, |last| last + 1);
            match self.unwrap(found.value, arguments, own, &mut state, role) {
                Some(inner) => arguments = inner,
                None => return,
            }
        }
        self.open("the start command wraps itself".to_owned());
    }

    fn note_slow(&mut self, arguments: &[Argument]) {
        let words: Vec<&str> = arguments.iter().map(Argument::as_str).collect();
        let (Some(first), Some(last)) = (arguments.first(), arguments.last()) else { return };
        if self.started.slow.is_none() && catalogue::is_slow(&words) {
            let place = first.text.whole().to(last.text.whole());
            self.started.slow = Some(Spanned::new(words.join(" "), place));
        }
    }

    /// A program that nobody knows. In front of others it is believed to end, unless it looks like a daemon.
    pub fn unknown(&mut self, name: &str, arguments: &[Argument], state: &State, role: Role) {
        if role == Role::Before && !looks_like_daemon(name, arguments) {
            return;
        }
        let place = arguments[0].text.whole();
        let called = arguments[0].as_str().to_owned();
        self.add(Process { called, ..process(name.to_owned(), arguments[1..].to_vec(), state, place) });
    }

    pub fn add(&mut self, process: Process) {
        self.started.processes.push(process);
    }
}

pub fn process(name: String, arguments: Vec<Argument>, state: &State, place: Span) -> Process {
    Process {
        program: None,
        called: name.clone(),
        words: Vec::new(),
        handed: None,
        changes_user: state.changes_user,
        user: None,
        umask: None,
        name,
        arguments,
        variables: state.variables.clone(),
        directory: state.directory.clone(),
        directory_place: state.directory_place,
        place,
        entry: None,
        conditional: state.conditional,
    }
}

/// `echo "$address db" >> /etc/hosts`, `… | tee -a /etc/hosts`.
fn writes_hosts(command: &Command) -> bool {
    let is_hosts = |word: &Word| word.literal().is_some_and(|text| text == "/etc/hosts");
    let is_output = |operator: &str| operator.trim_start_matches(|it: char| it.is_ascii_digit()).starts_with('>');
    let copies = || {
        let first = command.words.first().and_then(Word::literal);
        first.is_some_and(|name| matches!(base(name.as_str()), "tee" | "cp" | "mv" | "sed" | "sudo"))
    };
    command.redirections.iter().any(|it| is_output(&it.operator) && is_hosts(&it.target))
        || command.words.iter().any(is_hosts) && copies()
}

/// The index of the command that keeps the script busy; those behind it only wait, or run when it failed.
fn last_command(script: &Script) -> usize {
    let is_idle = |command: &Command| {
        let first = command.words.first().and_then(Word::literal);
        first.is_none_or(|word| IDLE.contains(&word.as_str()))
    };
    let busy = |(_, command): &(usize, &Command)| !command.background && !is_idle(command);
    let Some((mut last, _)) = script.commands.iter().enumerate().rfind(busy) else { return 0 };
    while last > 0 && matches!(script.commands[last].joined, Joined::Or | Joined::Pipe) {
        last -= 1;
    }
    last
}

/// A name such as `serve` means the known program only where programs are usually installed; `./serve` is somebody's own.
fn in_a_usual_place(word: &str) -> bool {
    let Some((folder, name)) = word.rsplit_once('/') else { return true };
    let above = folder.rsplit('/').next().unwrap_or(folder);
    // `/test` and `/serve` at the root of an image are somebody's own, too.
    matches!(above, "bin" | "sbin" | ".bin" | "shims" | "init.d")
        || above.contains(name)
        // `/opt/odoo/odoo-bin`.
        || name.split_once('-').is_some_and(|(product, _)| product.len() > 3 && above.contains(product))
        || name.contains('.')
        || folder.starts_with("/usr/")
}

/// `/go/bin/test` is what somebody built, and not the `test` of the system.
fn in_a_folder_of_its_own(word: &str) -> bool {
    let Some((folder, name)) = word.rsplit_once('/') else { return false };
    let short = name.len() < 6 && name.bytes().all(|byte| byte.is_ascii_lowercase());
    let of_the_system = ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    short && folder.ends_with("bin") && folder.starts_with('/') && !of_the_system.contains(&folder)
}

/// In front of other commands, a program with such a name or argument stays behind them.
fn looks_like_daemon(name: &str, arguments: &[Argument]) -> bool {
    (name.ends_with('d') && name.len() > 3)
        || ["server", "daemon", "start"].iter().any(|part| name.contains(part))
        || arguments[1..]
            .iter()
            .any(|word| matches!(word.as_str(), "-d" | "-D" | "--daemon" | "--detach" | "start" | "--daemonize"))
}

/// `path`, seen from `directory`, without `.` and `..`.
pub fn absolute(directory: &str, path: &str) -> String {
    if path.starts_with('/') { join("/", path) } else { join("/", &format!("{directory}/{path}")) }
}

pub fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
