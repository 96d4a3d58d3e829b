//! The socket is there, and the proxy's user may not connect to it.

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::access::Barrier;
use crate::site::listener::Listener;
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{Certainty, End, ListenerId, Reach};
use crate::site::sockets::{Missing, MissingWhy};
use crate::source::Spanned;

pub const RULE: Rule = Rule { id: "socket/permission", doc: include_str!("permission.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        let Reach::Socket(Missing { why: MissingWhy::Forbidden { listener, barrier }, certainty }) = &end.reach else {
            continue;
        };
        let level = match certainty {
            Certainty::Proven => Level::Error,
            Certainty::Likely => Level::Warning,
        };
        match barrier.folder {
            Some(folder) => add_folder(site, end, hop, *listener, barrier, folder, level, findings),
            None => add_socket(site, end, hop, *listener, barrier, level, findings),
        }
    }
}

fn add_socket(
    site: &Site,
    end: &End,
    hop: &Hop,
    id: ListenerId,
    barrier: &Barrier,
    level: Level,
    findings: &mut Findings,
) {
    let Some(Target::Unix { path }) = site.target(end) else { return };
    let Barrier { user, owner, group, mode, .. } = barrier;
    // `unix:///run/shop.sock`
    let path = format!("/{}", path.value.trim_start_matches('/'));
    let listener = site.listener(id);
    let access = listener.access.as_ref();
    let place = access.and_then(|access| access.place).unwrap_or(listener.place);
    let belongs = format!("it belongs to `{owner}:{group}` with mode {mode:04o}");
    let reason = match access.is_some_and(|access| access.admitted.is_some()) {
        true => "its list does not name that user".to_owned(),
        false => belongs,
    };
    let message = format!("`{user}` may not connect to `{path}`: {reason}");
    let finding = findings.add(level, place, message);
    finding.note(end.place, format!("{} here", words::refusal(site, end, hop)));
    if place != listener.place {
        finding.note(listener.place, words::listens(site, id));
    }
    if let Some(named) = &site.proxy(hop.proxy).user {
        finding.note(named.span, format!("{} connects as `{user}`", site.proxy(hop.proxy).product));
    }
    let ignored = access.and_then(|access| access.needs_root);
    let service = site.machine(id.machine).service_of(id.index);
    if let Some(setting) = ignored {
        finding.note(setting, "this has no effect unless the program is started as root");
    }
    let is_owner = |started: &&Spanned<String>| started.value == *owner;
    if let Some(started) = service.and_then(|service| service.user.as_ref()).filter(is_owner) {
        finding.note(started.span, format!("it is started as `{}`", started.value));
    }
    finding.help(advice(listener, barrier, ignored.is_some()));
}

/// What opens the socket: the mode where the group fits or nobody is told apart, else the group.
fn advice(listener: &Listener, barrier: &Barrier, ignored: bool) -> String {
    let user = &barrier.user;
    if listener.access.as_ref().is_some_and(|access| access.admitted.is_some()) {
        return format!("add `{user}` to the list");
    }
    if ignored {
        return format!("set `Group={user}` in the unit, or let everybody connect (mode 0666)");
    }
    let for_group = barrier.mode & 0o020 != 0;
    if !for_group && barrier.group == *user {
        return "let the group write: mode 0660, or a umask of 007".to_owned();
    }
    if for_group && barrier.group == "root" {
        return format!("give the socket to a group of `{user}`, or let everybody connect (mode 0666)");
    }
    match listener.access.as_ref().and_then(|access| access.owner.as_ref()) {
        Some(_) if for_group => {
            format!("give the socket to the group of `{user}`, or add `{user}` to the group `{}`", barrier.group)
        }
        _ => format!("let the group write (mode 0660) and give the socket to the group of `{user}`, or use mode 0666"),
    }
}

#[expect(clippy::too_many_arguments, reason = "a finding needs its hop, its end and what lies between them")]
fn add_folder(
    site: &Site,
    end: &End,
    hop: &Hop,
    id: ListenerId,
    barrier: &Barrier,
    folder: usize,
    level: Level,
    findings: &mut Findings,
) {
    let folder = &site.machine(id.machine).folders[folder];
    let Barrier { user, owner, group, mode, .. } = barrier;
    let message =
        format!("`{user}` may not enter `{}`: it belongs to `{owner}:{group}` with mode {mode:04o}", folder.path);
    let finding = findings.add(level, folder.place.unwrap_or(end.place), message);
    if folder.place.is_some() {
        finding.note(end.place, format!("{} here", words::refusal(site, end, hop)));
    } else {
        finding.label(format!("{} here", words::refusal(site, end, hop)));
    }
    finding.note(site.listener(id).place, words::listens(site, id));
    if let Some(named) = &site.proxy(hop.proxy).user {
        finding.note(named.span, format!("{} connects as `{user}`", site.proxy(hop.proxy).product));
    }
    let is_home = folder.place.is_none();
    finding.help(if is_home {
        format!("let the backend listen below `/run` (`RuntimeDirectory=`), or let others search the folder: `chmod o+x {}`", folder.path)
    } else {
        format!("let others search the folder (mode 0755), or give it to a group of `{user}` (mode 0750)")
    });
}
