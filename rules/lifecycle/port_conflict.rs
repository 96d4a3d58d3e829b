//! Two processes want one port, so the second one does not start.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Evidence};
use crate::site::machine::{Attached, HostPort, Kind, Machine, MachineId, Published, Start};
use crate::site::proxy::ProxyId;
use crate::site::reach::{ListenerId, Reach};
use crate::site::trouble::{PoolTrouble, PoolWhy, Trouble};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "lifecycle/port-conflict", doc: include_str!("port_conflict.md"), check };

/// So many rivals of one port are looked at; more of them say nothing new.
const RIVALS: usize = 16;

/// With so many ports wanted twice a project is a menu: nobody starts all of it at once.
const MENU: usize = 4;

fn check(site: &Site, findings: &mut Findings) {
    let owners = Owners::of(site);
    let mut by_port: BTreeMap<(MachineId, u16), Vec<ListenerId>> = BTreeMap::new();
    for (number, machine) in site.machines.iter().enumerate().filter(|(_, machine)| machine.start == Start::Always) {
        // A service that is not started at boot stands there as an alternative.
        let idle = machine.services.iter().filter(|service| service.enabled == Some(false));
        let idle: FxHashSet<usize> = idle.flat_map(|service| service.listeners.iter().copied()).collect();
        for (index, listener) in machine.listening.listeners.iter().enumerate() {
            let Endpoint::Tcp { port, .. } = listener.endpoint else { continue };
            // Of the branches of a script one runs, and what one starts for a while it may stop again.
            let process = machine.listener_processes.get(index);
            if idle.contains(&index) || process.is_some_and(|it| machine.conditional_processes.contains(it)) {
                continue;
            }
            let id = ListenerId { machine: MachineId(number), index };
            by_port.entry((machine.stack, port)).or_default().push(id);
        }
    }
    for ((_, port), rivals) in &by_port {
        check_listeners(site, &owners, *port, rivals, findings);
    }
    check_published(site, &by_port, findings);
    check_replicas(site, findings);
    for trouble in &site.troubles {
        let Trouble::Pool(PoolTrouble { pool, place, why: PoolWhy::SameListen { listen, other, there } }) = trouble
        else {
            continue;
        };
        let message = format!("php-fpm does not start: pools `{other}` and `{pool}` both listen on `{listen}`");
        let finding = findings.error(*place, message).label("already used by another pool");
        finding.note(*there, format!("pool `{other}` has it")).help("give each pool a socket of its own");
    }
}

/// Who opens a listener; listeners of the same owner are its own business.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Proxy(ProxyId),
    Process(MachineId, usize),
    Machine(MachineId),
}

struct Owners {
    proxies: FxHashMap<Span, ProxyId>,
}

impl Owners {
    fn of(site: &Site) -> Owners {
        let listens =
            site.servers.iter().flat_map(|server| server.listens.iter().map(|listen| (listen.place, server.proxy)));
        Owners { proxies: listens.collect() }
    }

    fn owner(&self, site: &Site, id: ListenerId) -> Owner {
        if let Some(proxy) = self.proxies.get(&site.listener(id).place) {
            return Owner::Proxy(*proxy);
        }
        match site.machine(id.machine).listener_processes.get(id.index) {
            Some(process) => Owner::Process(id.machine, *process),
            None => Owner::Machine(id.machine),
        }
    }
}

fn check_listeners(site: &Site, owners: &Owners, port: u16, rivals: &[ListenerId], findings: &mut Findings) {
    for (at, second) in rivals.iter().enumerate().take(RIVALS) {
        let taken = rivals[..at].iter().find(|first| {
            owners.owner(site, **first) != owners.owner(site, *second)
                && overlap(bound(site, **first), bound(site, *second))
                && together(site.machine(first.machine), site.machine(second.machine))
        });
        if let Some(first) = taken {
            // The proxy was told where visitors come from; the other one has to make room.
            let is_proxy = matches!(owners.owner(site, *second), Owner::Proxy(_));
            let (first, second) = if is_proxy { (*second, *first) } else { (*first, *second) };
            add_listeners(site, port, first, second, findings);
            return;
        }
    }
}

fn add_listeners(site: &Site, port: u16, first: ListenerId, second: ListenerId, findings: &mut Findings) {
    let proven = [first, second].iter().all(|id| {
        site.listener(*id).evidence == Evidence::Binding || site.machine(id.machine).listening.open.is_none()
    });
    let level = if proven { Level::Error } else { Level::Warning };
    let (one, other) = (site.machine(first.machine), site.machine(second.machine));
    let finding = findings.add(level, site.listener(second).place, format!("port {port} is already taken"));
    finding
        .label("the second one to ask for it does not start")
        .note(site.listener(first).place, words::listens(site, first));
    for machine in [one, other] {
        if first.machine != second.machine
            && let Attached::Shares(with, place) = &machine.attached
        {
            finding.note(
                *place,
                format!("{} has the ports of {}", words::name(machine), words::name(site.machine(*with))),
            );
        }
    }
    finding.help("give one of them another port");
}

/// Both run at the same time: alternatives of one repository do not.
fn together(one: &Machine, other: &Machine) -> bool {
    one.project == other.project || one.kind == Kind::Host || other.kind == Kind::Host
}

/// On which addresses of its machine a port is open; `None`: on all.
fn bound(site: &Site, id: ListenerId) -> Option<Address> {
    let Endpoint::Tcp { bind, .. } = site.listener(id).endpoint else { return None };
    match bind {
        Bind::Any | Bind::AnyIpv4 => None,
        Bind::Only(address) if address == IpAddr::from([0, 0, 0, 0]) => None,
        Bind::Only(address) => Some(Address::Only(address)),
        Bind::Localhost | Bind::Loopbacks | Bind::OwnName | Bind::Unknown => Some(Address::Unknown),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    Only(IpAddr),
    Unknown,
}

/// `None` is every address. What is not known overlaps with nothing.
fn overlap(one: Option<Address>, other: Option<Address>) -> bool {
    match (one, other) {
        (Some(Address::Unknown), _) | (_, Some(Address::Unknown)) => false,
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// A published port of a container on the host's own stack is none.
fn publishes(site: &Site, machine: &Machine) -> bool {
    machine.kind == Kind::Container
        && machine.start == Start::Always
        && site.machine(machine.stack).kind == Kind::Container
}

/// The host's ports that Docker has to give, when it has no choice among them.
fn fixed(published: &Published) -> Option<(u16, u16)> {
    let HostPort::Fixed(first, last) = published.host else { return None };
    let (inside_first, inside_last) = published.container;
    (last.checked_sub(first) == inside_last.checked_sub(inside_first)).then_some((first, last))
}

fn published_address(published: &Published) -> Option<Address> {
    let address = published.address.as_ref()?.value;
    if address == IpAddr::from([0, 0, 0, 0]) { None } else { Some(Address::Only(address)) }
}

struct HostSide<'s> {
    ports: (u16, u16),
    machine: MachineId,
    published: &'s Published,
}

fn check_published(site: &Site, by_port: &BTreeMap<(MachineId, u16), Vec<ListenerId>>, findings: &mut Findings) {
    let mut projects: BTreeMap<usize, Vec<HostSide>> = BTreeMap::new();
    for (number, machine) in site.machines.iter().enumerate().filter(|(_, machine)| publishes(site, machine)) {
        for published in &machine.published {
            let Some(ports) = fixed(published) else { continue };
            let side = HostSide { ports, machine: MachineId(number), published };
            projects.entry(machine.project).or_default().push(side);
        }
    }
    let mut known_needs: Option<Needs> = None;
    for sides in projects.values_mut() {
        for side in sides.iter() {
            check_against_host(site, side, by_port, findings);
        }
        sides.sort_by_key(|side| (side.ports, side.published.place));
        let mut twice = Vec::new();
        for (at, second) in sides.iter().enumerate() {
            let rivals = sides[..at].iter().rev().take(RIVALS);
            let taken = rivals.filter(|first| first.ports.1 >= second.ports.0).find(|first| {
                first.published.udp == second.published.udp
                    && overlap(published_address(first.published), published_address(second.published))
                    && !(first.machine == second.machine && first.published.container == second.published.container)
            });
            twice.extend(taken.map(|first| (first, second)));
        }
        if twice.len() < MENU {
            for (first, second) in twice {
                let needs = known_needs.get_or_insert_with(|| needs(site));
                add_published(site, needs, first, second, findings);
            }
        }
    }
}

fn add_published(site: &Site, needs: &Needs, one: &HostSide, other: &HostSide, findings: &mut Findings) {
    // The later one in the file is the one that was added.
    let (first, second) = if one.published.place <= other.published.place { (one, other) } else { (other, one) };
    let port = first.ports.0.max(second.ports.0);
    let (first_name, second_name) = (&site.machine(first.machine).name, &site.machine(second.machine).name);
    let level =
        if are_needed_together(site, needs, first.machine, second.machine) { Level::Error } else { Level::Warning };
    findings
        .add(level, second.published.place, format!("port {port} of the host is published twice"))
        .label(format!("`{second_name}` or `{first_name}` does not start: the port is already allocated"))
        .note(first.published.place, format!("`{first_name}` publishes it here"))
        .help("publish one of them on another port of the host");
}

/// Nobody can start the one without the other: they are alone in their project, or something depends on both. In a
/// larger project they may be alternatives, of which each developer starts one.
fn are_needed_together(site: &Site, needs: &Needs, one: MachineId, other: MachineId) -> bool {
    let project = site.machine(one).project;
    let members = |id: &MachineId| site.machine(*id).project == project;
    let mut all = (0..site.machines.len()).map(MachineId).filter(members);
    if one == other || all.clone().count() == 2 {
        return true;
    }
    all.any(|start| {
        let needed = needed_by(needs, start);
        needed.contains(&one) && needed.contains(&other)
    })
}

/// What each machine waits for or sends requests to.
type Needs = Vec<Vec<MachineId>>;

fn needs(site: &Site) -> Needs {
    let waits = |machine: &Machine| machine.depends_on.iter().filter(|it| it.required).map(|it| it.on).collect();
    let mut needs: Needs = site.machines.iter().map(|machine| waits(machine)).collect();
    for (end, hop) in site.ends() {
        let (Reach::Delivered(listener), Some(proxy)) = (&end.reach, site.proxy(hop.proxy).machine) else { continue };
        needs[proxy.0].push(listener.machine);
    }
    needs
}

/// A machine with everything that it needs in the end.
fn needed_by(needs: &Needs, start: MachineId) -> BTreeSet<MachineId> {
    let mut needed = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        open.extend(needs[id.0].iter().filter(|next| needed.insert(**next)));
    }
    needed
}

/// A process of the host, or of a container that uses the host's network, holds the port.
fn check_against_host(
    site: &Site,
    side: &HostSide,
    by_port: &BTreeMap<(MachineId, u16), Vec<ListenerId>>,
    findings: &mut Findings,
) {
    if side.published.udp {
        return;
    }
    let name = &site.machine(side.machine).name;
    let hosts = site.machines.iter().enumerate().filter(|(_, machine)| machine.kind == Kind::Host);
    for (host, _) in hosts {
        for ((_, port), rivals) in by_port.range((MachineId(host), side.ports.0)..=(MachineId(host), side.ports.1)) {
            let taken = rivals.iter().take(RIVALS).find(|id| {
                together(site.machine(id.machine), site.machine(side.machine))
                    && overlap(bound(site, **id), published_address(side.published))
            });
            let Some(id) = taken else { continue };
            let same_project = site.machine(id.machine).project == site.machine(side.machine).project;
            let level = if same_project { Level::Error } else { Level::Warning };
            findings
                .add(level, side.published.place, format!("port {port} of the host is already taken"))
                .label(format!("`{name}` is to have it"))
                .note(site.listener(*id).place, words::listens(site, *id))
                .help("publish it on another port of the host");
        }
    }
}

/// Several containers of one service cannot have one port of the host. A swarm can do it; there `restart` and `build`
/// count for nothing, so who writes them has no swarm in mind.
fn check_replicas(site: &Site, findings: &mut Findings) {
    for machine in site.machines.iter().filter(|machine| publishes(site, machine)) {
        let Some(replicas) = machine.replicas.as_ref().filter(|replicas| replicas.value > 1) else { continue };
        if machine.restart.is_none() && !machine.built_here {
            continue;
        }
        let single = |published: &&Published| fixed(published).is_some_and(|(first, last)| first == last);
        let Some(published) = machine.published.iter().find(single) else { continue };
        findings
            .warning(
                published.place,
                format!("{} containers of `{}` want the same port of the host", replicas.value, machine.name),
            )
            .label("the second one does not start: the port is already allocated")
            .note(replicas.span, "so many are started")
            .help("leave the port of the host out, or give a range, and let a proxy share out the requests");
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, listener, place, published, said, site};
    use crate::site::Site;
    use crate::site::machine::{HostPort, Start};
    use crate::source::Spanned;

    /// Two containers that publish these ports.
    fn two(edit: impl Fn(&mut Site)) -> String {
        let mut site = site();
        for (name, number) in [("one", 1), ("other", 2)] {
            let id = container(&mut site, name, 80);
            site.machines[id.0].published.push(published(8080, 80, number));
        }
        edit(&mut site);
        said(&RULE, &mut site)
    }

    #[test]
    fn one_port_of_the_host_is_for_one_container() {
        assert_eq!(two(|_| {}), "error at 2: port 8080 of the host is published twice\n");
        assert_eq!(two(|site| site.machines[1].published[0].udp = true), "");
        assert_eq!(two(|site| site.machines[1].start = Start::Never(place(9))), "");
        assert_eq!(two(|site| site.machines[1].project = 1), "");
        let address = |text: &str| Some(Spanned::new(text.parse().expect("an address"), place(9)));
        let addresses = |one: &str, other: &str| {
            two(|site| {
                site.machines[0].published[0].address = address(one);
                site.machines[1].published[0].address = address(other);
            })
        };
        assert_eq!(addresses("127.0.0.1", "127.0.0.2"), "");
        assert_eq!(addresses("0.0.0.0", "127.0.0.2"), "error at 2: port 8080 of the host is published twice\n");
    }

    #[test]
    fn a_menu_of_services_is_not_started_at_once() {
        let clashes = |count: u16| {
            let mut site = site();
            for number in 0..count * 2 {
                let id = container(&mut site, &format!("s{number}"), 80);
                site.machines[id.0].published.push(published(8000 + number / 2, 80, number.into()));
            }
            said(&RULE, &mut site).lines().count()
        };
        assert_eq!((clashes(3), clashes(4)), (3, 0));
    }

    #[test]
    fn ranges_overlap_unless_docker_may_choose() {
        let ranges = |inside: (u16, u16)| {
            two(|site| {
                site.machines[0].published[0].host = HostPort::Fixed(8070, 8090);
                site.machines[0].published[0].container = inside;
            })
        };
        assert_eq!(ranges((70, 90)), "error at 2: port 8080 of the host is published twice\n");
        assert_eq!(ranges((80, 80)), "");
    }

    #[test]
    fn one_process_may_ask_twice_and_two_may_not() {
        let processes = |numbers: [usize; 2]| {
            let mut site = site();
            let id = container(&mut site, "box", 80);
            site.machines[id.0].listening.listeners.push(listener(80, place(5)));
            site.machines[id.0].listener_processes = numbers.to_vec();
            said(&RULE, &mut site)
        };
        assert_eq!(processes([0, 0]), "");
        assert_eq!(processes([0, 1]), "error at 5: port 80 is already taken\n");
    }
}
