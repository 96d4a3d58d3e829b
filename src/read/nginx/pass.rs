//! Where a `*_pass` line and a `server` line of an upstream lead.

use rustc_hash::FxHashMap;

use crate::read::address::{Address, Place, PortText, parse};
use crate::site::listener::Protocol;
use crate::site::proxy::{Host, Malformed, Port, Target, To};
use crate::source::{Span, Spanned, Text};

/// One kind of pass, and the prefix of the settings that go with it.
#[derive(Debug)]
pub struct Family {
    pub directive: &'static str,
    pub prefix: &'static str,
    /// The settings of its patience.
    pub connect: &'static str,
    pub send: &'static str,
    pub read: &'static str,
    pub protocol: Protocol,
    /// The schemes it takes, with the protocol that each means.
    schemes: &'static [(&'static str, Protocol)],
    /// It is refused without one of them.
    needs_scheme: bool,
}

const FAMILIES: &[Family] = &[
    Family {
        directive: "proxy_pass",
        prefix: "proxy_",
        connect: "proxy_connect_timeout",
        send: "proxy_send_timeout",
        read: "proxy_read_timeout",
        protocol: Protocol::Http,
        schemes: &[("http", Protocol::Http), ("https", Protocol::Https)],
        needs_scheme: true,
    },
    Family {
        directive: "fastcgi_pass",
        prefix: "fastcgi_",
        connect: "fastcgi_connect_timeout",
        send: "fastcgi_send_timeout",
        read: "fastcgi_read_timeout",
        protocol: Protocol::FastCgi,
        schemes: &[],
        needs_scheme: false,
    },
    Family {
        directive: "uwsgi_pass",
        prefix: "uwsgi_",
        connect: "uwsgi_connect_timeout",
        send: "uwsgi_send_timeout",
        read: "uwsgi_read_timeout",
        protocol: Protocol::Uwsgi,
        schemes: &[("uwsgi", Protocol::Uwsgi), ("suwsgi", Protocol::Uwsgi)],
        needs_scheme: false,
    },
    Family {
        directive: "scgi_pass",
        prefix: "scgi_",
        connect: "scgi_connect_timeout",
        send: "scgi_send_timeout",
        read: "scgi_read_timeout",
        protocol: Protocol::Scgi,
        schemes: &[],
        needs_scheme: false,
    },
    Family {
        directive: "grpc_pass",
        prefix: "grpc_",
        connect: "grpc_connect_timeout",
        send: "grpc_send_timeout",
        read: "grpc_read_timeout",
        protocol: Protocol::Http2,
        schemes: &[("grpc", Protocol::Http2), ("grpcs", Protocol::Http2Tls)],
        needs_scheme: false,
    },
    Family {
        directive: "memcached_pass",
        prefix: "memcached_",
        connect: "memcached_connect_timeout",
        send: "memcached_send_timeout",
        read: "memcached_read_timeout",
        protocol: Protocol::Tcp,
        schemes: &[],
        needs_scheme: false,
    },
];

/// The family of a statement that passes requests on.
pub fn family(directive: &str) -> Option<&'static Family> {
    // Hardly any name ends so, and each statement is looked at.
    let passes = directive.ends_with("_pass");
    FAMILIES.iter().filter(|_| passes).find(|family| family.directive == directive)
}

/// Bytes.
const LONGEST_PATH: usize = 107;

/// A pass, followed to what it names.
pub struct Found {
    pub to: To,
    pub protocol: Protocol,
    pub protocol_place: Option<Span>,
    pub uri: Option<String>,
}

/// `computed`: the value was put together at run time, when nginx is less strict and asks name servers.
pub fn target(
    value: &Text,
    family: &'static Family,
    stream: bool,
    computed: bool,
    groups: &FxHashMap<String, usize>,
) -> Found {
    let mut address = parse(value);
    let means = |scheme: &Text| family.schemes.iter().find(|(name, _)| scheme.as_str().eq_ignore_ascii_case(name));
    let meant = address.scheme.as_ref().and_then(means);
    let own = if stream { Protocol::Tcp } else { family.protocol };
    let protocol = meant.map_or(own, |(_, protocol)| *protocol);
    let protocol_place = address.scheme.as_ref().map(Text::whole);
    let found = |to: To, uri: Option<String>| Found { to, protocol, protocol_place, uri };
    let refused = |malformed: Malformed, uri| found(To::Malformed(Box::new(malformed)), uri);
    if let Some(scheme) = &address.scheme {
        if stream || family.schemes.is_empty() {
            return refused(needless_scheme(scheme, family, value), None);
        }
        if meant.is_none() {
            return refused(wrong_scheme(scheme, family), None);
        }
    } else if family.needs_scheme && !stream {
        if value.as_str().contains(crate::read::address::UNKNOWN) && !matches!(address.place, Place::Unix { .. }) {
            return found(To::Unknown("a variable whose value is not visible decides the target".to_owned()), None);
        }
        return refused(missing_scheme(value, &address, computed), None);
    }
    // Only an HTTP target has a URI part; elsewhere the rest belongs to the path of the socket or is a mistake.
    let takes_uri = family.directive == "proxy_pass" && !stream;
    if !takes_uri && let Some(uri) = address.uri.take() {
        return refused(needless_uri(&uri, &address, value, family.directive), None);
    }
    let uri = address.uri.as_ref().map(|uri| uri.as_str().to_owned());
    let default_port = if protocol == Protocol::Https || protocol == Protocol::Http2Tls { 443 } else { 80 };
    match address.place {
        Place::Unknown => {
            found(To::Unknown("a variable whose value is not visible decides the target".to_owned()), uri)
        }
        Place::Nothing(_) => {
            let malformed = Malformed {
                span: value.whole(),
                message: format!("`{value}` names no host"),
                help: None,
                instead: None,
                fatal: !computed,
            };
            refused(malformed, uri)
        }
        Place::Unix { path } => match too_long(&path, computed) {
            Some(malformed) => refused(malformed, uri),
            None => found(To::Target(Target::Unix { path: socket_path(&path) }), uri),
        },
        Place::Host { host, port } => {
            if let Host::Name(name) = &host.value
                && let Some(group) = group_of(name, groups)
            {
                match &port {
                    None => return found(To::Group(group), uri),
                    Some(PortText::Number(port)) if !computed => {
                        let whole = host.span.to(port.span);
                        let malformed = Malformed {
                            span: whole,
                            message: format!("`{name}` is an upstream group and may not have port {port}"),
                            help: Some(format!("write the port into the group's `server` lines, and `{name}` here")),
                            instead: Some(name.clone()),
                            fatal: true,
                        };
                        return refused(malformed, uri);
                    }
                    _ => {}
                }
            }
            if let Some(malformed) = path_for_host(&host, value, family.directive) {
                return refused(malformed, uri);
            }
            // These modules have no port of their own (ngx_http_fastcgi_pass): "no port in upstream".
            if port.is_none() && !computed && matches!(protocol, Protocol::FastCgi | Protocol::Uwsgi | Protocol::Scgi) {
                return found(To::NoGroup(host.map(|host| host.to_string())), uri);
            }
            match port {
                Some(PortText::Unknown) => {
                    found(To::Unknown("a variable whose value is not visible decides the port".to_owned()), uri)
                }
                Some(PortText::Wrong(text)) => refused(wrong_port(&text, computed), uri),
                port => found(To::Target(Target::Tcp { host, port: port_of(port, default_port) }), uri),
            }
        }
    }
}

/// The number of the group with this name, in whatever case it is written.
fn group_of(name: &str, groups: &FxHashMap<String, usize>) -> Option<usize> {
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    let number = if is_lower { groups.get(name) } else { groups.get(&name.to_ascii_lowercase()) };
    number.copied()
}

/// The address of a `server` line in an upstream: no scheme, no URI.
pub fn server_address(value: &Text) -> Result<Target, Malformed> {
    let address = parse(value);
    if let Some(scheme) = &address.scheme {
        let bare = value.slice((scheme.as_str().len() + 3).min(value.as_str().len())..value.as_str().len());
        let scheme = scheme.as_str().to_ascii_lowercase();
        return Err(Malformed {
            span: value.whole(),
            message: format!("a server of an upstream is an address, so `{scheme}://` makes `{value}` a wrong host"),
            help: Some(format!("write `server {bare};` and the scheme where the upstream is used")),
            instead: Some(bare.to_string()),
            fatal: true,
        });
    }
    match address.place {
        Place::Unix { path } => match address.uri {
            None => too_long(&path, false).map_or(Ok(Target::Unix { path: socket_path(&path) }), Err),
            Some(uri) => Err(Malformed {
                span: value.whole(),
                message: format!(
                    "`:{uri}` becomes a part of the socket's name: a server of an upstream takes no path behind it"
                ),
                help: Some(format!("write `unix:{path}` here, and the path where the upstream is used")),
                instead: Some(format!("unix:{path}")),
                fatal: false,
            }),
        },
        Place::Host { host, .. } if address.uri.is_some() => {
            let uri = address.uri.map(|uri| uri.to_string()).unwrap_or_default();
            if value.as_str().starts_with('/') {
                return Err(missing_unix(value));
            }
            Err(Malformed {
                span: value.whole(),
                message: format!("a server of an upstream takes no path, so `{value}` is a wrong host"),
                help: Some(format!("write `{uri}` where the upstream is used")),
                instead: value
                    .as_str()
                    .strip_suffix(uri.as_str())
                    .map(str::to_owned)
                    .filter(|_| !host.value.to_string().is_empty()),
                fatal: true,
            })
        }
        Place::Host { host, port } => match port {
            Some(PortText::Wrong(text)) => Err(wrong_port(&text, false)),
            // A variable here is left to the caller, which sees the `$`.
            Some(PortText::Unknown) => Ok(Target::Tcp { host, port: Port { number: 80, written: None } }),
            port => Ok(Target::Tcp { host, port: port_of(port, 80) }),
        },
        Place::Nothing(_) if value.as_str().starts_with('/') => Err(missing_unix(value)),
        Place::Nothing(span) => {
            Err(Malformed { span, message: format!("`{value}` names no host"), help: None, instead: None, fatal: true })
        }
        Place::Unknown => {
            Ok(Target::Tcp { host: value.spanned().map(Host::Name), port: Port { number: 80, written: None } })
        }
    }
}

/// nginx puts no variables into the servers of an upstream.
pub fn variable_in_server(value: &Text) -> Malformed {
    Malformed {
        span: value.whole(),
        message: format!("`{value}` stays as it is: a server of an upstream takes no variables"),
        help: Some("write the address itself, or let a template be filled in before nginx reads the file".to_owned()),
        instead: None,
        fatal: true,
    }
}

fn port_of(port: Option<PortText>, default: u16) -> Port {
    match port {
        Some(PortText::Number(port)) => Port { number: port.value, written: Some(port.span) },
        _ => Port { number: default, written: None },
    }
}

fn socket_path(path: &Text) -> Spanned<String> {
    path.spanned()
}

/// The system takes paths of 107 bytes for sockets at most (unix(7)); nginx: "too long path in the unix domain socket".
fn too_long(path: &Text, computed: bool) -> Option<Malformed> {
    let length = path.as_str().len();
    (length > LONGEST_PATH).then(|| Malformed {
        span: path.whole(),
        message: format!("the path of this socket has {length} bytes, and no socket may have more than {LONGEST_PATH}"),
        help: Some("let the backend listen on a shorter path, such as one below `/run`".to_owned()),
        instead: None,
        fatal: !computed,
    })
}

fn missing_unix(value: &Text) -> Malformed {
    Malformed {
        span: value.whole(),
        message: format!("`{value}` is taken for a host: `unix:` is missing in front of the socket's path"),
        help: Some(format!("write `unix:{value}`")),
        instead: Some(format!("unix:{value}")),
        fatal: true,
    }
}

fn missing_scheme(value: &Text, address: &Address, computed: bool) -> Malformed {
    let socket = matches!(address.place, Place::Unix { .. }) || value.as_str().starts_with('/');
    let instead = match (&address.place, value.as_str().starts_with('/')) {
        (_, true) => format!("http://unix:{value}"),
        _ => format!("http://{value}"),
    };
    let message = if socket {
        format!("`http://` is missing in front of the socket `{value}`")
    } else {
        format!("`http://` or `https://` is missing in front of `{value}`")
    };
    Malformed {
        span: value.whole(),
        message,
        help: Some(format!("write `{instead}`")),
        instead: Some(instead),
        fatal: !computed,
    }
}

fn wrong_scheme(scheme: &Text, family: &Family) -> Malformed {
    let known: Vec<String> = family.schemes.iter().map(|(name, _)| format!("`{name}://`")).collect();
    Malformed {
        span: scheme.whole(),
        message: format!(
            "`{}` does not know the scheme `{}://`",
            family.directive,
            scheme.as_str().to_ascii_lowercase()
        ),
        help: Some(format!("it takes {}", known.join(" and "))),
        instead: None,
        fatal: true,
    }
}

fn needless_scheme(scheme: &Text, family: &Family, value: &Text) -> Malformed {
    let scheme = scheme.as_str().to_ascii_lowercase();
    let bare = value.as_str().split_once("://").map_or("", |(_, rest)| rest);
    Malformed {
        span: value.whole(),
        message: format!("`{}` takes an address without a scheme, so `{scheme}` is taken for a host", family.directive),
        help: Some(format!("write `{bare}`")),
        instead: Some(bare.to_owned()),
        fatal: true,
    }
}

fn needless_uri(uri: &Text, address: &Address, value: &Text, directive: &str) -> Malformed {
    if value.as_str().starts_with('/') {
        return missing_unix(value);
    }
    let bare = match &address.place {
        Place::Unix { path } => format!("unix:{path}"),
        _ => value.as_str().strip_suffix(uri.as_str()).unwrap_or(value.as_str()).to_owned(),
    };
    let fatal = !matches!(address.place, Place::Unix { .. });
    Malformed {
        span: value.whole(),
        message: format!("`{directive}` takes an address without a path, and `{value}` has one"),
        help: Some(format!("write `{bare}`")),
        instead: Some(bare),
        fatal,
    }
}

fn wrong_port(text: &Text, computed: bool) -> Malformed {
    let message = if text.as_str().is_empty() {
        "the port is missing behind the `:`".to_owned()
    } else {
        format!("`{text}` is no port")
    };
    Malformed { span: text.whole(), message, help: None, instead: None, fatal: !computed }
}

/// A path where a host belongs: the socket's `unix:` was forgotten, or its URI was glued on with a slash.
fn path_for_host(host: &Spanned<Host>, value: &Text, directive: &str) -> Option<Malformed> {
    let Host::Name(name) = &host.value else { return None };
    if !name.eq_ignore_ascii_case("unix") {
        return None;
    }
    Some(Malformed {
        span: value.whole(),
        message: format!("`{directive}` takes `{name}` for a host: a socket is written `unix:/path`"),
        help: None,
        instead: None,
        fatal: true,
    })
}
