//! A proxy on the host connects to a port of a container that does not lead out of it.

use std::collections::BTreeMap;

use super::words::{Asked, connects, host_and_port, is_literal, level, note_each};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::machine::{HostPort, MachineId};
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
    for ((machine, number), hops) in random {
        let machine = site.machine(machine);
        let published = &machine.published[number];
        let Some(&((end, _), certainty)) = hops.first() else { continue };
        let Some((_, port)) = host_and_port(end) else { continue };
        let inside = port.number;
        let message = format!("port {inside} of {} is published on a random port of the host", name(machine));
        let finding = findings.add(level(certainty), published.place, message).label("another one at each start");
        note_each(finding, hops.iter().map(|((end, hop), _)| (end.place, connects(site, hop))));
        finding.help(format!("write `127.0.0.1:{inside}:{inside}`"));
    }
}

fn not_at_all(site: &Site, end: &End, hop: &Hop, machine: MachineId, certainty: Certainty, findings: &mut Findings) {
    let Some((host, port)) = host_and_port(end) else { return };
    let machine = site.machine(machine);
    let message = format!("port {} of {} is not published on the host", port.number, name(machine));
    let finding = findings.add(level(certainty), port.written.unwrap_or(host.span), message);
    finding.label(connects(site, hop));
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
    let Some((host, port)) = host_and_port(end) else { return };
    let machine = site.machine(machine);
    let published = &machine.published[number];
    let outside = first.saturating_add(port.number.saturating_sub(published.container.0));
    let message = format!("port {} of {} is port {outside} on the host", port.number, name(machine));
    let finding = findings.add(level(certainty), port.written.unwrap_or(host.span), message);
    finding.label(connects(site, hop));
    finding.note(published.place, "published here");
    finding.help(format!("use `{host}:{outside}`"));
    if let Some(written) = port.written
        && is_literal(written, &port.number.to_string())
    {
        finding.fix(format!("use port {outside}"), certainty == Certainty::Proven, written, outside.to_string());
    }
}
