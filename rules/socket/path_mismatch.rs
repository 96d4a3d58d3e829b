//! The proxy connects to a unix socket that nobody makes.

use rustc_hash::FxHashMap;

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::listener::Endpoint;
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{Certainty, End, ListenerId, Reach};
use crate::site::sockets::{Missing, MissingWhy};
use crate::site::trouble::{SocketFolder, SocketFolderWhy, Trouble};
use crate::source::{Span, Spanned};

pub const RULE: Rule = Rule { id: "socket/path-mismatch", doc: include_str!("path_mismatch.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Socket(Missing { why, certainty }) = &end.reach else { continue };
        let Some(Target::Unix { path }) = site.target(end) else { continue };
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
    check_folders(site, findings);
}

/// The socket is asked for, and its folder is not there when it is to be made.
fn check_folders(site: &Site, findings: &mut Findings) {
    let mut asked: FxHashMap<ListenerId, (&End, &Hop)> = FxHashMap::default();
    for (end, hop) in site.ends() {
        let listener = match &end.reach {
            Reach::Delivered(listener) => *listener,
            Reach::Socket(Missing { why: MissingWhy::Forbidden { listener, .. }, .. }) => *listener,
            _ => continue,
        };
        asked.entry(listener).or_insert((end, hop));
    }
    for trouble in &site.troubles {
        let Trouble::SocketFolder(SocketFolder { machine, listener, folder, why }) = trouble else { continue };
        let id = ListenerId { machine: *machine, index: *listener };
        let Some((end, hop)) = asked.get(&id) else { continue };
        let listener = site.listener(id);
        let service = site.machine(*machine).service_of(id.index).filter(|service| service.is_own);
        let name = folder.strip_prefix("/run/").unwrap_or_default();
        let finding = match why {
            SocketFolderWhy::Vanishes => findings
                .warning(listener.place, format!("`{folder}` is gone after the next boot, and nothing makes it again"))
                .help(match service {
                    Some(service) => format!("add `RuntimeDirectory={name}` to `{}`", service.name),
                    None => format!("let it be made at each boot: `d {folder} 0755` in a file of `/etc/tmpfiles.d`"),
                }),
            SocketFolderWhy::ReadOnly { setting } => findings
                .error(listener.place, format!("no socket can be made in `{folder}`: `{}`", setting.value))
                .note(setting.span, "keeps the program from writing there")
                .help(format!("add `ReadWritePaths={folder}`, or let it listen in a folder of `RuntimeDirectory=`")),
            SocketFolderWhy::NotWritable { user } => findings
                .error(listener.place, format!("`{user}` may not make a socket in `{folder}`, which belongs to root"))
                .note(user.span, format!("it is started as `{user}`"))
                .help("give it a folder of its own with `RuntimeDirectory=`, and let it listen in there"),
        };
        finding.note(end.place, format!("{} here: it looks for this socket", words::refusal(site, end, hop)));
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
    let instead = match is_own {
        // Where /var/run is no link to /run, as on FreeBSD, only this is right.
        true if path.value.starts_with("/var/run/") && bound.starts_with("/run/") => format!("/var{bound}"),
        true => bound.clone(),
        false => format!("{folder}/{name}"),
    };
    let finding = findings.add(level, end.place, format!("nobody listens on `{path}`"));
    finding
        .label(format!("{} here", words::refusal(site, end, hop)))
        .note(listener.place, words::listens(site, id))
        .help(match bound.strip_suffix(path.value.as_str()) {
            Some(folder) if is_own && is_relative(listener.place, &path.value) => format!(
                "let it listen on `{path}`: a path without `/` in front starts in the working directory, here `{folder}`"
            ),
            _ => format!("connect to `{instead}`"),
        });
    if path.span.range().len() == path.value.len() {
        finding.fix(format!("connect to `{instead}`"), false, path.span, instead);
    }
}

/// The place holds the path without its first `/`, perhaps behind `unix:` or `unix://`.
fn is_relative(place: Span, path: &str) -> bool {
    let without = path.len() - 1;
    [0, "unix:".len(), "unix://".len()].iter().any(|scheme| place.range().len() == scheme + without)
}

fn add_nobody(site: &Site, end: &End, hop: &Hop, path: &Spanned<String>, level: Level, findings: &mut Findings) {
    let Some(home) = site.home(hop) else { return };
    findings
        .add(level, end.place, format!("nobody listens on `{path}`"))
        .label(format!("{} here", words::refusal(site, end, hop)))
        .note(
            home.place,
            format!(
                "nothing that {} runs makes this socket, and no other machine shares its folder",
                words::name(home)
            ),
        )
        .help("connect to what the backend listens on, or share the folder of its socket");
}
