//! Waits that are so short that ordinary requests fail.

use super::words::{ANSWER, duration, is_longer};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::backend::Backend;
use crate::site::proxy::{Hop, To, Wait};
use crate::site::reach::Reach;

pub const RULE: Rule = Rule { id: "timeout/too-low", doc: include_str!("too_low.md"), check };

/// Below this many seconds one lost packet, sent again after a second, is a failure.
const CONNECT: f64 = 1.0;
fn check(site: &Site, findings: &mut Findings) {
    for hop in &site.hops {
        if is_datagrams(site, hop) {
            continue;
        }
        let slow = site.proxy(hop.proxy).answers.slow;
        if !tries_others(site, hop) {
            judge(hop.waits.connect.as_ref(), CONNECT, "the connection is not there", slow, findings);
        }
        judge(hop.waits.send.as_ref(), ANSWER, "the backend takes nothing", slow, findings);
        judge(hop.waits.read.as_ref(), ANSWER, "the backend says nothing", slow, findings);
    }
    let backends = site.backends_by_listener();
    for (end, hop) in site.ends() {
        let Reach::Delivered(id) = end.reach else { continue };
        let Some(backend) = backends.get(&id) else { continue };
        below_the_backend(site, hop, backend, findings);
    }
}

/// The backend is explicitly given more time for its work, and nothing there ends it: see `timeout/order` for the rest.
fn below_the_backend(site: &Site, hop: &Hop, backend: &Backend, findings: &mut Findings) {
    let Some(Wait { seconds, setting, written: Some(place) }) = &hop.waits.read else { return };
    let Some(limit) = backend.first_limit() else { return };
    let given = limit.written && !limit.at_the_end.ends_work();
    if !given || *seconds < ANSWER || !is_longer(limit.seconds, *seconds) {
        return;
    }
    let allowed = duration(limit.seconds);
    let message = format!("`{setting}` is only {}, and {} is given {allowed}", duration(*seconds), backend.program);
    let finding = findings.warning(*place, message);
    finding.label(format!("{} for work that takes longer", site.proxy(hop.proxy).answers.slow));
    finding.note(limit.place, format!("its work may take {allowed}: `{}`", limit.setting));
    finding.help(format!("give it at least {allowed}"));
}

/// Over UDP a short wait only ends a session that is over.
fn is_datagrams(site: &Site, hop: &Hop) -> bool {
    let server = hop.route.and_then(|route| site.routes[route].server);
    server.is_some_and(|server| site.servers[server].listens.iter().any(|listen| listen.udp))
}

/// With several servers a short wait is a means to get to the next one.
fn tries_others(site: &Site, hop: &Hop) -> bool {
    let To::Group(group) = hop.to else { return false };
    site.groups[group].servers.iter().filter(|server| server.down.is_none()).count() > 1
}

fn judge(wait: Option<&Wait>, least: f64, when: &str, status: &str, findings: &mut Findings) {
    let Some(Wait { seconds, setting, written: Some(place) }) = wait else { return };
    // Some programs wait for ever when they are told 0.
    if *seconds <= 0.0 || *seconds >= least {
        return;
    }
    let finding = findings.warning(*place, format!("`{setting}` is only {}", duration(*seconds)));
    finding.label(format!("{status} when {when} for so long"));
    let thousandths = (seconds * 1000.0).round();
    let slipped = least == ANSWER && *seconds < 1.0 && (5.0..=900.0).contains(&thousandths);
    if slipped {
        finding.help(format!("if seconds were meant, write `{thousandths}s`; else at least {least} s"));
    } else {
        finding.help(format!("give it at least {least} s"));
    }
}
