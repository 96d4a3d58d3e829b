//! Which services a server runs: units that are enabled or lie there, what packages start by themselves, and scripts.

use std::collections::{BTreeMap, BTreeSet};

use crate::read::host::packaged;
use crate::read::host::quiet::{self, Known};
use crate::read::host::server::Server;
use crate::read::host::service::{self, Running};
use crate::read::host::sockets::Socket;
use crate::read::host::units::{self, Unit};

/// What was found.
#[derive(Default)]
pub struct Inventory {
    pub running: Vec<Running>,
    /// Why more may run than that.
    pub open: Option<String>,
    /// A program whose ports are not read and that speaks no HTTP.
    pub daemons: Option<String>,
    /// The settings of the nginx unit, when only drop-ins of it are in the tree or it starts nothing itself.
    pub names: BTreeSet<String>,
    /// The tree shows which units are enabled.
    pub has_links: bool,
}

pub const ADMINISTRATOR: &str = "/etc/systemd/system";

/// Services that are started twice are followed once; more units than this are not a server but a heap.
const MANY: usize = 5000;

pub fn read(server: &Server<'_>) -> Inventory {
    let mut inventory = Inventory::default();
    let find = |path: &str| server.find(path);
    let links = links(server);
    inventory.has_links = !links.is_empty();
    let own = server.list(ADMINISTRATOR).names;
    inventory.open = hidden(server).map(|folder| format!("`{folder}` cannot be read"));
    let has_links = inventory.has_links;
    let mut wanted: BTreeMap<String, Option<bool>> = BTreeMap::new();
    for name in &links {
        wanted.insert(name.clone(), Some(true));
    }
    for name in own.iter().filter(|name| !name.contains("@.") && is_unit(name)) {
        wanted.entry(name.clone()).or_insert(None);
    }
    let mut sockets: Vec<Socket> = Vec::new();
    let mut queue: Vec<(String, Option<bool>)> = wanted.into_iter().collect();
    // Sockets first: they say what their services listen on.
    queue.sort_by_key(|(name, _)| !name.ends_with(".socket"));
    let mut at = 0;
    while at < queue.len().min(MANY) {
        let (name, enabled) = queue[at].clone();
        at += 1;
        if !is_unit(&name) || !inventory.names.insert(name.clone()) || is_quiet(server, &name, &mut inventory) {
            continue;
        }
        if units::is_masked(&server.files, &name) {
            continue;
        }
        let Some(unit) = units::load(&server.files, &find, &name).filter(|unit| unit.has_file || enabled.is_some())
        else {
            inventory.not_seen(server, &name, enabled);
            continue;
        };
        let enabled = enabled.or_else(|| state(server, &unit, has_links));
        if name.ends_with(".socket") {
            let socket = Socket::of(&unit, enabled);
            queue.push((socket.service.clone(), None));
            sockets.push(socket);
            continue;
        }
        if !unit.has_file {
            inventory.not_seen(server, &name, enabled);
            continue;
        }
        let socket = sockets.iter().find(|socket| socket.service == name);
        let running = service::run(server, &unit, enabled, socket);
        queue.extend(
            running.service.wants.iter().filter(|it| it.value.ends_with(".service")).map(|it| (it.value.clone(), None)),
        );
        inventory.running.push(running);
    }
    if at < queue.len() {
        inventory.open.get_or_insert_with(|| "it has more units than are read".to_owned());
    }
    share_tmp(server, &mut inventory);
    inventory
}

impl Inventory {
    /// A unit that is started and not in the tree. What packages are known to bring is looked for elsewhere.
    fn not_seen(&mut self, server: &Server<'_>, name: &str, enabled: Option<bool>) {
        let stem = name.strip_suffix(".service").unwrap_or(name);
        let packaged =
            ["nginx", "openresty"].contains(&stem) || is_php_fpm(name) || packaged::web_server(server, stem).is_some();
        if enabled == Some(true) && !packaged && name.ends_with(".service") {
            self.open.get_or_insert_with(|| format!("`{name}` is enabled, and what it starts is not in the tree"));
        }
    }
}

pub fn is_php_fpm(unit: &str) -> bool {
    unit.starts_with("php") && unit.contains("fpm")
}

fn is_unit(name: &str) -> bool {
    name.ends_with(".service") || name.ends_with(".socket")
}

/// A unit that a package brought and that says nothing about what a proxy asks. What an administrator wrote under the
/// same name is read.
fn is_quiet(server: &Server<'_>, name: &str, inventory: &mut Inventory) -> bool {
    let path = format!("{ADMINISTRATOR}/{name}");
    let written_here = server.files.link(&path).is_none() && server.text(&path).is_some();
    if written_here {
        return false;
    }
    match quiet::known(name.trim_end_matches(".socket")) {
        Some(Known::Quiet) => true,
        Some(Known::Daemon) => {
            inventory.daemons.get_or_insert_with(|| format!("where `{name}` listens is not read"));
            true
        }
        Some(Known::Containers) => {
            let why = || format!("`{name}` may run containers that are not in the files");
            inventory.open.get_or_insert_with(why);
            true
        }
        None => false,
    }
}

/// A folder of units that may not be read.
fn hidden(server: &Server<'_>) -> Option<String> {
    let own = server.entries(ADMINISTRATOR).into_iter().filter(|name| name.ends_with(".wants"));
    let folders = own.map(|name| format!("{ADMINISTRATOR}/{name}"));
    folders.chain([ADMINISTRATOR.to_owned()]).find(|folder| !server.list(folder).complete)
}

/// The names of the units that targets want or require: the links that `systemctl enable` makes. None, when some of them
/// may not be read: a unit without a link may be enabled all the same.
pub fn links(server: &Server<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if hidden(server).is_some() {
        return names;
    }
    for folder in server.list(ADMINISTRATOR).names {
        if folder.ends_with(".wants") || folder.ends_with(".requires") {
            names.extend(server.entries(&format!("{ADMINISTRATOR}/{folder}")));
        }
    }
    names
}

/// Whether a unit without a link is started at boot. `has_links`: the tree shows which units are enabled.
fn state(server: &Server<'_>, unit: &Unit, has_links: bool) -> Option<bool> {
    let stem = unit.name.strip_suffix(".service").unwrap_or(&unit.name);
    let timed = units::FOLDERS.iter().any(|folder| server.text(&format!("{folder}/{stem}.timer")).is_some());
    (has_links && unit.is_installable() && !timed).then_some(false)
}

/// Services that join the namespace of another one share its `/tmp`, when both have one of their own.
fn share_tmp(server: &Server<'_>, inventory: &mut Inventory) {
    let find = |path: &str| server.find(path);
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for running in &inventory.running {
        let Some(unit) = units::load(&server.files, &find, &running.service.name) else { continue };
        for other in unit.names("Unit", "JoinsNamespaceOf") {
            joined.insert(running.service.name.clone(), other.value);
        }
    }
    for running in &mut inventory.running {
        let Some(own) = &mut running.service.own_tmp else { continue };
        for _ in 0..8 {
            let Some(other) = joined.get(&own.value) else { break };
            let has_one = units::load(&server.files, &find, other).is_some_and(|unit| {
                ["PrivateTmp", "DynamicUser"].iter().any(|key| unit.switched_on("Service", key).is_some())
            });
            if !has_one {
                break;
            }
            own.value.clone_from(other);
        }
    }
}
