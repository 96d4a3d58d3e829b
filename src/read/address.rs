//! Addresses as proxies write them: `http://host:port/uri`, `host:port`, `unix:/path`, `[::1]:80`.
//!
//! Variables whose value is not known stand in the text as [`UNKNOWN`].

use std::net::IpAddr;
use std::ops::Range;

use memchr::memchr;

use crate::site::proxy::Host;
use crate::source::{Span, Spanned, Text};

/// Stands for a part of an address that is not visible.
pub const UNKNOWN: char = '\u{FFFC}';

/// An address, taken apart.
#[derive(Clone, Debug)]
pub struct Address {
    /// In front of `://`.
    pub scheme: Option<Text>,
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
    let whole = text.as_str();
    // No scheme has a colon in it, so the first one tells.
    let scheme_end = memchr(b':', whole.as_bytes()).filter(|at| whole[*at..].starts_with("://"));
    let scheme_end = scheme_end.filter(|at| is_scheme(&whole[..*at]));
    let scheme = scheme_end.map(|at| text.slice(0..at));
    let start = scheme_end.map_or(0, |at| at + 3);
    let rest = &whole[start..];
    if rest.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("unix:")) {
        return unix(scheme, text.slice(start + 5..whole.len()));
    }
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
    let uri = end.map(|end| text.slice(start + end..whole.len()));
    Address { scheme, place: authority(text, start..end.map_or(whole.len(), |end| start + end)), uri }
}

/// `unix://path` is a path, though it looks like a scheme.
fn is_scheme(text: &str) -> bool {
    !text.eq_ignore_ascii_case("unix") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+')
}

fn unix(scheme: Option<Text>, rest: Text) -> Address {
    let (path, uri) = rest.split_once(':').map_or((rest.clone(), None), |(path, uri)| (path, Some(uri)));
    let place = if is_unknown(path.as_str()) { Place::Unknown } else { Place::Unix { path } };
    Address { scheme, place, uri }
}

/// Some part of it is not visible.
fn is_unknown(text: &str) -> bool {
    !text.is_ascii() && text.contains(UNKNOWN)
}

/// `host`, `host:port`, `[v6]:port` in a range of a text.
pub fn authority(text: &Text, range: Range<usize>) -> Place {
    let whole = text.part(range.clone());
    let (host, behind) = match whole.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => (1..end + 1, end + 2),
        None => (0..memchr(b':', whole.as_bytes()).unwrap_or(whole.len()), 0),
    };
    let name = &whole[host.clone()];
    if is_unknown(name) {
        return Place::Unknown;
    }
    if name.is_empty() {
        return Place::Nothing(text.span(range));
    }
    let colon = memchr(b':', &whole.as_bytes()[behind..]).map(|at| behind + at);
    let port = colon.map(|colon| {
        let (start, port) = (range.start + colon + 1, &whole[colon + 1..]);
        match port.parse::<u16>() {
            Ok(number) if number > 0 => PortText::Number(Spanned::new(number, text.span(start..range.end))),
            _ if is_unknown(port) => PortText::Unknown,
            _ => PortText::Wrong(text.slice(start..range.end)),
        }
    });
    let looks_like_address = name.starts_with(|first: char| first.is_ascii_digit()) || name.contains(':');
    let address = if looks_like_address { name.parse::<IpAddr>().ok() } else { None };
    let place = text.span(range.start + host.start..range.start + host.end);
    let host = address.map_or_else(|| Host::Name(name.to_owned()), Host::Address);
    Place::Host { host: Spanned::new(host, place), port }
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
