//! What was meant when a proxy in a container asks its own loopback address and nothing listens there: a program beside
//! it, or another container.

use std::collections::BTreeSet;

use super::words::port_of;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::listener::Endpoint;
use crate::site::machine::{HostPort, Kind, MachineId};
use crate::site::proxy::Hop;
use crate::site::reach::{ListenerId, Refused, understands};
use crate::source::Span;

/// Another container that has the port which was asked for.
#[derive(Clone, Debug)]
pub struct Meant {
    pub machine: MachineId,
    /// The port by which other containers reach it.
    pub port: u16,
    pub place: Span,
    pub evidence: String,
}

/// The proxy asked its own container, and what it wants is in another one.
pub fn is_elsewhere(site: &Site, hop: &Hop, refused: &Refused) -> bool {
    refused.own_loopback
        && site.machine(refused.machine).kind == Kind::Container
        && (beside(site, hop, refused).is_empty() || !meant(site, refused.machine, refused.port).is_empty())
}

/// Listeners on the proxy's machine that are not its own and speak what it speaks.
pub fn beside(site: &Site, hop: &Hop, refused: &Refused) -> Vec<ListenerId> {
    let own: BTreeSet<u16> = site
        .servers
        .iter()
        .filter(|server| server.proxy == hop.proxy)
        .flat_map(|server| &server.listens)
        .filter_map(|listen| match listen.endpoint {
            Endpoint::Tcp { port, .. } => Some(port),
            Endpoint::Unix { .. } => None,
        })
        .collect();
    let is_beside = |id: &&ListenerId| {
        let listener = site.listener(**id);
        port_of(listener).is_some_and(|port| !own.contains(&port)) && understands(hop.protocol.value, listener.protocol)
    };
    refused.listeners.iter().filter(is_beside).copied().collect()
}

/// Containers of the same project that have the port, those with the best evidence only.
pub fn meant(site: &Site, home: MachineId, port: u16) -> Vec<Meant> {
    let project = site.machine(home).project;
    let mut found: Vec<(u8, Meant)> = Vec::new();
    for (number, machine) in site.machines.iter().enumerate() {
        if machine.kind == Kind::Host || machine.project != project || machine.stack == site.machine(home).stack {
            continue;
        }
        let mut add = |rank, inside, place, evidence| {
            found.push((rank, Meant { machine: MachineId(number), port: inside, place, evidence }));
        };
        if let Some(listener) = machine.listening.listeners.iter().find(|listener| port_of(listener) == Some(port)) {
            add(0, port, listener.place, format!("{} listens on port {port} ({})", name(machine), listener.why));
            continue;
        }
        if let Some(published) = machine.published.iter().find(|published| {
            matches!(published.host, HostPort::Fixed(first, last) if first <= port && port <= last) && !published.udp
        }) {
            let HostPort::Fixed(first, _) = published.host else { continue };
            let inside = published.container.0.saturating_add(port - first);
            let evidence = format!("port {port} of the host leads to port {inside} of {}", name(machine));
            add(1, inside, published.place, evidence);
            continue;
        }
        if let Some(declared) = machine.declared.iter().find(|it| it.ports.0 <= port && port <= it.ports.1) {
            add(1, port, declared.place, format!("{} names port {port} as its own", name(machine)));
        }
    }
    let best = found.iter().map(|(rank, _)| *rank).min();
    found.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, meant)| meant).collect()
}

/// Two processes of the machine want one port, so one of them is not where it should be: that is the defect.
pub fn fights_over_a_port(site: &Site, refused: &Refused) -> bool {
    let mut seen: BTreeSet<(MachineId, u16, usize)> = BTreeSet::new();
    for id in &refused.listeners {
        let Some(port) = port_of(site.listener(*id)) else { continue };
        let Some(process) = site.machine(id.machine).listener_processes.get(id.index) else { continue };
        seen.insert((id.machine, port, *process));
    }
    let ports: BTreeSet<(MachineId, u16)> = seen.iter().map(|(machine, port, _)| (*machine, *port)).collect();
    ports.len() < seen.len()
}
