//! A server that is read as a whole: the folder that stands for its `/`, and the nginx that runs on it.

mod barriers;
mod boot;
mod dotenv;
mod environment;
mod fill;
mod folders;
mod inventory;
mod modules;
mod openrc;
mod packaged;
mod pm2;
mod pools;
mod quiet;
mod server;
mod service;
mod sockets;
mod starters;
mod sysctl;
mod units;
mod users;
mod vassals;
mod walls;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::read::host::inventory::Inventory;
use crate::read::host::server::Server;
use crate::read::nginx::{self, Files, Setup};
use crate::read::running::NginxRead;
use crate::read::trees::Trees;
use crate::read::troubles;
use crate::site::Site;
use crate::site::listener::Listening;
use crate::site::machine::{Attached, HostsEntry, HostsTarget, Kind, Machine, MachineId, Start};
use crate::source::{Entry, FileId, Sources, Span, Text};
use crate::syntax::nginx::Tree;

/// Main files, as FreeBSD, the distributions, OpenResty and nginx.org lay them out; what ends another one comes behind it.
const MAIN_FILES: &[&str] = &[
    "usr/local/etc/nginx/nginx.conf",
    "etc/nginx/nginx.conf",
    "usr/local/openresty/nginx/conf/nginx.conf",
    "usr/local/nginx/conf/nginx.conf",
];

/// The folders of the snapshot that are the `/` of a server.
pub fn roots(sources: &Sources, is_loaded: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut roots: Vec<String> = Vec::new();
    for (path, entry) in sources.below("") {
        if !matches!(entry, Entry::File(_) | Entry::Link(_)) {
            continue;
        }
        let main = MAIN_FILES.iter().find(|main| path.ends_with(*main));
        let of_main = main.and_then(|main| path.strip_suffix(main));
        let Some(root) = of_main.or_else(|| root_of_unit(sources, path)) else { continue };
        if !root.is_empty() && !root.ends_with('/') {
            continue;
        }
        let root = root.trim_end_matches('/');
        if is_loaded(path) || is_build_context(sources, root) || roots.iter().any(|known| known == root) {
            continue;
        }
        roots.push(root.to_owned());
    }
    roots
}

/// The root of a unit that starts an nginx whose main file lies elsewhere: `nginx -c /opt/web/nginx.conf`.
fn root_of_unit<'p>(sources: &Sources, path: &'p str) -> Option<&'p str> {
    let (folder, _) = path.rsplit_once('/').filter(|(_, name)| name.ends_with(".service"))?;
    let root = units::FOLDERS.iter().find_map(|units| folder.strip_suffix(units.trim_start_matches('/')))?;
    let text = sources.text(sources.read(path)?);
    let starts = text.as_str().lines().filter(|line| line.trim_start().starts_with("ExecStart="));
    let main = starts.filter(|line| line.contains("nginx")).find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "-c").skip(1);
        words.next().filter(|path| path.starts_with('/'))
    })?;
    sources.entry(&format!("{root}{}", main.trim_start_matches('/'))).map(|_| root)
}

/// A Dockerfile in the folder or above it: the tree is copied into an image.
fn is_build_context(sources: &Sources, root: &str) -> bool {
    let mut folder = root;
    loop {
        for name in ["Dockerfile", "Containerfile", "dockerfile"] {
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            if sources.entry(&path).is_some() {
                return true;
            }
        }
        match folder.rsplit_once('/') {
            Some((above, _)) => folder = above,
            None if folder.is_empty() => return false,
            None => folder = "",
        }
    }
}

/// The host that containers of this snapshot run on, when nothing more is known of it.
pub fn unseen(place: Span) -> Machine {
    machine(place, "what else runs on the host is not visible")
}

fn machine(place: Span, open: &str) -> Machine {
    Machine {
        name: "the host".to_owned(),
        place,
        kind: Kind::Host,
        project: usize::MAX,
        stack: MachineId(0),
        attached: Attached::Host(place),
        image: None,
        built_here: false,
        listening: Listening::open(open),
        listener_processes: Vec::new(),
        conditional_processes: Vec::new(),
        declared: Vec::new(),
        port_variables: Vec::new(),
        published: Vec::new(),
        hosts: Vec::new(),
        mounts: Vec::new(),
        start: Start::Always,
        depends_on: Vec::new(),
        restart: None,
        probe: None,
        image_has_probe: None,
        starts_as_it_came: false,
        names_hosts: None,
        slow_start: None,
        replaced_alone: None,
        replicas: None,
        tools: Vec::new(),
        container_name: None,
        users: Vec::new(),
        services: Vec::new(),
        folders: Vec::new(),
        sealed: Vec::new(),
        real_paths: BTreeMap::new(),
        may_have_links: false,
        open_files: None,
        longest_queue: None,
        daemons: None,
    }
}

/// What was read of a server.
pub struct Reading {
    /// The configs of its proxies.
    pub trees: Vec<Arc<Tree>>,
    /// Other files that were looked into.
    pub opened: BTreeSet<FileId>,
}

/// The machine for a further server of the same snapshot.
pub fn add_machine(site: &mut Site) -> MachineId {
    let id = MachineId(site.machines.len());
    let place = Span { file: FileId(0), start: 0, end: 0 };
    let further = machine(place, "what else runs on the host is not visible");
    // Servers have nothing in common, so each is a project of its own.
    site.machines.push(Box::new(Machine { project: usize::MAX - id.0, stack: id, ..further }));
    id
}

/// Reads the server below `root` into a machine of the site.
pub fn read(site: &mut Site, trees: &Trees<'_>, root: &str, host: MachineId) -> Reading {
    let server = Server::of(trees.sources(), root);
    if let Some(text) = server.text("/etc/hosts") {
        site.machines[host.0].hosts = hosts_file(&text);
    }
    site.machines[host.0].users = users::users(server.text("/etc/passwd").as_ref(), server.text("/etc/group").as_ref());
    site.machines[host.0].longest_queue = sysctl::longest_queue(&server);
    let mut inventory = inventory::read(&server);
    openrc::add(&server, &mut inventory);
    packaged::add(&server, &mut inventory);
    pm2::add(&server, &mut inventory);
    boot::judge(&server, &mut inventory);
    pools::troubles(site, &server);
    let mut trees_read = proxies(site, trees, &server, host, &mut inventory);
    packaged::add_web_servers(&server, &mut inventory);
    fill::fill(site, &server, host, inventory);
    trees_read.dedup_by(|left, right| Arc::ptr_eq(left, right));
    Reading { trees: trees_read, opened: server.opened() }
}

/// Reads every nginx: those that units start, else those whose main file lies where packages put it.
fn proxies(
    site: &mut Site,
    trees: &Trees<'_>,
    server: &Server<'_>,
    host: MachineId,
    inventory: &mut Inventory,
) -> Vec<Arc<Tree>> {
    let usual: Vec<String> = MAIN_FILES.iter().map(|main| format!("/{main}")).collect();
    let exists = |path: &&String| server.text(path).is_some();
    let mut mains: Vec<(String, Option<usize>)> = Vec::new();
    for (number, running) in inventory.running.iter().enumerate() {
        for nginx in &running.nginx {
            let main = nginx.main.as_ref().or_else(|| usual.iter().find(exists));
            if let Some(main) = main.filter(|main| !mains.iter().any(|(known, _)| known == *main)) {
                mains.push((main.clone(), Some(number)));
            }
        }
    }
    let unit_reads_any = mains.iter().any(|(main, _)| exists(&main));
    if !unit_reads_any {
        mains.extend(usual.into_iter().map(|main| (main, None)));
    }
    let mut read = Vec::new();
    for (main, service) in mains {
        let Some(text) = server.text(&main) else { continue };
        let number = service.unwrap_or_else(|| {
            inventory.running.push(packaged::unseen_nginx(server, text.span(0..0)));
            inventory.running.len() - 1
        });
        let reading = read_nginx(site, trees, server, host, &main, &text);
        let running = &mut inventory.running[number];
        if let Some(user) = running.service.user.clone().filter(|user| user.value != "root") {
            // A master that is not root ignores `user`.
            site.proxies[reading.proxy.0].user = Some(user);
        }
        running.service.proxies.push(reading.proxy);
        running.listeners.extend(reading.listening.listeners);
        running.open = running.open.take().or(reading.listening.open);
        let complete = running.open.is_none();
        let nginx = NginxRead { trees: reading.trees, main: Some(main), includes: reading.includes, complete };
        let nothing_listens = running.listeners.is_empty();
        if troubles::not_loaded(site, trees, host, &server.files, std::slice::from_ref(&nginx), nothing_listens) {
            let listening = &mut site.machines[host.0].listening;
            listening.open.get_or_insert_with(|| troubles::NOT_LOADED.to_owned());
        }
        let program = running.nginx.first().map(|start| start.program.as_str());
        modules::missing(site, server, host, &nginx, program);
        read.extend(nginx.trees);
    }
    read
}

fn read_nginx(
    site: &mut Site,
    trees: &Trees<'_>,
    server: &Server<'_>,
    host: MachineId,
    main: &str,
    text: &Text,
) -> nginx::Reading {
    let folder = main.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let find = |path: &str| server.files.find(path);
    let list = |path: &str| server.files.list(path);
    let parse = |text: &Text| trees.get(text);
    let setup = Setup {
        machine: Some(host),
        main: trees.get(text),
        folder,
        files: Files { file: &find, list: &list, parse: &parse },
        place: text.span(0..0),
        version: None,
    };
    nginx::read(site, &setup)
}

/// `/etc/hosts`: an address, then its names (`hosts(5)`).
pub fn hosts_file(text: &Text) -> Vec<HostsEntry> {
    let mut entries = Vec::new();
    let mut start = 0;
    for line in text.as_str().split_inclusive('\n') {
        let place = text.span(start..start + line.trim_end().len());
        start += line.len();
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse) else { continue };
        entries.extend(words.map(|name| HostsEntry {
            name: name.to_owned(),
            to: HostsTarget::Address(address),
            place,
        }));
    }
    entries
}
