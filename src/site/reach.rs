//! Follows every hop to its end: what answers there, or why nothing does.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use rustc_hash::FxHashMap;

use crate::side_by_side::side_by_side;
use crate::site::Site;
use crate::site::firewall::{Origin, Verdict};
use crate::site::listener::{Bind, Endpoint, Listener, Protocol};
use crate::site::machine::{
    Attached, Attachment, Declared, DeclaredBy, HostPort, HostsTarget, Kind, Machine, MachineId, Start,
};
use crate::site::proxy::{Hop, Host, Malformed, Port, Resolution, Route, RoutePath, Target, To};
use crate::site::{astray, loops, sockets};
use crate::source::{Span, Spanned};

/// One server that a hop may choose, and what becomes of the connection.
#[derive(Clone, Debug)]
pub struct End {
    /// Index into [`Site::hops`].
    pub hop: usize,
    /// The group and the server in it, when the hop goes through one.
    pub server: Option<(usize, usize)>,
    /// The text that names the target.
    pub place: Span,
    pub reach: Reach,
    /// nginx asks another server of the group when this one fails, and nothing says that it fails, too.
    pub spared: bool,
}

/// How sure an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The files contradict each other.
    Likely,
    /// The files leave no other reading.
    Proven,
}

/// A listener: the machine whose process it is, and its index in that machine's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId {
    pub machine: MachineId,
    pub index: usize,
}

/// Where a hop ends.
#[derive(Clone, Debug)]
pub enum Reach {
    Delivered(ListenerId),
    /// Nothing accepts connections on that port.
    Refused(Refused),
    /// Something listens on the port, on loopback addresses only, and the hop comes from outside.
    OnlyLoopback {
        listener: ListenerId,
        certainty: Certainty,
    },
    /// Something listens on the port on another address of the same machine: the loopback address of the other family, or
    /// one of its networks'.
    OtherFamily {
        listener: ListenerId,
        certainty: Certainty,
    },
    WrongProtocol(ListenerId),
    /// No name server that is asked knows the name.
    NameUnknown(Box<NameUnknown>),
    /// A name that can only be a group's, and is none.
    GroupUnknown {
        name: String,
        closest: Option<Box<Spanned<String>>>,
        /// It might still be a host's, which name servers know.
        certainty: Certainty,
    },
    /// The machine exists, and no network connects it with the proxy.
    OtherNetwork {
        machine: MachineId,
        certainty: Certainty,
    },
    /// The machine exists and is not started.
    NotStarted {
        machine: MachineId,
    },
    /// The proxy runs on the host, and the container's port does not lead to the port asked for.
    NotPublished {
        machine: MachineId,
        published: Option<usize>,
        certainty: Certainty,
    },
    /// A name for the host that nothing defines on Linux.
    HostNameMissing {
        name: String,
    },
    /// Only the host's own loopback, or a loopback address of it, takes the connection.
    HostLoopbackOnly {
        place: Span,
        certainty: Certainty,
    },
    /// A firewall of the host stops the connection.
    Filtered(Filtered),
    /// A unix socket that nothing makes.
    Socket(sockets::Missing),
    /// No server of the group may be asked.
    NoServers {
        group: usize,
    },
    /// A name has to be resolved at run time, and no name server is configured.
    NoResolver,
    /// The name servers that are asked cannot know the name of a container.
    ForeignResolver {
        resolver: Spanned<String>,
        machine: MachineId,
    },
    /// Only the machine's own list of hosts has the name, and what is looked up at run time never reads that list.
    HostsNotRead {
        entry: Span,
    },
    Malformed(Box<Malformed>),
    /// The request comes back to the same route.
    Loop {
        listen: Span,
        route: usize,
        /// The other hops on the way, in their order.
        through: Vec<Span>,
    },
    /// A public name or address.
    Leaves,
    /// The files do not say, for this reason.
    Undecided(String),
}

#[derive(Clone, Debug)]
pub struct Refused {
    pub machine: MachineId,
    pub port: u16,
    /// The proxy asked its own loopback.
    pub own_loopback: bool,
    pub certainty: Certainty,
    /// What does listen there, TCP or not.
    pub listeners: Vec<ListenerId>,
    /// The port is the host side of a published port with another container side: the machine and its published port.
    pub host_side: Option<(MachineId, usize)>,
}

#[derive(Clone, Debug)]
pub struct Filtered {
    /// Index into [`Site::firewalls`].
    pub firewall: usize,
    /// It answers that the connection is not allowed; otherwise it says nothing.
    pub rejected: bool,
    /// The rule or policy that decides.
    pub place: Span,
    pub port: u16,
    pub origin: Origin,
    pub certainty: Certainty,
}

#[derive(Clone, Debug)]
pub struct NameUnknown {
    pub name: String,
    /// A name that resolves and differs by a letter or two.
    pub closest: Option<(String, MachineId)>,
    /// A machine that has this name and no place on any network.
    pub without_network: Option<MachineId>,
    pub certainty: Certainty,
}

impl Reach {
    /// The outcome's name in reports.
    pub fn outcome(&self) -> &'static str {
        match self {
            Reach::Delivered(_) => "delivered",
            Reach::Refused(refused) if refused.certainty == Certainty::Likely => "refused",
            Reach::Refused(_) | Reach::OnlyLoopback { .. } | Reach::OtherFamily { .. } => "refused",
            Reach::HostLoopbackOnly { .. } | Reach::Malformed(_) => "refused",
            Reach::WrongProtocol(_) => "wrong-protocol",
            Reach::NameUnknown(_)
            | Reach::GroupUnknown { .. }
            | Reach::NotStarted { .. }
            | Reach::HostNameMissing { .. } => "name-unknown",
            Reach::NoResolver | Reach::ForeignResolver { .. } | Reach::HostsNotRead { .. } => "name-unknown",
            Reach::OtherNetwork { .. } | Reach::NotPublished { .. } => "no-route",
            Reach::Socket(missing) => missing.outcome(),
            Reach::Filtered(_) => "filtered",
            Reach::NoServers { .. } => "no-servers",
            Reach::Loop { .. } => "loop",
            Reach::Leaves => "leaves",
            Reach::Undecided(_) => "undecided",
        }
    }

    /// Of a target that is there by name, and takes no connection.
    fn certainty_mut(&mut self) -> Option<&mut Certainty> {
        match self {
            Reach::Refused(Refused { certainty, .. })
            | Reach::Socket(sockets::Missing { certainty, .. })
            | Reach::Filtered(Filtered { certainty, .. })
            | Reach::OnlyLoopback { certainty, .. }
            | Reach::OtherFamily { certainty, .. }
            | Reach::NotPublished { certainty, .. }
            | Reach::HostLoopbackOnly { certainty, .. } => Some(certainty),
            _ => None,
        }
    }

    fn undecided(why: impl Into<String>) -> Reach {
        Reach::Undecided(why.into())
    }

    /// Which of several answers for the same name counts: one that delivers, else one that is not certain, else the first.
    fn rank(&self) -> u8 {
        match self {
            Reach::Delivered(_) => 0,
            Reach::Leaves | Reach::Undecided(_) => 1,
            _ => 2,
        }
    }
}

/// From this many ends on, the servers of a group are not told apart: some thousand routes to a group of some thousand
/// servers would fill the memory.
const MANY_ENDS: usize = 200_000;

/// So many hops are followed before a second thread would have started.
const PORTION: usize = 200;

/// Fills [`Site::ends`].
pub fn follow(site: &mut Site) {
    let index = Index::of(site);
    let mut count = 0;
    let mut is_too_much = |hop: &Hop| {
        let To::Group(group) = hop.to else {
            count += 1;
            return false;
        };
        let is_too_much = count > MANY_ENDS;
        count += if is_too_much { 1 } else { site.groups[group].servers.len() };
        is_too_much
    };
    let too_much: Vec<bool> = site.hops.iter().map(|hop| is_too_much(hop)).collect();
    let ends = side_by_side(too_much.chunks(PORTION).enumerate(), 1, |(portion, too_much)| {
        let mut ends = Vec::with_capacity(too_much.len());
        for (number, is_too_much) in (portion * PORTION..).zip(too_much) {
            if *is_too_much {
                let place = site.hops[number].place;
                let reach = Reach::undecided("too many servers to follow each of them");
                ends.push(End { hop: number, server: None, place, reach, spared: false });
            } else {
                index.add_ends(number, &mut ends);
            }
        }
        ends
    });
    site.ends = Vec::with_capacity(ends.iter().map(Vec::len).sum());
    site.ends.extend(ends.into_iter().flatten());
    loops::mark(site);
    spare(site);
}

/// A connection that fails is tried with the next server of the group, unless the config forbids it
/// (nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_next_upstream).
fn spare(site: &mut Site) {
    let Site { ends, hops, proxies, .. } = site;
    for ends in ends.chunk_by_mut(|one, other| one.hop == other.hop) {
        let hop = &hops[ends[0].hop];
        let tries_others = proxies[hop.proxy.0].product == "nginx" && hop.settings.one_try.is_none();
        if ends.len() < 2 || !tries_others || ends.iter().all(|end| end.reach.rank() > 1) {
            continue;
        }
        for end in ends {
            end.spared = end.reach.rank() > 1;
            if let Some(certainty) = end.reach.certainty_mut() {
                *certainty = Certainty::Likely;
            }
        }
    }
}

/// Where a connection comes from, seen from the machine that it arrives at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// By a loopback address of this family; both when a name was asked for.
    Loopback(Family),
    Network,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
    Both,
}

impl Family {
    fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// The site with everything that is looked up more than once.
struct Index<'s> {
    site: &'s Site,
    /// Members of a network by name.
    names: FxHashMap<(usize, &'s str), Vec<MachineId>>,
    /// Machines by any name they have anywhere, their own included.
    anywhere: FxHashMap<&'s str, Vec<MachineId>>,
    addresses: FxHashMap<IpAddr, MachineId>,
    /// Machines by the stack that they use.
    stacks: FxHashMap<MachineId, Vec<MachineId>>,
    gateways: BTreeSet<IpAddr>,
    /// Published ports by their host side.
    published: FxHashMap<u16, Vec<(MachineId, usize)>>,
    /// The only port of the host that is asked for and that nobody is seen to have, and the only published port that nobody
    /// asks for.
    astray: Option<(u16, MachineId, usize)>,
    host: Option<MachineId>,
    sockets: sockets::Sockets,
}

impl<'s> Index<'s> {
    fn of(site: &'s Site) -> Index<'s> {
        let mut index = Index {
            site,
            names: FxHashMap::default(),
            anywhere: FxHashMap::default(),
            addresses: FxHashMap::default(),
            stacks: FxHashMap::default(),
            // Docker's default bridge.
            gateways: BTreeSet::from([IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1))]),
            published: FxHashMap::default(),
            astray: None,
            host: None,
            sockets: sockets::Sockets::of(site),
        };
        for network in &site.networks {
            index.gateways.extend(&network.gateways);
        }
        for (number, machine) in site.machines.iter().enumerate() {
            let id = MachineId(number);
            index.stacks.entry(machine.stack).or_default().push(id);
            if machine.kind == Kind::Host {
                index.host.get_or_insert(id);
                continue;
            }
            index.anywhere.entry(&machine.name).or_default().push(id);
            if let Attached::Networks(attachments) = &machine.attached {
                for attachment in attachments {
                    for name in &attachment.names {
                        index.names.entry((attachment.network.0, name)).or_default().push(id);
                        if *name != machine.name {
                            index.anywhere.entry(name).or_default().push(id);
                        }
                    }
                    for address in &attachment.addresses {
                        index.addresses.insert(address.value, id);
                    }
                }
            }
            for (number, published) in machine.published.iter().enumerate() {
                let HostPort::Fixed(first, last) = published.host else { continue };
                for port in first..=last {
                    if !published.udp {
                        index.published.entry(port).or_default().push((id, number));
                    }
                }
            }
        }
        index.astray = index.host.and_then(|host| astray::find(site, host, &index.published));
        index
    }

    fn add_ends(&self, number: usize, ends: &mut Vec<End>) {
        let hop = &self.site.hops[number];
        let mut add = |server, place, reach| ends.push(End { hop: number, server, place, reach, spared: false });
        let refused = |malformed: &Malformed| Reach::Malformed(Box::new(malformed.clone()));
        match &hop.to {
            To::Unknown(why) => add(None, hop.place, Reach::undecided(why)),
            To::NoGroup(name) => add(None, name.span, self.no_group(hop, name)),
            To::Malformed(malformed) => add(None, malformed.span, refused(malformed)),
            To::Target(target) => add(None, target.place(), self.reach(hop, target, false)),
            To::Group(group_number) => {
                let group = &self.site.groups[*group_number];
                if group.servers.is_empty() && self.site.proxy(hop.proxy).machine.is_none() {
                    return add(None, hop.place, Reach::undecided("the servers may be filled in before it is loaded"));
                }
                if !group.open && group.servers.iter().all(|server| server.down.is_some()) {
                    return add(None, hop.place, Reach::NoServers { group: *group_number });
                }
                for (server_number, server) in group.servers.iter().enumerate() {
                    let at = Some((*group_number, server_number));
                    match &server.to {
                        _ if server.down.is_some() => {}
                        _ if server.unclear => {
                            add(at, server.span, Reach::undecided("the server is chosen at run time"));
                        }
                        Err(malformed) => add(at, malformed.span, refused(malformed)),
                        Ok(target) => add(at, target.place(), self.reach(hop, target, !server.resolves)),
                    }
                }
            }
        }
    }

    /// No group has the name; with a part of the config unread, one may have it.
    fn no_group(&self, hop: &Hop, name: &Spanned<String>) -> Reach {
        let proxy = self.site.proxy(hop.proxy);
        if !proxy.complete || proxy.machine.is_none() {
            return Reach::undecided(format!("a group `{name}` may be defined in a file that is not visible"));
        }
        let own = self.site.groups.iter().filter(|group| group.proxy == hop.proxy);
        let closest = own
            .min_by_key(|group| edit_distance(&group.name.value, &name.value))
            .map(|group| Box::new(group.name.clone()));
        Reach::GroupUnknown { name: name.value.clone(), closest, certainty: Certainty::Proven }
    }

    /// `at_start`: the name is resolved once, whatever the hop itself does (a server of a group).
    fn reach(&self, hop: &Hop, target: &Target, at_start: bool) -> Reach {
        let (host, port) = match target {
            Target::Unix { path } => return sockets::reach(self.site, &self.sockets, hop, path),
            Target::Tcp { host, port } => (host, port),
        };
        let resolvers = match &hop.resolution {
            Resolution::AtRunTime { resolvers } if !at_start => Some(resolvers),
            _ => None,
        };
        let Some(home_id) = self.site.proxy(hop.proxy).machine else {
            return self.reach_from_nowhere(hop, host, port, resolvers);
        };
        let home = self.site.machine(home_id);
        match &host.value {
            Host::Address(address) => self.reach_address(hop, home, *address, port.number),
            Host::Name(name) => {
                if let Some(resolvers) = resolvers {
                    return self.reach_at_run_time(hop, home, name, port, resolvers);
                }
                if is_localhost(name) {
                    return self.reach_own_loopback(hop, home, Family::Both, port.number);
                }
                if let Some(entry) = home.hosts.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)) {
                    return match entry.to {
                        HostsTarget::Address(address) => self.reach_address(hop, home, address, port.number),
                        HostsTarget::Gateway => self.reach_host(hop, port.number),
                        HostsTarget::Machine(machine) => self.reach_container(hop, machine, port.number),
                        HostsTarget::Unknown => Reach::undecided(format!("the address of `{name}` is not visible")),
                    };
                }
                self.reach_name(hop, home, name, port.number)
            }
        }
    }

    /// What a config that nobody loads proves by itself.
    fn reach_from_nowhere(
        &self,
        hop: &Hop,
        host: &Spanned<Host>,
        port: &Port,
        resolvers: Option<&Vec<Spanned<String>>>,
    ) -> Reach {
        if let Host::Name(_) = host.value
            && resolvers.is_some_and(Vec::is_empty)
        {
            return self.no_resolver(hop);
        }
        let own = match &host.value {
            Host::Address(address) if address.is_loopback() => Some(Family::of(*address)),
            Host::Name(name) if is_localhost(name) => Some(Family::Both),
            _ => None,
        };
        if let Some(family) = own
            && let Some((listen, route)) = self.comes_back(hop, Arrival::Loopback(family), port.number)
        {
            return Reach::Loop { listen, route, through: Vec::new() };
        }
        match &host.value {
            Host::Address(address) if !address.is_loopback() && !is_private(*address) => Reach::Leaves,
            Host::Name(name) if own.is_none() && looks_public(name) => Reach::Leaves,
            _ => Reach::undecided("no machine is seen to load this config"),
        }
    }

    /// A name server that holds for the whole proxy may be named in a part of its config that is not visible.
    fn no_resolver(&self, hop: &Hop) -> Reach {
        match self.site.proxy(hop.proxy).complete {
            true => Reach::NoResolver,
            false => Reach::undecided("a part of the config that is not visible may name a name server"),
        }
    }

    fn reach_at_run_time(
        &self,
        hop: &Hop,
        home: &Machine,
        name: &str,
        port: &Port,
        resolvers: &[Spanned<String>],
    ) -> Reach {
        let Some(first) = resolvers.first() else { return self.no_resolver(hop) };
        if resolvers.iter().any(|resolver| asks_docker(&resolver.value)) && home.kind == Kind::Container {
            let listed = home.hosts.iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
            let is_closed = !self.attachments(home).iter().any(|it| self.site.networks[it.network.0].open);
            let may_be_public = looks_public(name) && !is_name_of_the_host(name);
            if let Some(entry) = listed.filter(|_| is_closed && !may_be_public && self.members(home, name).is_empty()) {
                return match entry.to {
                    // Links are kept by Docker's name server.
                    HostsTarget::Machine(machine) => self.reach_container(hop, machine, port.number),
                    HostsTarget::Unknown => Reach::undecided(format!("the address of `{name}` is not visible")),
                    HostsTarget::Address(_) | HostsTarget::Gateway => Reach::HostsNotRead { entry: entry.place },
                };
            }
            return self.reach_name(hop, home, name, port.number);
        }
        if is_localhost(name) {
            return Reach::undecided("name servers need not know `localhost`");
        }
        let public = |resolver: &Spanned<String>| {
            address_of_resolver(&resolver.value)
                .is_some_and(|address| !is_private(address) && !address.is_loopback() && !address.is_unspecified())
        };
        // Of its own addresses a container has a name server on one only, which is Docker's.
        let own = |resolver: &Spanned<String>| address_of_resolver(&resolver.value).is_some_and(|it| it.is_loopback());
        let is_silent = home.kind == Kind::Container
            && home.starts_as_it_came
            && self.single_process(home.stack)
            && self.stack_is_open(home.stack).is_none();
        if is_silent
            && resolvers.iter().all(own)
            && let Some(machine) = self.members(home, name).first().copied()
        {
            return Reach::ForeignResolver { resolver: first.clone(), machine };
        }
        if resolvers.iter().all(public) {
            let member = self.members(home, name).first().copied();
            if let Some(machine) = member {
                return Reach::ForeignResolver { resolver: first.clone(), machine };
            }
            if looks_public(name) {
                return Reach::Leaves;
            }
        }
        Reach::undecided(format!("what the name server {first} knows is not visible"))
    }

    /// Machines that have this name on a network of `home`.
    fn members(&self, home: &Machine, name: &str) -> Vec<MachineId> {
        let mut found: Vec<MachineId> = Vec::new();
        for attachment in self.attachments(home) {
            for machine in self.names.get(&(attachment.network.0, name)).into_iter().flatten() {
                if !found.contains(machine) {
                    found.push(*machine);
                }
            }
        }
        // Two projects that share a network may be two ways to run one and the same.
        found.sort_by_key(|id| self.site.machine(*id).project != home.project);
        found
    }

    fn attachments(&self, home: &'s Machine) -> &'s [Attachment] {
        match &self.site.machine(home.stack).attached {
            Attached::Networks(attachments) => attachments,
            _ => &[],
        }
    }

    fn reach_name(&self, hop: &Hop, home: &'s Machine, name: &str, port: u16) -> Reach {
        let lower;
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            lower = name.to_ascii_lowercase();
            &lower
        } else {
            name
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let stack = self.site.machine(home.stack);
        match &stack.attached {
            Attached::Networks(_) => {}
            Attached::Host(_) => return self.reach_name_from_host(hop, name),
            Attached::DefaultBridge(_) => {
                return match self.neighbours(home, name).first() {
                    Some(machine) => Reach::OtherNetwork { machine: *machine, certainty: Certainty::Proven },
                    None if looks_public(name) => Reach::Leaves,
                    None => self.name_unknown(home, name, Certainty::Proven),
                };
            }
            Attached::Nothing(_) => return Reach::undecided("the proxy has no network"),
            Attached::Shares(..) | Attached::Unknown => {
                if stack.kind == Kind::Host {
                    return self.reach_name_from_host(hop, name);
                }
                return Reach::undecided("the networks of the proxy are not visible");
            }
        }
        let members = self.members(home, name);
        if !members.is_empty() {
            let started: Vec<MachineId> =
                members.iter().copied().filter(|id| self.site.machine(*id).start == Start::Always).collect();
            if started.is_empty() {
                return Reach::NotStarted { machine: members[0] };
            }
            let answers = started.iter().map(|machine| self.reach_container(hop, *machine, port));
            return answers.min_by_key(Reach::rank).unwrap_or_else(|| Reach::undecided("no machine has this name"));
        }
        if home.names_hosts.is_some() {
            return Reach::undecided(format!("its start adds names to `/etc/hosts`, `{name}` perhaps"));
        }
        if is_name_of_the_host(name) {
            return Reach::HostNameMissing { name: name.to_owned() };
        }
        let neighbours = self.neighbours(home, name);
        if let Some(open) = self.attachments(home).iter().find(|it| self.site.networks[it.network.0].open) {
            // A container of another project may have this name, but one of its own that serves the port is meant.
            let own = neighbours.first().filter(|id| self.is_neighbour_with(home, **id, port));
            if let Some(machine) = own {
                return Reach::OtherNetwork { machine: *machine, certainty: Certainty::Likely };
            }
            let network = &self.site.networks[open.network.0];
            return Reach::undecided(format!("the members of the external network `{}` are not visible", network.name));
        }
        if let Some(machine) = neighbours.first() {
            return match self.site.machine(*machine).attached {
                // Its names, if it has any, are those of the machine whose stack it uses.
                Attached::Host(_) | Attached::Shares(..) => self.name_unknown(home, name, Certainty::Proven),
                _ => Reach::OtherNetwork { machine: *machine, certainty: Certainty::Proven },
            };
        }
        if looks_public(name) {
            return Reach::Leaves;
        }
        match self.named_by_compose(home, name) {
            Some((machine, '-')) => self.reach_container(hop, machine, port),
            // With underscores it is a name of Compose 1, which later versions give when they are told to.
            Some(_) => self.name_unknown(home, name, Certainty::Likely),
            None => self.name_unknown(home, name, Certainty::Proven),
        }
    }

    /// The container whose name Compose makes up as `project-service-1`, and what stands between the parts. What the
    /// project is called is decided outside of the files as well.
    fn named_by_compose(&self, home: &Machine, name: &str) -> Option<(MachineId, char)> {
        let (rest, number) = name.rsplit_once(['-', '_'])?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let between = name.as_bytes()[rest.len()] as char;
        let parts = rest.match_indices(between).map(|(at, _)| &rest[at + 1..]);
        let of_service = |service: &str| {
            let found = self.members(home, service).into_iter().find(|id| {
                let machine = self.site.machine(*id);
                machine.container_name.is_none() && machine.name.eq_ignore_ascii_case(service)
            });
            found.filter(|_| rest.len() > service.len() + 1)
        };
        parts.into_iter().find_map(of_service).map(|machine| (machine, between))
    }

    /// Machines of this name that are not on a network of `home`: of its own project first.
    fn neighbours(&self, home: &Machine, name: &str) -> Vec<MachineId> {
        let mut found = self.anywhere.get(name).cloned().unwrap_or_default();
        found.sort_by_key(|id| (self.site.machine(*id).project != home.project, *id));
        found
    }

    /// Whether a container of the same project, on networks of its own, is known to serve a port.
    fn is_neighbour_with(&self, home: &Machine, id: MachineId, port: u16) -> bool {
        let machine = self.site.machine(id);
        let Attached::Networks(networks) = &machine.attached else { return false };
        let declares = |it: &Declared| it.ports.0 <= port && port <= it.ports.1;
        machine.project == home.project
            && machine.start == Start::Always
            && !networks.iter().any(|it| self.site.networks[it.network.0].open)
            && (machine.listening.listeners.iter().any(|it| listener_port(it) == Some(port))
                || machine.declared.iter().any(declares))
    }

    fn reach_name_from_host(&self, hop: &Hop, name: &str) -> Reach {
        let Some(home) = self.site.home(hop) else { return Reach::undecided("no machine loads this config") };
        if looks_public(name) {
            return Reach::Leaves;
        }
        if self.anywhere.contains_key(name) {
            return self.name_unknown(home, name, Certainty::Likely);
        }
        if let Some(group) = self.unused_group_like(hop, name) {
            return Reach::GroupUnknown {
                name: name.to_owned(),
                closest: Some(Box::new(group)),
                certainty: Certainty::Likely,
            };
        }
        Reach::undecided(format!("the name servers of the host may know `{name}`"))
    }

    /// A group of the same proxy that nothing is sent to, with the same letters and digits in its name.
    fn unused_group_like(&self, hop: &Hop, name: &str) -> Option<Spanned<String>> {
        let letters = |name: &str| name.to_ascii_lowercase().replace(['-', '_', '.'], "");
        let wanted = letters(name);
        let mut like = self.site.groups.iter().enumerate().filter(|(_, group)| {
            group.proxy == hop.proxy && letters(&group.name.value) == wanted && group.name.value != name
        });
        let (number, group) = like.next()?;
        let is_used = self.site.hops.iter().any(|hop| matches!(hop.to, To::Group(used) if used == number));
        (!is_used).then(|| group.name.clone())
    }

    fn name_unknown(&self, home: &'s Machine, name: &str, certainty: Certainty) -> Reach {
        let without_network = self.neighbours(home, name).first().copied();
        let mut closest: Option<(usize, &str, MachineId)> = None;
        for attachment in self.attachments(home) {
            for ((network, candidate), members) in &self.names {
                if *network != attachment.network.0 {
                    continue;
                }
                let distance = edit_distance(name, candidate);
                let allowed = if name.len() < 4 { 1 } else { 2 };
                // The smaller distance, then the alphabet: the answer must not depend on the order of a hash map.
                if distance <= allowed && closest.is_none_or(|best| (distance, *candidate) < (best.0, best.1)) {
                    closest = members.first().map(|member| (distance, *candidate, *member));
                }
            }
        }
        Reach::NameUnknown(Box::new(NameUnknown {
            name: name.to_owned(),
            closest: closest.map(|(_, name, machine)| (name.to_owned(), machine)),
            without_network,
            certainty,
        }))
    }

    fn reach_address(&self, hop: &Hop, home: &'s Machine, address: IpAddr, port: u16) -> Reach {
        if address.is_loopback() || address.is_unspecified() {
            let family = Family::of(address);
            return self.reach_own_loopback(hop, home, family, port);
        }
        if let Some(machine) = self.addresses.get(&address) {
            return self.reach_container(hop, *machine, port);
        }
        if self.site.machine(home.stack).kind == Kind::Container && self.gateways.contains(&address) {
            return self.reach_host(hop, port);
        }
        Reach::Leaves
    }

    fn reach_own_loopback(&self, hop: &Hop, home: &'s Machine, family: Family, port: u16) -> Reach {
        if let Some((listen, route)) = self.comes_back(hop, Arrival::Loopback(family), port) {
            return Reach::Loop { listen, route, through: Vec::new() };
        }
        if self.site.machine(home.stack).kind == Kind::Host {
            let reach = self.arrive_at_host(hop, home.stack, Arrival::Loopback(family), port);
            return self.filtered(Origin::Loopback, reach, port);
        }
        self.arrive(hop, home.stack, Arrival::Loopback(family), port)
    }

    fn reach_container(&self, hop: &Hop, machine: MachineId, port: u16) -> Reach {
        let stack = self.site.machine(machine).stack;
        if let Some(home) = self.site.home(hop)
            && home.stack == stack
            && let Some((listen, route)) = self.comes_back(hop, Arrival::Network, port)
        {
            return Reach::Loop { listen, route, through: Vec::new() };
        }
        self.arrive(hop, stack, Arrival::Network, port)
    }

    /// From a container to the host, through the bridge.
    fn reach_host(&self, hop: &Hop, port: u16) -> Reach {
        match self.host {
            Some(host) => {
                let reach = self.arrive_at_host(hop, host, Arrival::Network, port);
                let attached = self.site.home(hop).map(|home| &self.site.machine(home.stack).attached);
                match attached {
                    Some(Attached::Networks(_)) => self.filtered(Origin::Bridge, reach, port),
                    Some(Attached::DefaultBridge(_)) => self.filtered(Origin::DefaultBridge, reach, port),
                    _ => reach,
                }
            }
            None => Reach::undecided("what listens on the host is not visible"),
        }
    }

    /// What a firewall of the host makes of a connection to it. What arrives at a published port is passed on to a
    /// container and never comes to these rules.
    fn filtered(&self, origin: Origin, reach: Reach, port: u16) -> Reach {
        let may_arrive = matches!(reach, Reach::Delivered(_) | Reach::Undecided(_) | Reach::WrongProtocol(_));
        if !may_arrive || self.published.contains_key(&port) {
            return reach;
        }
        let firewalls = &self.site.firewalls;
        for (number, firewall) in firewalls.iter().enumerate() {
            let Some((verdict, place)) = firewall.judge(origin, port) else { continue };
            if verdict == Verdict::Accept {
                continue;
            }
            let proven = firewall.certain && firewalls.len() == 1;
            return Reach::Filtered(Filtered {
                firewall: number,
                rejected: verdict == Verdict::Reject,
                place,
                port,
                origin,
                certainty: if proven { Certainty::Proven } else { Certainty::Likely },
            });
        }
        reach
    }

    /// At a port of the host: of a process there, or of a container that publishes it.
    fn arrive_at_host(&self, hop: &Hop, host: MachineId, arrival: Arrival, port: u16) -> Reach {
        let own = self.arrive(hop, host, arrival, port);
        let nothing_known = matches!(own, Reach::Undecided(_) | Reach::Refused(_));
        if !nothing_known {
            return match own {
                Reach::OnlyLoopback { listener, certainty } => {
                    let place = self.listener(listener).bind_place;
                    Reach::HostLoopbackOnly { place, certainty }
                }
                other => other,
            };
        }
        let mut answers: Vec<Reach> = Vec::new();
        for (machine, number) in self.published.get(&port).into_iter().flatten() {
            let published = &self.site.machine(*machine).published[*number];
            if let Some(address) = &published.address
                && arrival == Arrival::Network
                && address.value.is_loopback()
            {
                answers.push(Reach::HostLoopbackOnly { place: address.span, certainty: Certainty::Proven });
                continue;
            }
            let is_elsewhere = |address: &IpAddr| !address.is_loopback() && !address.is_unspecified();
            if matches!(arrival, Arrival::Loopback(_))
                && published.address.as_ref().is_some_and(|it| is_elsewhere(&it.value))
            {
                let open = self.stack_is_open(host).is_some();
                let certainty = if open { Certainty::Likely } else { Certainty::Proven };
                answers.push(Reach::NotPublished { machine: *machine, published: Some(*number), certainty });
                continue;
            }
            let HostPort::Fixed(first, _) = published.host else { continue };
            let inside = published.container.0.saturating_add(port - first);
            answers.push(self.reach_container(hop, *machine, inside));
        }
        if let Some(answer) = answers.into_iter().min_by_key(Reach::rank) {
            return answer;
        }
        if let Arrival::Loopback(_) = arrival
            && let Some(reach) = self.not_published(host, port)
        {
            return reach;
        }
        if let (Arrival::Loopback(_), Some((asked, machine, published))) = (arrival, self.astray)
            && asked == port
        {
            return Reach::NotPublished { machine, published: Some(published), certainty: Certainty::Likely };
        }
        own
    }

    /// A container that listens on this very port, which leads to it from nowhere on the host.
    fn not_published(&self, host: MachineId, port: u16) -> Option<Reach> {
        let open = self.stack_is_open(host).is_some();
        let mut best: Option<Reach> = None;
        for (number, machine) in self.site.machines.iter().enumerate() {
            if machine.kind == Kind::Host || machine.stack == host {
                continue;
            }
            let id = MachineId(number);
            let published = machine
                .published
                .iter()
                .position(|published| published.container.0 <= port && port <= published.container.1 && !published.udp);
            if let Some(at) = published {
                match machine.published[at].host {
                    HostPort::Unknown => return None,
                    host => {
                        // The same number inside a container with a port of its own choice may be a coincidence.
                        let certainty = match host {
                            HostPort::Fixed(..) if open => Certainty::Likely,
                            _ => Certainty::Proven,
                        };
                        return Some(Reach::NotPublished { machine: id, published: Some(at), certainty });
                    }
                }
            }
            let listens = machine.listening.listeners.iter().any(|listener| listener_port(listener) == Some(port))
                || machine.declared.iter().any(|declared| declared.ports.0 <= port && port <= declared.ports.1);
            if listens && best.is_none() {
                let certainty = if open { Certainty::Likely } else { Certainty::Proven };
                best = Some(Reach::NotPublished { machine: id, published: None, certainty });
            }
        }
        best
    }

    fn listener(&self, id: ListenerId) -> &'s Listener {
        &self.site.machine(id.machine).listening.listeners[id.index]
    }

    /// Why the set of listeners of a stack may be larger than what is known.
    fn stack_is_open(&self, stack: MachineId) -> Option<&'s str> {
        if self.site.seen.tcp && self.site.machine(stack).kind == Kind::Host {
            return None;
        }
        let machines = self.stacks.get(&stack).map_or(&[][..], Vec::as_slice);
        machines.iter().find_map(|id| self.site.machine(*id).listening.open.as_deref())
    }

    fn listeners(&self, stack: MachineId) -> impl Iterator<Item = (ListenerId, &'s Listener)> {
        let machines = self.stacks.get(&stack).map_or(&[][..], Vec::as_slice);
        machines.iter().flat_map(|id| {
            let listeners = self.site.machine(*id).listening.listeners.iter().enumerate();
            listeners.map(|(index, listener)| (ListenerId { machine: *id, index }, listener))
        })
    }

    fn arrive(&self, hop: &Hop, stack: MachineId, arrival: Arrival, port: u16) -> Reach {
        let mut answer: Option<Reach> = None;
        for (id, listener) in self.listeners(stack) {
            let Endpoint::Tcp { bind, port: bound } = &listener.endpoint else { continue };
            if *bound != port {
                continue;
            }
            let reach = match accepts(*bind, arrival) {
                Accepts::Yes if understands(hop.protocol.value, listener.protocol) => Reach::Delivered(id),
                Accepts::Yes => Reach::WrongProtocol(id),
                Accepts::OnlyLoopback => Reach::OnlyLoopback { listener: id, certainty: Certainty::Proven },
                Accepts::OtherFamily(certainty) => Reach::OtherFamily { listener: id, certainty },
                Accepts::Unknown => Reach::undecided("the address it listens on is not visible"),
            };
            if answer.as_ref().is_none_or(|best| reach.rank() < best.rank()) {
                answer = Some(reach);
            }
        }
        let mut open = self.stack_is_open(stack);
        if let Some(daemon) =
            self.site.machine(stack).daemons.as_deref().filter(|_| hop.protocol.value == Protocol::Tcp)
        {
            open.get_or_insert(daemon);
        }
        match (answer, open) {
            // With a part of the listeners unknown, another one may still answer.
            (Some(Reach::WrongProtocol(_) | Reach::OnlyLoopback { .. } | Reach::OtherFamily { .. }), Some(why))
                if !self.single_process(stack) =>
            {
                Reach::undecided(why)
            }
            (Some(reach), _) => reach,
            (None, open) => self.nobody(stack, arrival, port, open),
        }
    }

    /// One machine has the stack for itself.
    fn single_process(&self, stack: MachineId) -> bool {
        self.stacks.get(&stack).is_none_or(|machines| machines.len() == 1)
    }

    /// No known listener has the port.
    fn nobody(&self, stack: MachineId, arrival: Arrival, port: u16, open: Option<&str>) -> Reach {
        let machine = self.site.machine(stack);
        let listeners: Vec<ListenerId> = self.listeners(stack).map(|(id, _)| id).collect();
        let members: Vec<MachineId> = self.stacks.get(&stack).cloned().unwrap_or_default();
        let host_side = members.iter().find_map(|id| {
            let published = self.site.machine(*id).published.iter().position(|published| {
                let HostPort::Fixed(first, last) = published.host else { return false };
                let inside = published.container.0 <= port && port <= published.container.1;
                first <= port && port <= last && !inside && !published.udp
            });
            published.map(|number| (*id, number))
        });
        let refused = |certainty| {
            Reach::Refused(Refused {
                machine: stack,
                port,
                own_loopback: matches!(arrival, Arrival::Loopback(_)),
                certainty,
                listeners: listeners.clone(),
                host_side,
            })
        };
        let Some(why) = open else { return refused(Certainty::Proven) };
        let declared: Vec<_> = members.iter().flat_map(|id| &self.site.machine(*id).declared).collect();
        let says_port = |it: &&&crate::site::machine::Declared| it.ports.0 <= port && port <= it.ports.1;
        let is_given = members.iter().any(|id| self.site.machine(*id).port_variables.contains(&port));
        if is_given || declared.iter().any(|it| says_port(&it)) || machine.kind == Kind::Host {
            return Reach::undecided(why);
        }
        if matches!(arrival, Arrival::Loopback(_)) {
            // Declarations say what others may ask for, not what a process keeps for itself.
            return Reach::undecided(why);
        }
        if host_side.is_some() {
            return refused(Certainty::Proven);
        }
        // What is published is for visitors, not for neighbours.
        if declared.iter().all(|it| it.by == DeclaredBy::Published) {
            return Reach::undecided(why);
        }
        let kinds: BTreeSet<_> = declared.iter().map(|it| it.by).collect();
        let same = declared.iter().all(|it| it.ports == declared[0].ports);
        let built_here = members.iter().any(|id| self.site.machine(*id).built_here);
        refused(if built_here && kinds.len() >= 2 && same { Certainty::Proven } else { Certainty::Likely })
    }

    /// The listen and the route by which a request that the hop sends to this port of its own machine comes back to
    /// the hop's own route.
    fn comes_back(&self, hop: &Hop, arrival: Arrival, port: u16) -> Option<(Span, usize)> {
        let route_number = hop.route?;
        let route = &self.site.routes[route_number];
        let own = route.server?;
        let listens_there = |number: usize| {
            self.site.servers[number].listens.iter().find(|listen| match &listen.endpoint {
                Endpoint::Tcp { bind, port: bound } => {
                    *bound == port && !listen.udp && matches!(accepts(*bind, arrival), Accepts::Yes)
                }
                Endpoint::Unix { .. } => false,
            })
        };
        let listen = listens_there(own)?;
        let tls = matches!(hop.protocol.value, Protocol::Https | Protocol::Http2Tls);
        if listen.tls != tls {
            return None;
        }
        let mut others =
            self.site.servers.iter().enumerate().filter(|(number, server)| {
                *number != own && server.proxy == hop.proxy && listens_there(*number).is_some()
            });
        if !hop.settings.keeps_host && others.next().is_some() {
            return None;
        }
        same_route(self.site, hop, route_number).then_some((listen.place, route_number))
    }
}

/// Whether the path under which a hop's request arrives leads to the hop's own route again.
fn same_route(site: &Site, hop: &Hop, own: usize) -> bool {
    let route = &site.routes[own];
    let path = match (&route.path, &hop.uri) {
        (RoutePath::All, _) => return true,
        (RoutePath::Prefix(prefix), None) => prefix.clone(),
        (RoutePath::Prefix(_), Some(uri)) => uri.clone(),
        (RoutePath::Exact(path), uri) => uri.clone().unwrap_or_else(|| path.clone()),
        // Which requests get here is decided elsewhere.
        (RoutePath::Named(_) | RoutePath::Pattern(_), _) => return false,
    };
    // The routes of a server stand beside each other.
    let is_other = |it: &Route| it.server != route.server;
    let start = site.routes[..own].iter().rposition(is_other).map_or(0, |at| at + 1);
    let end = site.routes[own..].iter().position(is_other).map_or(site.routes.len(), |length| own + length);
    loops::taker(site.routes[..end].iter().enumerate().skip(start), &path) == Some(own)
}

enum Accepts {
    Yes,
    OnlyLoopback,
    OtherFamily(Certainty),
    Unknown,
}

fn accepts(bind: Bind, arrival: Arrival) -> Accepts {
    match (bind, arrival) {
        (Bind::Any, _) => Accepts::Yes,
        (Bind::AnyIpv4, Arrival::Loopback(Family::V6)) => Accepts::OtherFamily(Certainty::Proven),
        (Bind::AnyIpv4, _) => Accepts::Yes,
        (Bind::OwnName, Arrival::Loopback(_)) => Accepts::OtherFamily(Certainty::Proven),
        // On several networks, one of its addresses.
        (Bind::OwnName, Arrival::Network) => Accepts::Unknown,
        (Bind::Unknown, _) => Accepts::Unknown,
        (Bind::Only(address), Arrival::Network) if address.is_loopback() => Accepts::OnlyLoopback,
        (Bind::Localhost | Bind::Loopbacks, Arrival::Network) => Accepts::OnlyLoopback,
        (Bind::Loopbacks, Arrival::Loopback(_)) => Accepts::Yes,
        (Bind::Only(address), Arrival::Loopback(family)) if address.is_loopback() => match (address, family) {
            (_, Family::Both) | (IpAddr::V4(_), Family::V4) | (IpAddr::V6(_), Family::V6) => Accepts::Yes,
            _ => Accepts::OtherFamily(Certainty::Proven),
        },
        (Bind::Localhost, Arrival::Loopback(Family::Both)) => Accepts::Yes,
        (Bind::Localhost, Arrival::Loopback(_)) => Accepts::OtherFamily(Certainty::Likely),
        (Bind::Only(_), Arrival::Loopback(_)) => Accepts::OtherFamily(Certainty::Proven),
        (Bind::Only(_), Arrival::Network) => Accepts::Unknown,
    }
}

/// Whether a listener understands what a hop speaks. What is not known is taken for understood.
pub fn understands(hop: Protocol, listener: Option<Protocol>) -> bool {
    let Some(listener) = listener else { return true };
    match (hop, listener) {
        (a, b) if a == b => true,
        (Protocol::Tcp, Protocol::Announced) => false,
        (Protocol::Tcp, _) => true,
        (Protocol::Announced, _) => true,
        // A server of HTTP may well take HTTP/2 on the same port; only a pure HTTP/2 server refuses HTTP/1.
        (Protocol::Http2, Protocol::Http) | (Protocol::Http2Tls, Protocol::Https) => true,
        (Protocol::Https, Protocol::Http2Tls) => true,
        _ => false,
    }
}

fn listener_port(listener: &Listener) -> Option<u16> {
    match listener.endpoint {
        Endpoint::Tcp { port, .. } => Some(port),
        Endpoint::Unix { .. } => None,
    }
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case("ip6-localhost")
}

/// Names by which Docker Desktop calls the host; Linux knows them only from `extra_hosts`.
fn is_name_of_the_host(name: &str) -> bool {
    matches!(name, "host.docker.internal" | "gateway.docker.internal" | "docker.for.mac.localhost")
}

/// A name with a dot may be known to public name servers.
fn looks_public(name: &str) -> bool {
    name.contains('.')
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local() || address.octets()[0] == 100,
        IpAddr::V6(address) => (address.segments()[0] & 0xfe00) == 0xfc00 || (address.segments()[0] & 0xffc0) == 0xfe80,
    }
}

fn address_of_resolver(resolver: &str) -> Option<IpAddr> {
    let bare = resolver.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
    let bare = bare.unwrap_or_else(|| resolver.split_once(':').map_or(resolver, |(address, _)| address));
    bare.parse().ok()
}

/// Docker's own name server, by its fixed address or because the proxy reads resolv.conf.
fn asks_docker(resolver: &str) -> bool {
    resolver == "local=on" || address_of_resolver(resolver) == Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)))
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, right) in b.iter().enumerate() {
            let mut cost = (row[j] + usize::from(left != right)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *left == b[j - 1] && a[i - 1] == *right {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}
