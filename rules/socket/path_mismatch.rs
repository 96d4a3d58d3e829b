//! The proxy connects to a unix socket that nobody makes.

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::listener::Endpoint;
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{Certainty, End, ListenerId, Reach};
use crate::site::sockets::{Missing, MissingWhy};
use crate::source::Spanned;

pub const RULE: Rule = Rule { id: "socket/path-mismatch", doc: include_str!("path_mismatch.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Socket(Missing { why, certainty }) = &end.reach else { continue };
        let Some(Target::Unix { path }) = &end.target else { continue };
        let level = match certainty {
            Certainty::Proven => Level::Error,
            Certainty::Likely => Level::Warning,
        };
        match why {
            MissingWhy::OtherPath { listener } => add_other(site, end, hop, path, *listener, level, findings),
            MissingWhy::Nobody => add_nobody(site, end, hop, path, level, findings),
            MissingWhy::NotShared { .. } | MissingWhy::Tcp { .. } | MissingWhy::Forbidden { .. } => {}
        }
    }
}

fn add_other(
    site: &Site,
    end: &End,
    hop: &Hop,
    path: &Spanned<String>,
    id: ListenerId,
    level: Level,
    findings: &mut Findings,
) {
    let listener = site.listener(id);
    let Endpoint::Unix { path: bound } = &listener.endpoint else { return };
    // The folder is the same one and may be mounted elsewhere, so only the name in it is taken over.
    let name = bound.rsplit('/').next().unwrap_or(bound);
    let folder = path.value.rsplit_once('/').map_or("", |(folder, _)| folder);
    // On the proxy's own machine it may lie in another folder.
    let is_own = site.proxy(hop.proxy).machine == Some(id.machine);
    let instead = if is_own { bound.clone() } else { format!("{folder}/{name}") };
    let finding = findings.add(level, end.place, format!("nobody listens on `{path}`"));
    finding
        .label(format!("{} here", words::refusal(site, hop)))
        .note(listener.place, words::listens(site, id))
        .help(format!("connect to `{instead}`"));
    if path.span.range().len() == path.value.len() {
        finding.fix(format!("connect to `{instead}`"), false, path.span, instead);
    }
}

fn add_nobody(site: &Site, end: &End, hop: &Hop, path: &Spanned<String>, level: Level, findings: &mut Findings) {
    let Some(home) = site.home(hop) else { return };
    findings
        .add(level, end.place, format!("nobody listens on `{path}`"))
        .label(format!("{} here", words::refusal(site, hop)))
        .note(
            home.place,
            format!(
                "nothing that {} runs makes this socket, and no other machine shares its folder",
                words::name(home)
            ),
        )
        .help("connect to what the backend listens on, or share the folder of its socket");
}
