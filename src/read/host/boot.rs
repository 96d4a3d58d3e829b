//! What happens at boot: which services nothing starts, and which are started before the network is up.

use crate::read::host::inventory::{ADMINISTRATOR, Inventory, links};
use crate::read::host::server::Server;
use crate::read::host::starters::Starters;
use crate::read::host::units::{self, Unit};
use crate::site::machine::NotAtBoot;
use crate::source::Span;

/// The unit was written on this server: a file in the administrator's folder, and no link to that of a package.
pub fn is_own(server: &Server<'_>, unit: &Unit) -> bool {
    let template = unit.name.split_once('@').and_then(|(stem, rest)| Some((stem, rest.rsplit_once('.')?.1)));
    let template = template.map(|(stem, kind)| format!("{stem}@.{kind}"));
    [Some(unit.name.clone()), template].into_iter().flatten().any(|name| {
        let path = format!("{ADMINISTRATOR}/{name}");
        server.files.link(&path).is_none() && server.text(&path).is_some()
    })
}

/// Something gives the machine its addresses while other services are started already: NetworkManager, systemd-networkd,
/// netplan; and no setting of the kernel lets a program listen on an address that is not there yet.
pub fn has_late_addresses(server: &Server<'_>) -> bool {
    let links = links(server);
    let is_linked = |name: &str| links.contains(name);
    let is_late = is_linked("NetworkManager.service")
        || is_linked("systemd-networkd.service")
        || server.list("/etc/netplan").names.iter().any(|name| name.ends_with(".yaml"));
    let settings = server.list("/etc/sysctl.d").names.into_iter().map(|name| format!("/etc/sysctl.d/{name}"));
    let allows = |path: String| server.text(&path).is_some_and(|text| text.as_str().contains("ip_nonlocal_bind"));
    is_late && !settings.chain(["/etc/sysctl.conf".to_owned()]).any(allows)
}

/// Finds the services of people's own that nothing starts at boot. Only where the files show that others are started.
pub fn judge(server: &Server<'_>, inventory: &mut Inventory) {
    if inventory.running.iter().any(|running| running.service.before_network.is_some()) && has_late_addresses(server) {
        for running in &mut inventory.running {
            running.service.before_addresses = running.service.before_network;
        }
    }
    let links = links(server);
    let is_linked_own =
        inventory.running.iter().any(|running| running.service.is_own && running.service.enabled == Some(true));
    if links.is_empty() || !(server.is_whole || is_linked_own) {
        return;
    }
    let find = |path: &str| server.find(path);
    let mut found = Vec::new();
    for (number, running) in inventory.running.iter().enumerate() {
        let service = &running.service;
        if is_of_pm2(&service.name) {
            found.push((number, "pm2".to_owned(), NO_PM2));
        }
        if !service.is_own || service.is_woken || service.enabled == Some(true) {
            continue;
        }
        let Some(unit) = units::load(&server.files, &find, &service.name).filter(|unit| unit.has_file) else {
            continue;
        };
        let why = match unit.value("Install", "WantedBy").or_else(|| unit.value("Install", "RequiredBy")) {
            Some(wanted) => NotAtBoot::NotEnabled(wanted.whole()),
            None if unit.is_installable() => continue,
            None => NotAtBoot::NoInstall,
        };
        found.push((number, unit.name.clone(), why));
    }
    if found.is_empty() {
        return;
    }
    let starters = Starters::of(server);
    for (number, name, why) in found {
        if !starters.mention(&name) {
            inventory.running[number].service.not_at_boot = Some(why);
        }
    }
}

const NO_PM2: NotAtBoot = NotAtBoot::NoManager {
    name: "pm2",
    help: "let pm2 make a unit for itself, and keep its list: `pm2 startup`, then `pm2 save`",
};

fn is_of_pm2(name: &str) -> bool {
    name.starts_with("pm2 app ")
}

/// Waits for the network in a start command of its own.
const WAITING: [&str; 9] =
    ["sleep", "until", "while", "ping", "nslookup", "getent", "dig ", "wait-online", "nm-online"];

/// So many units are started one after the other.
const DEPTH: usize = 4;

/// Where the unit says after what it is started, when that is before the network is up and nothing tries it again.
/// `place`: its start command, which is given when it says nothing (systemd.special(7), "network-online.target").
pub fn before_network(server: &Server<'_>, unit: &Unit, place: Span) -> Option<Span> {
    if !unit.has_file {
        return None;
    }
    let restart = unit.value("Service", "Restart");
    if restart.is_some_and(|restart| matches!(restart.as_str(), "always" | "on-failure")) {
        return None;
    }
    let commands = ["ExecStartPre", "ExecCondition", "ExecStart"].map(|key| unit.values("Service", key)).concat();
    if commands.iter().any(|command| WAITING.iter().any(|word| command.as_str().contains(word))) {
        return None;
    }
    if waits_for_network(server, unit, DEPTH) {
        return None;
    }
    let after = unit.names("Unit", "After");
    Some(after.first().map_or(place, |first| first.span))
}

fn waits_for_network(server: &Server<'_>, unit: &Unit, depth: usize) -> bool {
    let find = |path: &str| server.find(path);
    unit.names("Unit", "After").iter().any(|name| {
        // Docker and clouds' own set-up wait for it themselves.
        let is_known = ["online", "docker", "cloud-", "containerd"];
        is_known.iter().any(|known| name.value.contains(known))
            || depth > 0
                && units::load(&server.files, &find, &name.value)
                    .is_some_and(|other| waits_for_network(server, &other, depth - 1))
    })
}
