//! Machines: whatever has its own loopback, files and names. The server itself, or the container of a service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::site::listener::Listening;
use crate::site::proxy::ProxyId;
use crate::source::{Span, Spanned};

/// Index into [`crate::site::Site::machines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub usize);

/// Index into [`crate::site::Site::networks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Host,
    Container,
}

#[derive(Clone, Debug)]
pub struct Machine {
    /// The service's name; for the server itself "the host".
    pub name: String,
    /// Where it is declared: the key of the service.
    pub place: Span,
    pub kind: Kind,
    /// Machines of one project are started together; alternatives of one repository are different projects.
    pub project: usize,
    /// The machine whose network stack this one uses; itself, unless it shares another one's.
    pub stack: MachineId,
    pub attached: Attached,
    /// What it runs, to be quoted: the image, or the build folder.
    pub image: Option<Spanned<String>>,
    /// The image is built from files of this tree.
    pub built_here: bool,
    /// What its own processes listen on.
    pub listening: Listening,
    /// For each of its listeners a number for the process that opens it; empty when that is not visible.
    pub listener_processes: Vec<usize>,
    /// Those of these numbers whose process starts only under a condition in a script.
    pub conditional_processes: Vec<usize>,
    /// Ports that are named by people and prove nothing: EXPOSE, expose, the container side of ports.
    pub declared: Vec<Declared>,
    /// The numbers in its command and in variables such as `PORT`: whoever is given them may listen there.
    pub port_variables: Vec<u16>,
    pub published: Vec<Published>,
    /// Names in its hosts file.
    pub hosts: Vec<HostsEntry>,
    /// An image starts as it came: these files add no program, no command and no script to it.
    pub starts_as_it_came: bool,
    /// A command of its start that adds names to that file.
    pub names_hosts: Option<Span>,
    pub mounts: Vec<Mount>,
    pub start: Start,
    pub depends_on: Vec<Dependency>,
    /// The restart policy as it is written.
    pub restart: Option<Spanned<String>>,
    pub probe: Option<Box<Probe>>,
    /// Whether its image brings a health check of its own; `None`: not visible.
    pub image_has_probe: Option<bool>,
    /// A command that takes long and that its start script runs to the end before the program that listens.
    pub slow_start: Option<Spanned<String>>,
    /// A deploy command that replaces it and leaves the proxies in front of it running.
    pub replaced_alone: Option<Span>,
    /// How many of it run, where that is written.
    pub replicas: Option<Spanned<u64>>,
    /// Programs that are known to be there or not to be there.
    pub tools: Vec<Tool>,
    /// The name by which other containers may also call it.
    pub container_name: Option<Spanned<String>>,
    /// Users by name, with their groups, where the files tell.
    pub users: Vec<User>,
    /// What keeps its processes running, on a server that is read as a whole.
    pub services: Vec<Service>,
    /// Folders that something makes with an owner and a mode that are known.
    pub folders: Vec<Folder>,
    /// Folders in which nobody makes sockets but those whose sockets are all known; absolute, `/run` for `/var/run`.
    pub sealed: Vec<String>,
    /// Where the paths of sockets really lie, for those that lead through symbolic links.
    pub real_paths: BTreeMap<String, String>,
    /// Paths of sockets may lead through links that are not visible.
    pub may_have_links: bool,
    /// How many files a process of it may open, where that is written for all of them.
    pub open_files: Option<Spanned<u64>>,
    /// How many connections a listener of it may let wait at most.
    pub longest_queue: Option<LongestQueue>,
    /// Something runs that speaks no HTTP and whose ports stand in settings that are not read; which one.
    pub daemons: Option<String>,
}

impl Machine {
    /// What keeps the process of a listener running.
    pub fn service_of(&self, listener: usize) -> Option<&Service> {
        self.services.iter().find(|service| service.listeners.contains(&listener))
    }

    /// What keeps a proxy running.
    pub fn service_of_proxy(&self, proxy: ProxyId) -> Option<&Service> {
        self.services.iter().find(|service| service.proxies.contains(&proxy))
    }
}

/// What the system allows, whatever a program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongestQueue {
    pub length: u64,
    /// `None`: the system's default.
    pub written: Option<Span>,
}

/// How a machine is connected to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attached {
    /// To these networks, on which names resolve.
    Networks(Vec<Attachment>),
    /// It uses the host's network stack and has no name on any network.
    Host(Span),
    /// It uses the stack of another machine of the site.
    Shares(MachineId, Span),
    /// Docker's default bridge: addresses, but no names.
    DefaultBridge(Span),
    /// No network at all.
    Nothing(Span),
    /// The files do not say.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub network: NetworkId,
    /// Every name that resolves to the machine on this network.
    pub names: Vec<String>,
    /// Fixed addresses.
    pub addresses: Vec<Spanned<IpAddr>>,
    /// Where the attachment is written; the service's key when it is Docker's default.
    pub place: Span,
}

#[derive(Clone, Debug)]
pub struct Network {
    /// The key in the file.
    pub key: String,
    /// The name that Docker gives it; the same name is the same network.
    pub name: String,
    pub place: Span,
    /// Somebody else creates it, so it may have members that no file shows.
    pub open: bool,
    /// The address of the host on it, where it is written.
    pub gateways: Vec<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeclaredBy {
    /// `EXPOSE` of an image that is built here.
    Expose,
    /// `expose:` of a service.
    Service,
    /// The container side of `ports:`.
    Published,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// First and last port.
    pub ports: (u16, u16),
    pub by: DeclaredBy,
    pub place: Span,
}

/// A port of a container that is reachable on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// `None`: every address of the host.
    pub address: Option<Spanned<IpAddr>>,
    pub host: HostPort,
    /// First and last port inside the container.
    pub container: (u16, u16),
    pub udp: bool,
    pub place: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPort {
    /// First and last port on the host.
    Fixed(u16, u16),
    /// Docker chooses one at each start.
    Random,
    /// It depends on something that is not visible.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsEntry {
    pub name: String,
    pub to: HostsTarget,
    pub place: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostsTarget {
    Address(IpAddr),
    /// `host-gateway`: the host, as the container sees it.
    Gateway,
    /// Another machine of the site, under a name of this one's own choice: a link.
    Machine(MachineId),
    Unknown,
}

/// A part of the file system that comes from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute, without a slash at the end.
    pub target: String,
    pub from: MountSource,
    pub read_only: bool,
    pub place: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A path of the snapshot, as a file or folder.
    Snapshot(String),
    /// An absolute path of the host that is not in the snapshot.
    Host(String),
    /// A named volume, by the name that Docker gives it.
    Volume(String),
    /// A fresh volume or a file system in memory: nobody else sees it.
    Private,
    /// Text that stands in a file of the snapshot, or that somebody else provides.
    Text,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the rest of its project.
    Always,
    /// Only when one of these profiles is asked for, which no file does.
    Profile(Spanned<String>),
    /// Its replicas are set to 0.
    Never(Span),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    pub on: MachineId,
    pub condition: Condition,
    pub required: bool,
    pub place: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Started,
    Healthy,
    Completed,
    Unknown,
}

/// A health check.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Where its command is written.
    pub place: Span,
    /// `false`: switched off.
    pub enabled: bool,
    /// The program it runs first.
    pub tool: Option<Spanned<String>>,
    /// It needs a shell.
    pub shell: Option<Span>,
    /// What it asks on the machine itself.
    pub asks: Option<Asks>,
    /// Seconds between two probes, seconds that one may take, failures until unhealthy, seconds of grace.
    pub interval: Option<Spanned<f64>>,
    pub timeout: Option<Spanned<f64>>,
    pub retries: Option<Spanned<u64>>,
    pub start_period: Option<Spanned<f64>>,
}

/// An address that a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asks {
    pub host: String,
    pub port: Spanned<u16>,
    pub path: Option<String>,
    pub tls: bool,
    /// Its program takes only the first address of the name `localhost`, which is `::1`.
    pub first_address: bool,
}

/// Whether a program is on a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    pub name: String,
    pub present: bool,
    /// The image, or the package that brings it.
    pub place: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
}

/// Something that keeps processes running on a server: a unit, the pools of a php-fpm, an entry of a process list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// To be quoted: "shop.service".
    pub name: String,
    /// Where it is set up: its start command.
    pub place: Span,
    /// Its listeners, as indices into those of its machine.
    pub listeners: Vec<usize>,
    /// The proxies that it runs.
    pub proxies: Vec<ProxyId>,
    /// It is started at boot; `None`: the files do not say.
    pub enabled: Option<bool>,
    /// What is to be done when it ends, as it is written.
    pub restart: Option<Spanned<String>>,
    /// The user that it is started as; `None`: not visible.
    pub user: Option<Spanned<String>>,
    /// Its `/tmp` is not that of the machine: the setting, and a name that is the same for all that share one.
    pub own_tmp: Option<Spanned<String>>,
    /// Folders of which it sees nothing, each at the setting that says so.
    pub hidden: Vec<Spanned<String>>,
    /// What it is started after, and what it asks for: names of units.
    pub after: Vec<Spanned<String>>,
    pub wants: Vec<Spanned<String>>,
    /// How many files a process of it may open, where that is written.
    pub open_files: Option<Spanned<u64>>,
    /// A hop of a proxy on the same machine leads to one of its listeners.
    pub asked: bool,
    /// The people of this server wrote what sets it up; packages brought the others.
    pub is_own: bool,
    /// A process of its own starts those again that work on requests, or the program is not known.
    pub may_have_master: bool,
    /// Another unit holds its socket and starts it when somebody connects.
    pub is_woken: bool,
    /// It was started by hand, and nothing starts it at the next boot.
    pub not_at_boot: Option<NotAtBoot>,
    /// What it is started after does not wait until the network is up: that setting, or its start command.
    pub before_network: Option<Span>,
    /// The same where the machine has its addresses only then.
    pub before_addresses: Option<Span>,
}

/// Why nothing starts a service at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAtBoot {
    /// It may be enabled, as this line says, and is not.
    NotEnabled(Span),
    /// Nothing in it says when to start it, and no other unit asks for it.
    NoInstall,
    /// The program that keeps it running is itself started by nobody: its name, and what makes it come back.
    NoManager { name: &'static str, help: &'static str },
}

/// A folder that is made at boot or by what runs in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Absolute, `/var/run` written as `/run`.
    pub path: String,
    pub owner: String,
    pub group: String,
    /// Permission bits, such as 0o755.
    pub mode: u32,
    /// What decided them; `None`: that is how it is on disk, or what every system does.
    pub place: Option<Span>,
    /// Something that is not visible may let others in.
    pub may_let_in: bool,
}
