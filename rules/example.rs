//! Small sites for the tests of rules, built by hand: containers on one network, a proxy and its hops.

use std::sync::Arc;

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening, Protocol};
use crate::site::machine::{
    Attached, Attachment, Condition, Dependency, HostPort, Kind, Machine, MachineId, NetworkId,
};
use crate::site::machine::{Network, Published, Start};
use crate::site::proxy::{Answers, Hop, Host, Port, Proxy, ProxyId, Resolution, Target, To, UnknownName, Waits};
use crate::site::reach;
use crate::source::{FileId, Span, Spanned, Text};

/// A place of its own for each number.
pub fn place(number: u32) -> Span {
    Span { file: FileId(0), start: number, end: number + 1 }
}

/// A site with one network.
pub fn site() -> Site {
    let network = Network {
        key: "default".to_owned(),
        name: "default".to_owned(),
        place: place(0),
        open: false,
        gateways: Vec::new(),
    };
    Site { networks: vec![network], ..Site::default() }
}

/// Adds a container that listens on nothing else than this port; its place is its number.
pub fn container(site: &mut Site, name: &str, port: u16) -> MachineId {
    let id = MachineId(site.machines.len());
    let place = place(1000 + id.0 as u32);
    let names = vec![name.to_owned()];
    let attachment = Attachment { network: NetworkId(0), names, addresses: Vec::new(), place };
    site.machines.push(Box::new(Machine {
        name: name.to_owned(),
        place,
        kind: Kind::Container,
        project: 0,
        stack: id,
        attached: Attached::Networks(vec![attachment]),
        image: None,
        built_here: false,
        listening: Listening { listeners: vec![listener(port, place)], open: None },
        listener_processes: vec![0],
        declared: Vec::new(),
        conditional_processes: Vec::new(),
        port_variables: Vec::new(),
        published: Vec::new(),
        hosts: Vec::new(),
        mounts: Vec::new(),
        start: Start::Always,
        depends_on: Vec::new(),
        restart: None,
        probe: None,
        image_has_probe: None,
        starts_as_it_came: true,
        names_hosts: None,
        slow_start: None,
        replaced_alone: None,
        replicas: None,
        tools: Vec::new(),
        container_name: None,
        users: Vec::new(),
        services: Vec::new(),
        folders: Vec::new(),
        sealed: Vec::new(),
        real_paths: BTreeMap::new(),
        may_have_links: false,
        open_files: None,
        longest_queue: None,
        daemons: None,
    }));
    id
}

pub fn listener(port: u16, place: Span) -> Listener {
    Listener {
        endpoint: Endpoint::Tcp { bind: Bind::Any, port },
        protocol: Some(Protocol::Http),
        evidence: Evidence::Binding,
        place,
        bind_place: place,
        why: "it is told to".to_owned(),
        anywhere: None,
        access: None,
    }
}

pub fn published(host: u16, container: u16, number: u32) -> Published {
    Published {
        address: None,
        host: HostPort::Fixed(host, host),
        container: (container, container),
        udp: false,
        place: place(number),
    }
}

pub fn dependency(on: MachineId, condition: Condition) -> Dependency {
    Dependency { on, condition, required: true, place: place(2000 + on.0 as u32) }
}

/// Adds a proxy on the machine that asks `http://host:port`.
pub fn hop(site: &mut Site, machine: MachineId, host: &str, port: u16) {
    let place = place(3000 + site.hops.len() as u32);
    let unknown_name = UnknownName::KeepsFromStarting;
    site.proxies.push(Proxy {
        product: "proxy".to_owned(),
        machine: Some(machine),
        place,
        answers: Answers { refused: "502", nonsense: "502", slow: "504", unknown_name },
        version: None,
        user: None,
        group: None,
        complete: true,
        connections: None,
        files: None,
        port_variable: None,
    });
    let host = Spanned::new(Host::Name(host.to_owned()), place);
    site.hops.push(Box::new(Hop {
        proxy: ProxyId(site.proxies.len() - 1),
        route: None,
        place,
        statement: place,
        written: Text::fixed("", place),
        protocol: Spanned::new(Protocol::Http, place),
        to: To::Target(Target::Tcp { host, port: Port { number: port, written: Some(place) } }),
        resolution: Resolution::AtStart,
        uri: None,
        waits: Waits::default(),
        settings: Arc::default(),
    }));
}

pub fn run(rule: &Rule, site: &mut Site) -> Vec<Finding> {
    reach::follow(site);
    rule.run(site)
}

/// What the rule says: level, place, message, one line a finding.
pub fn said(rule: &Rule, site: &mut Site) -> String {
    let findings = run(rule, site);
    let lines = findings.iter().map(|it| format!("{} at {}: {}\n", it.level.name(), it.span.start, it.message));
    lines.collect()
}
