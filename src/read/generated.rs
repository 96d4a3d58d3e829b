//! Proxies that write their own configuration from the containers around them: nginx-proxy and its VIRTUAL_ variables
//! (github.com/nginx-proxy/nginx-proxy, docs).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::read::container::Container;
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Protocol};
use crate::site::machine::{Attached, Machine, MachineId};
use crate::site::proxy::{
    Answers, Hop, Host, Listen, Malformed, Port, Proxy, ProxyId, Resolution, Route, RoutePath, Settings, Target, To,
    UnknownName, VirtualServer, Waits,
};
use crate::source::{Lookup, Span, Spanned, Text};

/// The proxy's program in the catalogue.
const PROGRAM: &str = "nginx-proxy";

const ANSWERS: Answers =
    Answers { refused: "502", nonsense: "502", slow: "504", unknown_name: UnknownName::Answers("502") };

/// The variable by which a container asks for a route.
const ASKS: &str = "VIRTUAL_HOST";

/// The variable by which it says which of its ports is meant.
const PORT: &str = "VIRTUAL_PORT";

/// A container that has a say in this: such a proxy, or one that asks for a route.
pub fn concerns(container: &Container<'_>) -> bool {
    runs(container).is_some() || matches!(container.variable(ASKS), Lookup::Value(_))
}

/// Where the proxy of a container is started.
fn runs(container: &Container<'_>) -> Option<Span> {
    let process = container.started.processes.first()?;
    (process.name.rsplit('/').next() == Some(PROGRAM) && container.facts.is_some()).then_some(process.place)
}

/// Adds the routes of every generated proxy.
pub fn read(site: &mut Site, containers: &[(MachineId, Box<Container<'_>>)]) {
    let proxies: Vec<(MachineId, Span)> =
        containers.iter().filter_map(|(id, container)| Some((*id, runs(container)?))).collect();
    for (id, place) in proxies {
        let proxy = ProxyId(site.proxies.len());
        site.proxies.push(Proxy {
            product: PROGRAM.to_owned(),
            machine: Some(id),
            place,
            answers: ANSWERS,
            version: None,
            user: None,
            group: None,
            complete: false,
            connections: None,
            files: None,
            port_variable: Some(PORT),
        });
        for (target, container) in containers {
            let Lookup::Value(host) = container.variable(ASKS) else { continue };
            if host.as_str().trim().is_empty() || *target == id || !is_seen(site, id, *target) {
                continue;
            }
            add(site, proxy, *target, &host, container);
        }
    }
}

/// Whether the proxy is meant for a container: it is of the same project, or on a network of the proxy. All others of
/// the host are seen by it, too; which of them run at the same time, no file tells.
fn is_seen(site: &Site, proxy: MachineId, target: MachineId) -> bool {
    let (proxy, target) = (site.machine(proxy), site.machine(target));
    match (&site.machine(proxy.stack).attached, &target.attached) {
        (Attached::Networks(own), Attached::Networks(others)) => {
            proxy.project == target.project
                || own.iter().any(|one| others.iter().any(|other| one.network == other.network))
        }
        // On the host's own network it reaches every bridge by address; a target there is asked through the host.
        _ => false,
    }
}

fn add(site: &mut Site, proxy: ProxyId, target: MachineId, host: &Text, container: &Container<'_>) {
    let place = host.whole();
    let endpoint = Endpoint::Tcp { bind: Bind::Any, port: 80 };
    let names = host.as_str().split(',').map(|name| Spanned::new(name.trim().to_owned(), place));
    site.servers.push(VirtualServer {
        proxy,
        listens: vec![Listen {
            endpoint,
            tls: false,
            announced: false,
            udp: false,
            default: false,
            written: false,
            queue: None,
            place,
        }],
        names: names.collect(),
        place,
        whole: place,
        idle: None,
        request_header: None,
    });
    site.routes.push(Route { server: Some(site.servers.len() - 1), path: RoutePath::All, place });
    let machine = &site.machines[target.0];
    let name = machine.name.to_ascii_lowercase();
    let unknown = |why: &str| To::Unknown(why.to_owned());
    let (to, place) = match container.variable(PORT) {
        Lookup::Value(text) => match text.as_str().trim().parse::<u16>() {
            Ok(number) => (to_port(&name, Port { number, written: Some(text.whole()) }, text.whole()), text.whole()),
            Err(_) if is_port_number(text.as_str()) => (unknown("its `VIRTUAL_PORT` is no number"), text.whole()),
            Err(_) => (To::Malformed(Box::new(no_port(&text))), text.whole()),
        },
        Lookup::Unknown => (unknown("its `VIRTUAL_PORT` is not visible"), place),
        Lookup::Unset => match only_port(machine, container) {
            Ok(number) => (to_port(&name, Port { number, written: None }, place), place),
            Err(why) => (unknown(why), place),
        },
    };
    let protocol = match container.variable("VIRTUAL_PROTO") {
        Lookup::Value(text) => match text.as_str() {
            "https" => Spanned::new(Protocol::Https, text.whole()),
            "fastcgi" => Spanned::new(Protocol::FastCgi, text.whole()),
            "uwsgi" => Spanned::new(Protocol::Uwsgi, text.whole()),
            "grpc" => Spanned::new(Protocol::Http2, text.whole()),
            _ => Spanned::new(Protocol::Http, text.whole()),
        },
        _ => Spanned::new(Protocol::Http, host.whole()),
    };
    let written = match &to {
        To::Target(Target::Tcp { port, .. }) => format!("{name}:{}", port.number),
        _ => name,
    };
    site.hops.push(Box::new(Hop {
        proxy,
        route: Some(site.routes.len() - 1),
        place,
        statement: place,
        written: Text::fixed(&written, place),
        protocol,
        to,
        // It rewrites its configuration whenever a container starts or stops.
        resolution: Resolution::AtStart,
        uri: None,
        waits: Waits::default(),
        settings: Arc::new(Settings { keeps_host: true, ..Settings::default() }),
    }));
}

fn to_port(name: &str, port: Port, place: Span) -> To {
    To::Target(Target::Tcp { host: Spanned::new(Host::Name(name.to_owned()), place), port })
}

/// The port that counts when none is named: the only one that is exposed, else 80. What an image exposes, those that
/// are built from it expose as well.
fn only_port(machine: &Machine, container: &Container<'_>) -> Result<u16, &'static str> {
    let mut exposed: BTreeSet<(u16, u16)> = machine.declared.iter().map(|declared| declared.ports).collect();
    let of_image = container.facts.as_ref().and_then(|facts| facts.expose.as_ref());
    exposed.extend(of_image.into_iter().flatten().map(|port| (*port, *port)));
    let is_known = of_image.is_some() || machine.built_here && (container.facts.is_some() || container.files.empty);
    match exposed.first() {
        Some((first, last)) if exposed.len() == 1 && first == last => Ok(*first),
        None if !is_known => Err("the ports that its image exposes are not visible"),
        _ => Ok(80),
    }
}

/// A number, though none that a port can have, or empty.
fn is_port_number(text: &str) -> bool {
    text.trim().bytes().all(|byte| byte.is_ascii_digit())
}

/// Several ports, or one with a protocol behind it, make a server that nginx-proxy cannot address.
fn no_port(text: &Text) -> Malformed {
    Malformed {
        span: text.whole(),
        message: format!("`{}` is not one port", text.as_str().trim()),
        help: Some("name one port; for several services use `VIRTUAL_HOST_MULTIPORTS`".to_owned()),
        instead: None,
        fatal: false,
    }
}
