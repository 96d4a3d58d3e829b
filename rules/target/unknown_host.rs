//! A hop names a host that nobody around the proxy knows.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{container, host_and_port, is_literal, level, port_of, product, unknown_name};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::{list, listens, name};
use crate::site::Site;
use crate::site::machine::{Attached, HostPort, Kind, Machine, MachineId, NetworkId};
use crate::site::proxy::Hop;
use crate::site::reach::{Certainty, End, ListenerId, NameUnknown, Reach};
use crate::source::{Span, Spanned};

pub const RULE: Rule = Rule { id: "target/unknown-host", doc: include_str!("unknown_host.md"), check };

/// With more names than these a list helps nobody.
const FEW: usize = 6;

fn check(site: &Site, findings: &mut Findings) {
    let neighbours = Neighbours::of(site);
    for (end, hop) in site.ends() {
        match &end.reach {
            Reach::GroupUnknown { name, closest, certainty: Certainty::Proven } => {
                no_group(site, end, hop, name, closest.as_deref(), findings);
            }
            Reach::GroupUnknown { name, closest: Some(closest), certainty: Certainty::Likely } => {
                misspelt_group(site, end, hop, name, closest, findings);
            }
            _ => {}
        }
        let Reach::NameUnknown(unknown) = &end.reach else { continue };
        let (Some(home), Some((host, port))) = (site.home(hop), host_and_port(site, end)) else { continue };
        let without_network = unknown.without_network.and_then(|id| container(site, id));
        if home.kind == Kind::Host || site.machine(home.stack).kind == Kind::Host {
            from_host(site, end, hop, unknown, without_network, findings);
            continue;
        }
        if let Some(machine) = without_network {
            nameless(site, end, hop, unknown, machine, findings);
            continue;
        }
        let message = format!("no service or host is called `{}`", unknown.name);
        let consequence = unknown_name(site, end, hop);
        let finding = findings.add(level(unknown.certainty), host.span, message).label(consequence);
        if let Some((suggested, reason)) = suggestion(site, &neighbours, home, unknown, port.number) {
            finding.note(reason.0, reason.1).help(format!("did you mean `{suggested}`?"));
            if is_literal(host.span, &unknown.name) {
                finding.fix(format!("use `{suggested}`"), false, host.span, suggested);
            }
            continue;
        }
        let names = neighbours.names(site, home.stack);
        if !names.is_empty() {
            finding.help(format!("the networks of {} know {}", name(home), list(names)));
        }
    }
}

/// Without a port it can only be a group.
fn no_group(site: &Site, end: &End, hop: &Hop, name: &str, closest: Option<&Spanned<String>>, findings: &mut Findings) {
    let finding = findings.error(end.place, format!("no group of servers is called `{name}`, and a host needs a port"));
    finding.label(format!("{} does not start: no port in upstream", product(site, hop)));
    match closest {
        Some(group) => finding.note(group.span, "this group is defined").help(format!("did you mean `{group}`?")),
        None => finding.help(format!("write the port, as in `{name}:9000`, or define the group")),
    };
}

/// A group that nothing is sent to differs in punctuation alone.
fn misspelt_group(site: &Site, end: &End, hop: &Hop, name: &str, group: &Spanned<String>, findings: &mut Findings) {
    let message = format!("no group of servers is called `{name}`, and nothing is sent to `{group}`");
    let place = host_and_port(site, end).map_or(end.place, |(host, _)| host.span);
    let finding = findings.warning(place, message).label(unknown_name(site, end, hop));
    finding.note(group.span, "this group is defined").help(format!("did you mean `{group}`?"));
    if is_literal(place, name) {
        finding.fix(format!("use `{group}`"), false, place, group.value.clone());
    }
}

/// A name that resolves and is spelt almost alike, or that of the only neighbour with the port; and what speaks for it.
fn suggestion<'s>(
    site: &'s Site,
    neighbours: &Neighbours,
    home: &Machine,
    unknown: &'s NameUnknown,
    port: u16,
) -> Option<(&'s str, (Span, String))> {
    if let Some((closest, id)) = &unknown.closest {
        let machine = site.machine(*id);
        return Some((closest, (machine.place, format!("{} is here", name(machine)))));
    }
    let id = neighbours.only_with_port(site, home.stack, port)?;
    let listeners = &site.machine(id.machine).listening.listeners;
    let reason = (listeners[id.index].place, listens(site, id));
    Some((&site.machine(id.machine).name, reason))
}

/// A proxy on the host asks for the name of a container.
fn from_host(
    site: &Site,
    end: &End,
    hop: &Hop,
    unknown: &NameUnknown,
    machine: Option<&Machine>,
    findings: &mut Findings,
) {
    let (Some((host, port)), Some(machine)) = (host_and_port(site, end), machine) else { return };
    let message = format!("the host does not know the container {}", name(machine));
    let label = format!("{}, unless a name server of the host knows it", unknown_name(site, end, hop));
    let finding = findings.add(level(unknown.certainty), host.span, message).label(label);
    let way = machine.published.iter().find_map(|published| match published.host {
        HostPort::Fixed(first, last)
            if published.container.0 <= port.number && port.number <= published.container.1 =>
        {
            let outside = first + (port.number - published.container.0);
            (outside <= last).then_some((published, outside))
        }
        _ => None,
    });
    finding.note(machine.place, format!("{} is known by its name on its own networks only", name(machine)));
    match way {
        Some((published, outside)) => {
            let leads = format!("port {outside} of the host leads to port {} of {}", port.number, name(machine));
            finding.note(published.place, leads).help(format!("use `127.0.0.1:{outside}`"));
        }
        None => {
            finding.help(format!("publish port {} of {} and use `127.0.0.1`", port.number, name(machine)));
        }
    }
}

/// The service exists, and its way of using a network gives it no name.
fn nameless(site: &Site, end: &End, hop: &Hop, unknown: &NameUnknown, machine: &Machine, findings: &mut Findings) {
    let Some((host, port)) = host_and_port(site, end) else { return };
    let message = format!("{} has no name on any network", name(machine));
    let finding = findings.add(level(unknown.certainty), host.span, message).label(unknown_name(site, end, hop));
    match &machine.attached {
        Attached::Host(place) => {
            finding.note(*place, format!("{} uses the network of the host", name(machine))).help(format!(
                "put it on a network that it shares with {}, or use the host's address (`host.docker.internal` with `extra_hosts`)",
                product(site, hop)
            ));
        }
        Attached::Shares(stack, place) => {
            let other = site.machine(*stack);
            finding.note(*place, format!("{} uses the network of {}", name(machine), name(other)));
            finding.help(format!("use `{}:{}`", other.name, port.number));
            if is_literal(host.span, &unknown.name) {
                finding.fix(format!("use `{}`", other.name), true, host.span, other.name.clone());
            }
        }
        _ => {
            finding.note(machine.place, format!("{} is here", name(machine)));
        }
    }
}

/// The machines of each network, and which of them listen on a port.
#[derive(Default)]
struct Neighbours {
    members: BTreeMap<NetworkId, Vec<MachineId>>,
    by_port: BTreeMap<(NetworkId, u16), Vec<ListenerId>>,
}

impl Neighbours {
    fn of(site: &Site) -> Neighbours {
        let mut neighbours = Neighbours::default();
        for (number, machine) in site.machines.iter().enumerate() {
            for network in networks(machine) {
                neighbours.members.entry(network).or_default().push(MachineId(number));
                for (index, listener) in machine.listening.listeners.iter().enumerate() {
                    let Some(port) = port_of(listener) else { continue };
                    let id = ListenerId { machine: MachineId(number), index };
                    neighbours.by_port.entry((network, port)).or_default().push(id);
                }
            }
        }
        neighbours
    }

    /// The names of the other machines on the networks of this one, when there are few.
    fn names<'s>(&self, site: &'s Site, home: MachineId) -> Vec<&'s str> {
        let members = networks(site.machine(home)).filter_map(|network| self.members.get(&network));
        let others: BTreeSet<MachineId> =
            members.flat_map(|members| members.iter().take(FEW + 2)).copied().filter(|id| *id != home).collect();
        if others.len() > FEW {
            return Vec::new();
        }
        others.into_iter().map(|id| site.machine(id).name.as_str()).collect()
    }

    /// The listener of the only neighbour that has the port.
    fn only_with_port(&self, site: &Site, home: MachineId, port: u16) -> Option<ListenerId> {
        let found = networks(site.machine(home)).filter_map(|network| self.by_port.get(&(network, port))).flatten();
        let mut others = found.filter(|id| id.machine != home);
        let first = others.next()?;
        others.all(|other| other.machine == first.machine).then_some(*first)
    }
}

fn networks(machine: &Machine) -> impl Iterator<Item = NetworkId> {
    let attachments = match &machine.attached {
        Attached::Networks(attachments) => &attachments[..],
        _ => &[],
    };
    attachments.iter().map(|it| it.network)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, hop, place, run, site};
    use crate::site::machine::Attached;

    #[test]
    fn a_name_that_differs_by_a_letter() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        container(&mut site, "keycloak", 8080);
        hop(&mut site, web, "keycloack", 8080);
        let findings = run(&RULE, &mut site);
        assert_eq!(findings[0].message, "no service or host is called `keycloack`");
        assert_eq!(findings[0].help.as_deref(), Some("did you mean `keycloak`?"));
    }

    #[test]
    fn a_service_on_the_network_of_the_host_has_no_name() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        let api = container(&mut site, "api", 8000);
        site.machines[api.0].attached = Attached::Host(place(5));
        hop(&mut site, web, "api", 8000);
        assert_eq!(run(&RULE, &mut site)[0].message, "`api` has no name on any network");
    }
}
