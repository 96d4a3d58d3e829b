//! Where a process listens: the catalogue's default, moved by what the command, the variables and the files say.

use crate::read::catalogue;
use crate::read::catalogue::program::{Config, Meaning, Mover, Program, Socket};
use crate::read::process::address::{self, Address};
use crate::read::process::follow::absolute;
use crate::read::process::{Argument, Process, Started};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::{Bind, Evidence, Listener, Listening, Protocol};
use crate::source::{Lookup, Span, Text};

/// The listeners of everything that was started. `read` answers for programs whose listeners stand in a configuration
/// of their own ([`Program::reader`]); where it answers `None`, the list is open.
pub fn listening_of_all(
    started: &Started,
    surroundings: &Surroundings,
    read: &dyn Fn(&Process) -> Option<Listening>,
) -> Listening {
    let mut all = Listening { listeners: Vec::new(), open: started.open.clone() };
    for process in &started.processes {
        let one = read(process).unwrap_or_else(|| listening(process, surroundings));
        for listener in one.listeners {
            if !all.listeners.contains(&listener) {
                all.listeners.push(listener);
            }
        }
        if all.open.is_none() {
            all.open = one.open;
        }
        if process.conditional && all.open.is_none() {
            all.open = Some(format!("whether `{}` starts depends on a condition in a script", process.name));
        }
    }
    all
}

/// The listeners of one process.
pub fn listening(process: &Process, surroundings: &Surroundings) -> Listening {
    if let Some(entry) = &process.entry {
        return Listening::open(format!("where `{}` listens stands in its code", entry.path));
    }
    let Some(program) = process.program else { return unknown_program(process, surroundings) };
    if let Some(reader) = &program.reader {
        return Listening::open(format!("where `{}` listens stands in its {reader} configuration", process.name));
    }
    let mut result = Listening { listeners: Vec::new(), open: None };
    let Some(first) = &program.listen else {
        let why = program.open.clone().unwrap_or_else(|| "it is not known where it listens".to_owned());
        result.open = Some(format!("`{}`: {why}", process.name));
        return result;
    };
    let judged = Judged::new(process, program, surroundings);
    let found = judged.socket(first, &program.movers, &program.needs);
    if let (Some(why), true) = (&program.open, found.listeners.is_empty() && found.open.is_none()) {
        result.open = Some(format!("`{}`: {why}", process.name));
    }
    add(&mut result, found);
    for further in &program.also {
        add(&mut result, judged.socket(&further.listen, &further.movers, &further.needs));
    }
    result
}

fn add(all: &mut Listening, one: Listening) {
    for listener in one.listeners {
        if !all.listeners.iter().any(|known| known.endpoint == listener.endpoint) {
            all.listeners.push(listener);
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

/// A mover that is there.
#[derive(Clone, Debug)]
enum Given {
    Value(Text),
    /// A flag without a value.
    Bare(Span),
    /// What it says is not visible; the reason.
    Unknown(Span, String),
}

enum Settings {
    /// There is no configuration file.
    Absent,
    /// It is there, in a format that is only searched for the names of its keys.
    Searched { text: Text, path: String },
    /// The reason why it cannot be read, and the place that names it.
    Hidden(Span, String),
}

struct Judged<'p, 's, 'm> {
    process: &'p Process,
    program: &'p Program,
    surroundings: &'s Surroundings<'m>,
    /// Further arguments from a variable, weaker than the command line.
    weaker: Vec<Argument>,
    /// Words that may hold options that are not visible.
    hidden_options: Option<String>,
    settings: Settings,
}

impl<'p, 's, 'm> Judged<'p, 's, 'm> {
    fn new(process: &'p Process, program: &'p Program, surroundings: &'s Surroundings<'m>) -> Judged<'p, 's, 'm> {
        let mut judged = Judged {
            process,
            program,
            surroundings,
            weaker: Vec::new(),
            hidden_options: None,
            settings: Settings::Absent,
        };
        if let Some(name) = &program.arguments {
            match process.variable(name, surroundings) {
                Lookup::Value(text) => judged.weaker = split(&text),
                Lookup::Unset => {}
                Lookup::Unknown => judged.hidden_options = Some(format!("`{name}` may hold further options")),
            }
        }
        let is_hidden = |(index, word): (usize, &Argument)| {
            let is_value = index > 0 && judged.takes_value(process.arguments[index - 1].as_str());
            !word.complete && word.as_str().is_empty() && !is_value
        };
        if process.arguments.iter().enumerate().any(is_hidden) {
            judged.hidden_options =
                Some(format!("options of `{}` come from a variable that is not visible", process.name));
        }
        if let Some(config) = &program.config {
            judged.settings = judged.load(config);
        }
        judged
    }

    fn takes_value(&self, word: &str) -> bool {
        let movers = self.program.movers.iter().chain(self.program.also.iter().flat_map(|further| &further.movers));
        let config_flags = self.program.config.as_ref().and_then(|config| config.flag.as_deref()).unwrap_or("");
        self.program.values.iter().any(|option| option == word)
            || config_flags.split(' ').any(|flag| flag == word)
            || movers
                .filter(|mover| !matches!(mover.is, Meaning::Tls | Meaning::Off | Meaning::Anywhere))
                .any(|mover| mover.flag.as_deref().is_some_and(|flags| flags.split(' ').any(|flag| flag == word)))
    }

    fn load(&self, config: &Config) -> Settings {
        let place = self.process.place;
        let mut named: Option<Given> = None;
        if let Some(flags) = &config.flag {
            named = self.flags(flags, true).pop();
        }
        if let (None, Some(ending)) = (&named, &config.ending) {
            let is_file =
                |word: &&Argument| word.complete && !word.as_str().starts_with('-') && word.as_str().ends_with(ending);
            named = self.process.arguments.iter().find(is_file).map(|word| Given::Value(word.text.clone()));
        }
        if let (None, Some(name)) = (&named, &config.variable) {
            named = self.variable(name);
        }
        match named {
            Some(Given::Value(path)) => self.load_file(config, path.as_str(), path.whole(), true),
            Some(Given::Unknown(span, why)) => Settings::Hidden(span, why),
            _ => {
                for path in &config.paths {
                    match self.load_file(config, path, place, false) {
                        Settings::Absent => {}
                        found => return found,
                    }
                }
                Settings::Absent
            }
        }
    }

    fn load_file(&self, _config: &Config, path: &str, place: Span, named: bool) -> Settings {
        let path = path.strip_prefix("file:").unwrap_or(path);
        let path = absolute(&self.process.directory, path);
        match (self.surroundings.file)(&path) {
            Found::Absent | Found::Directory if !named => Settings::Absent,
            Found::Absent => Settings::Hidden(place, format!("`{path}` is not there")),
            Found::File(text) => Settings::Searched { text, path },
            _ => Settings::Hidden(place, format!("`{path}` is not visible")),
        }
    }

    /// What a mover is given, in the order in which it is written.
    fn given(&self, mover: &Mover) -> Vec<Given> {
        let mut given = if let Some(flags) = &mover.flag {
            let takes_value = !matches!(mover.is, Meaning::Tls | Meaning::Off) || mover.when.is_some();
            self.flags_of(mover, flags, takes_value)
        } else if let Some(names) = &mover.variable {
            self.variable(names).into_iter().collect()
        } else if let Some(keys) = &mover.key {
            self.keys(keys)
        } else if let Some(number) = mover.argument {
            self.positional(number).into_iter().collect()
        } else {
            Vec::new()
        };
        if let Some(wanted) = &mover.when {
            given.retain(|one| match one {
                Given::Value(text) => wanted.split(' ').any(|value| text.as_str().eq_ignore_ascii_case(value)),
                Given::Bare(_) => false,
                Given::Unknown(..) => true,
            });
        }
        if !mover.repeats && given.len() > 1 {
            given.drain(..given.len() - 1);
        }
        given
    }

    fn flags(&self, names: &str, takes_value: bool) -> Vec<Given> {
        let found = find_flags(&self.process.arguments, names, takes_value, &|_| true);
        if found.is_empty() { find_flags(&self.weaker, names, takes_value, &|_| true) } else { found }
    }

    fn flags_of(&self, mover: &Mover, names: &str, takes_value: bool) -> Vec<Given> {
        // `-production` is not `-p roduction`.
        let plausible = |value: &str| match mover.is {
            Meaning::Port | Meaning::Offset => address::port(value).is_some(),
            Meaning::Host | Meaning::Anywhere => address::host(value).is_some(),
            Meaning::Address | Meaning::Url => address::address(value).is_some(),
            Meaning::Unix => value.starts_with('/'),
            Meaning::Tls | Meaning::Off | Meaning::Unclear => false,
        };
        let found = find_flags(&self.process.arguments, names, takes_value, &plausible);
        if found.is_empty() { find_flags(&self.weaker, names, takes_value, &plausible) } else { found }
    }

    fn variable(&self, names: &str) -> Option<Given> {
        for name in names.split(' ') {
            match self.process.variable(name, self.surroundings) {
                Lookup::Value(text) if text.as_str().trim().is_empty() => {}
                Lookup::Value(text) => return Some(Given::Value(text)),
                Lookup::Unset => {}
                Lookup::Unknown => {
                    return Some(Given::Unknown(self.process.place, format!("the variable `{name}` may be set")));
                }
            }
        }
        None
    }

    fn keys(&self, keys: &str) -> Vec<Given> {
        match &self.settings {
            Settings::Absent => Vec::new(),
            Settings::Searched { text, path } => {
                let found = keys.split(' ').find_map(|key| mentioned(text, key));
                found.map(|place| Given::Unknown(place, format!("`{path}` may say it"))).into_iter().collect()
            }
            Settings::Hidden(span, why) => vec![Given::Unknown(*span, why.clone())],
        }
    }

    fn positional(&self, number: usize) -> Option<Given> {
        let words = &self.process.arguments;
        let mut count = 0;
        for (index, word) in words.iter().enumerate() {
            let is_value = index > 0 && self.takes_value(words[index - 1].as_str());
            if is_value || word.as_str().starts_with('-') {
                continue;
            }
            if count == number {
                return Some(match word.complete {
                    true => Given::Value(word.text.clone()),
                    false => {
                        Given::Unknown(word.text.whole(), "it comes from a variable that is not visible".to_owned())
                    }
                });
            }
            count += 1;
        }
        None
    }

    /// The listeners of one socket.
    fn socket(&self, socket: &Socket, movers: &[Mover], needs: &[Mover]) -> Listening {
        let nothing = |open| Listening { listeners: Vec::new(), open };
        let mut moved = Moved::default();
        if !needs.is_empty() {
            let given: Vec<Given> = needs.iter().flat_map(|mover| self.given(mover)).collect();
            let is_there = |one: &Given| match one {
                Given::Value(text) => !is_no(text.as_str()),
                Given::Bare(_) => true,
                Given::Unknown(..) => false,
            };
            if !given.iter().any(is_there) {
                let unknown = given.into_iter().find_map(|one| match one {
                    Given::Unknown(_, why) => Some(why),
                    _ => None,
                });
                return nothing(unknown);
            }
        }
        for mover in movers {
            for given in self.given(mover) {
                moved.apply(mover, given);
                if moved.off {
                    return nothing(None);
                }
            }
            moved.close_round();
        }
        moved.listening(self, socket, movers)
    }
}

/// What the movers have said so far of one socket.
#[derive(Default)]
struct Moved {
    addresses: Vec<(Address, Span)>,
    ports: Vec<(u16, Span)>,
    bind: Option<(Bind, Span)>,
    /// The bind address that comes with a port, unless a host is given.
    along: Option<(Bind, Span)>,
    offset: u16,
    protocol: Option<Protocol>,
    protocol_unknown: bool,
    tls: bool,
    off: bool,
    /// A stronger mover has decided the port, and a weaker one may not.
    port_decided: bool,
    open: Option<String>,
}

impl Moved {
    /// After the last occurrence of a mover: weaker ones may only add what is still missing.
    fn close_round(&mut self) {
        self.port_decided = !self.ports.is_empty()
            || self.open.is_some()
            || self.addresses.iter().any(|(address, _)| address.port.is_some() || address.unix.is_some());
    }

    fn apply(&mut self, mover: &Mover, given: Given) {
        let text = match given {
            Given::Value(text) => text,
            Given::Bare(place) => return self.apply_bare(mover, place),
            Given::Unknown(place, why) => return self.apply_unknown(mover, place, why),
        };
        let (value, place) = (text.as_str().trim(), text.whole());
        match mover.is {
            Meaning::Tls if mover.when.is_some() || !is_no(value) => self.tls = true,
            Meaning::Off if mover.when.is_some() || !is_no(value) => self.off = true,
            Meaning::Tls | Meaning::Off => {}
            Meaning::Unclear => self.undecided(format!("what `{value}` means for it is not known")),
            Meaning::Offset => self.offset = value.parse().unwrap_or(0),
            Meaning::Port => {
                if self.port_decided {
                    return;
                }
                let ports: Vec<Option<u16>> =
                    value.split([';', ',']).filter(|part| !part.trim().is_empty()).map(address::port).collect();
                if ports.is_empty() || ports.contains(&None) {
                    return self.undecided(format!("`{value}` is no port number"));
                }
                self.ports.extend(ports.into_iter().flatten().map(|port| (port, place)));
                self.protocol = self.protocol.or(mover.protocol);
                let along = mover.on.as_deref().and_then(address::host);
                self.along = self.along.or(along.map(|bind| (bind, place)));
            }
            Meaning::Anywhere if mover.when.is_some() || value.eq_ignore_ascii_case("true") => {
                self.apply_bare(mover, place)
            }
            Meaning::Anywhere if is_no(value) => {}
            Meaning::Host | Meaning::Anywhere => {
                let bind = address::host(value).unwrap_or(Bind::Unknown);
                self.bind.get_or_insert((bind, place));
            }
            Meaning::Unix => {
                if !self.port_decided {
                    self.addresses.push((address::unix(value), place));
                    self.protocol = self.protocol.or(mover.protocol);
                }
            }
            Meaning::Address | Meaning::Url => self.apply_addresses(mover, &text),
        }
    }

    fn apply_addresses(&mut self, mover: &Mover, text: &Text) {
        let mut at = 0;
        for piece in text.as_str().split_inclusive([',', ';']) {
            let written = piece.trim_end_matches([',', ';']);
            let place = text.span(at..at + written.len());
            at += piece.len();
            // `http=:80,HTTP` names the protocol behind the address.
            let is_note = !self.addresses.is_empty() && written.bytes().all(|byte| byte.is_ascii_uppercase());
            if written.trim().is_empty() || is_note {
                continue;
            }
            let Some(mut address) = address::address(written) else {
                // A name of the machine's own: the port counts, the address is not known.
                let port = written.rsplit_once(':').and_then(|(_, port)| address::port(port));
                match port.filter(|_| !self.port_decided) {
                    Some(port) => {
                        let address = Address { bind: Some(Bind::Unknown), port: Some(port), ..Address::default() };
                        self.addresses.push((address, place));
                    }
                    None => self.undecided(format!("`{}` is no address that can be read", written.trim())),
                }
                continue;
            };
            if self.port_decided {
                if let Some(bind) = address.bind.filter(|_| self.bind.is_none() && address.unix.is_none()) {
                    self.bind = Some((bind, place));
                }
                continue;
            }
            address.protocol = address.protocol.or(mover.protocol);
            self.addresses.push((address, place));
        }
    }

    fn apply_bare(&mut self, mover: &Mover, place: Span) {
        match mover.is {
            Meaning::Tls => self.tls = true,
            Meaning::Off => self.off = true,
            Meaning::Anywhere => {
                self.bind.get_or_insert((Bind::Any, place));
            }
            _ => self.undecided("an option has no value".to_owned()),
        }
    }

    fn apply_unknown(&mut self, mover: &Mover, place: Span, why: String) {
        match mover.is {
            Meaning::Tls => self.protocol_unknown = true,
            Meaning::Host | Meaning::Anywhere => {
                self.bind.get_or_insert((Bind::Unknown, place));
            }
            Meaning::Off => self.open = Some(why),
            _ => self.undecided(why),
        }
    }

    /// A mover is there and cannot be followed, so nothing weaker counts either.
    fn undecided(&mut self, why: String) {
        if !self.port_decided {
            self.open.get_or_insert(why);
        }
    }

    fn listening(mut self, judged: &Judged, socket: &Socket, movers: &[Mover]) -> Listening {
        let place = judged.process.place;
        let mut result = Listening { listeners: Vec::new(), open: self.open.take() };
        let default = socket.default.as_deref().and_then(address::address).unwrap_or_default();
        let mut evidence = Evidence::Binding;
        let mut addresses: Vec<(Address, Span)> = Vec::new();
        for (mut address, at) in std::mem::take(&mut self.addresses) {
            if address.port.is_none() && address.unix.is_none() {
                self.bind = self.bind.or(address.bind.map(|bind| (bind, at)));
                address.port = self.ports.first().map(|(port, _)| *port).or(default.port);
            }
            addresses.push((address, at));
        }
        if addresses.is_empty() {
            for (port, at) in &self.ports {
                addresses.push((Address { port: Some(*port), ..Address::default() }, *at));
            }
        }
        if addresses.is_empty() && result.open.is_none() {
            if let Some(why) = &judged.hidden_options {
                result.open = Some(why.clone());
            }
            let is_default = default.port.is_some() || default.unix.is_some();
            if is_default {
                addresses.push((Address { bind: None, ..default.clone() }, place));
                evidence = Evidence::Default;
            }
        }
        let why = match evidence {
            Evidence::Default => format!("the default of `{}`", judged.process.name),
            Evidence::Binding => format!("`{}` is told to", judged.process.name),
        };
        for (address, at) in addresses {
            let (bind, bind_place) = match (address.bind, self.bind, self.along) {
                (Some(bind), _, _) => (bind, at),
                (None, Some(given), _) => given,
                (None, None, Some(along)) => along,
                (None, None, None) => (default.bind.unwrap_or(Bind::Any), place),
            };
            let mut moved = address.clone();
            moved.port = moved.port.and_then(|port| port.checked_add(self.offset));
            moved.bind = Some(bind);
            let Some(endpoint) = moved.endpoint(bind) else {
                result.open.get_or_insert("its port is chosen when it starts".to_owned());
                continue;
            };
            result.listeners.push(Listener {
                endpoint,
                protocol: self.spoken(address.protocol, socket),
                evidence,
                place: at,
                bind_place,
                why: why.clone(),
                anywhere: anywhere(movers, address.port),
                access: None,
            });
        }
        result
    }

    fn spoken(&self, by_address: Option<Protocol>, socket: &Socket) -> Option<Protocol> {
        if self.protocol_unknown {
            return None;
        }
        match by_address.or(self.protocol).or(socket.protocol) {
            Some(Protocol::Http) if self.tls => Some(Protocol::Https),
            Some(Protocol::Http2) if self.tls => Some(Protocol::Http2Tls),
            spoken => spoken,
        }
    }
}

/// What to write so that the socket is open on every address: the strongest mover that can say so.
fn anywhere(movers: &[Mover], port: Option<u16>) -> Option<String> {
    movers.iter().find_map(|mover| {
        let (flag, variable) = (mover.flag.as_deref(), mover.variable.as_deref());
        let names = flag.or(variable)?.split(' ');
        let name = names.clone().find(|name| name.starts_with("--")).or_else(|| names.clone().next())?;
        let between = if flag.is_some() { ' ' } else { '=' };
        match mover.is {
            Meaning::Host | Meaning::Anywhere => Some(format!("{name}{between}0.0.0.0")),
            Meaning::Address => Some(format!("{name}{between}0.0.0.0:{}", port?)),
            _ => None,
        }
    })
}

/// Where a file mentions the last part of a key as a word of its own.
fn mentioned(text: &Text, key: &str) -> Option<Span> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_str().as_bytes();
    let mut found = text.as_str().match_indices(name);
    let (at, _) = found.find(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_word(before) && !is_word(bytes.get(at + name.len()))
    })?;
    Some(text.span(at..at + name.len()))
}

fn is_no(value: &str) -> bool {
    ["", "0", "false", "no", "off", "none"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

fn split(text: &Text) -> Vec<Argument> {
    let mut words = Vec::new();
    let mut at = 0;
    for piece in text.as_str().split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if !word.is_empty() {
            words.push(Argument::known(text.slice(at..at + word.len())));
        }
        at += piece.len();
    }
    words
}

/// Every occurrence of a flag: `-p 80`, `--port=80`, `-p80`. Names are separated by blanks; one that ends in `=` or `:`
/// is always joined to its value. `plausible` judges the value of a joined short flag.
fn find_flags(words: &[Argument], names: &str, takes_value: bool, plausible: &dyn Fn(&str) -> bool) -> Vec<Given> {
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let text = word.as_str();
        for name in names.split(' ') {
            let Some(rest) = text.strip_prefix(name) else { continue };
            let unknown =
                || Given::Unknown(word.text.whole(), format!("`{name}` comes from a variable that is not visible"));
            let value = |from: usize| match word.complete {
                true => Given::Value(word.text.slice(from..text.len())),
                false => unknown(),
            };
            if name.ends_with(['=', ':']) {
                found.push(value(name.len()));
            } else if rest.is_empty() && word.complete {
                if !takes_value {
                    found.push(Given::Bare(word.text.whole()));
                    continue;
                }
                found.push(match words.get(index + 1) {
                    Some(next) if !next.complete => {
                        Given::Unknown(next.text.whole(), format!("`{name}` comes from a variable that is not visible"))
                    }
                    Some(next) if !next.as_str().starts_with('-') => Given::Value(next.text.clone()),
                    _ => Given::Bare(word.text.whole()),
                });
            } else if rest.starts_with('=') {
                found.push(value(name.len() + 1));
            } else if name.len() == 2 && !name.ends_with('-') && takes_value {
                if !word.complete && rest.is_empty() {
                    found.push(unknown());
                } else if word.complete && plausible(rest) {
                    found.push(value(name.len()));
                }
            }
        }
    }
    found
}
