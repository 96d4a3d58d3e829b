//! What a service says about its machine by itself.

use std::net::IpAddr;
use std::sync::Arc;

use crate::read::compose::model::{self, CommandForm, NetworkMode, Service};
use crate::read::container::Container;
use crate::read::image::{Change, Image};
use crate::read::process::Start as Command;
use crate::site::machine::{Declared, DeclaredBy, HostPort, LongestQueue, Published};
use crate::source::{Lookup, Spanned, Text};
use crate::syntax::compose_values::ports::Protocol;
use crate::syntax::compose_values::words::words;

/// What a container is given when nothing is said, whatever the host has: `SOMAXCONN` of a kernel since 5.4, 128 before
/// (docs.kernel.org/networking/ip-sysctl.html).
const LONGEST_QUEUE: u64 = 4096;

pub fn longest_queue(service: &Service) -> Option<LongestQueue> {
    let written = service.sysctls.iter().rev().find(|(name, _)| name.value == "net.core.somaxconn");
    if let Some((_, value)) = written {
        return Some(LongestQueue { length: value.as_str().trim().parse().ok()?, written: Some(value.whole()) });
    }
    let is_own = service.network_mode.as_ref().is_none_or(|mode| mode.value == NetworkMode::Bridge);
    is_own.then_some(LongestQueue { length: LONGEST_QUEUE, written: None })
}

pub fn command(form: &CommandForm) -> Command {
    match form {
        CommandForm::List(list) => Command::Exec(list.clone()),
        // Compose cuts the string into words itself; no shell sees it.
        CommandForm::Shell(text) => Command::Exec(words(text).unwrap_or_default()),
    }
}

pub fn declared(service: &Service, container: &Container<'_>) -> Vec<Declared> {
    let mut declared = Vec::new();
    for ports in container.files.image.iter().flat_map(|image| &image.exposed) {
        declared.push(Declared { ports: ports.value, by: DeclaredBy::Expose, place: ports.span });
    }
    for expose in service.expose.iter().filter(|expose| expose.protocol == Protocol::Tcp) {
        if let Some(ports) = expose.ports {
            declared.push(Declared { ports, by: DeclaredBy::Service, place: expose.text.whole() });
        }
    }
    for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
        if let Some(target) = &port.target {
            let ports = (target.value, target.value);
            declared.push(Declared { ports, by: DeclaredBy::Published, place: port.span });
        }
    }
    declared
}

/// A variable that is called `PORT` or `…_PORT` often says where the program behind it listens, and so does a number in
/// its command.
pub fn port_variables(container: &Container<'_>) -> Vec<u16> {
    let named = container.variables.iter().filter(|(name, _)| name == "PORT" || name.ends_with("_PORT"));
    let number = |value: &Lookup| match value {
        Lookup::Value(text) => text.as_str().parse().ok(),
        _ => None,
    };
    let words = match &container.start {
        Some(Command::Exec(words)) => words.iter().map(Text::as_str).collect::<Vec<_>>(),
        Some(Command::Shell(text)) => vec![text.as_str()],
        None => Vec::new(),
    };
    // `--port 7000` of a program that nobody knows says no less.
    let words = words.into_iter().flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric()));
    let ports = words.filter_map(|word| word.parse().ok()).filter(|port| *port > 0);
    named.filter_map(|(_, value)| number(value)).chain(ports).collect()
}

pub fn published(service: &Service) -> Vec<Published> {
    let publish = |port: &model::Port| {
        let target = port.target?.value;
        Some(Published {
            address: port.host_ip.as_ref().and_then(|text| {
                let address: IpAddr = text.as_str().trim_matches(['[', ']']).parse().ok()?;
                (!address.is_unspecified()).then(|| Spanned::new(address, text.whole()))
            }),
            host: match port.published {
                model::Published::Random => HostPort::Random,
                model::Published::One(one) => HostPort::Fixed(one, one),
                model::Published::Range(..) | model::Published::Unknown => HostPort::Unknown,
            },
            container: (target, target),
            udp: port.protocol != Protocol::Tcp,
            place: port.span,
        })
    };
    service.ports.iter().filter_map(publish).collect()
}

pub fn replicas(service: &Service) -> Option<Spanned<u64>> {
    let deployed = service.deploy.as_ref().and_then(|deploy| deploy.replicas);
    service.scale.or(deployed)
}

pub fn restart(service: &Service) -> Option<Spanned<String>> {
    let deployed = service.deploy.as_ref().and_then(|deploy| deploy.restart_condition.as_ref());
    service.restart.as_ref().or(deployed).map(Text::spanned)
}

/// Whether neither the service nor the build of its image says what runs in it. Start scripts of images lie in folders
/// such as `/docker-entrypoint.d`.
pub fn starts_as_it_came(service: &Service, container: &Container<'_>) -> bool {
    let holds_scripts = |path: &str| path == "/" || path.contains("entrypoint");
    let adds = |image: &Arc<Image>| {
        let is_script = |change: &Change| match change {
            Change::Copy { target: path, .. } | Change::Write { path, .. } | Change::Link { path, .. } => {
                holds_scripts(path)
            }
            Change::Unknown { path, .. } => path.as_ref().is_none_or(|path| holds_scripts(path)),
            _ => false,
        };
        let is_told = image.entrypoint.is_some() || image.command.is_some();
        is_told || !image.installed.is_empty() || !image.commands.is_empty() || image.changes.iter().any(is_script)
    };
    let is_mounted = container.files.mounts.iter().any(|it| holds_scripts(&it.mount.target));
    let is_told = service.command.is_some() || service.entrypoint.is_some() || is_mounted;
    !is_told && !container.files.image.as_ref().is_some_and(adds)
}
