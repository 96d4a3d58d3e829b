//! Proxies, what they take in (routes) and where they send it (hops).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::site::listener::{Endpoint, Protocol};
use crate::site::machine::MachineId;
use crate::source::{Span, Spanned, Text};

/// Index into [`crate::site::Site::proxies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProxyId(pub usize);

/// A proxy process, or a proxy config that no machine is seen to load.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The product, to be quoted: "nginx".
    pub product: String,
    /// `None`: nobody loads this config, so nothing is known of names and neighbours.
    pub machine: Option<MachineId>,
    /// Where it is set up: its main file, or the service that runs it.
    pub place: Span,
    pub answers: Answers,
    /// Version as far as an image tag or package tells: major, minor, patch.
    pub version: Option<(u32, u32, u32)>,
    /// The user whose rights count when it connects.
    pub user: Option<Spanned<String>>,
    /// Its primary group, where the config names one.
    pub group: Option<Spanned<String>>,
    /// Every config file it loads could be read.
    pub complete: bool,
    /// How many connections one of its processes may have, and how many files it may open, where they are written.
    pub connections: Option<Spanned<u64>>,
    pub files: Option<Spanned<u64>>,
    /// The variable by which a container tells it a port, where it writes its targets itself.
    pub port_variable: Option<&'static str>,
}

/// What this proxy does when a hop fails, to be quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Nobody listens: "502".
    pub refused: &'static str,
    /// The other side speaks something else, or hangs up: "502".
    pub nonsense: &'static str,
    /// No answer in time: "504".
    pub slow: &'static str,
    /// A name without variables does not resolve: "does not start".
    pub unknown_name: UnknownName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownName {
    KeepsFromStarting,
    Answers(&'static str),
}

/// A set of addresses, names and routes that belong together: a `server` block, a site, a frontend.
#[derive(Clone, Debug)]
pub struct VirtualServer {
    pub proxy: ProxyId,
    pub listens: Vec<Listen>,
    pub names: Vec<Spanned<String>>,
    pub place: Span,
    /// The whole block.
    pub whole: Span,
    /// How long it keeps an idle connection of a client; `None`: not known, or it closes each one.
    pub idle: Option<Wait>,
    /// Bytes for one line of a request's header, where they are written.
    pub request_header: Option<Spanned<u64>>,
}

#[derive(Clone, Debug)]
pub struct Listen {
    pub endpoint: Endpoint,
    pub tls: bool,
    /// It takes only connections that begin with the PROXY protocol.
    pub announced: bool,
    pub udp: bool,
    pub default: bool,
    /// The address that a `listen` without one stands for is the service's only evidence.
    pub written: bool,
    /// How many connections it asks the system to let wait.
    pub queue: Option<Spanned<u64>>,
    pub place: Span,
}

/// What requests a part of the config takes.
#[derive(Clone, Debug)]
pub struct Route {
    /// Index into [`crate::site::Site::servers`].
    pub server: Option<usize>,
    pub path: RoutePath,
    pub place: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutePath {
    /// Everything of its server: no path is asked for.
    All,
    Prefix(String),
    Exact(String),
    /// A regular expression, as it is written.
    Pattern(String),
    /// Reached from elsewhere in the config only.
    Named(String),
}

impl fmt::Display for RoutePath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RoutePath::All => out.write_str("*"),
            RoutePath::Prefix(path) | RoutePath::Named(path) => out.write_str(path),
            RoutePath::Exact(path) => write!(out, "= {path}"),
            RoutePath::Pattern(pattern) => write!(out, "~ {pattern}"),
        }
    }
}

/// One way from a route to a target. A directive whose variable may have several values is several hops.
#[derive(Clone, Debug)]
pub struct Hop {
    pub proxy: ProxyId,
    /// Index into [`crate::site::Site::routes`].
    pub route: Option<usize>,
    /// The word that names the target.
    pub place: Span,
    /// The whole statement.
    pub statement: Span,
    /// The target as it is written, to be quoted.
    pub written: Text,
    /// What the proxy speaks.
    pub protocol: Spanned<Protocol>,
    pub to: To,
    pub resolution: Resolution,
    /// The path by which the request arrives at the target, when the config rewrites it: the URI part of the target.
    pub uri: Option<String>,
    pub waits: Waits,
    /// Hops of one proxy that are set alike share them: there are many, and most are.
    pub settings: Arc<Settings>,
}

/// How a proxy treats the target of a hop, besides its patience.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The request's own Host is passed on: the target sees the name that the visitor asked for.
    pub keeps_host: bool,
    pub reuse: Reuse,
    pub buffers: Buffers,
    pub tls: TlsClient,
    /// Where a target has several addresses only one of them is tried: where that is written.
    pub one_try: Option<Span>,
    /// A failing answer is caught by a page or another location.
    pub has_fallback: bool,
    pub front: Option<Front>,
}

/// A service between visitors and the proxy, with a patience that nobody can set.
#[derive(Clone, Debug, PartialEq)]
pub struct Front {
    pub name: &'static str,
    /// So long it waits for an answer.
    pub seconds: f64,
    /// What visitors see then.
    pub answer: &'static str,
    /// What shows that it is there.
    pub place: Span,
}

#[derive(Clone, Debug)]
pub enum To {
    /// Index into [`crate::site::Site::groups`].
    Group(usize),
    Target(Target),
    Malformed(Box<Malformed>),
    /// A name without the port that a host would need, so it can only be a group, and there is none of that name.
    NoGroup(Spanned<String>),
    /// What decides it is not visible.
    Unknown(String),
}

/// Where connections go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Tcp { host: Spanned<Host>, port: Port },
    Unix { path: Spanned<String> },
}

impl Target {
    /// Where the part that names the machine (or the path) stands.
    pub fn place(&self) -> Span {
        match self {
            Target::Tcp { host, port } => {
                // With a variable in between, the two may stand far from each other: host, `:`, port.
                let is_next = |port: &Span| port.file == host.span.file && port.start == host.span.end + 1;
                port.written.filter(is_next).map_or(host.span, |port| host.span.to(port))
            }
            Target::Unix { path } => path.span,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Tcp { host, port } => match host.value {
                Host::Address(IpAddr::V6(address)) => write!(out, "[{address}]:{}", port.number),
                _ => write!(out, "{}:{}", host.value, port.number),
            },
            Target::Unix { path } => write!(out, "unix:{path}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => out.write_str(name),
            Host::Address(address) => address.fmt(out),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub number: u16,
    /// `None`: it is not written, so the scheme's own port is meant.
    pub written: Option<Span>,
}

/// A target that the proxy takes for something else than was meant, or refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    pub span: Span,
    /// What is wrong: "`unix:` is missing in front of the socket's path".
    pub message: String,
    /// What to write.
    pub help: Option<String>,
    /// The text that mends it, to be written over the span.
    pub instead: Option<String>,
    /// The proxy refuses to start; otherwise each request fails.
    pub fatal: bool,
}

/// Several servers under one name.
#[derive(Clone, Debug)]
pub struct Group {
    pub proxy: ProxyId,
    pub name: Spanned<String>,
    pub place: Span,
    pub servers: Vec<Server>,
    /// Some of its contents could not be read.
    pub open: bool,
    /// How many idle connections are kept to the servers, and for how many seconds; where the number is the default,
    /// its place is the group's name.
    pub keepalive: Option<Spanned<u64>>,
    pub keepalive_timeout: Option<Spanned<f64>>,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub to: Result<Target, Malformed>,
    pub span: Span,
    /// It is never asked.
    pub down: Option<Span>,
    pub backup: bool,
    /// Its name is resolved again while the proxy runs.
    pub resolves: bool,
    /// It is chosen at run time, so nothing is known of it.
    pub unclear: bool,
}

/// When the name of a target becomes an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Once, when the proxy starts, by the system's resolver.
    AtStart,
    /// With each request; the name servers that are asked, none when the config names none.
    AtRunTime { resolvers: Vec<Spanned<String>> },
}

/// How long a hop may take; seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waits {
    pub connect: Option<Wait>,
    pub send: Option<Wait>,
    pub read: Option<Wait>,
}

/// The name of a setting, to be quoted: what it shares with its family, and the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    pub family: &'static str,
    pub rest: &'static str,
}

impl fmt::Display for Setting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.family)?;
        out.write_str(self.rest)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    pub seconds: f64,
    /// To be quoted.
    pub setting: &'static str,
    /// `None`: the program's default.
    pub written: Option<Span>,
}

/// Whether a connection may serve another request, as far as what the proxy sends decides it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    #[default]
    Unknown,
    /// Its requests leave the connection open.
    Asked,
    /// Its requests ask to close it, for this reason; where it is written, if it is.
    Refused { why: &'static str, place: Option<Span> },
}

/// What an answer is taken into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// The setting for the header of an answer, to be quoted; empty where there is none.
    pub header_setting: Setting,
    /// Bytes for the header of an answer; `None`: the proxy's default, a page of memory.
    pub header: Option<Spanned<u64>>,
    /// How many buffers for the rest, and the bytes of each.
    pub body: Option<Spanned<(u64, u64)>>,
    /// The sizes contradict each other, and the proxy refuses to start: where, and why.
    pub refused: Option<Spanned<String>>,
    /// Settings beside the target that count for another kind of target only, with the setting that counts here.
    pub misplaced: Vec<(Spanned<String>, Setting)>,
    /// What the target is told names an application whose headers are known to be large: why they are.
    pub large_headers: Option<Spanned<&'static str>>,
}

/// How the proxy behaves as a TLS client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsClient {
    /// The name that it asks for, in clear, when it connects: where it is switched on.
    pub server_name: Option<Spanned<bool>>,
    /// The setting that switches it on, to be quoted.
    pub server_name_setting: Option<Setting>,
    /// Which name that is, when it is not the target's own; what holds for a group stands in [`crate::site::Site::tls_name`].
    pub name: Option<Spanned<String>>,
    pub verify: Option<Spanned<bool>>,
    pub trusted: Option<Span>,
    /// The Host header that is sent, when it is written as plain text.
    pub host: Option<Spanned<String>>,
}
