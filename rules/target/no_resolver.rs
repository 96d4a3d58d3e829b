//! A name is looked up with each request, and no name server is asked that knows it.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{Asked, host_and_port, is_literal, note_each, product};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::{list, name};
use crate::site::Site;
use crate::site::machine::{Kind, MachineId};
use crate::site::proxy::Hop;
use crate::site::reach::{End, Reach};
use crate::source::{Span, Spanned};

pub const RULE: Rule = Rule { id: "target/no-resolver", doc: include_str!("no_resolver.md"), check };

/// Docker's own name server, the same in every container on a network of its own.
const DOCKER: &str = "127.0.0.11";

fn check(site: &Site, findings: &mut Findings) {
    let mut foreign: BTreeMap<&Spanned<String>, Vec<(MachineId, Asked)>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        match &end.reach {
            Reach::NoResolver => without(site, end, hop, findings),
            Reach::HostsNotRead { entry } => only_listed(site, end, hop, *entry, findings),
            Reach::ForeignResolver { resolver, machine } => {
                foreign.entry(resolver).or_default().push((*machine, (end, hop)));
            }
            _ => {}
        }
    }
    for (resolver, hops) in foreign {
        let machines: BTreeSet<MachineId> = hops.iter().map(|(machine, _)| *machine).collect();
        let names = list(machines.iter().map(|machine| site.machine(*machine).name.as_str()));
        let plural = if machines.len() > 1 { "s" } else { "" };
        let message = format!("the name server `{resolver}` does not know the container{plural} {names}");
        let finding = findings.error(resolver.span, message).label(match is_loopback(&resolver.value) {
            true => "no name server answers there: in a container this is the container itself",
            false => "a public name server knows no containers",
        });
        note_each(
            finding,
            hops.iter().map(|(_, (_, hop))| {
                let proxy = site.proxy(hop.proxy);
                (hop.place, format!("{} answers {}", proxy.product, proxy.answers.refused))
            }),
        );
        let machines = machines.iter().map(|machine| site.machine(*machine));
        note_each(finding, machines.map(|machine| (machine.place, format!("{} is here", name(machine)))));
        finding.help(format!("use `{DOCKER}`, Docker's own name server: it passes on what it does not know"));
        if is_literal(resolver.span, &resolver.value) {
            finding.fix(format!("use `{DOCKER}`"), true, resolver.span, DOCKER);
        }
    }
}

fn is_loopback(resolver: &str) -> bool {
    resolver.starts_with("127.") || resolver.starts_with("[::1]")
}

fn without(site: &Site, end: &End, hop: &Hop, findings: &mut Findings) {
    let Some((host, _)) = host_and_port(site, end) else { return };
    let proxy = site.proxy(hop.proxy);
    let message = format!("`{host}` is looked up with each request, and no name server is set");
    let finding = findings.error(hop.place, message);
    finding.label(format!("the variable delays the lookup: {} answers {}", product(site, hop), proxy.answers.refused));
    if host.span != hop.place && end.place != hop.place {
        note_each(finding, [(host.span, "the name is written here".to_owned())]);
    }
    finding.help(match site.home(hop).map(|home| home.kind) {
        Some(Kind::Container) => format!("add `resolver {DOCKER};`, or write the target without a variable"),
        _ => "add `resolver` with the address of a name server, or write the target without a variable".to_owned(),
    });
}
/// `extra_hosts` fills `/etc/hosts`, which is read once, when the proxy starts.
fn only_listed(site: &Site, end: &End, hop: &Hop, entry: Span, findings: &mut Findings) {
    let Some((host, _)) = host_and_port(site, end) else { return };
    let proxy = site.proxy(hop.proxy);
    let message = format!("`{host}` is looked up with each request, and no name server knows it");
    let finding = findings.error(hop.place, message);
    finding.label(format!("the variable delays the lookup: {} answers {}", product(site, hop), proxy.answers.refused));
    finding.note(entry, "this is for names without a variable: it goes into `/etc/hosts`, which no name server reads");
    finding.help("write the target without a variable, or as an `upstream` group");
}
