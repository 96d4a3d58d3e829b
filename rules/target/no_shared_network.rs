//! Proxy and backend exist, and no network connects them.

use std::collections::BTreeMap;

use super::words::{Asked, container, level, note_each, unknown_name};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::{list, name};
use crate::site::Site;
use crate::site::machine::{Attached, Attachment, Machine, MachineId};
use crate::site::reach::{Certainty, Reach};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "target/no-shared-network", doc: include_str!("no_shared_network.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut pairs: BTreeMap<(MachineId, MachineId, Certainty), Vec<Asked>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        let Reach::OtherNetwork { machine, certainty } = end.reach else { continue };
        let Some(home) = site.proxy(hop.proxy).machine else { continue };
        pairs.entry((home, machine, certainty)).or_default().push((end, hop));
    }
    for ((home, target, certainty), hops) in pairs {
        let Some(target) = container(site, target) else { continue };
        let asks = hops.iter().map(|(end, hop)| {
            (end.place, format!("`{}` is asked here: {}", target.name, unknown_name(site, end, hop)))
        });
        let (home, target) = (site.machine(home), target);
        if two_of_one_key(site, home, target, asks.clone(), findings) {
            continue;
        }
        let (message, place) = match (&home.attached, written(home), written(target)) {
            (Attached::DefaultBridge(place), ..) => {
                (format!("{} is on Docker's default bridge, where names do not resolve", name(home)), *place)
            }
            (_, Some(place), _) | (_, None, Some(place)) => {
                (format!("{} and {} share no network", name(home), name(target)), place)
            }
            (_, None, None) => (format!("{} and {} share no network", name(home), name(target)), home.place),
        };
        let finding = findings.add(level(certainty), place, message);
        let label = if Some(place) == written(target) && written(home).is_none() { target } else { home };
        finding.label(where_it_is(site, label));
        note_each(
            finding,
            [home, target].map(|machine| (written(machine).unwrap_or(machine.place), where_it_is(site, machine))),
        );
        note_each(finding, asks);
        finding.help(advice(site, home, target));
    }
}

/// Both use a network that their files call the same, and Docker makes two of it.
fn two_of_one_key(
    site: &Site,
    home: &Machine,
    target: &Machine,
    asks: impl Iterator<Item = (Span, String)>,
    findings: &mut Findings,
) -> bool {
    for own in attachments(home) {
        for other in attachments(target) {
            let (mine, theirs) = (&site.networks[own.network.0], &site.networks[other.network.0]);
            let is_alike = mine.key == theirs.key || mine.key == theirs.name || mine.name == theirs.key;
            if !is_alike || mine.name == theirs.name || mine.key == "default" {
                continue;
            }
            let message = format!("this network is `{}`, and {} is on `{}`", mine.name, name(target), theirs.name);
            let finding = findings.error(mine.place, message);
            finding.label(format!("{} is on this one", name(home)));
            finding.note(theirs.place, format!("`{}` is another network", theirs.name));
            note_each(finding, asks);
            finding.help(match theirs.open {
                true => format!(
                    "give it `name: {0}`, so that both are `{0}`, and `external: true` if another project makes it",
                    theirs.name
                ),
                false => format!(
                    "give both the same `name:`, and one of them `external: true`, so that both are `{}`",
                    theirs.name
                ),
            });
            return true;
        }
    }
    false
}

fn attachments(machine: &Machine) -> &[Attachment] {
    match &machine.attached {
        Attached::Networks(attachments) => attachments,
        _ => &[],
    }
}

/// Where the networks of a machine are written, if they are.
fn written(machine: &Machine) -> Option<Span> {
    match &machine.attached {
        Attached::Networks(attachments) => {
            attachments.first().map(|it| it.place).filter(|place| *place != machine.place)
        }
        Attached::Host(place)
        | Attached::Shares(_, place)
        | Attached::DefaultBridge(place)
        | Attached::Nothing(place) => Some(*place),
        Attached::Unknown => None,
    }
}

fn where_it_is(site: &Site, machine: &Machine) -> String {
    let networks: Vec<&str> = attachments(machine).iter().map(|it| site.networks[it.network.0].key.as_str()).collect();
    match &machine.attached {
        Attached::Networks(_) => format!("{} is on {} only", name(machine), list(networks)),
        Attached::DefaultBridge(_) => format!("{} is on Docker's default bridge", name(machine)),
        Attached::Host(_) => format!("{} uses the network of the host", name(machine)),
        Attached::Shares(other, _) => format!("{} uses the network of {}", name(machine), name(site.machine(*other))),
        Attached::Nothing(_) => format!("{} has no network", name(machine)),
        Attached::Unknown => format!("{} is here", name(machine)),
    }
}

fn advice(site: &Site, home: &Machine, target: &Machine) -> String {
    if let (Attached::DefaultBridge(_), Attached::DefaultBridge(_)) = (&home.attached, &target.attached) {
        return "remove `network_mode: bridge` from both: the network of the project resolves names".to_owned();
    }
    if let Attached::DefaultBridge(_) = home.attached {
        return format!("remove `network_mode: bridge`, or put {} on a network of {}", name(home), name(target));
    }
    let Some(network) = attachments(target).first().map(|it| &site.networks[it.network.0]) else {
        return format!("put both on one network, under `networks:` of {} and of {}", name(home), name(target));
    };
    if home.project == target.project {
        return format!("add `{}` to the networks of {}", network.key, name(home));
    }
    format!("add `{}` to the networks of {}, as a network with `external: true`", network.name, name(home))
}
