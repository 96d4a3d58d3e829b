//! There is nobody to take over when the only server behind the proxy fails.

use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::proxy::{Hop, To};
use crate::site::reach::Reach;

pub const RULE: Rule = Rule { id: "capacity/single-backend", doc: include_str!("single_backend.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Delivered(id) = end.reach else { continue };
        let machine = site.machine(id.machine);
        let scaled = machine.replicas.is_some_and(|replicas| replicas.value > 1);
        let same = site.home(hop).is_some_and(|home| home.stack == machine.stack);
        if scaled || same || has_others(site, hop) {
            continue;
        }
        let finding = findings.advice(end.place, format!("nobody takes over when {} fails", name(machine)));
        finding.label("the only server for these requests");
        finding.help("run a second one and name both in a group");
    }
}

fn has_others(site: &Site, hop: &Hop) -> bool {
    let To::Group(group) = hop.to else { return false };
    let group = &site.groups[group];
    group.open || group.servers.iter().filter(|server| server.down.is_none()).count() > 1
}
