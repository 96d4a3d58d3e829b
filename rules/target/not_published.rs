//! A proxy on the host connects to a port of a container that does not lead out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::words::{Asked, connects, host_and_port, is_literal, level, note_each};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::listener::{Endpoint, Listener};
use crate::site::machine::{HostPort, Kind, MachineId, Published};
use crate::site::proxy::Hop;
use crate::site::reach::{Certainty, End, Reach};

pub const RULE: Rule = Rule { id: "target/not-published", doc: include_str!("not_published.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut random: BTreeMap<(MachineId, usize), Vec<(Asked, Certainty)>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        let Reach::NotPublished { machine, published, certainty } = end.reach else { continue };
        match published {
            None => not_at_all(site, end, hop, machine, certainty, findings),
            Some(number) => match site.machine(machine).published[number].host {
                HostPort::Fixed(first, _) => elsewhere(site, end, hop, (machine, number, first), certainty, findings),
                HostPort::Random => random.entry((machine, number)).or_default().push(((end, hop), certainty)),
                HostPort::Unknown => {}
            },
        }
    }
    of_the_proxy(site, findings);
    for ((machine, number), hops) in random {
        let machine = site.machine(machine);
        let published = &machine.published[number];
        let Some(&((end, _), certainty)) = hops.first() else { continue };
        let Some((_, port)) = host_and_port(site, end) else { continue };
        let inside = port.number;
        let message = format!("port {inside} of {} is published on a random port of the host", name(machine));
        let finding = findings.add(level(certainty), published.place, message).label("another one at each start");
        note_each(finding, hops.iter().map(|((end, hop), _)| (end.place, connects(site, end, hop))));
        finding.help(format!("write `127.0.0.1:{inside}:{inside}`"));
    }
}

/// A proxy's container whose published ports all lead to ports on which nothing in it listens.
fn of_the_proxy(site: &Site, findings: &mut Findings) {
    let machines: BTreeSet<MachineId> = site.proxies.iter().filter_map(|proxy| proxy.machine).collect();
    for id in machines {
        let machine = site.machine(id);
        if machine.stack != id || machine.kind != Kind::Container {
            continue;
        }
        let members = || site.machines.iter().filter(|other| other.stack == id);
        let ports = || members().flat_map(|member| &member.listening.listeners).filter_map(tcp_port);
        let (Some(first), true) = (ports().min(), members().all(|member| member.listening.open.is_none())) else {
            continue;
        };
        let leads = |published: &&Published| {
            published.udp || ports().any(|port| published.container.0 <= port && port <= published.container.1)
        };
        let all = || members().flat_map(|member| &member.published);
        let (Some(published), false) = (all().next(), all().any(|published| leads(&published))) else { continue };
        let message = format!("nothing in {} listens on port {}", name(machine), published.container.0);
        let finding = findings.error(published.place, message).label("published, and every connection is refused");
        let listeners =
            members().flat_map(|member| &member.listening.listeners).filter(|it| tcp_port(it) == Some(first));
        note_each(finding, listeners.map(|it| (it.place, format!("it listens on port {first}"))));
        if let HostPort::Fixed(outside, _) = published.host {
            finding.help(format!("publish `{outside}:{first}`"));
        }
    }
}

fn tcp_port(listener: &Listener) -> Option<u16> {
    match &listener.endpoint {
        Endpoint::Tcp { bind, port } if !bind.is_loopback() => Some(*port),
        _ => None,
    }
}

fn not_at_all(site: &Site, end: &End, hop: &Hop, machine: MachineId, certainty: Certainty, findings: &mut Findings) {
    let Some((host, port)) = host_and_port(site, end) else { return };
    let machine = site.machine(machine);
    let message = format!("port {} of {} is not published on the host", port.number, name(machine));
    let finding = findings.add(level(certainty), port.written.unwrap_or(host.span), message);
    finding.label(connects(site, end, hop));
    finding.note(machine.place, format!("{} has this port inside its container only", name(machine)));
    finding.help(format!("add `ports: [\"127.0.0.1:{0}:{0}\"]` to {1}", port.number, name(machine)));
}

fn elsewhere(
    site: &Site,
    end: &End,
    hop: &Hop,
    (machine, number, first): (MachineId, usize, u16),
    certainty: Certainty,
    findings: &mut Findings,
) {
    let Some((host, port)) = host_and_port(site, end) else { return };
    let machine = site.machine(machine);
    let published = &machine.published[number];
    if let (Some(address), HostPort::Fixed(first, last)) = (&published.address, published.host)
        && first <= port.number
        && port.number <= last
    {
        let number = port.number;
        let message = format!("port {number} of the host leads to {} at {} only", name(machine), address.value);
        let finding = findings.add(level(certainty), address.span, message).label("not at the loopback address");
        finding.note(end.place, connects(site, end, hop));
        finding.help(format!("publish it at `127.0.0.1`, or use `{}`", SocketAddr::new(address.value, number)));
        return;
    }
    let outside = first.saturating_add(port.number.saturating_sub(published.container.0));
    let is_inside = published.container.0 <= port.number && port.number <= published.container.1;
    let outside = if is_inside { outside } else { first };
    let message = match is_inside {
        true => format!("port {} of {} is port {outside} on the host", port.number, name(machine)),
        false => {
            format!("nobody is seen to listen on port {} of the host, nor to ask for {}", port.number, name(machine))
        }
    };
    let finding = findings.add(level(certainty), port.written.unwrap_or(host.span), message);
    finding.label(connects(site, end, hop));
    finding
        .note(published.place, if is_inside { "published here".to_owned() } else { format!("it is port {outside}") });
    finding.help(format!("use `{host}:{outside}`"));
    if let Some(written) = port.written
        && is_literal(written, &port.number.to_string())
    {
        finding.fix(format!("use port {outside}"), certainty == Certainty::Proven, written, outside.to_string());
    }
}
