//! Puts what a server runs into its machine, and says how far that is all.

use std::collections::{BTreeMap, BTreeSet};

use crate::read::host::barriers;
use crate::read::host::folders;
use crate::read::host::inventory::Inventory;
use crate::read::host::packaged;
use crate::read::host::server::Server;
use crate::read::host::service::Running;
use crate::site::Site;
use crate::site::backend::Memory;
use crate::site::listener::{Endpoint, Listener, Protocol};
use crate::site::machine::{HostPort, Machine, MachineId};
use crate::site::proxy::{Host, Target, To};
use crate::site::reach::understands;
use crate::site::sockets::normal;
use crate::site::trouble::{EmptyEffect, EmptyVariable, SocketFolder, Trouble};
use crate::source::Text;

/// Where something listens, or is asked: a port of the machine itself, or a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Address {
    Port(u16),
    Path(String),
}

/// What the services speak that nobody asks.
#[derive(Default)]
struct Idle(Vec<Vec<Option<Protocol>>>);

impl Idle {
    /// Each of these hops may have been meant for a service of its own.
    fn suffice_for(mut self, hops: impl Iterator<Item = Protocol>) -> bool {
        for (count, spoken) in hops.enumerate() {
            let fits = |one: &Vec<Option<Protocol>>| one.iter().any(|protocol| understands(spoken, *protocol));
            if count >= MANY_MISSING {
                return false;
            }
            match self.0.iter().position(fits) {
                Some(at) => drop(self.0.swap_remove(at)),
                None => return false,
            }
        }
        true
    }
}

/// With more targets that nobody serves, the services are kept elsewhere.
const MANY_MISSING: usize = 100;

pub fn fill(site: &mut Site, server: &Server<'_>, host: MachineId, mut inventory: Inventory) {
    let asked = asked(site, host);
    let published = published(site, host);
    let mut known: BTreeSet<Address> = BTreeSet::new();
    let mut idle = Idle::default();
    hidden_variables(site, server, &asked, &mut inventory);
    let mut runs_apps = false;
    let mut open = inventory.open.take();
    barriers::judge(site, &mut inventory.running, &|listener| asked.contains_key(&address(listener)));
    for running in &mut inventory.running {
        let addresses: Vec<Address> = running.listeners.iter().map(address).collect();
        let is_app = running.service.proxies.is_empty();
        running.service.asked = addresses.iter().any(|address| asked.contains_key(address) && !known.contains(address));
        if is_app && running.open.is_none() && !addresses.is_empty() {
            runs_apps = true;
            if running.service.enabled != Some(false) {
                let is_asked = |index: &usize| {
                    addresses.get(*index).is_some_and(|it| asked.contains_key(it) && !known.contains(it))
                };
                let all = vec![(0..addresses.len()).collect()];
                let processes = if running.processes.is_empty() { &all } else { &running.processes };
                for process in processes.iter().filter(|one| !one.is_empty() && !one.iter().any(is_asked)) {
                    let listeners = process.iter().filter_map(|index| running.listeners.get(*index));
                    idle.0.push(listeners.map(|listener| listener.protocol).collect());
                }
            }
        }
        if running.service.asked && running.service.enabled != Some(false) {
            site.troubles.extend(running.missing_files.iter().map(|file| missing_file(&running.service.name, file)));
        }
        open = open.or_else(|| running.open.clone());
        known.extend(addresses);
    }
    let missing = asked.iter().filter(|(it, _)| !known.contains(it) && !is_published(it, &published));
    // A repository may hold the proxy's configs and a few of the units only: then more is asked for than stands idle.
    let is_partial = !server.is_whole && !idle.suffice_for(missing.map(|(_, protocol)| *protocol));
    if is_partial {
        open.get_or_insert_with(|| "only a part of the server is in the files".to_owned());
    }
    let unclear = |machine: &Machine| machine.published.iter().any(|port| port.host == HostPort::Unknown);
    if host == MachineId(0) && site.machines.iter().any(|machine| unclear(machine)) {
        open.get_or_insert_with(|| "which port a container takes on the host is not visible".to_owned());
    }
    if !runs_apps {
        open.get_or_insert_with(|| "what else runs on the host is not visible".to_owned());
    }
    let sealed = match is_partial {
        true => of_other_versions(server, asked.keys()),
        false => sealed(&inventory.running),
    };
    let real_paths = real_paths(server, asked.keys().chain(&known));
    let paths = asked.keys().chain(&known).filter_map(|address| match address {
        Address::Path(path) => Some(path.as_str()),
        Address::Port(_) => None,
    });
    let folders = folders::known(server, paths.chain(real_paths.values().map(String::as_str)));
    let mut unmade = folders::unmade(server, &inventory.running, &folders);
    let machine = &mut site.machines[host.0];
    machine.sealed = sealed;
    machine.daemons = inventory.daemons;
    machine.folders = folders.folders;
    machine.may_have_links = !server.is_whole;
    machine.real_paths = real_paths;
    machine.listening.open = open;
    let mut backends = Vec::new();
    for (number, mut running) in inventory.running.into_iter().enumerate() {
        let first = machine.listening.listeners.len();
        backends.extend(running.backends.into_iter().map(|mut backend| {
            backend.machine = host;
            backend.listeners.iter_mut().for_each(|index| *index += first);
            backend
        }));
        for it in unmade.iter_mut().filter(|it| it.service == number) {
            it.listener += first;
        }
        site.memory.extend(running.memory.map(|memory| Memory { machine: host, ..memory }));
        let process = machine.listener_processes.iter().max().map_or(0, |last| last + 1);
        for listener in running.listeners {
            running.service.listeners.push(machine.listening.listeners.len());
            machine.listening.listeners.push(listener);
            machine.listener_processes.push(process);
        }
        machine.folders.extend(running.folders);
        machine.services.push(running.service);
    }
    site.backends.extend(backends.into_iter().map(Box::new));
    site.troubles.extend(unmade.into_iter().map(|it| {
        let folders::Unmade { listener, folder, why, .. } = it;
        Trouble::SocketFolder(SocketFolder { machine: host, listener, folder, why })
    }));
}

/// A program that does not find its file of variables listens elsewhere than it was meant to: when that is what a proxy
/// asks for, it is said once and taken for the rest as it was meant.
fn hidden_variables(
    site: &mut Site,
    server: &Server<'_>,
    asked: &BTreeMap<Address, Protocol>,
    inventory: &mut Inventory,
) {
    let heard: BTreeSet<Address> = inventory.running.iter().flat_map(|it| &it.listeners).map(address).collect();
    for running in &mut inventory.running {
        for hidden in std::mem::take(&mut running.hidden) {
            let is_missed = |listener: &Listener| {
                let address = address(listener);
                asked.contains_key(&address) && !heard.contains(&address)
            };
            if !hidden.meant.iter().any(is_missed) {
                continue;
            }
            let is_unit = running.service.name.ends_with(".service");
            site.troubles.push(Trouble::EmptyVariable(EmptyVariable {
                name: hidden.variable.value,
                place: hidden.directory,
                effect: EmptyEffect::FileElsewhere { program: hidden.program, wanted: hidden.wanted },
                given: vec![(hidden.variable.span, "the file lies here, and nobody reads it".to_owned())],
                // What a terminal gave to the process list is not visible.
                certain: is_unit && server.is_whole,
            }));
            running.listeners = hidden.meant;
            running.backends.clear();
        }
    }
}

fn missing_file(service: &str, file: &Text) -> Trouble {
    let path = file.as_str().to_owned();
    Trouble::EmptyVariable(EmptyVariable {
        name: String::new(),
        place: file.whole(),
        effect: EmptyEffect::FileOfService { path, service: service.to_owned() },
        given: Vec::new(),
        certain: true,
    })
}

fn address(listener: &Listener) -> Address {
    match &listener.endpoint {
        Endpoint::Tcp { port, .. } => Address::Port(*port),
        Endpoint::Unix { path } => Address::Path(normal(path)),
    }
}

/// Where the folders of sockets really lie.
fn real_paths<'a>(server: &Server<'_>, addresses: impl Iterator<Item = &'a Address>) -> BTreeMap<String, String> {
    let mut real_paths = BTreeMap::new();
    for address in addresses {
        let Address::Path(path) = address else { continue };
        if let Some(real) = server.real_path(path).filter(|real| real != path) {
            real_paths.insert(path.clone(), normal(&real));
        }
    }
    real_paths
}

/// What the machine's proxies ask of the machine itself.
fn asked(site: &Site, host: MachineId) -> BTreeMap<Address, Protocol> {
    let mut asked = BTreeMap::new();
    for hop in site.hops.iter().filter(|hop| site.proxy(hop.proxy).machine == Some(host)) {
        match &hop.to {
            To::Target(target) => asked.extend(own(target).map(|address| (address, hop.protocol.value))),
            To::Group(group) => {
                let servers = site.groups[*group].servers.iter().filter(|server| server.down.is_none());
                let addresses = servers.filter_map(|server| own(server.to.as_ref().ok()?));
                asked.extend(addresses.map(|address| (address, hop.protocol.value)));
            }
            To::Malformed(_) | To::NoGroup(_) | To::Unknown(_) => {}
        }
    }
    asked
}

fn own(target: &Target) -> Option<Address> {
    match target {
        Target::Unix { path } => Some(Address::Path(normal(&path.value))),
        Target::Tcp { host, port } => {
            let is_own = match &host.value {
                Host::Address(address) => address.is_loopback() || address.is_unspecified(),
                Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
            };
            is_own.then_some(Address::Port(port.number))
        }
    }
}

/// Ports that containers of the same files take on the host.
fn published(site: &Site, host: MachineId) -> Vec<(u16, u16)> {
    if host != MachineId(0) {
        return Vec::new();
    }
    let ports = site.machines.iter().flat_map(|machine| &machine.published);
    ports
        .filter_map(|published| match published.host {
            HostPort::Fixed(first, last) => Some((first, last)),
            HostPort::Random | HostPort::Unknown => None,
        })
        .collect()
}

fn is_published(address: &Address, published: &[(u16, u16)]) -> bool {
    match address {
        Address::Port(port) => published.iter().any(|(first, last)| first <= port && port <= last),
        Address::Path(_) => false,
    }
}

/// Sockets that carry the version of a php-fpm that is not started, where the tree shows which ones are.
fn of_other_versions<'a>(server: &Server<'_>, asked: impl Iterator<Item = &'a Address>) -> Vec<String> {
    let linked = packaged::linked_php_fpm(server);
    let is_other = |path: &str| {
        let version = php_version(path.strip_prefix("/run/php/").unwrap_or_default());
        version.is_some_and(|version| !linked.iter().any(|unit| php_version(unit) == Some(version)))
    };
    let paths = asked.filter_map(|address| match address {
        Address::Path(path) => Some(path),
        Address::Port(_) => None,
    });
    paths.filter(|path| !linked.is_empty() && is_other(path)).cloned().collect()
}

/// `8.2` of `php8.2-fpm.sock`.
fn php_version(name: &str) -> Option<&str> {
    let (version, _) = name.strip_prefix("php")?.split_once("-fpm")?;
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')).then_some(version)
}

/// The folders of php-fpm's packages, and those that systemd makes for one service alone, when these services are known
/// in full.
fn sealed(running: &[Running]) -> Vec<String> {
    let mut sealed = Vec::new();
    let pools: Vec<&Running> = running.iter().filter(|it| it.has_pools).collect();
    if !pools.is_empty() && pools.iter().all(|it| it.open.is_none()) {
        sealed.extend(["/run/php".to_owned(), "/run/php-fpm".to_owned()]);
    }
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    for folder in running.iter().flat_map(|it| &it.folders) {
        *users.entry(&folder.path).or_default() += 1;
    }
    for one in running.iter().filter(|it| it.open.is_none() && !it.listeners.is_empty()) {
        let alone = one.folders.iter().filter(|folder| users.get(folder.path.as_str()) == Some(&1));
        sealed.extend(alone.map(|folder| folder.path.clone()));
    }
    sealed
}
