//! Addresses as proxies write them: `http://host:port/uri`, `host:port`, `unix:/path`, `[::1]:80`.
//!
//! Variables whose value is not known stand in the text as [`UNKNOWN`].

use std::net::IpAddr;

use crate::site::proxy::Host;
use crate::source::{Span, Spanned, Text};

/// Stands for a part of an address that is not visible.
pub const UNKNOWN: char = '\u{FFFC}';

/// An address, taken apart.
#[derive(Clone, Debug)]
pub struct Address {
    /// In front of `://`, in lower case.
    pub scheme: Option<Spanned<String>>,
    pub place: Place,
    /// From the first slash behind the host on; behind the `:` of a socket's path.
    pub uri: Option<Text>,
}

#[derive(Clone, Debug)]
pub enum Place {
    Host {
        host: Spanned<Host>,
        port: Option<PortText>,
    },
    Unix {
        path: Text,
    },
    /// The part that decides it is not visible.
    Unknown,
    /// Nothing stands where the host should.
    Nothing(Span),
}

#[derive(Clone, Debug)]
pub enum PortText {
    Number(Spanned<u16>),
    Unknown,
    /// What stands there is no port.
    Wrong(Text),
}

/// Takes an address apart. Never fails: what cannot be a host is still one, with its text.
pub fn parse(text: &Text) -> Address {
    let (scheme, rest) = match text.as_str().find("://") {
        Some(at) if is_scheme(&text.as_str()[..at]) => {
            let scheme = text.slice(0..at).spanned().map(|name| name.to_ascii_lowercase());
            (Some(scheme), text.slice(at + 3..text.as_str().len()))
        }
        _ => (None, text.clone()),
    };
    if rest.as_str().get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:")) {
        return unix(scheme, rest.slice(5..rest.as_str().len()));
    }
    let end = rest.as_str().find(['/', '?', '#']).unwrap_or(rest.as_str().len());
    let uri = (end < rest.as_str().len()).then(|| rest.slice(end..rest.as_str().len()));
    Address { scheme, place: authority(&rest.slice(0..end)), uri }
}

/// `unix://path` is a path, though it looks like a scheme.
fn is_scheme(text: &str) -> bool {
    !text.eq_ignore_ascii_case("unix") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
}

fn unix(scheme: Option<Spanned<String>>, rest: Text) -> Address {
    let (path, uri) = rest.split_once(':').map_or((rest.clone(), None), |(path, uri)| (path, Some(uri)));
    let place = if path.as_str().contains(UNKNOWN) { Place::Unknown } else { Place::Unix { path } };
    Address { scheme, place, uri }
}

/// `host`, `host:port`, `[v6]:port`.
pub fn authority(text: &Text) -> Place {
    let whole = text.as_str();
    let (host, port) = if let Some(end) = whole.strip_prefix('[').and_then(|rest| rest.find(']')) {
        let behind = text.slice(end + 2..whole.len());
        (text.slice(1..end + 1), behind.split_once(':').map(|(_, port)| port))
    } else {
        text.split_once(':').map_or((text.clone(), None), |(host, port)| (host, Some(port)))
    };
    if host.as_str().contains(UNKNOWN) {
        return Place::Unknown;
    }
    if host.as_str().is_empty() {
        return Place::Nothing(text.whole());
    }
    let port = port.map(|port| match port.as_str().parse::<u16>() {
        Ok(number) if number > 0 => PortText::Number(Spanned::new(number, port.whole())),
        _ if port.as_str().contains(UNKNOWN) => PortText::Unknown,
        _ => PortText::Wrong(port.clone()),
    });
    let name = host.spanned();
    let host = match name.value.parse::<IpAddr>() {
        Ok(address) => Host::Address(address),
        Err(_) => Host::Name(name.value),
    };
    Place::Host { host: Spanned::new(host, name.span), port }
}

#[cfg(test)]
mod tests {
    use super::{Place, PortText, parse};
    use crate::source::Sources;

    fn shown(address: &str) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a", address);
        let parsed = parse(&sources.text(file));
        let scheme = parsed.scheme.map_or(String::new(), |scheme| format!("{scheme} "));
        let place = match parsed.place {
            Place::Host { host, port } => {
                let port = match port {
                    None => "-".to_owned(),
                    Some(PortText::Number(port)) => format!("{port}@{}", sources.quote(port.span)),
                    Some(PortText::Unknown) => "?".to_owned(),
                    Some(PortText::Wrong(text)) => format!("!{text}"),
                };
                format!("{host} {port}")
            }
            Place::Unix { path } => format!("unix {path}"),
            Place::Unknown => "unknown".to_owned(),
            Place::Nothing(_) => "nothing".to_owned(),
        };
        format!("{scheme}{place} {}", parsed.uri.map_or("-".to_owned(), |uri| uri.to_string()))
    }

    #[test]
    fn addresses() {
        assert_eq!(shown("http://api:8000/v1/"), "http api 8000@8000 /v1/");
        assert_eq!(shown("api"), "api - -");
        assert_eq!(shown("https://[::1]:8443"), "https ::1 8443@8443 -");
        assert_eq!(shown("http://unix:/run/a.sock:/uri"), "http unix /run/a.sock /uri");
        assert_eq!(shown("unix:/run/a.sock"), "unix /run/a.sock -");
        assert_eq!(shown("unix:///run/a.sock"), "unix ///run/a.sock -");
        assert_eq!(shown("http://api:80a0"), "http api !80a0 -");
        assert_eq!(shown("http://\u{FFFC}:80/"), "http unknown /");
        assert_eq!(shown("http://api:\u{FFFC}"), "http api ? -");
        assert_eq!(shown("http://:80"), "http nothing -");
    }
}
