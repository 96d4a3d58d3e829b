//! `listen` lines.

use crate::read::address::{Place, PortText, authority};
use crate::site::listener::{Bind, Endpoint};
use crate::site::proxy::{Host, Listen};
use crate::site::sockets::normal;
use crate::source::Spanned;
use crate::syntax::nginx::DirectiveRef;

/// The addresses of a `listen` line: several when it names a range of ports. Empty when it cannot be read.
pub fn listen(item: DirectiveRef<'_>, ssl_on: bool) -> Vec<Listen> {
    let Some(word) = item.argument(0) else { return Vec::new() };
    let flag = |name: &str| item.arguments().skip(1).any(|word| word.value() == name);
    let queue = item.arguments().skip(1).find_map(|word| {
        let length = word.value().strip_prefix("backlog=")?.parse().ok()?;
        Some(Spanned::new(length, word.span()))
    });
    let of = |endpoint: Endpoint| Listen {
        endpoint,
        // `quic` takes UDP; the TCP side has a line of its own.
        tls: ssl_on || flag("ssl"),
        announced: flag("proxy_protocol"),
        udp: flag("udp") || flag("quic"),
        default: flag("default_server") || flag("default"),
        written: true,
        queue,
        place: word.span(),
    };
    let text = word.text();
    let value = text.as_str();
    if let Some(path) = value.strip_prefix("unix:") {
        return vec![of(Endpoint::Unix { path: normal(path) })];
    }
    // A port alone, or a range of them.
    if value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return ports(value).map(|port| of(Endpoint::Tcp { bind: Bind::AnyIpv4, port })).collect();
    }
    if let Some((host, range)) = value.rsplit_once(':')
        && range.contains('-')
        && !host.is_empty()
    {
        let bind = bind_of(host.trim_matches(['[', ']']));
        return ports(range).map(|port| of(Endpoint::Tcp { bind, port })).collect();
    }
    let Place::Host { host, port } = authority(&text, 0..value.len()) else { return Vec::new() };
    let port = match port {
        // `listen localhost;` means port 80.
        None => 80,
        Some(PortText::Number(port)) => port.value,
        Some(PortText::Unknown | PortText::Wrong(_)) => return Vec::new(),
    };
    let bind = match host.value {
        Host::Address(address) if address.is_unspecified() && address.is_ipv4() => Bind::AnyIpv4,
        Host::Address(address) if address.is_unspecified() => Bind::Any,
        Host::Address(address) => Bind::Only(address),
        Host::Name(name) => bind_of(&name),
    };
    vec![of(Endpoint::Tcp { bind, port })]
}

fn bind_of(host: &str) -> Bind {
    match host {
        "*" | "0.0.0.0" => Bind::AnyIpv4,
        "::" => Bind::Any,
        // nginx takes the first address that the hosts file gives, which is 127.0.0.1.
        "localhost" => Bind::Only(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        _ => host.parse().map_or(Bind::Unknown, Bind::Only),
    }
}

fn ports(text: &str) -> impl Iterator<Item = u16> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first > 0 => Some(first..=last.min(first.saturating_add(999))),
        _ => None,
    };
    range.into_iter().flatten()
}
