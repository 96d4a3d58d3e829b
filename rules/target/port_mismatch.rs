//! A hop reaches a machine, but not a port on which it listens.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::loopback::{Ports, fights_over_a_port};
use super::words::{connects, host_and_port, is_literal, level, note_each, port_of};
use crate::finding::{Finding, Findings};
use crate::rules::Rule;
use crate::rules::words::{address, listens, name};
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Evidence};
use crate::site::machine::{Declared, DeclaredBy, HostPort, MachineId};
use crate::site::proxy::{Hop, Host};
use crate::site::reach::{Certainty, End, ListenerId, Reach, Refused, understands};
use crate::site::sockets::{instead_of_tcp, owns};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "target/port-mismatch", doc: include_str!("port_mismatch.md"), check };

/// One hop that nobody answers.
struct Asked<'s> {
    end: &'s End,
    hop: &'s Hop,
    refused: &'s Refused,
}

fn check(site: &Site, findings: &mut Findings) {
    let ports = Ports::of(site);
    let mut asked: BTreeMap<(MachineId, u16), Vec<Asked>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        match &end.reach {
            Reach::Refused(refused)
                if !ports.is_elsewhere(site, hop, refused)
                    && !fights_over_a_port(site, refused)
                    && instead_of_tcp(site, refused, hop).is_none() =>
            {
                asked.entry((refused.machine, refused.port)).or_default().push(Asked { end, hop, refused });
            }
            Reach::OtherFamily { listener, certainty } => other_family(site, end, hop, *listener, *certainty, findings),
            Reach::Delivered(listener) => one_of_two(site, end, hop, *listener, findings),
            _ => {}
        }
    }
    for hops in asked.values() {
        match outvoted(site, hops) {
            Some(listener) => at_listener(site, hops, listener, findings),
            None => hops.iter().for_each(|asked| at_hop(site, asked, findings)),
        }
    }
}

/// The only listener that understands the hop.
fn only_listener(site: &Site, asked: &Asked) -> Option<ListenerId> {
    let mut fitting = asked.refused.listeners.iter().filter(|id| {
        let listener = site.listener(**id);
        port_of(listener).is_some()
            && understands(asked.hop.protocol.value, listener.protocol)
            && !owns(site, asked.hop, listener)
    });
    let first = fitting.next()?;
    fitting.all(|other| port_of(site.listener(*other)) == port_of(site.listener(*first))).then_some(*first)
}

/// Whether a listener is on a loopback address that is not the hop's own.
fn is_shut(site: &Site, hop: &Hop, id: ListenerId) -> bool {
    let is_loopback = matches!(site.listener(id).endpoint, Endpoint::Tcp { bind, .. } if bind.is_loopback());
    is_loopback && site.home(hop).is_some_and(|home| home.stack != site.machine(id.machine).stack)
}

/// The listener, when more texts name the port that was asked for than name the listener's own.
fn outvoted(site: &Site, hops: &[Asked]) -> Option<ListenerId> {
    let first = hops.first()?;
    let certain = first.refused.certainty == Certainty::Proven && first.refused.host_side.is_none();
    let written =
        hops.iter().all(|asked| host_and_port(site, asked.end).is_some_and(|(_, port)| port.written.is_some()));
    if !certain || !written {
        return None;
    }
    let listener = only_listener(site, first)?;
    if site.listener(listener).evidence == Evidence::Default {
        // Nobody wrote it, so there is nothing to correct at it.
        return None;
    }
    let declared_with = |wanted: u16| {
        let declared = &site.machine(listener.machine).declared;
        declared.iter().filter(|it| it.ports.0 <= wanted && wanted <= it.ports.1).count()
    };
    let places: BTreeSet<Span> = hops.iter().map(|asked| asked.end.place).collect();
    let votes_for = places.len() + declared_with(first.refused.port);
    let votes_against = 1 + declared_with(port_of(site.listener(listener))?);
    (votes_for > votes_against).then_some(listener)
}

fn at_listener(site: &Site, hops: &[Asked], id: ListenerId, findings: &mut Findings) {
    let listener = site.listener(id);
    let (Some(first), Some(port)) = (hops.first(), port_of(listener)) else { return };
    let asked_port = first.refused.port;
    let machine = site.machine(id.machine);
    let message = format!("{} listens on port {port}, and port {asked_port} is asked for", name(machine));
    let finding = findings.error(listener.place, message).label(listener.why.clone());
    note_each(finding, hops.iter().map(|asked| (asked.end.place, connects(site, asked.end, asked.hop))));
    note_each(finding, declared_with(&machine.declared, asked_port));
    finding.help(format!("listen on port {asked_port}"));
    if is_literal(listener.place, &port.to_string()) {
        finding.fix(format!("listen on port {asked_port}"), false, listener.place, asked_port.to_string());
    }
}

fn at_hop(site: &Site, asked: &Asked, findings: &mut Findings) {
    let Asked { end, hop, refused } = asked;
    let Some((host, port)) = host_and_port(site, end) else { return };
    let machine = site.machine(refused.machine);
    let probably = if refused.certainty == Certainty::Likely && !end.spared { "probably " } else { "" };
    let message = format!("{} {probably}does not listen on port {}", name(machine), refused.port);
    let place = port.written.unwrap_or(host.span);
    let finding = findings.add(level(refused.certainty), place, message).label(connects(site, end, hop));

    let others = refused.listeners.iter().filter(|id| !owns(site, hop, site.listener(**id)));
    note_each(finding, others.map(|id| (site.listener(*id).place, listens(site, *id))));
    let only = only_listener(site, asked);
    if let Some(id) = only.filter(|id| is_shut(site, hop, *id) && refused.host_side.is_none()) {
        // The right port alone would be refused as well.
        let listener = site.listener(id);
        let port = port_of(listener).unwrap_or_default();
        let open = listener.anywhere.clone().unwrap_or_else(|| "0.0.0.0".to_owned());
        finding.help(format!("use port {port}, and let it listen on every address: `{open}`"));
        return;
    }
    let mut right = only.and_then(|id| port_of(site.listener(id)));
    let mut reason =
        if port.written.is_none() { format!("no port is written, so {} is meant", port.number) } else { String::new() };
    if let Some((publisher, number)) = refused.host_side {
        let published = &site.machine(publisher).published[number];
        let HostPort::Fixed(first, _) = published.host else { return };
        let inside = published.container.0.saturating_add(refused.port - first);
        let from_host = format!("port {} of the host leads to port {inside} of {}", refused.port, name(machine));
        finding.note(published.place, from_host);
        right = right.or(Some(inside));
        reason = format!("{} is its port on the host; other containers use the one inside", refused.port);
    } else if refused.listeners.is_empty() {
        note_each(finding, machine.declared.iter().map(|it| (it.place, declares(it))));
        right = right.or(only_declared(&machine.declared));
    }
    if let Some(variable) = site.proxy(hop.proxy).port_variable {
        if port.written.is_none() {
            note_each(finding, declared_with(&machine.declared, refused.port));
        }
        let right = right.or_else(|| first_port(site, &refused.listeners));
        let Some(right) = right else { return };
        finding.help(match port.written {
            Some(_) => format!("use port {right}"),
            None => format!("set `{variable}={right}`; without it, port {} is asked", refused.port),
        });
        if let Some(written) = port.written.filter(|it| is_literal(*it, &refused.port.to_string())) {
            let safe = refused.certainty == Certainty::Proven;
            finding.fix(format!("use port {right}"), safe, written, right.to_string());
        }
        return;
    }
    let Some(right) = right else { return };
    // `VIRTUAL_PORT` holds nothing but the port.
    let digits = port.number.to_string();
    let is_alone = port.written.is_some_and(|written| written == end.place && is_literal(written, &digits));
    match is_alone {
        true => drop(finding.help(format!("write `{right}`"))),
        false => advise(finding, host.value.to_string(), right, &reason),
    }
    match port.written {
        Some(written) if is_literal(written, &refused.port.to_string()) => {
            let safe = refused.certainty == Certainty::Proven;
            finding.fix(format!("use port {right}"), safe, written, right.to_string());
        }
        None if is_literal(host.span, &host.value.to_string()) => {
            finding.fix(format!("use port {right}"), false, host.span, format!("{}:{right}", host.value));
        }
        _ => {}
    }
}

/// The port of the first listener that has one.
fn first_port(site: &Site, listeners: &[ListenerId]) -> Option<u16> {
    listeners.iter().find_map(|id| port_of(site.listener(*id)))
}

fn advise(finding: &mut Finding, host: String, port: u16, reason: &str) {
    let colon = if reason.is_empty() { "" } else { ": " };
    finding.help(format!("use `{host}:{port}`{colon}{reason}"));
}

fn only_declared(declared: &[Declared]) -> Option<u16> {
    let first = declared.first()?;
    declared.iter().all(|it| it.ports == (first.ports.0, first.ports.0)).then_some(first.ports.0)
}

fn declared_with(declared: &[Declared], port: u16) -> impl Iterator<Item = (Span, String)> {
    declared.iter().filter(move |it| it.ports.0 <= port && port <= it.ports.1).map(|it| (it.place, declares(it)))
}

fn declares(declared: &Declared) -> String {
    let ports = match declared.ports {
        (first, last) if first == last => format!("port {first}"),
        (first, last) => format!("ports {first} to {last}"),
    };
    match declared.by {
        DeclaredBy::Expose => format!("the image says that it listens on {ports}"),
        DeclaredBy::Service => format!("the service says that it listens on {ports}"),
        DeclaredBy::Published => format!("{ports} of the container is published"),
    }
}

/// `127.0.0.1` is asked and only `::1` is bound, or the reverse.
fn other_family(site: &Site, end: &End, hop: &Hop, id: ListenerId, certainty: Certainty, findings: &mut Findings) {
    let (Some((host, port)), Some(target)) = (host_and_port(site, end), site.target(end)) else { return };
    let listener = site.listener(id);
    let bound = match listener.endpoint {
        Endpoint::Tcp { bind: Bind::Only(bound), .. } => bound,
        Endpoint::Tcp { bind: Bind::AnyIpv4, .. } => IpAddr::from([127, 0, 0, 1]),
        Endpoint::Tcp { bind: Bind::OwnName, .. } => {
            let message = format!("nothing listens on {target}, only on the address of the container's own name");
            let finding = findings.add(level(certainty), host.span, message).label(connects(site, end, hop));
            finding.note(listener.bind_place, listens(site, id));
            if let Some(anywhere) = &listener.anywhere {
                finding.help(format!("let it listen on every address: `{anywhere}`"));
            }
            return;
        }
        _ => return,
    };
    let reached = SocketAddr::new(bound, port.number);
    let message = format!("nothing listens on {target}, only on {reached}");
    let finding = findings.add(level(certainty), host.span, message).label(connects(site, end, hop));
    finding.note(listener.bind_place, listens(site, id)).help(format!("use `{reached}`"));
    let Host::Address(asked) = host.value else { return };
    if port.written.is_some() && is_literal(host.span, &in_a_target(asked)) {
        finding.fix(format!("use `{}`", in_a_target(bound)), true, host.span, in_a_target(bound));
    }
}

/// `localhost` is two addresses, the listener has one of them, and no second one is tried.
fn one_of_two(site: &Site, end: &End, hop: &Hop, id: ListenerId, findings: &mut Findings) {
    let (Some(one_try), Some((host, port))) = (hop.settings.one_try, host_and_port(site, end)) else { return };
    let listener = site.listener(id);
    let Endpoint::Tcp { bind: Bind::Only(bound), .. } = listener.endpoint else { return };
    let is_own = matches!(&host.value, Host::Name(name) if name.eq_ignore_ascii_case("localhost"));
    if !is_own || !bound.is_loopback() {
        return;
    }
    let message = format!("`{host}` is two addresses, and only {} answers", address(&listener.endpoint));
    let refused = site.proxy(hop.proxy).answers.refused;
    let finding = findings.warning(end.place, message).label(format!("half of the requests end in {refused}"));
    finding.note(one_try, "the other address is not tried").note(listener.bind_place, listens(site, id));
    finding.help(format!("use `{}:{}`", in_a_target(bound), port.number));
}

/// An address as it is written in front of a port.
fn in_a_target(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, hop, place, published, run, said, site};
    use crate::site::machine::{Declared, DeclaredBy};

    #[test]
    fn one_hop_against_one_listener() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        container(&mut site, "api", 8000);
        hop(&mut site, web, "api", 3000);
        let findings = run(&RULE, &mut site);
        assert_eq!(findings[0].message, "`api` does not listen on port 3000");
        assert_eq!(findings[0].span, place(3000));
        assert_eq!(findings[0].help.as_deref(), Some("use `api:8000`"));
    }

    #[test]
    fn two_hops_outvote_a_listener_until_a_declaration_sides_with_it() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        let api = container(&mut site, "api", 8080);
        hop(&mut site, web, "api", 8000);
        hop(&mut site, web, "api", 8000);
        assert_eq!(said(&RULE, &mut site), "error at 1001: `api` listens on port 8080, and port 8000 is asked for\n");
        let place = place(9);
        site.machines[api.0].declared.push(Declared { ports: (8080, 8080), by: DeclaredBy::Service, place });
        let both =
            "error at 3000: `api` does not listen on port 8000\nerror at 3001: `api` does not listen on port 8000\n";
        assert_eq!(said(&RULE, &mut site), both);
    }

    #[test]
    fn the_host_side_of_a_published_port_is_named_as_such() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        let api = container(&mut site, "api", 8000);
        site.machines[api.0].published.push(published(8081, 8000, 7));
        hop(&mut site, web, "api", 8081);
        let findings = run(&RULE, &mut site);
        let help = "use `api:8000`: 8081 is its port on the host; other containers use the one inside";
        assert_eq!(findings[0].help.as_deref(), Some(help));
    }
}
