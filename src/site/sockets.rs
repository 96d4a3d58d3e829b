//! Unix sockets: whether a path that a proxy connects to is the path that somebody listens on.

use rustc_hash::FxHashMap;

use crate::site::Site;
use crate::site::access::{Barrier, barrier};
use crate::site::listener::{Endpoint, Listener, Protocol};
use crate::site::machine::{Kind, Machine, MachineId, Mount, MountSource, Service};
use crate::site::proxy::Hop;
use crate::site::reach::{Certainty, ListenerId, Reach, Refused, edit_distance, understands};
use crate::source::Spanned;

/// A hop to a unix socket that does not exist where the proxy looks, or does not let it in.
#[derive(Clone, Debug)]
pub struct Missing {
    pub why: MissingWhy,
    pub certainty: Certainty,
}

#[derive(Clone, Debug)]
pub enum MissingWhy {
    /// Something listens on this very path, in another file system.
    NotShared { listener: ListenerId },
    /// The socket has another name, or lies elsewhere.
    OtherPath { listener: ListenerId },
    /// The machine that should make it listens on TCP instead.
    Tcp { listener: ListenerId },
    /// Nobody in the files makes it.
    Nobody,
    /// It is there, and the proxy's user may not connect.
    Forbidden { listener: ListenerId, barrier: Box<Barrier> },
}

impl Missing {
    pub fn outcome(&self) -> &'static str {
        match self.why {
            MissingWhy::NotShared { .. } => "no-route",
            MissingWhy::Forbidden { .. } => "no-permission",
            _ => "refused",
        }
    }
}

/// Where a path of a machine really lies; equal values are the same file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Own(MachineId, String),
    /// Below a folder, such as `/tmp`, that only some services of the machine see; the name they share it under.
    Tmp(MachineId, String, String),
    Volume(String, String),
    Host(String),
    Unknown,
}

/// The unix sockets of a site by what they are looked up by.
pub struct Sockets {
    by_place: FxHashMap<Place, Vec<ListenerId>>,
    by_path: FxHashMap<String, Vec<ListenerId>>,
    by_folder: FxHashMap<Place, Vec<ListenerId>>,
    /// Listeners of services that nobody on their machine asks, by machine.
    idle: FxHashMap<MachineId, Vec<ListenerId>>,
}

impl Sockets {
    pub fn of(site: &Site) -> Sockets {
        let mut sockets = Sockets {
            by_place: FxHashMap::default(),
            by_path: FxHashMap::default(),
            by_folder: FxHashMap::default(),
            idle: FxHashMap::default(),
        };
        for (number, machine) in site.machines.iter().enumerate() {
            let mut owners: Vec<Option<&Service>> = vec![None; machine.listening.listeners.len()];
            for service in &machine.services {
                for index in &service.listeners {
                    if let Some(owner) = owners.get_mut(*index) {
                        *owner = Some(service);
                    }
                }
            }
            for (index, listener) in machine.listening.listeners.iter().enumerate() {
                let id = ListenerId { machine: MachineId(number), index };
                let owner = owners[index];
                if owner.is_some_and(|owner| !owner.asked && owner.proxies.is_empty()) {
                    sockets.idle.entry(id.machine).or_default().push(id);
                }
                let Endpoint::Unix { path } = &listener.endpoint else { continue };
                let path = normal(path);
                let place = locate(id.machine, machine, &path, owner);
                if let Some(folder) = folder(&place) {
                    sockets.by_folder.entry(folder).or_default().push(id);
                }
                sockets.by_place.entry(place).or_default().push(id);
                sockets.by_path.entry(path).or_default().push(id);
            }
        }
        sockets
    }
}

/// The only listener of a project that speaks a language of application servers, when it listens on TCP.
fn only_backend(site: &Site, project: usize, spoken: Protocol) -> Option<ListenerId> {
    if !matches!(spoken, Protocol::FastCgi | Protocol::Uwsgi | Protocol::Scgi) {
        return None;
    }
    let mut found = listeners(site)
        .filter(|(id, _, listener)| site.machine(id.machine).project == project && listener.protocol == Some(spoken));
    let (id, _, listener) = found.next()?;
    (found.next().is_none() && matches!(listener.endpoint, Endpoint::Tcp { .. })).then_some(id)
}

pub fn reach(site: &Site, sockets: &Sockets, hop: &Hop, path: &Spanned<String>) -> Reach {
    let Some(home_id) = site.proxy(hop.proxy).machine else {
        return Reach::Undecided("no machine is seen to load this config".to_owned());
    };
    let wanted = normal(&path.value);
    let home = site.machine(home_id);
    let place = locate(home_id, home, &wanted, home.service_of_proxy(hop.proxy));
    if place == Place::Unknown {
        return Reach::Undecided(format!("what is mounted over `{wanted}` is not visible"));
    }
    let there = sockets.by_place.get(&place).map_or(&[][..], Vec::as_slice);
    let understood = |id: &&ListenerId| understands(hop.protocol.value, site.listener(**id).protocol);
    if let Some(id) = there.iter().find(understood).or(there.first()) {
        if !understood(&id) {
            return Reach::WrongProtocol(*id);
        }
        return match barrier(site, hop.proxy, *id) {
            Some(barrier) => {
                let certainty = barrier.certainty;
                Reach::Socket(Missing {
                    why: MissingWhy::Forbidden { listener: *id, barrier: Box::new(barrier) },
                    certainty,
                })
            }
            None => Reach::Delivered(*id),
        };
    }
    let missing = |why, certainty| Reach::Socket(Missing { why, certainty });
    let elsewhere = sockets.by_path.get(&wanted).into_iter().flatten().copied();
    let same_path = elsewhere.into_iter().find(|id| match id.machine == home_id {
        true => {
            home.kind == Kind::Host && (is_tmp(&wanted) || home.services.iter().any(|it| hides(it, &wanted).is_some()))
        }
        false => site.machine(id.machine).project == home.project,
    });
    if let Some(listener) = same_path {
        return missing(MissingWhy::NotShared { listener }, Certainty::Proven);
    }
    // Everyone who could make it: the proxy's own machine, those that share the folder, and the host when it is one of its
    // own folders.
    let is_of_host = matches!(&place, Place::Host(path) if path.starts_with('/'));
    let could_make = |id: &MachineId| {
        let machine = site.machine(*id);
        let is_host = is_of_host && machine.kind == Kind::Host && *id == MachineId(0);
        *id == home_id || is_host || (machine.project == home.project && shares(site, *id, &place))
    };
    let makers: Vec<MachineId> = (0..site.machines.len()).map(MachineId).filter(could_make).collect();
    let is_sealed = home.kind == Kind::Host && home.sealed.iter().any(|folder| under(&wanted, folder).is_some());
    let is_seen = |id: MachineId| site.seen.unix && site.machine(id).kind == Kind::Host;
    let open = makers.iter().filter(|id| !is_seen(**id)).find_map(|id| site.machine(*id).listening.open.as_deref());
    if let Some(why) = open.filter(|_| !is_sealed) {
        return Reach::Undecided(why.to_owned());
    }
    if home.kind == Kind::Host {
        let (why, certainty) = missing_on_host(site, sockets, hop, home_id, &place, &wanted);
        return missing(why, certainty);
    }
    let same_folder = folder(&place).and_then(|folder| sockets.by_folder.get(&folder)?.first().copied());
    if let Some(listener) = same_folder {
        return missing(MissingWhy::OtherPath { listener }, Certainty::Proven);
    }
    let tcp = listeners(site).find(|(id, _, listener)| {
        makers.contains(&id.machine)
            && matches!(listener.endpoint, Endpoint::Tcp { .. })
            && listener.protocol == Some(hop.protocol.value)
            && (id.machine != home_id || !owns(site, hop, listener))
    });
    let tcp = tcp.map(|(id, _, _)| id).or_else(|| only_backend(site, home.project, hop.protocol.value));
    if let Some(listener) = tcp {
        return missing(MissingWhy::Tcp { listener }, Certainty::Proven);
    }
    missing(MissingWhy::Nobody, Certainty::Proven)
}

/// So many services that nobody asks are compared; with more of them none is the one that was meant.
const CANDIDATES: usize = 16;

/// On a server many services listen; the one that was meant is one that nobody else asks, and whose socket is called
/// most alike.
fn missing_on_host(
    site: &Site,
    sockets: &Sockets,
    hop: &Hop,
    home: MachineId,
    place: &Place,
    wanted: &str,
) -> (MissingWhy, Certainty) {
    // In such folders there are no links; elsewhere a release may be linked to a shared folder.
    let is_plain = under(wanted, "/run").is_some() || is_tmp(wanted) || !site.machine(home).may_have_links;
    let certainty = if is_plain { Certainty::Proven } else { Certainty::Likely };
    let idle = sockets.idle.get(&home).map_or(&[][..], Vec::as_slice);
    let speaks = |id: &&ListenerId| understands(hop.protocol.value, site.listener(**id).protocol);
    let distance = |id: &ListenerId| match &site.listener(*id).endpoint {
        Endpoint::Unix { path } => edit_distance(&normal(path), wanted),
        Endpoint::Tcp { .. } => usize::MAX,
    };
    let unix = |id: &&ListenerId| matches!(site.listener(**id).endpoint, Endpoint::Unix { .. });
    let beside = folder(place).and_then(|folder| sockets.by_folder.get(&folder)).map_or(&[][..], Vec::as_slice);
    let candidates = idle.iter().filter(unix).filter(speaks).take(CANDIDATES);
    if let Some(listener) = candidates.min_by_key(|id| distance(id)) {
        return (MissingWhy::OtherPath { listener: *listener }, certainty);
    }
    if let Some(listener) = beside.iter().filter(speaks).take(CANDIDATES).min_by_key(|id| distance(id)) {
        return (MissingWhy::OtherPath { listener: *listener }, certainty);
    }
    let mut tcp = idle.iter().filter(|id| !unix(id) && site.listener(**id).protocol == Some(hop.protocol.value));
    match (tcp.next(), tcp.next()) {
        (Some(listener), None) => (MissingWhy::Tcp { listener: *listener }, certainty),
        _ => (MissingWhy::Nobody, certainty),
    }
}

/// The unix socket on which the machine takes what a hop speaks, when it does so on no TCP port at all: then it is not
/// the number of the port that is wrong.
pub fn instead_of_tcp(site: &Site, refused: &Refused, hop: &Hop) -> Option<ListenerId> {
    let mut first_socket = None;
    for id in &refused.listeners {
        let listener = site.listener(*id);
        if listener.protocol != Some(hop.protocol.value) || owns(site, hop, listener) {
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
pub fn owns(site: &Site, hop: &Hop, listener: &Listener) -> bool {
    site.servers
        .iter()
        .any(|server| server.proxy == hop.proxy && server.listens.iter().any(|listen| listen.place == listener.place))
}

fn listeners(site: &Site) -> impl Iterator<Item = (ListenerId, &Machine, &Listener)> {
    site.machines.iter().enumerate().flat_map(|(number, machine)| {
        let of_machine = machine.listening.listeners.iter().enumerate();
        of_machine
            .map(move |(index, listener)| (ListenerId { machine: MachineId(number), index }, &**machine, listener))
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
    let owner = site.machine(id.machine).service_of(id.index);
    let place = locate(id.machine, site.machine(id.machine), &path, owner);
    let machine = site.machine(home);
    if locate(home, machine, &path, None) == place && place != Place::Unknown {
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

/// Folders of which a service may have its own.
pub fn is_tmp(path: &str) -> bool {
    under(path, "/tmp").is_some() || under(path, "/var/tmp").is_some()
}

/// What keeps a service from seeing a path at all.
pub fn hides<'s>(service: &'s Service, path: &str) -> Option<&'s Spanned<String>> {
    service.hidden.iter().find(|folder| under(path, &folder.value).is_some())
}

/// The mount that a path of the machine lies in.
pub fn covering<'m>(machine: &'m Machine, path: &str) -> Option<&'m Mount> {
    let mounts = machine.mounts.iter().filter(|mount| under(path, &normal(&mount.target)).is_some());
    mounts.max_by_key(|mount| mount.target.len())
}

/// `service`: what sees the path, on a server whose services are known.
fn locate(id: MachineId, machine: &Machine, path: &str, service: Option<&Service>) -> Place {
    if let Some(own) = service.and_then(|service| service.own_tmp.as_ref()).filter(|_| is_tmp(path)) {
        return Place::Tmp(id, own.value.clone(), path.to_owned());
    }
    let path = machine.real_paths.get(path).map_or(path, String::as_str);
    if let Some(service) = service.filter(|service| hides(service, path).is_some()) {
        return Place::Tmp(id, service.name.clone(), path.to_owned());
    }
    let mount = covering(machine, path);
    let Some((mount, rest)) = mount.and_then(|mount| Some((mount, under(path, &normal(&mount.target))?))) else {
        // Containers run on the first machine; other servers have files of their own.
        let is_their_host = machine.kind == Kind::Host && id == MachineId(0);
        return if is_their_host { Place::Host(path.to_owned()) } else { Place::Own(id, path.to_owned()) };
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
        Place::Tmp(id, name, path) => Some(Place::Tmp(*id, name.clone(), cut(path)?)),
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
