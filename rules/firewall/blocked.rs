//! Connections to the host that its own firewall stops.

use std::collections::BTreeMap;

use crate::finding::{Findings, Level};
use crate::rules::Rule;
use crate::site::Site;
use crate::site::backend::Backend;
use crate::site::firewall::Origin;
use crate::site::listener::Endpoint;
use crate::site::proxy::{Hop, Host, Target};
use crate::site::reach::{Certainty, End, Filtered, Reach};
use crate::site::trouble::{CutOff, Trouble, UnitTrouble, UnitWhy};
use crate::source::{Span, Spanned};

pub const RULE: Rule = Rule { id: "firewall/blocked", doc: include_str!("blocked.md"), check };

/// So many hops are named one by one.
const HOPS: usize = 4;

/// Units that are kept from the network of the machine.
fn cut_off(site: &Site, findings: &mut Findings) {
    for trouble in &site.troubles {
        let Trouble::Unit(UnitTrouble { unit, place, why: UnitWhy::CutOff { setting, kind, listener } }) = trouble
        else {
            continue;
        };
        let proxy = site.proxies.iter().find(|proxy| proxy.machine.is_some());
        let Some(proxy) = proxy else { continue };
        let is_asked = |end: &End| match (&end.reach, listener) {
            (Reach::Delivered(id), Some(listener)) => site.listener(*id).place == *listener,
            (Reach::Delivered(id), None) => !matches!(site.listener(*id).endpoint, Endpoint::Unix { .. }),
            _ => false,
        };
        let asked: Vec<&End> = site.ends.iter().filter(|end| is_asked(end)).collect();
        if asked.is_empty() {
            continue;
        }
        let (what, status) = match (kind, listener) {
            (CutOff::OwnNetwork, _) => ("has a network of its own", proxy.answers.refused),
            (CutOff::Addresses, Some(_)) => ("gets nothing from this machine's own addresses", proxy.answers.slow),
            (CutOff::Addresses, None) => ("may not connect to this machine's own addresses", proxy.answers.refused),
        };
        let message = format!("`{unit}` {what}: {} answers {status}", proxy.product);
        let finding = findings.error(*place, message).label(format!("`{setting}`"));
        for end in asked.iter().take(HOPS) {
            finding.note(end.place, "this connection does not come through");
        }
        finding.help(match kind {
            CutOff::OwnNetwork => "take it out, or let it listen on a unix socket",
            CutOff::Addresses => "add `IPAddressAllow=localhost`",
        });
    }
}

/// Backends that hang up on a proxy, because it is not in the list of those that may connect.
fn turned_away(site: &Site, findings: &mut Findings) {
    let backends = site.backends_by_listener();
    let mut lists: BTreeMap<Span, Vec<(&End, &Hop, &Backend)>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        let Reach::Delivered(id) = &end.reach else { continue };
        let Some(backend) = backends.get(id) else { continue };
        let Some(clients) = &backend.clients else { continue };
        let Some(Target::Tcp { host, .. }) = site.target(end) else { continue };
        let Some(home) = site.home(hop) else { continue };
        let is_own = home.stack == site.machine(id.machine).stack;
        let is_admitted = match &host.value {
            Host::Address(address) if is_own => clients.value.contains(address),
            _ if is_own => clients.value.iter().any(|it| it.is_loopback()),
            // The address that a container gets is not known; it is none of the loopback.
            _ => clients.value.iter().any(|it| !it.is_loopback()),
        };
        if !is_admitted {
            lists.entry(clients.span).or_default().push((end, hop, backend));
        }
    }
    for (place, hops) in lists {
        let (end, hop, backend) = hops[0];
        let proxy = site.proxy(hop.proxy);
        let message = format!("{} takes no connections from {}", backend.program, proxy.product);
        let finding = findings.error(place, message);
        finding.label(format!("hangs up on everybody else: {} answers {}", proxy.product, proxy.answers.nonsense));
        for (end, _, _) in hops.iter().take(HOPS) {
            finding.note(end.place, "this connection comes from another address");
        }
        finding.help(match site.target(end) {
            Some(Target::Tcp { host: Spanned { value: Host::Address(address), .. }, .. }) if address.is_loopback() => {
                format!("add `{address}` to the list")
            }
            _ => "take the list out, or add the proxy's address to it".to_owned(),
        });
    }
}

/// A hop that ends at a firewall.
type Stopped<'s> = (&'s End, &'s Hop, &'s Filtered);

fn check(site: &Site, findings: &mut Findings) {
    let mut stopped: BTreeMap<(Span, u16), Vec<Stopped>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        if let Reach::Filtered(filtered) = &end.reach {
            stopped.entry((filtered.place, filtered.port)).or_default().push((end, hop, filtered));
        }
    }
    for ((place, port), hops) in stopped {
        let (_, hop, filtered) = hops[0];
        let firewall = &site.firewalls[filtered.firewall];
        let proxy = site.proxy(hop.proxy);
        let status = if filtered.rejected { proxy.answers.refused } else { proxy.answers.slow };
        let level = match filtered.certainty {
            Certainty::Proven => Level::Error,
            Certainty::Likely => Level::Warning,
        };
        let who = match filtered.origin {
            Origin::Loopback => "the host itself",
            Origin::DefaultBridge | Origin::Bridge => "containers",
        };
        let message =
            format!("{} keeps {who} from port {port} of the host: {} answers {status}", firewall.tool, proxy.product);
        let finding = findings.add(level, place, message).label("no rule before this one lets the connection in");
        for (end, _, _) in hops.iter().take(HOPS) {
            finding.note(end.place, "this connection comes in through the firewall of the host");
        }
        let allow = match (filtered.origin, firewall.tool.as_str()) {
            (Origin::Loopback, _) => "accept everything that comes in on the interface `lo`".to_owned(),
            (_, "ufw") => {
                format!("`ufw allow from 172.16.0.0/12 to any port {port} proto tcp` lets Docker's networks in")
            }
            (_, "firewalld") => {
                format!("let port {port}/tcp into this zone: `firewall-cmd --permanent --zone … --add-port {port}/tcp`")
            }
            _ => {
                format!("accept TCP port {port} from Docker's networks, 172.16.0.0/12 unless they are set up otherwise")
            }
        };
        finding.help(allow);
    }
    turned_away(site, findings);
    cut_off(site, findings);
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, hop, place, said, site};
    use crate::site::firewall::{Firewall, Verdict};
    use crate::site::listener::Listening;
    use crate::site::machine::{Attached, HostsEntry, HostsTarget, Kind, MachineId};
    use crate::source::Spanned;

    fn stack(verdict: Verdict, certain: bool) -> String {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        let MachineId(host) = container(&mut site, "the host", 9000);
        site.machines[host].kind = Kind::Host;
        site.machines[host].attached = Attached::Host(place(1));
        site.machines[host].listening = Listening::open("it is not visible");
        let entry = HostsEntry { name: "office".to_owned(), to: HostsTarget::Gateway, place: place(2) };
        site.machines[web.0].hosts = vec![entry];
        let policy = Spanned::new(verdict, place(9));
        site.firewalls.push(Firewall { tool: "ufw".to_owned(), certain, rules: Vec::new(), policy });
        hop(&mut site, web, "office", 9000);
        said(&RULE, &mut site)
    }

    #[test]
    fn what_is_saved_proves_and_a_script_does_not() {
        let said = "at 9: ufw keeps containers from port 9000 of the host: proxy answers";
        assert_eq!(stack(Verdict::Drop, true), format!("error {said} 504\n"));
        assert_eq!(stack(Verdict::Drop, false), format!("warning {said} 504\n"));
        assert_eq!(stack(Verdict::Reject, true), format!("error {said} 502\n"));
        assert_eq!(stack(Verdict::Accept, true), "");
    }
}
