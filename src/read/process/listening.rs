//! Where a process listens: the catalogue's default, moved by what the command, the variables and the files say.

use crate::read::app::javascript::sources_of_build;
use crate::read::app::php_fpm;
use crate::read::app::tokens::Language;
use crate::read::app::{self, EntryFile};
use crate::read::catalogue;
use crate::read::catalogue::program::{Meaning, Program};
use crate::read::process::address;
use crate::read::process::flags::Given;
use crate::read::process::judged::Judged;
use crate::read::process::web_server;
use crate::read::process::{Process, Started};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening, Protocol};
use crate::source::Text;

/// The listeners of everything that was started. `read` answers for programs whose listeners stand in a configuration
/// of their own ([`Program::reader`]); where it answers `None`, the list is open. Beside each listener stands the number
/// of the process that opens it.
pub fn listening_of_all(
    started: &Started,
    surroundings: &Surroundings,
    read: &dyn Fn(&Process) -> Option<Listening>,
) -> (Listening, Vec<usize>) {
    let mut all = Listening { listeners: Vec::new(), open: started.open.clone() };
    let mut owners = Vec::new();
    for (number, process) in started.processes.iter().enumerate() {
        let one = read(process).unwrap_or_else(|| listening(process, surroundings));
        for listener in one.listeners {
            if !all.listeners.contains(&listener) {
                all.listeners.push(listener);
                owners.push(number);
            }
        }
        all.open = all.open.or(one.open);
    }
    all.listeners.shrink_to_fit();
    (all, owners)
}

/// The listeners of one process. Where it starts only under a condition, they prove little.
pub fn listening(process: &Process, surroundings: &Surroundings) -> Listening {
    let mut listening = unconditional(process, surroundings);
    if process.conditional {
        let why = || format!("whether `{}` starts depends on a condition in a script", process.name);
        listening.open.get_or_insert_with(why);
        for listener in &mut listening.listeners {
            listener.protocol = None;
            if let Endpoint::Tcp { bind, .. } = &mut listener.endpoint
                && bind.is_loopback()
            {
                *bind = Bind::Unknown;
            }
        }
    }
    listening
}

fn unconditional(process: &Process, surroundings: &Surroundings) -> Listening {
    if process.entry.is_some() {
        let unread = || Listening::open(format!("where `{}` listens stands in its code", process.name));
        return entry(process, surroundings).map_or_else(unread, |entry| entry.listening);
    }
    let Some(program) = process.program else { return unknown_program(process, surroundings) };
    if let Some(reader) = &program.reader {
        if let Some(pools) = pools(process, program, surroundings) {
            return php_fpm::listening(&pools);
        }
        return web_server::listening(process, program, surroundings).unwrap_or_else(|| {
            Listening::open(format!("where `{}` listens stands in its {reader} configuration", process.name))
        });
    }
    let mut result = Listening { listeners: Vec::new(), open: None };
    let Some(first) = &program.listen else {
        let why = program.open.clone().unwrap_or_else(|| "it is not known where it listens".to_owned());
        result.open = Some(format!("`{}`: {why}", process.name));
        return result;
    };
    if let Some(socket) = &process.handed {
        return handed(process, socket, first.protocol);
    }
    let judged = Judged::new(process, program, surroundings);
    let found = judged.socket(first, &program.movers, &program.needs);
    let moved = found.listeners.iter().any(|listener| listener.evidence == Evidence::Binding);
    if let (Some(why), false) = (&program.open, moved || found.open.is_some()) {
        result.open = Some(format!("`{}`: {why}", process.name));
    }
    add(&mut result, found);
    for further in &program.also {
        add(&mut result, judged.socket(&further.listen, &further.movers, &further.needs));
    }
    result
}

/// What the code of a process says, when it is a file that is there.
pub fn entry(process: &Process, surroundings: &Surroundings) -> Option<app::Entry> {
    let entry = process.entry.as_ref()?;
    let language = match entry.language {
        "js" => Language::JavaScript,
        "python" => Language::Python,
        "ruby" => Language::Ruby,
        _ => return None,
    };
    let (path, text) = source(&entry.path, surroundings)?;
    let all_known = process.arguments.iter().all(|argument| argument.complete);
    let arguments: Vec<Text> = process.arguments.iter().map(|argument| argument.text.clone()).collect();
    let file = EntryFile { path: &path, text: &text, language, arguments: all_known.then_some(arguments.as_slice()) };
    let variable = |name: &str| process.variable(name, surroundings);
    let inner = Surroundings { directory: &process.directory, variable: &variable, ..*surroundings };
    let mut found = app::entry(&file, &inner);
    if path != entry.path {
        let why = || format!("`{}` is not in the tree, only what it is built from", process.name);
        found.listening.open.get_or_insert_with(why);
    }
    Some(found)
}

/// The text of an entry file; of one that a build makes, the source that it is made from.
fn source(path: &str, surroundings: &Surroundings) -> Option<(String, Text)> {
    let read = |path: &str| match (surroundings.file)(path) {
        Found::File(text) => Some((path.to_owned(), text)),
        _ => None,
    };
    read(path).or_else(|| sources_of_build(path).iter().find_map(|source| read(source)))
}

/// The pools of a php-fpm, from the main file that it is started with.
pub fn pools(process: &Process, program: &Program, surroundings: &Surroundings) -> Option<php_fpm::Pools> {
    if program.reader.as_deref() != Some("php-fpm") {
        return None;
    }
    let judged = Judged::new(process, program, surroundings);
    let version = process.name.replace("php-fpm", "").replace("-fpm", "").replace("php", "");
    let version = version.trim_start_matches('-');
    let config = program.config.as_ref()?;
    let named = match judged.flags(config.flag.as_deref().unwrap_or(""), true).pop() {
        Some(Given::Value(path)) => vec![path.as_str().to_owned()],
        Some(_) => return None,
        None => config.paths.iter().map(|path| path.replace("{}", version)).collect(),
    };
    let (path, main) = named.into_iter().find_map(|path| match (surroundings.file)(&path) {
        Found::File(text) => Some((path, text)),
        _ => None,
    })?;
    // Relative paths start at the prefix that php-fpm was built with.
    let prefix = path.split_once("/etc/").map_or("/usr", |(before, _)| if before.is_empty() { "/usr" } else { before });
    let mut pools = php_fpm::pools(&main, prefix, surroundings.file, surroundings.list);
    pools.put_in(&|name| process.variable(name, surroundings));
    Some(pools)
}

/// A program that is handed its socket opens none: `socket=unix:///run/app.sock`, `socket=tcp://localhost:8000`.
fn handed(process: &Process, socket: &Text, protocol: Option<Protocol>) -> Listening {
    let endpoint = address::address(socket.as_str()).and_then(|address| address.endpoint(Bind::Any));
    let Some(endpoint) = endpoint.filter(|_| !socket.as_str().contains("%(")) else {
        return Listening::open(format!("the socket of `{}` is not plain", process.name));
    };
    let listener = Listener {
        endpoint,
        protocol,
        evidence: Evidence::Binding,
        place: socket.whole(),
        bind_place: socket.whole(),
        why: format!("`{}` is handed this socket", process.name),
        anywhere: None,
        access: None,
    };
    Listening { listeners: vec![listener], open: None }
}

fn add(all: &mut Listening, one: Listening) {
    for listener in one.listeners {
        let same = |known: &Listener| known.endpoint == listener.endpoint;
        match all.listeners.iter().position(same) {
            // What is written is stronger than a default that would have the same port.
            Some(at) if all.listeners[at].evidence == Evidence::Default => all.listeners[at] = listener,
            Some(_) => {}
            None => all.listeners.push(listener),
        }
    }
    if all.open.is_none() {
        all.open = one.open;
    }
}

/// A program that nobody knows: only a flag that can mean nothing else says where it listens, and only a whole address
/// says that it listens nowhere else.
fn unknown_program(process: &Process, surroundings: &Surroundings) -> Listening {
    let why = || format!("it is not known where `{}` listens", process.name);
    let Some(program) = catalogue::unknown_program() else { return Listening::open(why()) };
    let Some(socket) = &program.listen else { return Listening::open(why()) };
    let judged = Judged::new(process, program, surroundings);
    let mut found = judged.socket(socket, &program.movers, &[]);
    let names_address = program.movers.iter().filter(|mover| mover.is == Meaning::Address).any(|mover| {
        judged.given(mover).iter().any(|given| match given {
            Given::Value(text) => {
                address::address(text.as_str()).is_some_and(|it| it.port.is_some() || it.unix.is_some())
            }
            _ => false,
        })
    });
    for listener in &mut found.listeners {
        listener.protocol = None;
    }
    if !names_address {
        found.open.get_or_insert_with(why);
    }
    found
}
