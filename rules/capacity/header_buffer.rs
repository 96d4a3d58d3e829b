//! The header of an answer does not fit into what the proxy keeps for it, or that of a request into what its backend keeps.

use std::collections::BTreeMap;

use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::backend::{Backend, Size};
use crate::site::proxy::{Buffers, Hop};
use crate::site::reach::{End, ListenerId, Reach};
use crate::source::Spanned;

pub const RULE: Rule = Rule { id: "capacity/header-buffer", doc: include_str!("header_buffer.md"), check };

/// Bytes: with less than a page of memory, ordinary cookies and redirects are too much.
const PAGE: u64 = 4096;
/// Bytes: what a proxy keeps at most when nothing is said, on machines with large pages.
const USUAL: u64 = 8192;
/// Bytes: what the length of a packet can say where requests are sent as packets.
const LARGEST: u64 = 65535;

fn check(site: &Site, findings: &mut Findings) {
    for hop in &site.hops {
        let Buffers { header, header_setting, refused, misplaced, .. } = &hop.settings.buffers;
        let product = &site.proxy(hop.proxy).product;
        if let Some(refused) = refused {
            let finding = findings.error(refused.span, format!("{product} does not start: {refused}"));
            finding.label("these sizes contradict each other");
            finding.note(hop.place, "they hold here");
            let prefix = header_setting.family;
            finding
                .help(format!("raise `{prefix}buffers`, `{header_setting}` and `{prefix}busy_buffers_size` together"));
        }
        if let Some(header) = header.filter(|size| size.value < PAGE) {
            let finding = findings.warning(header.span, format!("`{header_setting}` is only {header} bytes"));
            finding.label(format!("{} for an answer whose header is larger", nonsense(site, hop)));
            finding.help("leave it out, or give it at least 8k");
        }
        for (setting, meant) in misplaced {
            let finding = findings.warning(setting.span, format!("`{setting}` says nothing about this target"));
            finding.label(format!("`{meant}` stays at its default"));
            finding.note(hop.place, format!("the target speaks {}", hop.protocol.value));
            finding.help(format!("write `{meant}`"));
        }
    }
    let backends = site.backends_by_listener();
    for (end, hop) in site.ends() {
        large(site, &backends, (end, hop), findings);
        of_requests(site, &backends, (end, hop), findings);
    }
}

/// The proxy is told to take in larger headers of requests than the backend takes.
fn of_requests(
    site: &Site,
    backends: &BTreeMap<ListenerId, &Backend>,
    (end, hop): (&End, &Hop),
    findings: &mut Findings,
) {
    let Reach::Delivered(id) = end.reach else { return };
    let Some(backend) = backends.get(&id) else { return };
    let Some(taken) = &backend.request_header else { return };
    let server = hop.route.and_then(|route| site.routes[route].server);
    let Some(lines) = server.and_then(|server| site.servers[server].request_header) else { return };
    if lines.value <= taken.bytes || lines.value <= USUAL {
        return;
    }
    let product = &site.proxy(hop.proxy).product;
    let Size { bytes, setting, place, written } = taken;
    let who = format!("{} of {}", backend.program, name(site.machine(id.machine)));
    let message = format!("{product} takes in a header line of {lines} bytes, and {who} a whole header of {bytes}");
    let finding = findings.warning(*place, message);
    finding.label(match written {
        true => format!("a larger one is dropped: {}", nonsense(site, hop)),
        false => format!("`{setting}` is {bytes} unless it is set; what is larger is dropped: {}", nonsense(site, hop)),
    });
    finding.note(lines.span, "so large headers are expected");
    finding.help(format!("set `{setting}` to {} at least", lines.value.min(LARGEST)));
}

/// A backend with large headers behind a buffer of the usual size.
fn large(site: &Site, backends: &BTreeMap<ListenerId, &Backend>, (end, hop): (&End, &Hop), findings: &mut Findings) {
    let Buffers { header, header_setting, body, misplaced, large_headers, .. } = &hop.settings.buffers;
    let (machine, of_backend) = match end.reach {
        Reach::Delivered(id) => {
            let backend = backends.get(&id).and_then(|backend| backend.large_headers.as_ref());
            (name(site.machine(id.machine)), backend.map(|why| Spanned::new(why.value.as_str(), why.span)))
        }
        Reach::Undecided(_) => (format!("`{}`", hop.written.as_str()), None),
        _ => return,
    };
    let Some(why) = of_backend.or(large_headers.map(|why| Spanned::new(why.value, why.span))) else { return };
    let is_usual = header.is_none_or(|size| (PAGE..=USUAL).contains(&size.value));
    if header_setting.family.is_empty() || !is_usual || !misplaced.is_empty() {
        return;
    }
    let message = format!("the headers of {machine} are large, and `{header_setting}` is not");
    let place = header.map(|it| it.span).or(body.map(|it| it.span)).unwrap_or(hop.place);
    let finding = findings.warning(place, message);
    finding.label(match (header, body) {
        (Some(header), _) => format!("a header of more than {header} bytes: {}", nonsense(site, hop)),
        (None, Some(_)) => {
            format!("these take the rest of an answer; its header gets 4 or 8 KiB, and then: {}", nonsense(site, hop))
        }
        (None, None) => format!("a header of more than 4 or 8 KiB: {}", nonsense(site, hop)),
    });
    finding.note(why.span, why.value.to_owned());
    let prefix = header_setting.family;
    finding.help(format!("write `{header_setting} 32k` and `{prefix}buffers 8 32k`"));
}

fn nonsense(site: &Site, hop: &Hop) -> &'static str {
    site.proxy(hop.proxy).answers.nonsense
}
