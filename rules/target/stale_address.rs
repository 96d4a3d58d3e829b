//! A container is asked at an address that changes.

use std::net::IpAddr;

use rustc_hash::FxHashMap;

use super::words::{Asked, container, host_and_port, product};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::machine::{Attached, HostsTarget, Kind, Machine, MachineId, NetworkId};
use crate::site::proxy::{Hop, Host};
use crate::site::reach::{End, Reach};

pub const RULE: Rule = Rule { id: "target/stale-address", doc: include_str!("stale_address.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let names = names(site);
    for (end, hop) in site.ends() {
        let (Some(home), Some((host, _))) = (site.home(hop), host_and_port(site, end)) else { continue };
        match &host.value {
            Host::Address(address) => number(site, end, hop, *address, findings),
            Host::Name(name) => resolved_once(site, (end, hop), &names, home, name, findings),
        }
    }
}

/// An address of the kind that Docker hands out, and no file makes it a fixed one.
fn number(site: &Site, end: &End, hop: &Hop, address: IpAddr, findings: &mut Findings) {
    let (Reach::Leaves, Some((host, _))) = (&end.reach, host_and_port(site, end)) else { return };
    if !is_handed_out(address) || !site.machines.iter().any(|machine| machine.kind == Kind::Container) {
        return;
    }
    let finding = findings.warning(host.span, format!("`{address}` is an address that Docker hands out anew"));
    finding.label(format!("{} keeps asking it when the container has got another one", product(site, hop)));
    finding.help(match site.home(hop).map(|home| home.kind) {
        Some(Kind::Host) => "publish the container's port and use `127.0.0.1`",
        _ => "use the name of the service",
    });
}

/// Docker's own pools, from which each network takes the first addresses in a row: 172.18.0.2, 172.18.0.3, …
fn is_handed_out(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [172, 17..=30, 0, 2..=50]),
        IpAddr::V6(_) => false,
    }
}

/// A service's name that becomes an address when the proxy starts and never again.
fn resolved_once(site: &Site, (end, hop): Asked, names: &Names, home: &Machine, asked: &str, findings: &mut Findings) {
    if home.kind != Kind::Container || !site.resolved_at_start(end, hop) {
        return;
    }
    let alive = matches!(end.reach, Reach::Delivered(_) | Reach::Undecided(_));
    let Some(machine) = named(site, names, home, asked).and_then(|id| container(site, id)) else { return };
    if !alive || machine.stack == home.stack {
        return;
    }
    let label = format!("{} looks it up once, when it starts", product(site, hop));
    let help = "let the proxy look the name up again while it runs, or restart it after each deploy";
    match &machine.replicas {
        Some(replicas) if replicas.value > 1 => {
            let message =
                format!("`{asked}` has {replicas} containers, and {} learns of no new one", product(site, hop));
            findings
                .warning(end.place, message)
                .label(label)
                .note(replicas.span, format!("{} is scaled here", name(machine)))
                .help(help);
        }
        _ if machine.replaced_alone.is_some() => {
            let message = format!("{} keeps asking `{asked}` at its old address after a deploy", product(site, hop));
            let finding = findings.warning(end.place, message);
            finding.label(label).help(help);
            if let Some(place) = machine.replaced_alone {
                finding.note(place, format!("this replaces {} and leaves {} running", name(machine), name(home)));
            }
        }
        _ => {
            let message = format!("`{asked}` may have another address after its next deploy");
            findings.advice(end.place, message).label(label).help(help);
        }
    }
}

/// The machine that has this name on a network of `home`, or for it alone.
fn named(site: &Site, names: &Names, home: &Machine, asked: &str) -> Option<MachineId> {
    if let Some(entry) = home.hosts.iter().find(|entry| entry.name.eq_ignore_ascii_case(asked)) {
        return match entry.to {
            HostsTarget::Machine(machine) => Some(machine),
            _ => None,
        };
    }
    let Attached::Networks(own) = &site.machine(home.stack).attached else { return None };
    let asked = asked.to_ascii_lowercase();
    own.iter().find_map(|mine| names.get(&(mine.network, asked.as_str())).copied())
}

/// Machines by the names that they have on each network.
type Names<'s> = FxHashMap<(NetworkId, &'s str), MachineId>;

fn names(site: &Site) -> Names<'_> {
    let mut names = FxHashMap::default();
    for (number, machine) in site.machines.iter().enumerate() {
        let Attached::Networks(attachments) = &machine.attached else { continue };
        for attachment in attachments {
            for name in &attachment.names {
                names.entry((attachment.network, name.as_str())).or_insert(MachineId(number));
            }
        }
    }
    names
}
