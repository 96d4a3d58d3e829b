//! What was understood of a site, as plain data for reports: proxies, their sites, who listens, and the end of each hop.

use std::collections::BTreeMap;

use crate::coverage::{ListenerCoverage, MachineCoverage, ProxyCoverage, RouteCoverage, SiteCoverage, Understood};
use crate::side_by_side::side_by_side;
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint};
use crate::site::machine::{Kind, Machine, MachineId};
use crate::site::proxy::Proxy;
use crate::site::reach::{End, ListenerId, Reach};

/// So many routes are put into words before a second thread would have started.
const FEW: usize = 200;

pub fn describe(site: &Site) -> Understood {
    Understood {
        proxies: proxies(site),
        sites: sites(site),
        machines: machines(site),
        guards: guards(site),
        listeners: listeners(site),
        routes: routes(site),
    }
}

fn proxies(site: &Site) -> Vec<ProxyCoverage> {
    let proxies = site.proxies.iter().map(|proxy| ProxyCoverage {
        name: name(site, proxy),
        // A tag without a third number is known as one with 0.
        version: proxy.version.map(|version| match version {
            (major, minor, 0) => format!("{major}.{minor}"),
            (major, minor, patch) => format!("{major}.{minor}.{patch}"),
        }),
        place: proxy.place,
        runs: proxy.machine.is_some(),
        complete: proxy.complete,
    });
    proxies.collect()
}

fn sites(site: &Site) -> Vec<SiteCoverage> {
    let sites = site.servers.iter().map(|server| {
        let names: Vec<&str> =
            server.names.iter().map(|name| name.value.as_str()).filter(|name| !name.is_empty()).collect();
        let listens: Vec<String> = server.listens.iter().map(|listen| address(&listen.endpoint)).collect();
        SiteCoverage {
            proxy: server.proxy.0,
            name: if names.is_empty() { format!("the site on {}", listens.join(", ")) } else { names.join(" ") },
            place: server.place,
            whole: server.whole,
        }
    });
    sites.collect()
}

/// The machines, without a host of which nothing is known.
fn machines(site: &Site) -> Vec<MachineCoverage> {
    let known = site.machines.iter().filter(|it| it.kind == Kind::Container || !it.listening.listeners.is_empty());
    let machines = known.map(|machine| MachineCoverage {
        name: machine_name(machine),
        listeners: machine.listening.listeners.len(),
        open: machine.listening.open.clone(),
    });
    machines.collect()
}

fn guards(site: &Site) -> Vec<String> {
    let firewalls = site.firewalls.iter().filter(|firewall| firewall.certain).map(|firewall| firewall.tool.clone());
    let mut guards: Vec<String> = firewalls.chain(site.confinement.as_ref().map(|_| "SELinux".to_owned())).collect();
    guards.dedup();
    guards
}

/// Every listener of every machine, in the order of [`listener_numbers`].
fn listeners(site: &Site) -> Vec<ListenerCoverage> {
    let of_machine = |machine: &Machine| -> Vec<ListenerCoverage> {
        let name = machine_name(machine);
        let listeners = machine.listening.listeners.iter().map(|listener| ListenerCoverage {
            machine: name.clone(),
            address: address(&listener.endpoint),
            protocol: listener.protocol.map(|protocol| protocol.to_string()),
            evidence: listener.why.clone(),
            place: listener.place,
        });
        listeners.collect()
    };
    site.machines.iter().flat_map(|machine| of_machine(machine)).collect()
}

fn routes(site: &Site) -> Vec<RouteCoverage> {
    let numbers = listener_numbers(site);
    side_by_side(&site.ends, FEW, |end| route(site, end, &numbers))
}

fn listener_numbers(site: &Site) -> BTreeMap<ListenerId, usize> {
    let ids = site.machines.iter().enumerate().flat_map(|(number, machine)| {
        let indices = 0..machine.listening.listeners.len();
        indices.map(move |index| ListenerId { machine: MachineId(number), index })
    });
    ids.enumerate().map(|(number, id)| (id, number)).collect()
}

fn route(site: &Site, end: &End, numbers: &BTreeMap<ListenerId, usize>) -> RouteCoverage {
    let hop = &site.hops[end.hop];
    let route = hop.route.map(|number| &site.routes[number]);
    let server = route.and_then(|route| route.server).map(|number| &site.servers[number]);
    let server_name = server.and_then(|server| server.names.first()).map_or("*", |name| name.value.as_str());
    let path = route.map_or(String::new(), |route| format!(" {}", route.path));
    let why = match &end.reach {
        Reach::Undecided(why) => Some(why.clone()),
        _ => None,
    };
    let listener = match &end.reach {
        Reach::Delivered(id) | Reach::WrongProtocol(id) => Some(*id),
        Reach::OnlyLoopback { listener, .. } | Reach::OtherFamily { listener, .. } => Some(*listener),
        _ => None,
    };
    RouteCoverage {
        proxy: hop.proxy.0,
        matches: format!("{server_name}{path}"),
        place: end.place,
        target: site.target(end).map_or_else(|| hop.written.to_string(), ToString::to_string),
        outcome: end.reach.outcome(),
        why,
        listener: listener.and_then(|id| numbers.get(&id).copied()),
        site: route.and_then(|route| route.server),
    }
}

fn name(site: &Site, proxy: &Proxy) -> String {
    let product = &proxy.product;
    match proxy.machine.map(|id| site.machine(id)) {
        Some(machine) if machine.kind == Kind::Host => format!("{product} on the host"),
        Some(machine) => format!("{product} in service `{}`", machine.name),
        None => product.clone(),
    }
}

fn machine_name(machine: &Machine) -> String {
    match machine.kind {
        Kind::Host => machine.name.clone(),
        Kind::Container => format!("service `{}`", machine.name),
    }
}

fn address(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix { path } => format!("unix:{path}"),
        Endpoint::Tcp { bind: Bind::Any | Bind::AnyIpv4, port } => format!("*:{port}"),
        Endpoint::Tcp { bind: Bind::OwnName, port } => format!("hostname:{port}"),
        Endpoint::Tcp { bind: Bind::Localhost | Bind::Loopbacks, port } => format!("localhost:{port}"),
        Endpoint::Tcp { bind: Bind::Unknown, port } => format!("?:{port}"),
        Endpoint::Tcp { bind: Bind::Only(address), port } => std::net::SocketAddr::new(*address, *port).to_string(),
    }
}
