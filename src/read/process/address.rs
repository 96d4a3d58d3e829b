//! The values with which programs are told where to listen: ports, hosts, addresses, URLs, socket paths.

use std::net::IpAddr;

use crate::site::listener::{Bind, Endpoint, Protocol};

/// What a value says of an endpoint, as far as it says anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    pub bind: Option<Bind>,
    pub port: Option<u16>,
    pub unix: Option<String>,
    /// The permission bits of the socket.
    pub mode: Option<u32>,
    pub protocol: Option<Protocol>,
}

/// `8080`; also `8080/tcp`.
pub fn port(value: &str) -> Option<u16> {
    value.trim().trim_end_matches("/tcp").parse().ok()
}

/// `0.0.0.0`, `::`, `*`, `localhost`, `127.0.0.1`, ``. A name that is none of these is not understood.
pub fn host(value: &str) -> Option<Bind> {
    let value = value.trim();
    let value = value.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(value);
    match value {
        "" | "*" | "+" | "any" | "0" | "_" => return Some(Bind::Any),
        "localhost" | "ip6-localhost" => return Some(Bind::Localhost),
        "?" => return Some(Bind::Unknown),
        "0.0.0.0" => return Some(Bind::AnyIpv4),
        "$HOSTNAME" => return Some(Bind::OwnName),
        _ => {}
    }
    let address: IpAddr = value.parse().ok()?;
    Some(if address.is_unspecified() { Bind::Any } else { Bind::Only(address) })
}

/// `host:port`, `:port`, `port`, `host`, `[::]:port`, `unix:/path`, `/path`, with or without `tcp://` in front.
pub fn address(value: &str) -> Option<Address> {
    let value = value.trim();
    // Some programs name their sockets: `http=:80`.
    let value = match value.split_once('=') {
        Some((name, address)) if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) => address,
        _ => value,
    };
    for scheme in ["unix://", "unix:", "file://"] {
        if let Some(path) = value.strip_prefix(scheme) {
            // puma's addresses are URLs: `unix:///run/app.sock?umask=0111`.
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            return (!path.is_empty()).then(|| Address { mode: mode_of(query), ..unix(path) });
        }
    }
    if value.starts_with('/') {
        return Some(unix(value));
    }
    for (scheme, protocol) in [
        ("tcp://", None),
        ("http://", Some(Protocol::Http)),
        ("https://", Some(Protocol::Https)),
        ("ssl://", Some(Protocol::Https)),
    ] {
        if let Some(rest) = value.strip_prefix(scheme) {
            let rest = rest.split(['/', '?']).next().unwrap_or(rest);
            let mut address = host_and_port(rest)?;
            address.protocol = protocol;
            if address.port.is_none() {
                address.port = match protocol {
                    Some(Protocol::Http) => Some(80),
                    Some(Protocol::Https) => Some(443),
                    _ => None,
                };
            }
            return Some(address);
        }
    }
    host_and_port(value)
}

fn host_and_port(value: &str) -> Option<Address> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // The program's own default says which address a port alone is meant for.
        return Some(Address { port: Some(port(value)?), ..Address::default() });
    }
    // A colon inside of brackets, or one of several without brackets, belongs to an IPv6 address.
    let split = match value.rfind(']') {
        Some(close) => value[close + 1..].starts_with(':').then_some(close + 1),
        None if value.matches(':').count() > 1 => value.starts_with(":::").then_some(2),
        None => value.rfind(':'),
    };
    Some(match split {
        Some(at) => {
            Address { bind: Some(host(&value[..at])?), port: Some(port(&value[at + 1..])?), ..Address::default() }
        }
        None => Address { bind: Some(host(value)?), ..Address::default() },
    })
}

/// `umask=0111` or `mode=0660` behind the path of a socket; a zero in front makes a umask octal (puma, binder.rb).
fn mode_of(query: &str) -> Option<u32> {
    query.split('&').find_map(|pair| match pair.split_once('=')? {
        ("umask", mask) => {
            let radix = if mask.starts_with('0') { 8 } else { 10 };
            Some(0o777 & !u32::from_str_radix(mask, radix).ok()?)
        }
        ("mode", mode) => u32::from_str_radix(mode, 8).ok(),
        _ => None,
    })
}

/// The path of a unix socket, with `/var/run` as `/run`.
pub fn unix(path: &str) -> Address {
    let path = match path.strip_prefix("/var/run/") {
        Some(rest) => format!("/run/{rest}"),
        None => path.to_owned(),
    };
    Address { unix: Some(path), ..Address::default() }
}

impl Address {
    /// The endpoint, when it is complete; `bind` where nothing says which address.
    pub fn endpoint(&self, bind: Bind) -> Option<Endpoint> {
        if let Some(path) = &self.unix {
            return Some(Endpoint::Unix { path: path.clone() });
        }
        Some(Endpoint::Tcp { bind: self.bind.unwrap_or(bind), port: self.port.filter(|port| *port != 0)? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, address};
    use crate::site::listener::{Bind, Protocol};

    fn tcp(bind: Bind, port: Option<u16>) -> Option<Address> {
        Some(Address { bind: Some(bind), port, ..Address::default() })
    }

    #[test]
    fn addresses_in_their_many_forms() {
        assert_eq!(address("8000"), Some(Address { port: Some(8000), ..Address::default() }));
        assert_eq!(address(":8000"), tcp(Bind::Any, Some(8000)));
        assert_eq!(address("0.0.0.0:8000"), tcp(Bind::AnyIpv4, Some(8000)));
        assert_eq!(address("$HOSTNAME:3000"), tcp(Bind::OwnName, Some(3000)));
        assert_eq!(address("[::]:80"), tcp(Bind::Any, Some(80)));
        assert_eq!(address("::1"), tcp(Bind::Only("::1".parse().unwrap()), None));
        assert_eq!(address(":::80"), tcp(Bind::Any, Some(80)));
        assert_eq!(address("localhost:1"), tcp(Bind::Localhost, Some(1)));
        assert_eq!(address("tcp://127.0.0.1:9"), tcp(Bind::Only("127.0.0.1".parse().unwrap()), Some(9)));
        assert_eq!(address("api.internal:80"), None);
        assert_eq!(address("0.0.0.0:http"), None);
        assert_eq!(address("unix:/var/run/a.sock").unwrap().unix.as_deref(), Some("/run/a.sock"));
        assert_eq!(address("unix:///run/a.sock").unwrap().unix.as_deref(), Some("/run/a.sock"));
        assert_eq!(address("unix:///run/a.sock?umask=0111").unwrap().unix.as_deref(), Some("/run/a.sock"));
        let url = address("https://+:5001/path").unwrap();
        assert_eq!((url.bind, url.port, url.protocol), (Some(Bind::Any), Some(5001), Some(Protocol::Https)));
        for junk in ["", ":", "[", "]:", "[]:", "::::", "99999", "é:é", "unix:"] {
            let _ = address(junk);
        }
    }
}
