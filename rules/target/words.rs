//! Phrases that several rules of this family share, so that they read alike.

use crate::finding::{Finding, Level};
use crate::rules::words::without_address;
use crate::site::Site;
use crate::site::listener::{Endpoint, Listener};
use crate::site::machine::{Kind, Machine, MachineId};
use crate::site::proxy::{Hop, Host, Port, Target};
use crate::site::reach::{Certainty, End};
use crate::source::{Span, Spanned};

/// More notes of one kind than these tell nobody anything new.
const ENOUGH: usize = 4;

/// An end and the hop that it belongs to.
pub type Asked<'s> = (&'s End, &'s Hop);

pub fn level(certainty: Certainty) -> Level {
    match certainty {
        Certainty::Proven => Level::Error,
        Certainty::Likely => Level::Warning,
    }
}

pub fn product<'s>(site: &'s Site, hop: &Hop) -> &'s str {
    &site.proxy(hop.proxy).product
}

/// "nginx connects here and answers 502".
pub fn connects(site: &Site, end: &End, hop: &Hop) -> String {
    if end.spared {
        return format!("{} connects here and has to ask another server of the group", product(site, hop));
    }
    format!("{} connects here and answers {}", product(site, hop), site.proxy(hop.proxy).answers.refused)
}

/// "nginx does not start", "nginx answers 502": what follows from a name that nobody knows.
pub fn unknown_name(site: &Site, end: &End, hop: &Hop) -> String {
    without_address(site, hop, site.resolved_at_start(end, hop))
}

pub fn port_of(listener: &Listener) -> Option<u16> {
    match listener.endpoint {
        Endpoint::Tcp { port, .. } => Some(port),
        Endpoint::Unix { .. } => None,
    }
}

/// Host and port of an end that is no socket.
pub fn host_and_port<'s>(site: &'s Site, end: &End) -> Option<(&'s Spanned<Host>, &'s Port)> {
    match site.target(end)? {
        Target::Tcp { host, port } => Some((host, port)),
        Target::Unix { .. } => None,
    }
}

/// The text at the span is this text and not a variable that stands for it, so it can be written over.
pub fn is_literal(span: Span, text: &str) -> bool {
    (span.end - span.start) as usize == text.len()
}

/// The machine, when it is a container.
pub fn container(site: &Site, id: MachineId) -> Option<&Machine> {
    Some(site.machine(id)).filter(|machine| machine.kind == Kind::Container)
}

/// Adds a note for each of the first few places, each place once.
pub fn note_each(finding: &mut Finding, places: impl IntoIterator<Item = (Span, String)>) {
    let mut seen = vec![finding.span];
    for (place, message) in places {
        if seen.len() > ENOUGH {
            return;
        }
        if !seen.contains(&place) {
            seen.push(place);
            finding.note(place, message);
        }
    }
}
