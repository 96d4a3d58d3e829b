//! Where something accepts connections, and why we believe it.

use std::fmt;
use std::net::IpAddr;

use crate::source::Span;

/// The language spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1 without TLS.
    Http,
    /// HTTP inside TLS.
    Https,
    /// HTTP/2 without TLS, as gRPC servers speak it.
    Http2,
    /// HTTP/2 inside TLS.
    Http2Tls,
    FastCgi,
    Uwsgi,
    Scgi,
    Ajp,
    /// Each connection has to begin with a line that says where it comes from, as load balancers write it.
    Announced,
    /// Something else over TCP: a database, a queue, a raw stream.
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
            Protocol::Http2 => "HTTP/2",
            Protocol::Http2Tls => "HTTP/2 over TLS",
            Protocol::FastCgi => "FastCGI",
            Protocol::Uwsgi => "uwsgi",
            Protocol::Scgi => "SCGI",
            Protocol::Ajp => "AJP",
            Protocol::Announced => "the PROXY protocol",
            Protocol::Tcp => "TCP",
        })
    }
}

/// On which addresses of its machine a port is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bind {
    /// Every address: `*`, `[::]`, a port alone.
    Any,
    /// Every address of IPv4: `0.0.0.0`, and what nginx makes of a port alone.
    AnyIpv4,
    /// What the machine's own name stands for, which is none of its loopback addresses.
    OwnName,
    /// One address: `127.0.0.1`, `::1`, `10.0.0.5`.
    Only(IpAddr),
    /// The name `localhost`; which of the two loopback addresses that is depends on the program and its machine.
    Localhost,
    /// Both loopback addresses, which some programs make of the name `localhost`.
    Loopbacks,
    /// It is not visible.
    Unknown,
}

impl Bind {
    pub fn is_loopback(self) -> bool {
        match self {
            Bind::Only(address) => address.is_loopback(),
            Bind::Localhost | Bind::Loopbacks => true,
            Bind::Any | Bind::AnyIpv4 | Bind::OwnName | Bind::Unknown => false,
        }
    }
}

/// Where connections are accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    Tcp {
        bind: Bind,
        port: u16,
    },
    /// A path on its machine, absolute, `/var/run` written as `/run`.
    Unix {
        path: String,
    },
}

impl Endpoint {
    /// The same without a word of the families of addresses: all of IPv4 is all.
    pub fn of_any_family(&self) -> Endpoint {
        match self {
            Endpoint::Tcp { bind: Bind::AnyIpv4, port } => Endpoint::Tcp { bind: Bind::Any, port: *port },
            other => other.clone(),
        }
    }
}

/// Why a listener is believed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The program's own documented default, and nothing was found that moves it.
    Default,
    /// The program's own configuration, flag or variable.
    Binding,
}

/// Something that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub endpoint: Endpoint,
    /// `None`: not visible.
    pub protocol: Option<Protocol>,
    pub evidence: Evidence,
    /// What decided the port or the path: the flag's value, the setting; for a default, the command or the image.
    pub place: Span,
    /// What decided the bind address, where that is another text; for a default, the command or the image.
    pub bind_place: Span,
    /// The evidence in words, without the address: "`gunicorn` is told to", "the default of `grafana`".
    pub why: String,
    /// What makes it listen on every address, to be quoted: "--host 0.0.0.0"; `None`: not known.
    pub anywhere: Option<String>,
    /// Who may connect to a unix socket; most listeners are none.
    pub access: Option<Box<SocketAccess>>,
}

/// Owner, group and mode of a unix socket, as far as they are visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketAccess {
    pub owner: Option<String>,
    pub group: Option<String>,
    /// Permission bits, such as 0o660.
    pub mode: Option<u32>,
    /// What decided them.
    pub place: Option<Span>,
    /// The users and groups that a list lets in, whatever the mode says.
    pub admitted: Option<Admitted>,
    /// Owner and group come from a setting that has no effect unless the process is started as root.
    pub needs_root: Option<Span>,
}

/// An access control list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    pub users: Vec<String>,
    pub groups: Vec<String>,
}

/// The listeners of one process or machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    pub listeners: Vec<Listener>,
    /// Why there may be more or other ones than those listed; `None`: the list is closed.
    pub open: Option<String>,
}

impl Listening {
    /// Nothing is known, for this reason.
    pub fn open(why: impl Into<String>) -> Listening {
        Listening { listeners: Vec::new(), open: Some(why.into()) }
    }
}
