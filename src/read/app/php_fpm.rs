//! The pools of php-fpm: its main file, the files that it includes, and which of several values wins.

use std::collections::BTreeMap;

use crate::read::app::listening::{Address, bind_of, parse_address};
use crate::read::app::paths::{self, absolute};
use crate::read::glob;
use crate::read::surroundings::{Found, Listing};
use crate::site::listener::{Admitted, Bind, Endpoint, Evidence, Listener, Listening, Protocol, SocketAccess};
use crate::source::{Lookup, Span, Spanned, Text, TextBuilder};
use crate::syntax::Problem;
use crate::syntax::ini::{self, Style};

/// One pool, as php-fpm sees it after it has read all its files.
///
/// php-fpm reads the files of a glob in sorted order into one configuration; a pool that is opened again goes on, and a
/// later value replaces the earlier one (fpm_conf.c; this is how the official image's zz-docker.conf wins).
#[derive(Clone, Debug)]
pub struct Pool {
    pub name: Spanned<String>,
    pub settings: BTreeMap<String, Setting>,
}

/// A value that counts, and those that it replaced.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `$pool` is put in.
    pub value: Text,
    /// The file that has it; empty: the main file.
    pub file: String,
    /// Earlier values of the same pool, in the order in which they were read.
    pub overruled: Vec<Text>,
}

/// All pools, and why there may be more to them.
#[derive(Clone, Debug, Default)]
pub struct Pools {
    pub pools: Vec<Pool>,
    /// The settings of `[global]`.
    pub global: BTreeMap<String, Setting>,
    pub open: Option<String>,
    /// What could not be read in any of the files.
    pub problems: Vec<Problem>,
}

impl Pool {
    pub fn get(&self, key: &str) -> Option<&Text> {
        self.settings.get(key).map(|setting| &setting.value)
    }

    /// Why it listens there. A file of the image may come behind one's own and win.
    fn why(&self) -> String {
        let plain = || format!("`listen` of pool `{}`", self.name);
        let Some(listen) = self.settings.get("listen") else { return plain() };
        let earlier = listen.overruled.iter().rev().find(|earlier| earlier.as_str() != listen.value.as_str());
        // What an image brings stands for its name as a whole.
        let is_brought = |value: &Text| value.as_str().len() > 1 && value.span(0..1) == value.whole();
        let earlier = earlier.filter(|earlier| is_brought(&listen.value) && !is_brought(earlier));
        let file = listen.file.rsplit('/').next().unwrap_or_default();
        match earlier.filter(|_| !file.is_empty()) {
            Some(earlier) => {
                format!(
                    "`{file}` is read last and sets `listen` of pool `{}`, which was `{}`",
                    self.name,
                    earlier.as_str()
                )
            }
            None => plain(),
        }
    }

    /// Where the pool listens. `None`: not plain.
    pub fn endpoint(&self) -> Option<(Endpoint, Span)> {
        // A variable that is still there has no value that can be seen.
        let listen = self.get("listen").filter(|listen| !listen.as_str().contains("${"))?;
        match parse_address(listen)? {
            Address::Unix(path) => {
                let prefix = self.get("prefix").map_or("/", Text::as_str);
                let path = paths::socket(&absolute(prefix, path.as_str()));
                Some((Endpoint::Unix { path }, listen.whole()))
            }
            Address::Tcp { host, port } => {
                let bind = host.map_or(Bind::Any, |host| bind_of(host.as_str()));
                Some((Endpoint::Tcp { bind, port: port.as_str().parse().ok()? }, port.whole()))
            }
        }
    }

    /// Who may connect to the pool's socket. Without `listen.owner` and `listen.group` these are the master's, mode 0660;
    /// with `listen.acl_users` or `listen.acl_groups` the lists let others in, and owner and group are the master's.
    pub fn access(&self) -> SocketAccess {
        let lists = [self.get("listen.acl_users"), self.get("listen.acl_groups")];
        if let Some(list) = lists.into_iter().flatten().find(|list| !list.as_str().trim().is_empty()) {
            let names = |key: &str| {
                let list = self.get(key).map_or("", Text::as_str);
                list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
            };
            let admitted = Admitted { users: names("listen.acl_users"), groups: names("listen.acl_groups") };
            return SocketAccess { place: Some(list.whole()), admitted: Some(admitted), ..SocketAccess::default() };
        }
        let text = |key: &str| self.get(key).map(|value| value.as_str().to_owned());
        let mode = self.get("listen.mode");
        let place = mode.or(self.get("listen.group")).or(self.get("listen.owner")).map(Text::whole);
        let bits = match mode {
            Some(mode) => u32::from_str_radix(mode.as_str().trim(), 8).ok(),
            None => Some(0o660),
        };
        SocketAccess {
            owner: text("listen.owner"),
            group: text("listen.group"),
            mode: bits,
            place,
            ..SocketAccess::default()
        }
    }
}

/// Reads the main file and what it includes. `main_path` is absolute; `prefix` is the folder for relative paths, such as
/// `/usr/local` in the official image.
pub fn pools(main: &Text, prefix: &str, read: &dyn Fn(&str) -> Found, list: &dyn Fn(&str) -> Listing) -> Pools {
    let mut reader = Reader { read, list, prefix, path: String::new(), found: Pools::default(), files_left: FILES };
    reader.file(main, 0);
    let mut pools = reader.found;
    for pool in &mut pools.pools {
        let name = pool.name.value.clone();
        for setting in pool.settings.values_mut() {
            setting.value = with_pool_name(&setting.value, &name);
        }
    }
    pools
}

/// The pools as listeners. A pool without a plain `listen` makes the list open.
pub fn listening(pools: &Pools) -> Listening {
    let mut result = Listening { listeners: Vec::new(), open: pools.open.clone() };
    for pool in &pools.pools {
        let Some((endpoint, place)) = pool.endpoint() else {
            // php-fpm does not start a pool that has no `listen`.
            if pool.get("listen").is_some() || pools.open.is_none() {
                result.open.get_or_insert(format!("pool `{}` has no plain listen", pool.name));
            }
            continue;
        };
        let access = matches!(endpoint, Endpoint::Unix { .. }).then(|| pool.access());
        let anywhere = match endpoint {
            Endpoint::Tcp { port, .. } => Some(format!("listen = {port}")),
            Endpoint::Unix { .. } => None,
        };
        result.listeners.push(Listener {
            endpoint,
            anywhere,
            protocol: Some(Protocol::FastCgi),
            evidence: Evidence::Binding,
            place,
            bind_place: pool.get("listen").map_or(place, Text::whole),
            why: pool.why(),
            access: access.map(Box::new),
        });
    }
    if result.listeners.is_empty() && result.open.is_none() {
        result.open = Some("no pool of php-fpm was found".to_owned());
    }
    result
}

/// Hosts with a pool for each customer have hundreds of files; an include that includes itself must end.
const FILES: u32 = 5_000;

struct Reader<'r> {
    read: &'r dyn Fn(&str) -> Found,
    list: &'r dyn Fn(&str) -> Listing,
    prefix: &'r str,
    /// The path of the included file that is being read.
    path: String,
    found: Pools,
    files_left: u32,
}

impl Reader<'_> {
    fn file(&mut self, text: &Text, depth: u32) {
        if depth > 5 || self.files_left == 0 {
            self.found.open.get_or_insert("php-fpm's includes go too deep".to_owned());
            return;
        }
        self.files_left -= 1;
        let document = ini::parse(text, Style::PHP);
        if !document.problems.is_empty() {
            self.found.open.get_or_insert("a part of its configuration cannot be read".to_owned());
        }
        self.found.problems.extend(document.problems);
        for section in document.sections {
            let name = section.name;
            if name.value.is_empty() || name.value == "global" {
                for (key, value) in section.entries {
                    if key.value == "include" {
                        self.include(&value, depth);
                    } else {
                        set(&mut self.found.global, key.value, value, &self.path);
                    }
                }
                continue;
            }
            for (key, value) in section.entries {
                if key.value == "include" {
                    self.include(&value, depth);
                    continue;
                }
                let path = std::mem::take(&mut self.path);
                set(&mut self.pool(&name).settings, key.value, value, &path);
                self.path = path;
            }
            self.pool(&name);
        }
    }

    fn pool(&mut self, name: &Spanned<String>) -> &mut Pool {
        let at = match self.found.pools.iter().position(|pool| pool.name.value == name.value) {
            Some(at) => at,
            None => {
                self.found.pools.push(Pool { name: name.clone(), settings: BTreeMap::new() });
                self.found.pools.len() - 1
            }
        };
        &mut self.found.pools[at]
    }

    fn include(&mut self, pattern: &Text, depth: u32) {
        let path = absolute(self.prefix, pattern.as_str());
        for file in expand(&path, self.list, &mut self.found.open) {
            match (self.read)(&file) {
                Found::File(text) => {
                    let around = std::mem::replace(&mut self.path, file.clone());
                    self.file(&text, depth + 1);
                    self.path = around;
                }
                Found::Opaque | Found::Unknown => {
                    self.found.open.get_or_insert(format!("{file} is not read"));
                }
                Found::Directory | Found::Absent => {}
            }
        }
    }
}

fn set(settings: &mut BTreeMap<String, Setting>, key: String, value: Text, file: &str) {
    match settings.get_mut(&key) {
        Some(setting) => {
            let old = std::mem::replace(&mut setting.value, value);
            setting.overruled.push(old);
            file.clone_into(&mut setting.file);
        }
        None => {
            settings.insert(key, Setting { value, file: file.to_owned(), overruled: Vec::new() });
        }
    }
}

/// The files that a pattern stands for, sorted. What may be missing is said in `open`.
pub fn expand(pattern: &str, list: &dyn Fn(&str) -> Listing, open: &mut Option<String>) -> Vec<String> {
    if !glob::is_pattern(pattern) {
        return vec![pattern.to_owned()];
    }
    let matches = glob::expand(pattern, list);
    if !matches.complete {
        open.get_or_insert(format!("{pattern} may take other files"));
    }
    matches.paths
}

impl Pools {
    /// Puts in the environment variables of the master, as PHP does it in its configuration: `listen = ${FPM_PORT}`.
    pub fn put_in(&mut self, variable: &dyn Fn(&str) -> Lookup) {
        for setting in self.pools.iter_mut().flat_map(|pool| pool.settings.values_mut()) {
            if setting.value.as_str().contains("${") {
                setting.value = with_variables(&setting.value, variable);
            }
        }
    }
}

fn with_variables(value: &Text, variable: &dyn Fn(&str) -> Lookup) -> Text {
    let source = value.as_str();
    let mut builder = TextBuilder::default();
    let mut at = 0;
    while let Some(open) = source[at..].find("${").map(|found| at + found) {
        let Some(close) = source[open..].find('}').map(|found| open + found) else { break };
        builder.push(value, at..open);
        match variable(&source[open + 2..close]) {
            Lookup::Value(text) => builder.push(&text, 0..text.as_str().len()),
            Lookup::Unset | Lookup::Unknown => builder.push(value, open..close + 1),
        }
        at = close + 1;
    }
    builder.push(value, at..source.len());
    builder.finish(value.whole())
}

/// `$pool` stands for the pool's name.
fn with_pool_name(value: &Text, name: &str) -> Text {
    let source = value.as_str();
    if !source.contains("$pool") {
        return value.clone();
    }
    let mut builder = TextBuilder::default();
    let mut at = 0;
    while let Some(found) = source[at..].find("$pool") {
        builder.push(value, at..at + found);
        builder.push_fixed(name, value.span(at + found..at + found + 5));
        at += found + 5;
    }
    builder.push(value, at..source.len());
    builder.finish(value.whole())
}
