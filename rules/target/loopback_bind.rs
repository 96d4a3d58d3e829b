//! A backend listens on its own loopback address, where no other machine reaches it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::words::{host_and_port, is_literal, level, note_each, port_of, product};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::{address, name};
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener};
use crate::site::proxy::{Hop, Host};
use crate::site::reach::{Certainty, End, ListenerId, Reach};

pub const RULE: Rule = Rule { id: "target/loopback-bind", doc: include_str!("loopback_bind.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let mut shut_out: BTreeMap<ListenerId, Vec<(&End, &Hop, Certainty)>> = BTreeMap::new();
    for (end, hop) in site.ends() {
        match &end.reach {
            Reach::OnlyLoopback { listener, certainty } => {
                shut_out.entry(*listener).or_default().push((end, hop, *certainty));
            }
            Reach::OtherFamily { listener, .. } => by_name(site, end, hop, *listener, findings),
            _ => {}
        }
    }
    for (id, hops) in shut_out {
        let listener = site.listener(id);
        let certainty = hops.iter().map(|(_, _, certainty)| *certainty).max().unwrap_or(Certainty::Likely);
        let machine = name(site.machine(id.machine));
        let message =
            format!("{machine} listens on {} only, where nobody outside reaches it", address(&listener.endpoint));
        let finding = findings.add(level(certainty), listener.bind_place, message).label(listener.why.clone());
        note_each(
            finding,
            hops.iter().map(|(end, hop, _)| {
                let proxy = site.proxy(hop.proxy);
                let from = site.home(hop).map_or(String::new(), |home| format!(" from {}", name(home)));
                (end.place, format!("{} connects{from} and answers {}", proxy.product, proxy.answers.refused))
            }),
        );
        finding.help(match &listener.anywhere {
            Some(anywhere) => format!("let it listen on every address: `{anywhere}`"),
            None => format!("listen on `0.0.0.0:{}`", port_of(listener).unwrap_or_default()),
        });
        if let Some(written) = written_bind(listener) {
            finding.fix("listen on every address", true, listener.bind_place, written);
        }
    }
}

/// What to write over the bind address, when the place holds nothing else.
fn written_bind(listener: &Listener) -> Option<&'static str> {
    let Endpoint::Tcp { bind, .. } = &listener.endpoint else { return None };
    let text = match bind {
        Bind::Only(address) => address.to_string(),
        Bind::Localhost | Bind::Loopbacks => "localhost".to_owned(),
        Bind::Any | Bind::AnyIpv4 | Bind::OwnName | Bind::Unknown => return None,
    };
    (listener.evidence == Evidence::Binding && is_literal(listener.bind_place, &text)).then_some("0.0.0.0")
}

/// `localhost` is bound and one of its two addresses is asked for.
fn by_name(site: &Site, end: &End, hop: &Hop, id: ListenerId, findings: &mut Findings) {
    let listener = site.listener(id);
    let Endpoint::Tcp { bind: Bind::Localhost, port } = listener.endpoint else { return };
    let Some((host, _)) = host_and_port(site, end) else { return };
    let other = if host.value == Host::Address(Ipv4Addr::LOCALHOST.into()) { "::1" } else { "127.0.0.1" };
    let message = format!("`localhost` may mean `{other}` here, and {} asks `{host}:{port}`", product(site, hop));
    let finding = findings.warning(listener.bind_place, message).label(listener.why.clone());
    finding.note(end.place, format!("{} connects here", product(site, hop))).help(format!("listen on `{host}`"));
    if written_bind(listener).is_some() {
        finding.fix(format!("listen on `{host}`"), true, listener.bind_place, host.to_string());
    }
}
