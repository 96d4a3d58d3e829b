//! ufw as it is set up on a server: `ENABLED`, the default policy, its own rules and those of its user (ufw(8)).

use crate::read::firewall::iptables;
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::Found;
use crate::site::firewall::{Firewall, Interface, PacketRule, Verdict};
use crate::source::{Sources, Span, Spanned, Text};

pub fn read(sources: &Sources, root: &str) -> Option<Firewall> {
    let snapshot = Snapshot { sources, root: Some(root) };
    let find = |path: &str| {
        let path = if root.is_empty() { path.to_owned() } else { format!("{root}/{path}") };
        match snapshot.find(&path) {
            Found::File(text) => Some(text),
            _ => None,
        }
    };
    let main = find("etc/ufw/ufw.conf")?;
    let enabled = setting(&main, "ENABLED")?;
    if !enabled.value.eq_ignore_ascii_case("yes") {
        return None;
    }
    let defaults = find("etc/default/ufw")?;
    let policy = setting(&defaults, "DEFAULT_INPUT_POLICY")?;
    let policy = Spanned::new(iptables::policy(&policy.value)?, policy.span);
    // Rules that cannot be seen may accept anything.
    // Its own rules come with the package and let in what belongs to connections, pings and names of neighbours.
    let own = find("etc/ufw/before.rules");
    let before = match &own {
        Some(text) => iptables::filter(text)?.chains.flat("ufw-before-input")?,
        None => vec![of_loopback(policy.span)],
    };
    let user = iptables::filter(&find("etc/ufw/user.rules")?)?.chains.flat("ufw-user-input")?;
    // The accepted ones of its own rules; what they drop is broken or nobody's.
    let before = before.into_iter().filter(|rule| rule.verdict == Verdict::Accept);
    let rules = before.chain(user).collect();
    Some(Firewall { tool: "ufw".to_owned(), certain: own.is_some(), rules, policy })
}

/// What the rules of the package begin with.
fn of_loopback(place: Span) -> PacketRule {
    PacketRule {
        verdict: Verdict::Accept,
        interface: Some(Interface { name: "lo".to_owned(), negated: false }),
        source: None,
        destination: None,
        ports: None,
        unclear: false,
        place,
    }
}

/// `NAME="value"`, and where the line stands.
fn setting(text: &Text, name: &str) -> Option<Spanned<String>> {
    let mut found = None;
    let mut start = 0;
    for line in text.as_str().split_inclusive('\n') {
        let from = start;
        start += line.len();
        let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) else { continue };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        found = Some(Spanned::new(value, text.span(from..from + line.trim_end().len())));
    }
    found
}
