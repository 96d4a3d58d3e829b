//! Firewalls of the host: what ufw, firewalld and saved rules of iptables and nft let in, and what scripts of the tree
//! tell them.

pub mod firewalld;
mod iptables;
mod nft;
mod script;
mod selinux;
mod ufw;

use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::Found;
use crate::site::Site;
use crate::site::firewall::Firewall;
use crate::source::{Entry, Sources, Text};

/// Names of files with saved rules of iptables, as distributions and people call them.
const SAVED: &[&str] =
    &["rules.v4", "iptables", "iptables.rules", "iptables.up.rules", "iptables.save", "iptables-save"];

/// Reads every firewall. `roots` are the folders that are the `/` of a server: what lies where the system loads it is
/// what it does.
pub fn read(site: &mut Site, sources: &Sources, roots: &[String]) {
    let mut firewalls: Vec<Firewall> = Vec::new();
    // A server whose proxies all run in containers.
    let ufw_alone = sources.below("").filter_map(|(path, _)| {
        let root = path.strip_suffix("etc/ufw/ufw.conf")?;
        (root.is_empty() || root.ends_with('/')).then(|| root.trim_end_matches('/'))
    });
    for root in ufw_alone.filter(|root| !roots.iter().any(|known| known == root)) {
        firewalls.extend(ufw::read(sources, root).map(|it| Firewall { certain: false, ..it }));
    }
    for root in roots {
        firewalls.extend(ufw::read(sources, root));
        firewalls.extend(firewalld::read(sources, root));
    }
    let mut scripts: Vec<Text> = Vec::new();
    for (path, entry) in sources.below("") {
        if !matches!(entry, Entry::File(_)) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let certain = roots.iter().any(|root| is_loaded(root, path));
        let find = || match (Snapshot { sources, root: None }).find(path) {
            Found::File(text) => Some(text),
            _ => None,
        };
        if SAVED.contains(&name) {
            firewalls.extend(find().and_then(|text| iptables::saved(&text, certain)));
        } else if matches!(name, "nftables.conf" | "nftables.rules" | "ruleset.nft") {
            firewalls.extend(find().into_iter().flat_map(|text| nft::read(&text, certain)));
        } else if is_script(name) && !roots.iter().any(|root| is_of_the_system(root, path)) {
            scripts.extend(find());
        }
    }
    firewalls.extend(script::ufw(&scripts));
    firewalls.extend(script::iptables(&scripts));
    site.firewalls = firewalls;
    site.confinement = roots.iter().find_map(|root| selinux::read(sources, root));
}

/// A script by its name: also those that OpenRC's `local` service and the old init run.
fn is_script(name: &str) -> bool {
    [".sh", ".start"].iter().any(|ending| name.ends_with(ending)) || ["rc.local", "rc.firewall"].contains(&name)
}

/// It came with a package: examples, and scripts that packages run themselves.
fn is_of_the_system(root: &str, path: &str) -> bool {
    let inside =
        if root.is_empty() { path } else { path.strip_prefix(root).map_or("", |rest| rest.trim_start_matches('/')) };
    ["usr/", "lib/", "lib64/", "bin/", "sbin/", "var/lib/"]
        .iter()
        .any(|folder| inside.starts_with(folder) && !inside.starts_with("usr/local/"))
}

/// The system itself loads it when it starts.
fn is_loaded(root: &str, path: &str) -> bool {
    let inside =
        if root.is_empty() { Some(path) } else { path.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) };
    matches!(
        inside,
        Some("etc/iptables/rules.v4" | "etc/sysconfig/iptables" | "etc/nftables.conf" | "etc/sysconfig/nftables.conf")
    )
}
