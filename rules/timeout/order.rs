//! The proxy gives up before its backend, or the backend before its proxy.

use std::collections::HashMap;

use super::words::{default_of, duration, is_longer, waits_for};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::backend::{AtTheEnd, Backend, Limit};
use crate::site::listener::Endpoint;
use crate::site::machine::MachineId;
use crate::site::proxy::{Hop, Wait};
use crate::site::reach::{End, Reach};

pub const RULE: Rule = Rule { id: "timeout/order", doc: include_str!("order.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let (backends, waits) = (site.backends_by_listener(), shortest_waits(site));
    for (end, hop) in site.ends() {
        let (Reach::Delivered(id), Some(read)) = (&end.reach, &hop.waits.read) else { continue };
        if let Some(inner) = waits.get(&(id.machine, &site.listener(*id).endpoint)) {
            behind_another(site, (end, hop), read, inner, findings);
        }
        let Some(backend) = backends.get(id) else { continue };
        let machine = name(site.machine(id.machine));
        proxy_first(site, (end, hop), read, backend, &machine, findings);
        backend_first(site, hop, read, backend, &machine, findings);
    }
}

/// 504 while the work goes on.
fn proxy_first(
    site: &Site,
    (end, hop): (&End, &Hop),
    read: &Wait,
    backend: &Backend,
    machine: &str,
    findings: &mut Findings,
) {
    let Some(limit) = backend.first_limit().filter(|limit| limit.written) else { return };
    // A wait that is written although the backend's is none that ends a request is `timeout/too-low`.
    let is_too_low = read.written.is_some() && limit.at_the_end == AtTheEnd::GoesOn;
    if is_too_low || !is_longer(limit.seconds, read.seconds) {
        return;
    }
    let proxy = site.proxy(hop.proxy);
    let product = &proxy.product;
    let given = duration(limit.seconds);
    let finding = findings.warning(
        read.written.unwrap_or(hop.place),
        format!(
            "{product} gives up after {}, {} of {machine} only after {given}",
            duration(read.seconds),
            backend.program
        ),
    );
    finding.label(match read.written {
        Some(_) => format!("{} for every request that takes longer", proxy.answers.slow),
        None => format!("{}, and {} follows", default_of(read), proxy.answers.slow),
    });
    if read.written.is_some() {
        finding.note(end.place, format!("{product} waits here"));
    }
    finding.note(limit.place, format!("a request may take {given}: `{}`", limit.setting));
    finding.help(format!("write `{} {}`, or let the backend give up earlier", read.setting, just_above(limit.seconds)));
}

/// 502 although the proxy would still wait.
fn backend_first(site: &Site, hop: &Hop, read: &Wait, backend: &Backend, machine: &str, findings: &mut Findings) {
    let cut = backend.limits.iter().filter(|limit| limit.at_the_end == AtTheEnd::Cut);
    let Some(limit) = cut.min_by(|left, right| left.seconds.total_cmp(&right.seconds)) else { return };
    let Some(written) = read.written else { return };
    if !is_longer(read.seconds, limit.seconds) {
        return;
    }
    let Limit { seconds, setting, place, .. } = limit;
    let proxy = site.proxy(hop.proxy);
    let (product, waits) = (&proxy.product, duration(read.seconds));
    let message = format!(
        "{} of {machine} cuts requests off after {}, and {product} would wait {waits}",
        backend.program,
        duration(*seconds)
    );
    let finding = findings.warning(*place, message);
    finding.label(match limit.written {
        true => format!("{product} answers {} to every request that takes longer", proxy.answers.nonsense),
        false => format!(
            "`{setting}` is {} unless it is set, and {product} answers {}",
            duration(*seconds),
            proxy.answers.nonsense
        ),
    });
    finding.note(written, format!("{product} is told to wait {waits}"));
    finding.help(format!("set `{setting}` to {} as well, or let {product} wait less", read.seconds.ceil()));
}

/// The shortest wait of a proxy for what it takes in on an address of its machine.
fn shortest_waits(site: &Site) -> HashMap<(MachineId, &Endpoint), &Wait> {
    let mut shortest: HashMap<(MachineId, &Endpoint), &Wait> = HashMap::new();
    for hop in &site.hops {
        let (Some(machine), Some(wait)) = (site.proxy(hop.proxy).machine, &hop.waits.read) else { continue };
        let Some(server) = hop.route.and_then(|route| site.routes[route].server) else { continue };
        for listen in &site.servers[server].listens {
            let known = shortest.entry((machine, &listen.endpoint)).or_insert(wait);
            if wait.seconds < known.seconds {
                *known = wait;
            }
        }
    }
    shortest
}

fn behind_another(site: &Site, (end, hop): (&End, &Hop), read: &Wait, inner: &Wait, findings: &mut Findings) {
    let Some(place) = inner.written.filter(|_| is_longer(inner.seconds, read.seconds)) else { return };
    let proxy = site.proxy(hop.proxy);
    let message = format!(
        "{} gives up after {}, the proxy behind it only after {}",
        proxy.product,
        duration(read.seconds),
        duration(inner.seconds)
    );
    let finding = findings.warning(read.written.unwrap_or(end.place), message);
    finding.label(format!("{}, and {} follows", waits_for(read), proxy.answers.slow));
    finding.note(place, format!("the second proxy waits {}", duration(inner.seconds)));
    finding.help(format!("write `{} {}` here", read.setting, just_above(inner.seconds)));
}

/// A wait that leaves the other side the time to give up first: "125s".
fn just_above(seconds: f64) -> String {
    format!("{}s", (seconds + 5.0).ceil())
}
