//! What was read and how far each route could be followed: the part of a report that is no finding.

use crate::source::Span;

/// How a file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCoverage {
    /// Relative to the checked folder.
    pub path: String,
    /// "nginx", "compose", "dockerfile", …
    pub format: &'static str,
    pub read: Read,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Whole,
    /// What was skipped.
    Partly(String),
    /// Why it was not read.
    No(String),
}

/// Folders of a server that were not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// A folder just below `/`.
    pub folder: String,
    /// How many folders in it were not entered; 0: it was not entered itself.
    pub folders: usize,
}

/// What was understood of the proxies and of those whom they ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    pub proxies: Vec<ProxyCoverage>,
    pub sites: Vec<SiteCoverage>,
    pub machines: Vec<MachineCoverage>,
    /// What stands between the machines of a server: "ufw", "SELinux".
    pub guards: Vec<String>,
    pub listeners: Vec<ListenerCoverage>,
    pub routes: Vec<RouteCoverage>,
}

/// A proxy, or a proxy's config that nobody is seen to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyCoverage {
    /// "nginx in service `web`".
    pub name: String,
    pub version: Option<String>,
    pub place: Span,
    /// A machine is seen to load it.
    pub runs: bool,
    /// All of its configuration could be read.
    pub complete: bool,
}

/// Addresses and names that a proxy serves in one block of its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteCoverage {
    /// Index into [`Understood::proxies`].
    pub proxy: usize,
    /// Its names; without any, its addresses.
    pub name: String,
    pub place: Span,
    /// The block.
    pub whole: Span,
}

/// A machine on which something listens, and how far that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCoverage {
    /// "the host", "service `web`".
    pub name: String,
    pub listeners: usize,
    /// Why there may be others; `None`: these are all.
    pub open: Option<String>,
}

/// Something that accepts connections, and why that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerCoverage {
    /// "the host", "service `web`".
    pub machine: String,
    /// "*:80", "127.0.0.1:3000", "unix:/run/shop.sock".
    pub address: String,
    /// "HTTP", "FastCGI", …; `None`: not visible.
    pub protocol: Option<String>,
    /// "`gunicorn` is told to".
    pub evidence: String,
    /// What decided the address.
    pub place: Span,
}

/// One hop and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCoverage {
    /// Index into [`Understood::proxies`].
    pub proxy: usize,
    /// What requests it takes: "shop.example /api/".
    pub matches: String,
    /// The text that names the target.
    pub place: Span,
    pub target: String,
    /// One of the outcomes in the documentation of the JSON: "delivered", "refused", …
    pub outcome: &'static str,
    /// Why nothing is known, for "undecided".
    pub why: Option<String>,
    /// Index into [`Understood::listeners`]: who answers, or would if it could be asked like this.
    pub listener: Option<usize>,
    /// Index into [`Understood::sites`].
    pub site: Option<usize>,
}
