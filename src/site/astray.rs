//! A port of the host that nobody is seen to have, and a container published on another one that nobody asks for: each was
//! meant for the other.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::site::Site;
use crate::site::listener::{Endpoint, Protocol};
use crate::site::machine::{HostPort, Machine, MachineId};
use crate::site::proxy::{Host, ProxyId, Target, To};

/// The port that is asked for, the machine, and the published port of it; `None` unless there is one of each, so that no
/// other reading is left but that of a service which no file shows.
pub fn find(
    site: &Site,
    host: MachineId,
    published: &FxHashMap<u16, Vec<(MachineId, usize)>>,
) -> Option<(u16, MachineId, usize)> {
    let machine = site.machine(host);
    // Whatever runs beside the proxy may have the port.
    if machine.services.iter().any(|service| service.proxies.is_empty() && service.is_own) {
        return None;
    }
    let asked = asked(site, host);
    let listens = |port: u16| machine.listening.listeners.iter().any(|it| port_of(&it.endpoint) == Some(port));
    let mut unknown = asked.iter().filter(|port| !published.contains_key(port) && !listens(**port));
    let port = *unknown.next().filter(|_| unknown.next().is_none())?;
    let mut candidates = site.machines.iter().enumerate().flat_map(|(number, machine)| {
        let may_be_asked = machine.stack == MachineId(number) && number != host.0;
        let ports = machine.published.iter().enumerate().filter(move |_| may_be_asked);
        ports.map(move |(at, published)| (MachineId(number), machine, at, published))
    });
    let mut found = None;
    for (id, machine, at, published) in candidates.by_ref() {
        let HostPort::Fixed(first, last) = published.host else { return None };
        if published.udp || speaks_no_http(machine, published.container) {
            continue;
        }
        // A range, or a second one: nothing says which was meant.
        if found.is_some() || first != last || asked.contains(&first) {
            return None;
        }
        found = Some((id, at));
    }
    let (id, at) = found?;
    // Services beside it that others are to reach, and that it does not need itself, serve a program that is not in the
    // project: what is published may be one more of these.
    let project = site.machine(id).project;
    let needs = |other: usize| site.machine(id).depends_on.iter().any(|it| it.on == MachineId(other));
    let others = site.machines.iter().enumerate().filter(|(number, it)| it.project == project && *number != id.0);
    let serves_itself = others.into_iter().all(|(number, it)| it.published.is_empty() || needs(number));
    serves_itself.then_some((port, id, at))
}

/// Ports of the host's own loopback that its proxies ask with HTTP.
fn asked(site: &Site, host: MachineId) -> BTreeSet<u16> {
    let is_there = |proxy: ProxyId| site.proxy(proxy).machine == Some(host);
    let mut asked = BTreeSet::new();
    let mut add = |target: &Target| {
        let Target::Tcp { host, port } = target else { return };
        let is_own = match &host.value {
            Host::Address(address) => address.is_loopback() || address.is_unspecified(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        };
        if is_own {
            asked.insert(port.number);
        }
    };
    let mut groups = BTreeSet::new();
    for hop in site.hops.iter().filter(|hop| is_there(hop.proxy)) {
        match &hop.to {
            To::Target(target) => add(target),
            To::Group(group) => drop(groups.insert(*group)),
            _ => {}
        }
    }
    groups.iter().flat_map(|group| &site.groups[*group].servers).filter_map(|it| it.to.as_ref().ok()).for_each(add);
    asked
}

/// What listens there speaks another language: a database, a queue, a mail server.
fn speaks_no_http(machine: &Machine, ports: (u16, u16)) -> bool {
    let mut there = machine
        .listening
        .listeners
        .iter()
        .filter(|listener| port_of(&listener.endpoint).is_some_and(|port| ports.0 <= port && port <= ports.1));
    there.any(|listener| !matches!(listener.protocol, None | Some(Protocol::Http | Protocol::Https)))
}

fn port_of(endpoint: &Endpoint) -> Option<u16> {
    match endpoint {
        Endpoint::Tcp { port, .. } => Some(*port),
        Endpoint::Unix { .. } => None,
    }
}
