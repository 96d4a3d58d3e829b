//! So little is worked on at a time that one slow request holds up all others.

use rustc_hash::FxHashMap;

use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::name;
use crate::site::Site;
use crate::site::backend::{Backend, Queue};
use crate::site::listener::Endpoint;
use crate::site::machine::{Kind, MachineId};
use crate::site::proxy::{Hop, ProxyId};
use crate::site::reach::{End, Reach};
use crate::source::Spanned;

pub const RULE: Rule = Rule { id: "capacity/workers", doc: include_str!("workers.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    let (backends, queues) = (site.backends_by_listener(), queues_of_proxies(site));
    for (end, hop) in site.ends() {
        let Reach::Delivered(id) = end.reach else { continue };
        if let Some(length) = queues.get(&(id.machine, &site.listener(id).endpoint)) {
            let queue = Queue { length: *length, setting: "backlog".to_owned(), or_nothing: false };
            waiting(site, id.machine, &queue, "it", findings);
        }
        let Some(backend) = backends.get(&id) else { continue };
        one_at_a_time(site, (end, hop), backend, findings);
        if let Some(queue) = &backend.queue {
            waiting(site, id.machine, queue, &backend.program, findings);
        }
    }
    for number in 0..site.proxies.len() {
        open_files(site, ProxyId(number), findings);
    }
}

/// What proxies ask the system to let wait on each address.
fn queues_of_proxies(site: &Site) -> FxHashMap<(MachineId, &Endpoint), Spanned<u64>> {
    let mut queues = FxHashMap::default();
    for server in &site.servers {
        let Some(machine) = site.proxy(server.proxy).machine else { continue };
        for listen in &server.listens {
            if let Some(length) = listen.queue {
                queues.insert((machine, &listen.endpoint), length);
            }
        }
    }
    queues
}

fn one_at_a_time(site: &Site, (end, hop): (&End, &Hop), backend: &Backend, findings: &mut Findings) {
    let Some(workers) = backend.workers.filter(|workers| workers.value == 1) else { return };
    let message =
        format!("{} of {} works on one request at a time", backend.program, name(site.machine(backend.machine)));
    let finding = findings.warning(workers.span, message);
    let answers = site.proxy(hop.proxy).answers;
    finding.label(format!("while it is busy all others wait, and then get {}", answers.slow));
    finding.note(end.place, format!("{} sends every request here", site.proxy(hop.proxy).product));
    finding.help("allow several");
}

/// More connections are to wait than the system lets wait.
fn waiting(site: &Site, machine: MachineId, queue: &Queue, program: &str, findings: &mut Findings) {
    let Queue { length, setting, or_nothing } = queue;
    let Some(longest) = site.machine(machine).longest_queue.filter(|longest| longest.length < length.value) else {
        return;
    };
    let allowed = longest.length;
    if *or_nothing {
        let message = format!("`{setting}` is {length}, and with more than {allowed} {program} does not start");
        let is_proven = site.machine(machine).kind == Kind::Container;
        let finding =
            if is_proven { findings.error(length.span, message) } else { findings.warning(length.span, message) };
        finding.label("nobody listens then: 502");
        match longest.written {
            Some(place) => finding.note(place, "the system lets no more connections wait"),
            None => finding.note(
                site.machine(machine).place,
                format!("`net.core.somaxconn` of a container is {allowed} unless it is set"),
            ),
        };
        finding.help(format!("ask for at most {allowed}, or set `net.core.somaxconn` to {length} there"));
        return;
    }
    // Programs ask for more than a system's default as a matter of course.
    let Some(place) = longest.written else { return };
    let finding =
        findings.warning(length.span, format!("{length} connections are to wait, and the system lets {allowed} wait"));
    finding.label("a burst of requests is turned away earlier than meant");
    finding.note(place, format!("the limit of the system cuts `{setting}` down without a word"));
    finding.help(format!("set `net.core.somaxconn` to {length} at least"));
}

/// Each connection is an open file, and a request that is passed on has two.
fn open_files(site: &Site, id: ProxyId, findings: &mut Findings) {
    let proxy = site.proxy(id);
    let machine = proxy.machine.map(|machine| site.machine(machine));
    let of_service = machine.and_then(|machine| machine.service_of_proxy(id)).and_then(|service| service.open_files);
    let given = of_service.or_else(|| machine.and_then(|machine| machine.open_files));
    let (Some(connections), Some(files)) = (proxy.connections, proxy.files.or(given)) else { return };
    if connections.value <= files.value {
        return;
    }
    let message = format!("{connections} connections for each worker, and only {files} open files");
    findings
        .warning(connections.span, message)
        .label("each connection is an open file, and a request that is passed on has two: without them it fails")
        .note(files.span, "the limit for open files")
        .help(format!("raise the limit to {} at least", connections.value.saturating_mul(2)));
}
