//! A proxy in a container asks for the host, by a name that it does not know or at an address that only the host itself uses.

use std::collections::BTreeMap;

use super::words::{Asked, connects, host_and_port, level, note_each, unknown_name};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::machine::MachineId;
use crate::site::reach::{Certainty, Reach};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "target/host-gateway", doc: include_str!("host_gateway.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut missing: BTreeMap<(MachineId, &str), Vec<Asked>> = BTreeMap::new();
    let mut loopback: BTreeMap<(Span, Certainty), Vec<Asked>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        match &end.reach {
            Reach::HostNameMissing { name } => {
                let Some(home) = site.proxy(hop.proxy).machine else { continue };
                missing.entry((home, name)).or_default().push((end, hop));
            }
            Reach::HostLoopbackOnly { place, certainty } => {
                loopback.entry((*place, *certainty)).or_default().push((end, hop));
            }
            _ => {}
        }
    }
    for ((home, asked), hops) in missing {
        let home = site.machine(home);
        let message = format!("{} does not know `{asked}`: on Linux nothing defines this name", name(home));
        let finding = findings.error(home.place, message).label("no `extra_hosts` here names the host");
        note_each(finding, hops.iter().map(|(end, hop)| (end.place, unknown_name(site, end, hop))));
        finding.help(format!("add `extra_hosts: [\"{asked}:host-gateway\"]` to {}", name(home)));
    }
    for ((place, certainty), hops) in loopback {
        let Some(&(end, hop)) = hops.first() else { continue };
        let from = site.home(hop).map_or("containers".to_owned(), name);
        let port = host_and_port(site, end).map_or(String::new(), |(_, port)| format!("port {} of ", port.number));
        let message = format!("{port}the host is open on its loopback address only, which {from} does not reach");
        let finding = findings.add(level(certainty), place, message).label("no container reaches this address");
        note_each(finding, hops.iter().map(|(end, hop)| (end.place, connects(site, end, hop))));
        finding.help(
            "listen on the address of the bridge, or on every address behind a firewall; \
             a container is better asked by its name on a shared network",
        );
    }
}
