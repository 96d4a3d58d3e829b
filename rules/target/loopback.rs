//! What was meant when a proxy in a container asks its own loopback address and nothing listens there: a program beside
//! it, or another container.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::words::port_of;
use crate::rules::words::{listens, name};
use crate::site::Site;
use crate::site::listener::{self, Endpoint};
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
    evidence: Evidence,
}

/// The stronger one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Evidence {
    Listens(usize),
    Published,
    Declared,
}

impl Meant {
    /// Why it is meant by somebody who asks for the port `asked`.
    pub fn reason(&self, site: &Site, asked: u16) -> String {
        match self.evidence {
            Evidence::Listens(index) => listens(site, ListenerId { machine: self.machine, index }),
            Evidence::Published => {
                let name = name(site.machine(self.machine));
                format!("port {asked} of the host leads to port {} of {name}", self.port)
            }
            Evidence::Declared => format!("{} names port {asked} as its own", name(site.machine(self.machine))),
        }
    }
}

/// The containers of each project by the ports that are known of them.
pub struct Ports {
    by_port: FxHashMap<(usize, u16), Vec<Meant>>,
}

/// Nobody means one of so many ports.
const WIDEST_RANGE: u16 = 64;

impl Ports {
    pub fn of(site: &Site) -> Ports {
        let mut ports = Ports { by_port: FxHashMap::default() };
        for (number, machine) in site.machines.iter().enumerate().filter(|(_, it)| it.kind == Kind::Container) {
            let mut add = |asked: u16, port: u16, place: Span, evidence: Evidence| {
                let meant = Meant { machine: MachineId(number), port, place, evidence };
                ports.by_port.entry((machine.project, asked)).or_default().push(meant);
            };
            for (index, listener) in machine.listening.listeners.iter().enumerate() {
                if let Some(port) = port_of(listener) {
                    add(port, port, listener.place, Evidence::Listens(index));
                }
            }
            for published in machine.published.iter().filter(|published| !published.udp) {
                let HostPort::Fixed(first, last) = published.host else { continue };
                for outside in (first..=last).take(WIDEST_RANGE.into()) {
                    let inside = published.container.0.saturating_add(outside - first);
                    add(outside, inside, published.place, Evidence::Published);
                }
            }
            for declared in &machine.declared {
                for port in (declared.ports.0..=declared.ports.1).take(WIDEST_RANGE.into()) {
                    add(port, port, declared.place, Evidence::Declared);
                }
            }
        }
        for meant in ports.by_port.values_mut() {
            // Each container once, with the best that is known of it.
            meant.sort_by_key(|it| (it.machine, it.evidence));
            meant.dedup_by_key(|it| it.machine);
        }
        ports
    }

    /// Other containers of the project that have the port, those with the best evidence only.
    pub fn meant(&self, site: &Site, home: MachineId, port: u16) -> Vec<&Meant> {
        let home = site.machine(home);
        let known = self.by_port.get(&(home.project, port)).map_or(&[][..], Vec::as_slice);
        let others = || known.iter().filter(|it| site.machine(it.machine).stack != home.stack);
        let listens = |it: &&Meant| matches!(it.evidence, Evidence::Listens(_));
        match others().any(|it| listens(&it)) {
            true => others().filter(listens).collect(),
            false => others().collect(),
        }
    }

    /// The proxy asked its own container, and what it wants is in another one.
    pub fn is_elsewhere(&self, site: &Site, hop: &Hop, refused: &Refused) -> bool {
        refused.own_loopback
            && site.machine(refused.machine).kind == Kind::Container
            && (!is_something_beside(site, hop, refused) || !self.meant(site, refused.machine, refused.port).is_empty())
    }
}

/// The proxy's machine has a listener that is not the proxy's own and speaks what the hop speaks.
fn is_something_beside(site: &Site, hop: &Hop, refused: &Refused) -> bool {
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
    let is_beside = |id: &ListenerId| {
        let listener = site.listener(*id);
        port_of(listener).is_some_and(|port| !own.contains(&port)) && understands(hop.protocol.value, listener.protocol)
    };
    refused.listeners.iter().any(is_beside)
}

/// Two processes of the machine want one port, so one of them is not where it should be: that is the defect.
pub fn fights_over_a_port(site: &Site, refused: &Refused) -> bool {
    let mut seen: BTreeSet<(u16, MachineId, usize)> = BTreeSet::new();
    for id in &refused.listeners {
        let Some(port) = port_of(site.listener(*id)) else { continue };
        let Some(process) = site.machine(id.machine).listener_processes.get(id.index) else { continue };
        // On a server, two that were left at the default of their program were not moved to where they are asked.
        if site.machine(id.machine).kind == Kind::Host && site.listener(*id).evidence == listener::Evidence::Default {
            continue;
        }
        seen.insert((port, id.machine, *process));
    }
    // The listeners are those of one network stack, whoever shares it.
    let ports: BTreeSet<u16> = seen.iter().map(|(port, ..)| *port).collect();
    ports.len() < seen.len()
}
