//! Groups of servers that no route leads to.

use std::collections::BTreeSet;

use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::proxy::{ProxyId, To};

pub const RULE: Rule = Rule { id: "target/unused-group", doc: include_str!("unused_group.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut used: BTreeSet<usize> = BTreeSet::new();
    // A target that is chosen at run time may be any group.
    let mut unclear: BTreeSet<ProxyId> = BTreeSet::new();
    for hop in &site.hops {
        match &hop.to {
            To::Group(number) => {
                used.insert(*number);
            }
            To::Unknown(_) => {
                unclear.insert(hop.proxy);
            }
            _ => {}
        }
    }
    for (number, group) in site.groups.iter().enumerate() {
        let proxy = site.proxy(group.proxy);
        if used.contains(&number) || unclear.contains(&group.proxy) || !proxy.complete || proxy.machine.is_none() {
            continue;
        }
        findings
            .advice(group.name.span, format!("nothing is sent to the group `{}`", group.name))
            .label("no route names it")
            .help("use it, or remove it before somebody mends the wrong servers");
    }
}
