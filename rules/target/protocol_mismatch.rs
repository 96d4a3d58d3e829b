//! Proxy and backend speak different languages on a connection that works.

use super::words::{is_literal, note_each, port_of, product};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::{address, listens, name};
use crate::site::Site;
use crate::site::listener::Protocol;
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{ListenerId, Reach, understands};

pub const RULE: Rule = Rule { id: "target/protocol-mismatch", doc: include_str!("protocol_mismatch.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::WrongProtocol(id) = end.reach else { continue };
        let listener = site.listener(id);
        let Some(spoken) = listener.protocol else { continue };
        let asked = hop.protocol.value;
        let machine = site.machine(id.machine);
        let message = format!("{} speaks {spoken} on {}, not {asked}", name(machine), address(&listener.endpoint));
        let finding = findings.error(hop.protocol.span, message).label(consequence(site, hop, spoken));
        finding.note(listener.place, listens(site, id));
        if end.server.is_some() {
            finding.note(end.place, "this server is asked");
        }
        // What stands before it takes the same requests as the proxy itself.
        let other = other_port(site, id, asked).filter(|_| spoken != Protocol::Announced);
        if let Some((place, port)) = other {
            note_each(finding, [(place, format!("{} speaks {asked} on port {port}", name(machine)))]);
        }
        let or = other.map_or(String::new(), |(_, port)| format!(", or port {port} for {asked}"));
        finding.help(format!("{}{or}", advice(asked, spoken)));
        let port_is_written = matches!(site.target(end), Some(Target::Tcp { port, .. }) if port.written.is_some());
        if other.is_some() || !port_is_written {
            continue;
        }
        let (now, then) = match (asked, spoken) {
            (Protocol::Http, Protocol::Https) => ("http", "https"),
            (Protocol::Https, Protocol::Http) => ("https", "http"),
            _ => continue,
        };
        if is_literal(hop.protocol.span, now) {
            finding.fix(format!("use `{then}://`"), true, hop.protocol.span, then);
        }
    }
}

fn consequence(site: &Site, hop: &Hop, spoken: Protocol) -> String {
    let asked = hop.protocol.value;
    if (asked, spoken) == (Protocol::Http, Protocol::Https) {
        // Some servers hang up, others explain themselves with a 400.
        return format!("{} speaks plain HTTP here, and no request succeeds", product(site, hop));
    }
    format!("{} speaks {asked} here and answers {}", product(site, hop), site.proxy(hop.proxy).answers.nonsense)
}

/// Another port of the machine on which it speaks what was asked for.
fn other_port(site: &Site, id: ListenerId, asked: Protocol) -> Option<(crate::source::Span, u16)> {
    let listeners = &site.machine(id.machine).listening.listeners;
    listeners.iter().enumerate().find_map(|(index, listener)| {
        let fits = index != id.index && listener.protocol.is_some() && understands(asked, listener.protocol);
        fits.then_some((listener.place, port_of(listener)?))
    })
}

fn advice(asked: Protocol, spoken: Protocol) -> String {
    match (asked, spoken) {
        (Protocol::Http | Protocol::Http2, Protocol::Https | Protocol::Http2Tls) => "use `https://`".to_owned(),
        (Protocol::Https | Protocol::Http2Tls, Protocol::Http | Protocol::Http2) => "use `http://`".to_owned(),
        (_, Protocol::Http2 | Protocol::Http2Tls) => "pass the request on as gRPC, with HTTP/2".to_owned(),
        (_, Protocol::Announced) => {
            "let the other side take connections without the PROXY protocol, at least on another port".to_owned()
        }
        (_, Protocol::Tcp) => "name a port that speaks HTTP".to_owned(),
        (_, Protocol::Http | Protocol::Https) => format!("pass the request on as {spoken}"),
        _ => format!("pass the request on as {spoken}, or let the other side speak {asked}"),
    }
}
