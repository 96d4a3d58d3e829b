//! pm2 on a server: ecosystem files that lie where people keep their apps.

use std::collections::BTreeMap;

use crate::read::host::inventory::Inventory;
use crate::read::host::packaged;
use crate::read::host::server::Server;
use crate::read::host::service::add_started;
use crate::read::process;
use crate::read::process::access::Identity;
use crate::read::surroundings::Surroundings;
use crate::site::listener::Endpoint;
use crate::source::{Entry, Lookup};

/// Folders in which people keep their apps.
const FOLDERS: [&str; 5] = ["home", "srv", "opt", "var/www", "root"];

/// Deeper than this there are copies and examples.
const DEEPEST: usize = 8;

const NAMES: [&str; 13] = [
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.json",
    "ecosystem.json",
    "ecosystem.yml",
    "ecosystem.yaml",
    "pm2.config.js",
    "pm2.config.cjs",
    "pm2.json",
    "pm2.yml",
    "pm2.yaml",
    "process.json",
    "processes.json",
];

/// Adds the apps of each ecosystem file that no unit has started.
pub fn add(server: &Server<'_>, inventory: &mut Inventory) {
    let mut by_folder: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for folder in FOLDERS {
        let Some(below) = server.below(folder) else { continue };
        for (path, entry) in server.sources().below(&below) {
            let name = path.rsplit('/').next().unwrap_or(path);
            if !matches!(entry, Entry::File(_)) || !NAMES.contains(&name) || path.split('/').count() > DEEPEST {
                continue;
            }
            let Some(path) = server.path_of(path) else { continue };
            let above = path.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
            by_folder.entry(above).or_default().push(path);
        }
    }
    for paths in by_folder.into_values() {
        let several = paths.len() > 1;
        for path in paths {
            if !server.was_opened(&path) {
                add_file(server, &path, several, inventory);
            }
        }
    }
}

fn add_file(server: &Server<'_>, path: &str, several: bool, inventory: &mut Inventory) {
    let Some(text) = server.text(path) else {
        inventory.open.get_or_insert_with(|| format!("`{path}` is not read"));
        return;
    };
    let directory = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let file = |path: &str| server.find(path);
    let list = |path: &str| server.list(path);
    let variable = |_: &str| Lookup::Unset;
    let surroundings = Surroundings {
        directory,
        variable: &variable,
        file: &file,
        list: &list,
        has_texts: true,
        partial: !server.is_whole,
    };
    let started = process::ecosystem(path, &surroundings);
    // Each app is a service of its own.
    for process in &started.processes {
        let mut running = packaged::unseen(&format!("pm2 app `{}`", process.name), text.span(0..0));
        running.service.place = process.place;
        add_started(process, &surroundings, &Identity::root(), &mut running);
        for listener in &mut running.listeners {
            listener.access = None;
        }
        // What pm2 starts again at boot has it already.
        if !running.listeners.iter().any(|listener| is_resurrected(inventory, &listener.endpoint)) {
            inventory.running.push(running);
        }
    }
    inventory.open = inventory.open.take().or(started.open);
    if several {
        inventory.open.get_or_insert_with(|| format!("which of the files beside `{path}` is used is not visible"));
    }
}

fn is_resurrected(inventory: &Inventory, endpoint: &Endpoint) -> bool {
    let of_pm2 = inventory.running.iter().filter(|running| running.service.name.starts_with("pm2-"));
    of_pm2.flat_map(|running| &running.listeners).any(|listener| listener.endpoint == *endpoint)
}
