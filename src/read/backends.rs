//! What the processes of a machine are limited to: how long they work, how long they keep connections, how much they take.

mod haproxy;
pub mod memory;
mod php;

use std::ops::Range;

use crate::read::app;
use crate::read::app::listening::Wait;
use crate::read::built;
use crate::read::catalogue::program::{Amount, How, Program};
use crate::read::container::Container;
use crate::read::process::judged::{Judged, Set};
use crate::read::process::{Process, listening};
use crate::read::surroundings::Surroundings;
use crate::site::backend::{AtTheEnd, Backend, Limit, Queue, Size};
use crate::site::listener::Listener;
use crate::site::machine::{Machine, MachineId};
use crate::source::{Span, Spanned};

/// Seconds for which a server of Node.js keeps an idle connection (nodejs.org/api/http.html, `server.keepAliveTimeout`).
const NODE_IDLE: f64 = 5.0;

/// What is known of every process of a container whose listeners its machine has.
pub fn read(id: MachineId, machine: &Machine, container: &Container<'_>) -> Vec<Box<Backend>> {
    let mut found = Vec::new();
    for (number, process) in container.started.processes.iter().enumerate() {
        let owners = machine.listener_processes.iter().enumerate();
        let own: Vec<usize> = owners.filter(|(_, owner)| **owner == number).map(|(index, _)| index).collect();
        let listeners: Vec<&Listener> =
            own.iter().filter_map(|index| machine.listening.listeners.get(*index)).collect();
        if listeners.is_empty() {
            continue;
        }
        let mut backends =
            container.with_surroundings(|surroundings| of_process(id, process, &listeners, surroundings));
        let place = listeners.first().map_or(process.place, |first| first.place);
        if let ([backend], Some(code)) = (backends.as_mut_slice(), built::entry(container, process)) {
            *backend = of_code(backend.clone(), &code, place);
        }
        found.reserve_exact(backends.len());
        found.extend(backends.into_iter().map(|mut backend| {
            backend.listeners = backend.listeners.into_iter().filter_map(|index| own.get(index).copied()).collect();
            Box::new(backend)
        }));
    }
    found
}

/// What is known of one process, pool by pool. [`Backend::listeners`] are indices into `listeners`, all that the process
/// opens; whoever puts these into a machine moves them.
pub fn of_process(
    machine: MachineId,
    process: &Process,
    listeners: &[&Listener],
    surroundings: &Surroundings<'_>,
) -> Vec<Backend> {
    let backend = Backend {
        machine,
        listeners: (0..listeners.len()).collect(),
        // Entries for official images are called so, where the image differs from the program.
        program: format!("`{}`", process.name.trim_end_matches("-official")),
        limits: Vec::new(),
        idle: None,
        workers: None,
        queue: None,
        request_header: None,
        clients: None,
        large_headers: None,
    };
    if process.entry.is_some() {
        let place = listeners.first().map_or(process.place, |first| first.place);
        return match listening::entry(process, surroundings) {
            Some(code) => vec![of_code(backend, &code, place)],
            None => vec![backend],
        };
    }
    // A program of its own, of which the sources may tell more.
    let Some(program) = process.program else { return vec![backend] };
    match program.reader.as_deref() {
        Some("haproxy") => vec![haproxy::of(backend, process, program, surroundings)],
        Some("php-fpm") => php::pools(listeners, &backend, process, program, surroundings),
        Some(_) => Vec::new(),
        None => of_program(backend, listeners, process, program, surroundings),
    }
}

/// A program of the catalogue.
fn of_program(
    mut backend: Backend,
    listeners: &[&Listener],
    process: &Process,
    program: &Program,
    surroundings: &Surroundings<'_>,
) -> Vec<Backend> {
    let judged = Judged::new(process, program, surroundings);
    let single = judged.is_single();
    let amount = |amount: &Option<Amount>, at_the_end| limit(&judged, amount.as_ref()?, at_the_end);
    let at_the_end = match (program.kills, single) {
        (true, _) | (_, Some(true)) => AtTheEnd::Cut,
        _ => AtTheEnd::GoesOn,
    };
    let timeout = amount(&program.timeout, at_the_end);
    // Who may not be working on one request at a time is not believed to have the limit of those who are.
    backend.limits.extend(timeout.filter(|limit| limit.written || at_the_end == AtTheEnd::Cut));
    // A process that works on one request at a time closes each connection; where that is not visible, nothing is said.
    let closes = program.single.is_some() && single != Some(false);
    backend.idle = amount(&program.keepalive, AtTheEnd::Cut).filter(|_| !closes);
    if let (Some(true), Some(Set::Written(workers))) =
        (single, program.workers.as_ref().map(|workers| judged.amount(workers)))
    {
        backend.workers = Some(Spanned::new(u64::from(workers.value), workers.span));
    }
    if let Some(Set::Written(length)) = program.queue.as_ref().map(|queue| judged.amount(queue)) {
        let setting = program.queue.as_ref().map(|queue| judged.name_of(queue)).unwrap_or_default();
        let or_nothing = program.queue_or_nothing;
        backend.queue = Some(Queue { length: length.map(u64::from), setting, or_nothing });
    }
    backend.request_header = program.request_header.as_ref().and_then(|amount| size(&judged, amount));
    backend.large_headers = judged.large_headers();
    with_endings(backend, listeners, &judged, program)
}

/// Adds the further waits of a program; those of its sockets for which they do not all hold are backends of their own.
fn with_endings(
    backend: Backend,
    listeners: &[&Listener],
    judged: &Judged<'_, '_, '_>,
    program: &Program,
) -> Vec<Backend> {
    let mut backends = vec![backend];
    for ending in &program.ends {
        let at_the_end = match ending.how {
            How::Cut => AtTheEnd::Cut,
            How::Answered => AtTheEnd::Answered,
        };
        let Some(limit) = limit(judged, &ending.after, at_the_end) else { continue };
        let opened: Vec<Span> = ending.of.iter().flat_map(|mover| judged.values(mover)).map(|it| it.whole()).collect();
        let holds = |index: &usize| {
            let place = listeners[*index].place;
            let is_in = |it: &Span| it.file == place.file && it.start <= place.start && place.end <= it.end;
            ending.of.is_empty() || opened.iter().any(is_in)
        };
        let mut divided = Vec::new();
        for backend in backends {
            let (own, others): (Vec<usize>, Vec<usize>) = backend.listeners.iter().copied().partition(holds);
            if !others.is_empty() {
                divided.push(Backend { listeners: others, ..backend.clone() });
            }
            if !own.is_empty() {
                let mut backend = Backend { listeners: own, ..backend };
                backend.limits.push(limit.clone());
                divided.push(backend);
            }
        }
        backends = divided;
    }
    backends
}

fn size(judged: &Judged<'_, '_, '_>, amount: &Amount) -> Option<Size> {
    let (bytes, place, written) = match judged.amount(amount) {
        Set::Written(value) => (value.value, value.span, true),
        Set::Default(value) => (value, judged.process.place, false),
        Set::Unknown => return None,
    };
    Some(Size { bytes: u64::from(bytes), setting: judged.name_of(amount), place, written })
}

fn limit(judged: &Judged<'_, '_, '_>, amount: &Amount, at_the_end: AtTheEnd) -> Option<Limit> {
    let (seconds, place, written) = match judged.amount(amount) {
        Set::Written(value) => (value.value, value.span, true),
        Set::Default(value) => (value, judged.process.place, false),
        Set::Unknown => return None,
    };
    let (seconds, setting) = (f64::from(seconds), judged.name_of(amount));
    (seconds > 0.0).then_some(Limit { seconds, setting, place, written, at_the_end })
}

/// A program that is a file of this tree: what its code says. `place` is the call that listens.
fn of_code(mut backend: Backend, code: &app::Entry, place: Span) -> Backend {
    let written = |wait: &Wait, at_the_end| Limit {
        seconds: wait.milliseconds as f64 / 1000.0,
        setting: wait.name.clone(),
        place: wait.place,
        written: true,
        at_the_end,
    };
    let named = |names: &[&str]| code.waits.iter().find(|wait| names.contains(&wait.name.as_str()));
    // `timeout` of Node.js closes the connection on which nothing happens, and so does `WriteTimeout` of Go, counted from
    // the request's header; both measured: 502. `requestTimeout` is about what the client sends, and ends no work; who sets
    // it says how long a request is meant to take.
    let meant =
        [("timeout", AtTheEnd::HangsUp), ("WriteTimeout", AtTheEnd::HangsUp), ("requestTimeout", AtTheEnd::GoesOn)];
    let limits = meant.into_iter().filter_map(|(name, at_the_end)| Some(written(named(&[name])?, at_the_end)));
    backend.limits.extend(limits.filter(|limit| limit.seconds > 0.0));
    // Go takes `ReadTimeout` where `IdleTimeout` is not set (pkg.go.dev/net/http#Server).
    let idle = named(&["keepAliveTimeout", "timeout_keep_alive", "KeepAliveTimeout", "IdleTimeout"])
        .or_else(|| named(&["ReadTimeout"]));
    backend.idle = match idle {
        Some(wait) => Some(written(wait, AtTheEnd::Cut)).filter(|limit| limit.seconds > 0.0),
        None if code.is_plain_node => Some(Limit {
            seconds: NODE_IDLE,
            setting: "keepAliveTimeout".to_owned(),
            place,
            written: false,
            at_the_end: AtTheEnd::Cut,
        }),
        None => None,
    };
    backend
}

/// A whole number behind `name` in a text, with its unit: `512m` of `-Xmx512m`, and where both stand.
fn number_behind(text: &str, name: &str) -> Option<(u64, String, Range<usize>)> {
    let start = text.rfind(name)?;
    let rest = &text[start + name.len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let unit = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
    let number = rest[..digits].parse().ok()?;
    let end = start + name.len() + digits + unit;
    Some((number, rest[digits..digits + unit].to_ascii_lowercase(), start..end))
}

/// Bytes of a number with one of the units `k`, `m`, `g`, `t`; without a unit it counts bytes.
fn bytes(number: u64, unit: &str) -> Option<u64> {
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(factor)
}
