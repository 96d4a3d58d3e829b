//! Unix sockets: whether a path that a proxy connects to is the path that somebody listens on.

use crate::site::Site;
use crate::site::listener::{Endpoint, Listener, Protocol};
use crate::site::machine::{Kind, Machine, MachineId, Mount, MountSource};
use crate::site::proxy::Hop;
use crate::site::reach::{Certainty, ListenerId, Reach, Refused};
use crate::source::Spanned;

/// A hop to a unix socket that does not exist where the proxy looks.
#[derive(Clone, Debug)]
pub struct Missing {
    pub why: MissingWhy,
    pub certainty: Certainty,
}

#[derive(Clone, Debug)]
pub enum MissingWhy {
    /// Something listens on this very path, in another file system.
    NotShared { listener: ListenerId },
    /// The folder is shared, and the socket in it has another name.
    OtherPath { listener: ListenerId },
    /// The machine that should make it listens on TCP instead.
    Tcp { listener: ListenerId },
    /// Nobody in the files makes it.
    Nobody,
}

impl Missing {
    pub fn outcome(&self) -> &'static str {
        match self.why {
            MissingWhy::NotShared { .. } => "no-route",
            _ => "refused",
        }
    }
}

/// Where a path of a machine really lies; equal values are the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Own(MachineId, String),
    Volume(String, String),
    Host(String),
    Unknown,
}

pub fn reach(site: &Site, hop: &Hop, path: &Spanned<String>) -> Reach {
    let Some(home_id) = site.proxy(hop.proxy).machine else {
        return Reach::Undecided("no machine is seen to load this config".to_owned());
    };
    let wanted = normal(&path.value);
    let home = site.machine(home_id);
    let place = locate(home_id, home, &wanted);
    if place == Place::Unknown {
        return Reach::Undecided(format!("what is mounted over `{wanted}` is not visible"));
    }
    let mut same_path = None;
    let mut same_folder = None;
    for (id, machine, listener) in listeners(site) {
        let Endpoint::Unix { path: bound } = &listener.endpoint else { continue };
        let bound = normal(bound);
        let bound_place = locate(id.machine, machine, &bound);
        if bound_place == place {
            return if crate::site::reach::understands(hop.protocol.value, listener.protocol) {
                Reach::Delivered(id)
            } else {
                Reach::WrongProtocol(id)
            };
        }
        if bound == wanted && id.machine != home_id && machine.project == home.project {
            same_path.get_or_insert(id);
        }
        if folder(&bound_place) == folder(&place) && folder(&place).is_some() {
            same_folder.get_or_insert(id);
        }
    }
    let missing = |why, certainty| Reach::Socket(Missing { why, certainty });
    if let Some(listener) = same_path {
        return missing(MissingWhy::NotShared { listener }, Certainty::Proven);
    }
    // Everyone who could make it: the proxy's own machine, and those that share the folder.
    let makers: Vec<MachineId> = (0..site.machines.len())
        .map(MachineId)
        .filter(|id| *id == home_id || (site.machine(*id).project == home.project && shares(site, *id, &place)))
        .collect();
    let is_seen = |id: MachineId| site.seen.unix && site.machine(id).kind == Kind::Host;
    let open = makers.iter().filter(|id| !is_seen(**id)).find_map(|id| site.machine(*id).listening.open.as_deref());
    if let Some(why) = open {
        return Reach::Undecided(why.to_owned());
    }
    if home.kind == Kind::Host && !site.seen.unix {
        return Reach::Undecided("what else runs on the host is not visible".to_owned());
    }
    if let Some(listener) = same_folder {
        return missing(MissingWhy::OtherPath { listener }, Certainty::Proven);
    }
    let tcp = listeners(site).find(|(id, _, listener)| {
        makers.contains(&id.machine)
            && matches!(listener.endpoint, Endpoint::Tcp { .. })
            && listener.protocol == Some(hop.protocol.value)
            && (id.machine != home_id || !owns(site, hop, listener))
    });
    if let Some((listener, _, _)) = tcp {
        return missing(MissingWhy::Tcp { listener }, Certainty::Proven);
    }
    missing(MissingWhy::Nobody, Certainty::Proven)
}

/// The unix socket on which the machine takes what a hop speaks, when it does so on no TCP port at all: then it is not
/// the number of the port that is wrong.
pub fn instead_of_tcp(site: &Site, refused: &Refused, spoken: Protocol) -> Option<ListenerId> {
    let mut first_socket = None;
    for id in &refused.listeners {
        let listener = site.listener(*id);
        if listener.protocol != Some(spoken) {
            continue;
        }
        match listener.endpoint {
            Endpoint::Tcp { .. } => return None,
            Endpoint::Unix { .. } => first_socket = first_socket.or(Some(*id)),
        }
    }
    first_socket
}

/// The listener is one of the proxy's own.
fn owns(site: &Site, hop: &Hop, listener: &Listener) -> bool {
    site.servers
        .iter()
        .any(|server| server.proxy == hop.proxy && server.listens.iter().any(|listen| listen.place == listener.place))
}

fn listeners(site: &Site) -> impl Iterator<Item = (ListenerId, &Machine, &Listener)> {
    site.machines.iter().enumerate().flat_map(|(number, machine)| {
        let of_machine = machine.listening.listeners.iter().enumerate();
        of_machine.map(move |(index, listener)| (ListenerId { machine: MachineId(number), index }, machine, listener))
    })
}

/// Some path of the machine is in the folder of this place.
fn shares(site: &Site, id: MachineId, place: &Place) -> bool {
    let machine = site.machine(id);
    machine.mounts.iter().any(|mount| match (&mount.from, place) {
        (MountSource::Volume(name), Place::Volume(volume, _)) => name == volume,
        (MountSource::Snapshot(path) | MountSource::Host(path), Place::Host(there)) => {
            under(there, path).is_some() || under(path, there).is_some()
        }
        (MountSource::Unknown, _) => true,
        _ => false,
    })
}

/// The path by which a machine sees the socket of a listener; `None`: it does not see it.
pub fn seen_from(site: &Site, home: MachineId, id: ListenerId) -> Option<String> {
    let Endpoint::Unix { path } = &site.listener(id).endpoint else { return None };
    let path = normal(path);
    let place = locate(id.machine, site.machine(id.machine), &path);
    let machine = site.machine(home);
    if locate(home, machine, &path) == place && place != Place::Unknown {
        return Some(path);
    }
    machine.mounts.iter().find_map(|mount| {
        let rest = match (&mount.from, &place) {
            (MountSource::Volume(name), Place::Volume(volume, rest)) if name == volume => rest.as_str(),
            (MountSource::Snapshot(source) | MountSource::Host(source), Place::Host(there)) => under(there, source)?,
            _ => return None,
        };
        Some(format!("{}{rest}", mount.target.trim_end_matches('/')))
    })
}

/// The mount that a path of the machine lies in.
pub fn covering<'m>(machine: &'m Machine, path: &str) -> Option<&'m Mount> {
    let mounts = machine.mounts.iter().filter(|mount| under(path, &normal(&mount.target)).is_some());
    mounts.max_by_key(|mount| mount.target.len())
}

fn locate(id: MachineId, machine: &Machine, path: &str) -> Place {
    let mount = covering(machine, path);
    let Some((mount, rest)) = mount.and_then(|mount| Some((mount, under(path, &normal(&mount.target))?))) else {
        return if machine.kind == Kind::Host { Place::Host(path.to_owned()) } else { Place::Own(id, path.to_owned()) };
    };
    match &mount.from {
        MountSource::Volume(name) => Place::Volume(name.clone(), rest.to_owned()),
        MountSource::Snapshot(source) | MountSource::Host(source) => Place::Host(format!("{source}{rest}")),
        MountSource::Private | MountSource::Text => Place::Own(id, path.to_owned()),
        MountSource::Unknown => Place::Unknown,
    }
}

/// The rest of `path` behind `folder`, with its slash; empty when they are the same.
fn under<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn folder(place: &Place) -> Option<Place> {
    let cut = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    match place {
        Place::Own(id, path) => Some(Place::Own(*id, cut(path)?)),
        Place::Volume(name, path) => Some(Place::Volume(name.clone(), cut(path)?)),
        Place::Host(path) => Some(Place::Host(cut(path)?)),
        Place::Unknown => None,
    }
}

/// One spelling for one path: `/var/run` is `/run`, double slashes and dots are dropped.
pub fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    if parts.len() >= 2 && parts[0] == "var" && parts[1] == "run" {
        parts.remove(0);
    }
    let joined = parts.join("/");
    if path.starts_with('/') { format!("/{joined}") } else { joined }
}
