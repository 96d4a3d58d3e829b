//! The proxy gives up before its backend, or the backend before its proxy.

use rustc_hash::{FxHashMap, FxHashSet};

use super::second_proxy::{LONG, SecondProxies};
use super::words::{ANSWER, default_of, duration, is_longer, waits_for};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::backend::{AtTheEnd, Backend, Limit};
use crate::site::listener::Protocol;
use crate::site::proxy::{Hop, Wait};
use crate::site::reach::{End, Reach};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "timeout/order", doc: include_str!("order.md"), check };

/// Seconds: so long programs let a request work when nobody has thought about it.
const ORDINARY: f64 = 30.0;

/// Two waits in the wrong order, and which of them is given to more.
struct Clash<'s> {
    /// The shorter wait, or what makes it hold.
    place: Span,
    /// Seconds of the longer one.
    longer: f64,
    end: &'s End,
    hop: &'s Hop,
    read: &'s Wait,
    other: Other<'s>,
}

#[derive(Clone, Copy)]
enum Other<'s> {
    /// The backend would work longer than the proxy waits.
    Slower(&'s Backend, &'s Limit),
    /// The backend cuts off what the proxy waits for.
    Quicker(&'s Backend, &'s Limit),
    /// The backend cuts off what it gives more time itself: the two limits.
    Itself(&'s Backend, &'s Limit, &'s Limit),
    /// A second proxy, which waits longer; where that is written.
    Proxy(&'s Wait, Span),
}

fn check(site: &Site, findings: &mut Findings) {
    let (backends, second_proxies) = (site.backends_by_listener(), SecondProxies::of(site));
    let mut clashes: Vec<Clash> = Vec::new();
    let mut known: FxHashMap<Span, usize> = FxHashMap::default();
    let mut fronts: FxHashSet<Span> = FxHashSet::default();
    for (end, hop) in site.ends() {
        let (Reach::Delivered(id), Some(read)) = (&end.reach, &hop.waits.read) else { continue };
        if hop.protocol.value == Protocol::Tcp {
            // Without knowing what is said on a connection, nobody answers for a backend that is slow.
            continue;
        }
        outlasts_front(hop, read, &mut fronts, findings);
        let inner = second_proxies.wait(hop, *id);
        let backend = backends.get(id).copied();
        for (place, longer, other) in clash(hop, read, inner, backend) {
            let clash = Clash { place, longer, end, hop, read, other };
            // A wait that is too short for several is reported once, with the one that needs most.
            let number = *known.entry(place).or_insert(clashes.len());
            match clashes.get_mut(number) {
                None => clashes.push(clash),
                Some(other) if other.longer < longer => *other = clash,
                Some(_) => {}
            }
        }
    }
    for clash in &clashes {
        match clash.other {
            Other::Slower(backend, limit) => proxy_first(site, clash, backend, limit, findings),
            Other::Quicker(backend, limit) => backend_first(site, clash, backend, limit, findings),
            Other::Itself(backend, cut, given) => against_itself(site, clash, backend, (cut, given), findings),
            Other::Proxy(inner, place) => behind_another(site, clash, inner, place, findings),
        }
    }
}

/// What stands in front of the proxy gives up long before; waits of hours are for connections that stay open.
fn outlasts_front(hop: &Hop, read: &Wait, said: &mut FxHashSet<Span>, findings: &mut Findings) {
    let (Some(front), Some(place)) = (&hop.settings.front, read.written) else { return };
    if !is_longer(read.seconds, front.seconds) || read.seconds > LONG || !said.insert(place) {
        return;
    }
    let (name, patience) = (front.name, duration(front.seconds));
    let message = format!("{name} in front gives up after {patience}, not after {}", duration(read.seconds));
    let finding = findings.advice(place, message).label(format!("visitors see {} before", front.answer));
    finding.note(front.place, format!("this shows that {name} is in front"));
    finding.help(format!("answer within {patience}: begin the work, and let visitors ask for its result"));
}

fn clash<'s>(
    hop: &Hop,
    read: &Wait,
    inner: Option<&'s Wait>,
    backend: Option<&'s Backend>,
) -> Vec<(Span, f64, Other<'s>)> {
    let mut found = Vec::new();
    let here = read.written.unwrap_or(hop.place);
    // What is short for anybody is `timeout/too-low`.
    let is_short = read.written.is_some() && read.seconds < ANSWER;
    if let Some((inner, place)) = inner.and_then(|inner| Some((inner, inner.written?)))
        && is_longer(inner.seconds, read.seconds)
        && !is_short
    {
        found.push((here, inner.seconds, Other::Proxy(inner, place)));
    }
    let Some(backend) = backend else { return found };
    if let Some(limit) = backend.first_limit().filter(|limit| limit.written && is_longer(limit.seconds, read.seconds)) {
        // So is a wait that is written, while nothing in the backend ends a request.
        let is_too_low = read.written.is_some() && !limit.at_the_end.ends_work();
        if !is_too_low && !is_short {
            found.push((here, limit.seconds, Other::Slower(backend, limit)));
        }
    }
    let cuts = backend.limits.iter().filter(|limit| limit.at_the_end.is_silent());
    let first = cuts.min_by(|left, right| left.seconds.total_cmp(&right.seconds));
    if let Some(limit) = first.filter(|limit| read.written.is_some() && is_longer(read.seconds, limit.seconds)) {
        found.push((limit.place, read.seconds, Other::Quicker(backend, limit)));
    } else if let Some(cut) = first.filter(|limit| limit.written && limit.seconds <= read.seconds) {
        let given = backend.limits.iter().filter(|limit| limit.written && limit.at_the_end == AtTheEnd::Answered);
        let given = given.max_by(|left, right| left.seconds.total_cmp(&right.seconds));
        if let Some(given) = given.filter(|it| it.seconds > ORDINARY && is_longer(it.seconds, cut.seconds)) {
            found.push((cut.place, given.seconds, Other::Itself(backend, cut, given)));
        }
    }
    found
}

/// "`gunicorn` of `api`".
fn who(site: &Site, backend: &Backend) -> String {
    format!("{} of {}", backend.program, name(site.machine(backend.machine)))
}

/// 504 while the work goes on.
fn proxy_first(site: &Site, clash: &Clash, backend: &Backend, limit: &Limit, findings: &mut Findings) {
    let Clash { place, end, hop, read, .. } = clash;
    let proxy = site.proxy(hop.proxy);
    let (product, who, given) = (&proxy.product, who(site, backend), duration(limit.seconds));
    let message = match limit.at_the_end {
        AtTheEnd::GoesOn | AtTheEnd::HangsUp => {
            format!("{product} gives up after {}, {who} is given {given}", duration(read.seconds))
        }
        _ => format!("{product} gives up after {}, {who} only after {given}", duration(read.seconds)),
    };
    let finding = findings.warning(*place, message);
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
fn backend_first(site: &Site, clash: &Clash, backend: &Backend, limit: &Limit, findings: &mut Findings) {
    let Clash { place, hop, read, .. } = clash;
    let proxy = site.proxy(hop.proxy);
    let (product, waits, status) = (&proxy.product, duration(read.seconds), proxy.answers.nonsense);
    let (who, cuts) = (who(site, backend), duration(limit.seconds));
    let message = format!("{who} cuts requests off after {cuts}, and {product} would wait {waits}");
    let finding = findings.warning(*place, message);
    finding.label(match limit.written {
        true => format!("{product} answers {status} to every request that takes longer"),
        false => format!("`{}` is {cuts} unless it is set, and {product} answers {status}", limit.setting),
    });
    if let Some(written) = read.written {
        finding.note(written, format!("{product} is told to wait {waits}"));
    }
    finding.help(match read.seconds <= LONG {
        // In code the unit is not that of a settings file.
        true if limit.at_the_end == AtTheEnd::HangsUp => {
            format!("let `{}` be {waits} as well, or let {product} wait less", limit.setting)
        }
        true => format!("set `{}` to {} as well, or let {product} wait less", limit.setting, read.seconds.ceil()),
        false => format!("set `{}` to what the longest request needs", limit.setting),
    });
}

/// 502 although the program itself would still work.
fn against_itself(site: &Site, clash: &Clash, backend: &Backend, limits: (&Limit, &Limit), findings: &mut Findings) {
    let (proxy, (cut, given)) = (site.proxy(clash.hop.proxy), limits);
    let (cuts, may) = (duration(cut.seconds), duration(given.seconds));
    let message = format!("{} cuts requests off after {cuts}, and gives them {may}", who(site, backend));
    let finding = findings.warning(clash.place, message);
    finding.label(format!("{} answers {} to every request that takes longer", proxy.product, proxy.answers.nonsense));
    finding.note(given.place, format!("a request may work for {may}: `{}`", given.setting));
    finding.help(format!("set `{}` to more than {may}, or `{}` to less than {cuts}", cut.setting, given.setting));
}

fn behind_another(site: &Site, clash: &Clash, inner: &Wait, written: Span, findings: &mut Findings) {
    let Clash { place, hop, read, .. } = clash;
    let proxy = site.proxy(hop.proxy);
    let (product, waits) = (&proxy.product, duration(inner.seconds));
    let message =
        format!("{product} gives up after {}, the proxy behind it only after {waits}", duration(read.seconds));
    let finding = findings.warning(*place, message);
    finding.label(format!("{}, and {} follows", waits_for(read), proxy.answers.slow));
    finding.note(written, format!("the second proxy waits {waits}"));
    finding.help(format!("write `{} {}` here", read.setting, just_above(inner.seconds)));
}

/// A wait that leaves the other side the time to give up first: "125s".
fn just_above(seconds: f64) -> String {
    format!("{}s", (seconds + 5.0).ceil())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::RULE;
    use crate::rules::example::{container, hop, place, said, site};
    use crate::site::proxy::{Front, Settings, Wait};

    /// A wait of so many seconds behind a service that gives up after two minutes.
    fn behind_a_front(seconds: f64) -> String {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        container(&mut site, "api", 8000);
        hop(&mut site, web, "api", 8000);
        let last = site.hops.last_mut().expect("it was added the line before");
        last.waits.read = Some(Wait { seconds, setting: "proxy_read_timeout", written: Some(place(7)) });
        let front = Front { name: "Shield", seconds: 120.0, answer: "524", place: place(8) };
        last.settings = Arc::new(Settings { front: Some(front), ..Settings::default() });
        said(&RULE, &mut site)
    }

    #[test]
    fn a_service_in_front_gives_up_first() {
        assert_eq!(behind_a_front(600.0), "advice at 7: Shield in front gives up after 120 s, not after 600 s\n");
        assert_eq!(behind_a_front(110.0), "");
        assert_eq!(behind_a_front(86_400.0), "", "such a wait is for connections that stay open");
    }
}
