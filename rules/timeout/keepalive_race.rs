//! Connections are kept longer than the backend keeps them, or cannot be kept although they are meant to be.

use super::words::duration;
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::backend::{AtTheEnd, Limit};
use crate::site::listener::Protocol;
use crate::site::proxy::{Group, Proxy, Reuse};
use crate::site::reach::Reach;
use crate::source::Spanned;

pub const RULE: Rule = Rule { id: "timeout/keepalive-race", doc: include_str!("keepalive_race.md"), check };

/// Seconds for which a proxy keeps an idle connection to a group when nothing is said.
const KEPT: f64 = 60.0;

fn check(site: &Site, findings: &mut Findings) {
    let (backends, servers) = (site.backends_by_listener(), site.servers_by_address());
    for (end, hop) in site.ends() {
        let Some((group, _)) = end.server else { continue };
        let group = &site.groups[group];
        let Some(keepalive) = group.keepalive.filter(|kept| kept.value > 0) else { continue };
        if !matches!(hop.protocol.value, Protocol::Http | Protocol::Https) {
            continue;
        }
        match &hop.settings.reuse {
            Reuse::Unknown => {}
            Reuse::Refused { why, place } => {
                let finding = findings.advice(keepalive.span, "`keepalive` has no effect");
                finding.label("no connection is used twice");
                finding.note(place.unwrap_or(hop.place), *why);
            }
            Reuse::Asked => {
                let Reach::Delivered(id) = end.reach else { continue };
                if let Some((backend, idle)) = backends.get(&id).and_then(|it| Some((it, it.idle.as_ref()?))) {
                    let who = format!("{} of {}", backend.program, name(site.machine(id.machine)));
                    race(group, keepalive, &who, idle, findings);
                } else if let Some((proxy, idle)) = servers
                    .get(&(id.machine, site.listener(id).endpoint.of_any_family()))
                    .and_then(|it| of_a_proxy(site, it))
                {
                    let who = format!("{} of {}", proxy.product, name(site.machine(id.machine)));
                    race(group, keepalive, &who, &idle, findings);
                }
            }
        }
    }
}

/// How long a proxy that takes the requests in keeps a connection.
fn of_a_proxy<'s>(site: &'s Site, servers: &[usize]) -> Option<(&'s Proxy, Limit)> {
    // With several of them, which one decides depends on the name that is asked for.
    let [server] = servers else { return None };
    let server = &site.servers[*server];
    let idle = server.idle.as_ref()?;
    let limit = Limit {
        seconds: idle.seconds,
        setting: idle.setting.to_string(),
        place: idle.written.unwrap_or(server.place),
        written: idle.written.is_some(),
        at_the_end: AtTheEnd::Cut,
    };
    Some((site.proxy(server.proxy), limit))
}

fn race(group: &Group, keepalive: Spanned<u64>, who: &str, idle: &Limit, findings: &mut Findings) {
    let kept = group.keepalive_timeout.map_or(KEPT, |it| it.value);
    if kept < idle.seconds {
        return;
    }
    let place = group.keepalive_timeout.map_or(keepalive.span, |it| it.span);
    let message = format!(
        "idle connections to `{}` are kept for {}, and {who} closes them after {}",
        group.name,
        duration(kept),
        duration(idle.seconds)
    );
    let finding = findings.warning(place, message);
    finding.label("now and then a request is sent on a connection that is just being closed: 502");
    finding.note(
        idle.place,
        match idle.written {
            true => format!("`{}` is {} here", idle.setting, duration(idle.seconds)),
            false => format!("its default is {}: `{}`", duration(idle.seconds), idle.setting),
        },
    );
    let less = (idle.seconds - 1.0).max(1.0).floor();
    finding.help(match less < idle.seconds {
        true => format!(
            "write `keepalive_timeout {less}s;` in the group, or let the backend keep them longer than {}",
            duration(kept)
        ),
        false => format!("let the backend keep them longer than {}", duration(kept)),
    });
}
