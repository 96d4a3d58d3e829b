//! A group of servers of which none may be asked.

use std::collections::BTreeMap;

use super::words::{Asked, note_each};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::reach::Reach;

pub const RULE: Rule = Rule { id: "target/empty-upstream", doc: include_str!("empty_upstream.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut empty: BTreeMap<usize, Vec<Asked>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        let Reach::NoServers { group } = end.reach else { continue };
        empty.entry(group).or_default().push((end, hop));
    }
    for (number, hops) in empty {
        let group = &site.groups[number];
        let proxy = site.proxy(group.proxy);
        let downs: Vec<_> = group.servers.iter().filter_map(|server| server.down).collect();
        let finding = match downs.first() {
            Some(down) => {
                let message = match downs.len() {
                    1 => format!("the only server of `{}` is never asked", group.name),
                    count => format!("none of the {count} servers of `{}` is ever asked", group.name),
                };
                let finding = findings.error(*down, message);
                finding.label(format!("{} answers {}", proxy.product, proxy.answers.refused));
                finding.help("take this mark off a server that runs")
            }
            None => {
                let finding = findings.error(group.name.span, format!("`{}` has no servers", group.name));
                finding.label(format!("{} has nobody to ask", proxy.product)).help("name a server in it")
            }
        };
        note_each(finding, hops.iter().map(|(end, _)| (end.place, format!("`{}` is asked here", group.name))));
    }
}
