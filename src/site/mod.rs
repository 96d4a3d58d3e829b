//! What the files say together, whoever wrote them: machines, networks, listeners, routes, hops and their ends.
//!
//! Readers fill a [`Site`]; [`reach`] follows every hop once; rules read it. No product is known by name here.

pub mod access;
pub mod astray;
pub mod backend;
pub mod firewall;
pub mod listener;
pub mod loops;
pub mod machine;
pub mod proxy;
pub mod reach;
pub mod sockets;
pub mod trouble;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::site::backend::{Backend, Memory};
use crate::site::firewall::{Confinement, Firewall};
use crate::site::listener::{Endpoint, Listener};
use crate::site::machine::{Machine, MachineId, Network};
use crate::site::proxy::{Group, Hop, Proxy, ProxyId, Resolution, Route, Target, To, VirtualServer};
use crate::site::reach::{End, ListenerId};
use crate::site::trouble::Trouble;
use crate::source::Spanned;

/// Everything that is judged together. The vectors are arenas: ids are indices into them.
#[derive(Debug, Default)]
pub struct Site {
    /// Each is large, and stays where it was made.
    pub machines: Vec<Box<Machine>>,
    pub networks: Vec<Network>,
    pub proxies: Vec<Proxy>,
    pub servers: Vec<VirtualServer>,
    pub routes: Vec<Route>,
    pub groups: Vec<Group>,
    /// Each is large, and stays where it was made.
    pub hops: Vec<Box<Hop>>,
    /// What is known of those who listen, apart from where. Each is large, and stays where it was made.
    pub backends: Vec<Box<Backend>>,
    /// Machines whose memory is limited.
    pub memory: Vec<Memory>,
    /// Where each hop ends, one for every server that it may choose; filled by [`reach::follow`].
    pub ends: Vec<End>,
    /// What decides over connections to the host itself.
    pub firewalls: Vec<Firewall>,
    /// What keeps proxies of the host from connecting.
    pub confinement: Option<Confinement>,
    /// Which sockets of the host were seen, so that there are no others.
    pub seen: Seen,
    /// What readers met on the way that no picture of hops can hold.
    pub troubles: Vec<Trouble>,
}

/// The kinds of sockets of the host of which all are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub tcp: bool,
    pub unix: bool,
}

impl Site {
    pub fn machine(&self, id: MachineId) -> &Machine {
        &self.machines[id.0]
    }

    pub fn proxy(&self, id: ProxyId) -> &Proxy {
        &self.proxies[id.0]
    }

    pub fn listener(&self, id: ListenerId) -> &Listener {
        &self.machine(id.machine).listening.listeners[id.index]
    }

    /// Adds what was read apart from the rest. It names machines by the ids that they have here, and has none itself;
    /// everything else in it counts from its own start.
    pub fn add(&mut self, part: Site) {
        let Site { proxies, servers, routes, groups, hops, backends, memory, troubles, .. } = part;
        if self.proxies.is_empty() && self.hops.capacity() == 0 {
            // Nothing counts from anywhere yet, so what may be large is not copied.
            (self.proxies, self.servers, self.routes, self.groups, self.hops) =
                (proxies, servers, routes, groups, hops);
            self.backends.extend(backends);
            self.memory.extend(memory);
            self.troubles.extend(troubles);
            return;
        }
        let (first_proxy, first_server) = (self.proxies.len(), self.servers.len());
        let (first_route, first_group) = (self.routes.len(), self.groups.len());
        let moved = |proxy: ProxyId| ProxyId(proxy.0 + first_proxy);
        self.servers.extend(servers.into_iter().map(|it| VirtualServer { proxy: moved(it.proxy), ..it }));
        self.routes.extend(routes.into_iter().map(|it| Route { server: it.server.map(|at| at + first_server), ..it }));
        self.groups.extend(groups.into_iter().map(|it| Group { proxy: moved(it.proxy), ..it }));
        self.hops.extend(hops.into_iter().map(|mut hop| {
            hop.proxy = moved(hop.proxy);
            hop.route = hop.route.map(|at| at + first_route);
            if let To::Group(group) = &mut hop.to {
                *group += first_group;
            }
            hop
        }));
        self.troubles.extend(troubles);
        self.proxies.extend(proxies);
        self.backends.extend(backends);
        self.memory.extend(memory);
    }

    /// Takes the room that these will need at once. One that is alone keeps its own.
    pub fn make_room<'p>(&mut self, parts: impl Iterator<Item = &'p Site> + Clone) {
        self.backends.reserve_exact(parts.clone().map(|part| part.backends.len()).sum());
        let proxied = parts.filter(|part| !part.proxies.is_empty());
        if proxied.clone().nth(1).is_none() {
            return;
        }
        self.servers.reserve_exact(proxied.clone().map(|part| part.servers.len()).sum());
        self.routes.reserve_exact(proxied.clone().map(|part| part.routes.len()).sum());
        self.hops.reserve_exact(proxied.map(|part| part.hops.len()).sum());
    }

    /// Gives back the room that was taken ahead for the many parts of a proxy.
    pub fn shrink(&mut self) {
        self.proxies.shrink_to_fit();
        self.groups.shrink_to_fit();
        self.servers.shrink_to_fit();
        self.routes.shrink_to_fit();
        self.hops.shrink_to_fit();
    }

    /// The process or pool behind each listener.
    pub fn backends_by_listener(&self) -> BTreeMap<ListenerId, &Backend> {
        let mut found = BTreeMap::new();
        for backend in &self.backends {
            for index in &backend.listeners {
                found.entry(ListenerId { machine: backend.machine, index: *index }).or_insert(&**backend);
            }
        }
        found
    }

    /// The servers of proxies that take requests in on each address of a machine, whatever its family, as indices into [`Site::servers`].
    pub fn servers_by_address(&self) -> FxHashMap<(MachineId, Endpoint), Vec<usize>> {
        let mut found: FxHashMap<(MachineId, Endpoint), Vec<usize>> = FxHashMap::default();
        for (number, server) in self.servers.iter().enumerate() {
            let Some(machine) = self.proxy(server.proxy).machine else { continue };
            for listen in &server.listens {
                let servers = found.entry((machine, listen.endpoint.of_any_family())).or_default();
                if servers.last() != Some(&number) {
                    servers.push(number);
                }
            }
        }
        found
    }

    /// Every end with its hop.
    pub fn ends(&self) -> impl Iterator<Item = (&End, &Hop)> {
        self.ends.iter().map(|end| (end, &*self.hops[end.hop]))
    }

    /// Where this end's connection goes, when the files tell.
    pub fn target(&self, end: &End) -> Option<&Target> {
        match (end.server, &self.hops[end.hop].to) {
            (Some((group, server)), _) => {
                let server = &self.groups[group].servers[server];
                server.to.as_ref().ok().filter(|_| !server.unclear)
            }
            (None, To::Target(target)) => Some(target),
            (None, _) => None,
        }
    }

    /// The machine on which the proxy of a hop runs; `None` for a config that nobody loads.
    pub fn home(&self, hop: &Hop) -> Option<&Machine> {
        self.proxy(hop.proxy).machine.map(|id| self.machine(id))
    }

    /// The name that a hop asks for in a TLS handshake when it is not the target's own. For a group it is what stands in the
    /// statement, not the name of the server that was chosen.
    pub fn tls_name(&self, hop: &Hop) -> Option<Spanned<String>> {
        match (&hop.settings.tls.name, &hop.to) {
            (Some(name), _) => Some(name.clone()),
            (None, To::Group(group)) => Some(Spanned::new(self.groups[*group].name.value.clone(), hop.place)),
            (None, _) => None,
        }
    }

    /// The name of this end's target is resolved once, when the proxy starts.
    pub fn resolved_at_start(&self, end: &End, hop: &Hop) -> bool {
        match end.server {
            Some((group, server)) => !self.groups[group].servers[server].resolves,
            None => hop.resolution == Resolution::AtStart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Site;
    use crate::site::machine::MachineId;
    use crate::site::proxy::{Answers, Proxy, ProxyId, UnknownName};
    use crate::source::{FileId, Span};

    /// The part of a proxy that passes nothing on.
    fn idle(machine: usize) -> Site {
        let proxy = Proxy {
            product: "proxy".to_owned(),
            machine: Some(MachineId(machine)),
            place: Span { file: FileId(0), start: 0, end: 0 },
            answers: Answers {
                refused: "502",
                nonsense: "502",
                slow: "504",
                unknown_name: UnknownName::KeepsFromStarting,
            },
            version: None,
            user: None,
            group: None,
            complete: true,
            connections: None,
            files: None,
            port_variable: None,
        };
        Site { proxies: vec![proxy], ..Site::default() }
    }

    #[test]
    fn proxies_without_hops_are_kept() {
        let parts = [idle(1), Site::default(), idle(2)];
        let mut site = Site::default();
        site.make_room(parts.iter());
        parts.into_iter().for_each(|part| site.add(part));
        let machines: Vec<_> = (0..2).map(|number| site.proxy(ProxyId(number)).machine).collect();
        assert_eq!(machines, [Some(MachineId(1)), Some(MachineId(2))]);
    }
}
