//! The proxy asks a TCP port and the backend listens on a unix socket, or the other way round.

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{Certainty, End, ListenerId, Reach, Refused};
use crate::site::sockets::{self, Missing, MissingWhy};

pub const RULE: Rule = Rule { id: "socket/tcp-vs-socket", doc: include_str!("tcp_vs_socket.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        match &end.reach {
            Reach::Socket(Missing { why: MissingWhy::Tcp { listener }, certainty }) => {
                add_socket_asked(site, end, hop, *listener, *certainty, findings);
            }
            Reach::Refused(refused) => {
                let Some(listener) = sockets::instead_of_tcp(site, refused, hop) else { continue };
                add_port_asked(site, end, hop, refused, listener, findings);
            }
            _ => {}
        }
    }
}

fn add_socket_asked(site: &Site, end: &End, hop: &Hop, id: ListenerId, certainty: Certainty, findings: &mut Findings) {
    let Some(Target::Unix { path }) = site.target(end) else { return };
    let (listener, machine) = (site.listener(id), words::name(site.machine(id.machine)));
    findings
        .add(level(certainty), end.place, format!("nobody makes the socket `{path}`: {machine} listens on TCP"))
        .label(format!("{} here", words::refusal(site, end, hop)))
        .note(listener.place, words::listens(site, id))
        .help(format!("connect to {} of {machine}, or let it listen on `{path}`", words::address(&listener.endpoint)));
}

fn add_port_asked(site: &Site, end: &End, hop: &Hop, refused: &Refused, id: ListenerId, findings: &mut Findings) {
    let (listener, machine) = (site.listener(id), words::name(site.machine(id.machine)));
    let socket = words::address(&listener.endpoint);
    let seen = site.proxy(hop.proxy).machine.and_then(|home| sockets::seen_from(site, home, id));
    let help = match seen {
        Some(path) => format!("connect to the socket `{path}`, or let {machine} listen on port {}", refused.port),
        None => {
            format!("let {machine} listen on port {}, or share the folder of {socket} with the proxy", refused.port)
        }
    };
    let message = format!("{machine} does not listen on port {} but on a unix socket", refused.port);
    findings
        .add(level(refused.certainty), end.place, message)
        .label(format!("{} here", words::refusal(site, end, hop)))
        .note(listener.place, words::listens(site, id))
        .help(help);
}

fn level(certainty: Certainty) -> Level {
    match certainty {
        Certainty::Proven => Level::Error,
        Certainty::Likely => Level::Warning,
    }
}
