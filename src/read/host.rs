//! A server that is read as a whole: the folder that stands for its `/`, and the nginx that runs on it.

use std::sync::Arc;

use crate::read::machine_files::MachineFiles;
use crate::read::nginx::{self, Files, Setup};
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::Found;
use crate::read::trees::Trees;
use crate::site::Site;
use crate::site::listener::Listening;
use crate::site::machine::{Attached, HostsEntry, HostsTarget, Kind, Machine, MachineId, Start};
use crate::source::{Entry, FileId, Sources, Span, Text};
use crate::syntax::nginx::Tree;

/// Main files, as the distributions, nginx.org and OpenResty lay them out.
const MAIN_FILES: &[&str] =
    &["etc/nginx/nginx.conf", "usr/local/openresty/nginx/conf/nginx.conf", "usr/local/nginx/conf/nginx.conf"];

/// The folders of the snapshot that are the `/` of a server.
pub fn roots(sources: &Sources, is_loaded: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut roots: Vec<String> = Vec::new();
    for (path, entry) in sources.below("") {
        if !matches!(entry, Entry::File(_) | Entry::Link(_)) {
            continue;
        }
        let main = MAIN_FILES.iter().find(|main| path.ends_with(*main));
        let Some(root) = main.and_then(|main| path.strip_suffix(main)) else { continue };
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
        declared: Vec::new(),
        published: Vec::new(),
        hosts: Vec::new(),
        mounts: Vec::new(),
        start: Start::Always,
        depends_on: Vec::new(),
        restart: None,
        probe: None,
        image_has_probe: None,
        slow_start: None,
        replaced_alone: None,
        replicas: None,
        tools: Vec::new(),
        container_name: None,
        users: Vec::new(),
    }
}

/// Reads the server below `root` into machine 0 of the site; its configs are handed back.
pub fn read(site: &mut Site, trees: &Trees<'_>, root: &str) -> Vec<Arc<Tree>> {
    let mut read = Vec::new();
    let sources = trees.sources();
    let snapshot = Snapshot { sources, root: Some(root) };
    let place = Span { file: FileId(0), start: 0, end: 0 };
    let files = MachineFiles {
        snapshot,
        root: Some(root.to_owned()),
        known: Vec::new(),
        place,
        empty: false,
        image: None,
        mounts: Vec::new(),
        started: None,
    };
    let host = MachineId(0);
    if let Found::File(text) = files.find("/etc/hosts") {
        site.machines[host.0].hosts = hosts_file(&text);
    }
    for main in MAIN_FILES {
        let path = format!("/{main}");
        let Found::File(text) = files.find(&path) else { continue };
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let tree = trees.get(&text);
        let find = |path: &str| files.find(path);
        let list = |path: &str| files.list(path);
        let parse = |text: &Text| trees.get(text);
        let setup = Setup {
            machine: Some(host),
            main: tree,
            folder,
            files: Files { file: &find, list: &list, parse: &parse },
            place: text.span(0..0),
            version: None,
        };
        let reading = nginx::read(site, &setup);
        let machine = &mut site.machines[host.0];
        let process = machine.listener_processes.iter().max().map_or(0, |last| last + 1);
        machine.listener_processes.extend(reading.listening.listeners.iter().map(|_| process));
        machine.listening.listeners.extend(reading.listening.listeners);
        read.extend(reading.trees);
    }
    read
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
