//! Proxies that start before, or without, what they need: names that do not resolve yet, backends that are not up.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint};
use crate::site::machine::{Attached, Condition, Dependency, HostsTarget, Kind, MachineId, Service, Start};
use crate::site::proxy::{Hop, Host, ProxyId, Target, UnknownName};
use crate::site::reach::{End, ListenerId, Reach};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "lifecycle/start-order", doc: include_str!("start_order.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for (end, hop) in site.ends() {
        if let Reach::NotStarted { machine } = end.reach {
            check_not_started(site, end, hop, machine, findings);
        }
    }
    check_conditions(site, findings);
    check_ends(site, findings);
    for (home, needs) in needs(site) {
        check_waiting(site, home, &needs, findings);
    }
    check_boot(site, findings);
    check_addresses(site, findings);
}

fn check_not_started(site: &Site, end: &End, hop: &Hop, id: MachineId, findings: &mut Findings) {
    let machine = site.machine(id);
    // A proxy that is itself asked for by name may come with its backends.
    if site.home(hop).is_some_and(|home| home.start != Start::Always) {
        return;
    }
    let at_start = site.resolved_at_start(end, hop);
    // Another project is started by a command of its own, with the profiles that it names.
    let is_own = site.home(hop).is_some_and(|home| home.project == machine.project);
    let level = if is_own { Level::Error } else { Level::Warning };
    let finding = findings.add(level, end.place, format!("`{}` is not started, so nobody has this name", machine.name));
    finding.label(format!("{} here", words::without_address(site, hop, at_start)));
    match &machine.start {
        Start::Profile(profile) => {
            finding.note(profile.span, format!("it starts with the profile `{profile}` only")).help(format!(
                "take the profile off `{}`, or the hop out of the config that always runs",
                machine.name
            ));
        }
        Start::Never(place) => {
            finding.note(*place, "none of it is started").help("start at least one, or take the hop out");
        }
        Start::Always => {}
    }
}

/// Somebody waits for the health of a machine that nobody checks.
fn check_conditions(site: &Site, findings: &mut Findings) {
    for machine in site.machines.iter().filter(|machine| machine.start == Start::Always) {
        for dependency in &machine.depends_on {
            let target = site.machine(dependency.on);
            let checked = match &target.probe {
                Some(probe) => probe.enabled,
                None => target.image_has_probe != Some(false),
            };
            if dependency.condition != Condition::Healthy || !dependency.required || checked {
                continue;
            }
            let place = target.probe.as_ref().map_or(target.place, |probe| probe.place);
            findings
                .error(dependency.place, format!("`{}` has no health check", target.name))
                .label(format!("waits for it, so `{}` does not start", machine.name))
                .note(place, "neither it nor its image brings one, or it is switched off")
                .help(format!("give `{}` a `healthcheck`, or wait with `condition: service_started`", target.name));
        }
    }
}

/// Somebody waits for the end of a machine that serves until it is stopped. Others, such as a database that an own
/// script fills and then stops, may end by themselves.
fn check_ends(site: &Site, findings: &mut Findings) {
    let delivered = site.ends().filter_map(|(end, _)| match end.reach {
        Reach::Delivered(listener) => Some((listener.machine, listener)),
        _ => None,
    });
    let serving: BTreeMap<MachineId, ListenerId> = delivered.collect();
    for machine in site.machines.iter().filter(|machine| machine.start == Start::Always) {
        for dependency in &machine.depends_on {
            let Some(listener) = serving.get(&dependency.on) else { continue };
            if dependency.condition != Condition::Completed || !dependency.required {
                continue;
            }
            let target = site.machine(dependency.on);
            findings
                .error(dependency.place, format!("`{}` does not end by itself", target.name))
                .label(format!("waits for its end, so `{}` does not start", machine.name))
                .note(site.listener(*listener).place, words::listens(site, *listener))
                .help("wait with `condition: service_healthy`, or `service_started` where nobody checks its health");
        }
    }
}

/// One backend that a proxy asks.
struct Need<'s> {
    place: Span,
    hop: &'s Hop,
    at_start: bool,
}

type Needs<'s> = BTreeMap<MachineId, Need<'s>>;

/// The backends of each proxy's machine that are other containers of its project.
fn needs(site: &Site) -> BTreeMap<MachineId, Needs<'_>> {
    let names = names(site);
    let mut needs: BTreeMap<MachineId, Needs> = BTreeMap::new();
    for (end, hop) in site.ends() {
        let Some(home) = site.proxy(hop.proxy).machine else { continue };
        let (Some(Target::Tcp { host, .. }), true) = (site.target(end), is_judged(site, home)) else { continue };
        let Host::Name(name) = &host.value else { continue };
        let Attached::Networks(attachments) = &site.machine(site.machine(home).stack).attached else { continue };
        let member = attachments.iter().find_map(|attachment| names.get(&(attachment.network.0, name.as_str())));
        let Some(member) = member.copied() else { continue };
        let (own, other) = (site.machine(home), site.machine(member));
        if other.project != own.project || other.stack == own.stack || other.start != Start::Always {
            continue;
        }
        let at_start = site.resolved_at_start(end, hop);
        let need = Need { place: end.place, hop, at_start };
        let known = needs.entry(home).or_default().entry(member).or_insert(need);
        if at_start && !known.at_start {
            *known = Need { place: end.place, hop, at_start };
        }
    }
    needs
}

fn is_judged(site: &Site, home: MachineId) -> bool {
    let machine = site.machine(home);
    machine.kind == Kind::Container && machine.start == Start::Always
}

/// Who has a name on a network; names of several machines are left out.
fn names(site: &Site) -> FxHashMap<(usize, &str), MachineId> {
    let mut names = FxHashMap::default();
    let mut several = FxHashSet::default();
    for (number, machine) in site.machines.iter().enumerate() {
        let Attached::Networks(attachments) = &machine.attached else { continue };
        for attachment in attachments {
            for name in &attachment.names {
                let key = (attachment.network.0, name.as_str());
                if names.insert(key, MachineId(number)).is_some_and(|other| other != MachineId(number)) {
                    several.insert(key);
                }
            }
        }
    }
    names.retain(|key, _| !several.contains(key));
    names
}

fn check_waiting(site: &Site, home: MachineId, needs: &Needs, findings: &mut Findings) {
    let waits = Waits::of(site, home);
    let mut not_awaited: Vec<(MachineId, &Need)> = Vec::new();
    for (backend, need) in needs {
        if !waits.started.contains(backend) {
            not_awaited.push((*backend, need));
        } else if !waits.ready.contains(backend) {
            check_slow(site, home, *backend, need, findings);
        }
    }
    add_not_awaited(site, home, &not_awaited, findings);
}

/// What a machine waits for, directly or because what it waits for does.
struct Waits {
    started: BTreeSet<MachineId>,
    ready: BTreeSet<MachineId>,
}

impl Waits {
    fn of(site: &Site, home: MachineId) -> Waits {
        let mut waits = Waits { started: BTreeSet::new(), ready: BTreeSet::new() };
        let mut open = vec![home];
        while let Some(id) = open.pop() {
            let machine = site.machine(id);
            let linked = machine.hosts.iter().filter_map(|entry| match entry.to {
                HostsTarget::Machine(machine) => Some(machine),
                _ => None,
            });
            let shared = match machine.attached {
                Attached::Shares(with, _) => Some(with),
                _ => None,
            };
            let implied = linked.chain(shared).map(|id| (id, Condition::Started));
            let written = machine.depends_on.iter().map(|dependency| (dependency.on, dependency.condition));
            for (on, condition) in written.chain(implied) {
                if condition != Condition::Started {
                    waits.ready.insert(on);
                }
                if waits.started.insert(on) {
                    open.push(on);
                }
            }
        }
        waits
    }
}

/// The proxy waits for the container, and the container does other things first.
fn check_slow(site: &Site, home: MachineId, backend: MachineId, need: &Need, findings: &mut Findings) {
    let (proxy, target) = (site.machine(home), site.machine(backend));
    let Some(slow) = &target.slow_start else { return };
    let direct = proxy.depends_on.iter().find(|dependency| dependency.on == backend);
    let place = direct.map_or(proxy.place, |dependency: &Dependency| dependency.place);
    findings
        .warning(
            place,
            format!("`{}` does not wait until `{}` answers, only until it is started", proxy.name, target.name),
        )
        .label(format!("{} until then", words::answers(site, need.hop)))
        .note(slow.span, format!("`{}` runs this first, before it listens", target.name))
        .note(need.place, "requests go there")
        .help(format!("give `{}` a `healthcheck`, and wait with `condition: service_healthy`", target.name));
}

fn add_not_awaited(site: &Site, home: MachineId, not_awaited: &[(MachineId, &Need)], findings: &mut Findings) {
    let fatal = |need: &Need| {
        need.at_start && site.proxy(need.hop.proxy).answers.unknown_name == UnknownName::KeepsFromStarting
    };
    let slow = |backend: MachineId| site.machine(backend).slow_start.is_some();
    let concerned: Vec<_> = not_awaited.iter().filter(|(backend, need)| fatal(need) || slow(*backend)).collect();
    let Some((_, first)) = concerned.first() else { return };
    let machine = site.machine(home);
    let comes_back = machine.restart.as_ref().is_some_and(|policy| policy.value != "no");
    let refuses = concerned.iter().any(|(_, need)| fatal(need));
    let level = if refuses && !comes_back || concerned.iter().any(|(backend, _)| slow(*backend)) {
        Level::Warning
    } else {
        Level::Advice
    };
    let names = concerned.iter().map(|(backend, _)| site.machine(*backend).name.as_str());
    let names = words::list(names);
    let product = &site.proxy(first.hop.proxy).product;
    let finding = findings.add(level, machine.place, format!("`{}` does not wait for {names}", machine.name));
    if refuses {
        finding.label(format!("when it is the first to start, {product} does not know the name and exits"));
    } else {
        finding.label(format!("{} until they are up", words::answers(site, first.hop)));
    }
    for (backend, need) in concerned.iter().take(4) {
        let other = site.machine(*backend);
        finding.note(need.place, format!("needs `{}`", other.name));
        if let Some(slow) = &other.slow_start {
            finding.note(slow.span, format!("`{}` runs this first, before it listens", other.name));
        }
        if other.depends_on.iter().any(|dependency| dependency.on == home) {
            finding.note(other.place, format!("`{}` even waits for `{}`", other.name, machine.name));
        }
    }
    finding.help(format!("add `depends_on` with {names} to `{}`", machine.name));
}

/// A public name has to be resolved at boot, when the network may not be up.
fn check_boot(site: &Site, findings: &mut Findings) {
    let services = site.machines.iter().flat_map(|machine| &machine.services);
    let of_service = |service: &Service| service.before_network.map(|place| (service.proxies.clone(), place));
    let early = services.filter_map(of_service);
    let early: FxHashMap<ProxyId, Span> =
        early.flat_map(|(proxies, place)| proxies.into_iter().map(move |proxy| (proxy, place))).collect();
    for (end, hop) in site.ends() {
        let Some(unit) = early.get(&hop.proxy) else { continue };
        let Some(Target::Tcp { host, .. }) = site.target(end) else { continue };
        let Host::Name(name) = &host.value else { continue };
        let proxy = site.proxy(hop.proxy);
        let fatal = proxy.answers.unknown_name == UnknownName::KeepsFromStarting;
        if !matches!(end.reach, Reach::Leaves) || !fatal || !site.resolved_at_start(end, hop) {
            continue;
        }
        findings
            .warning(end.place, format!("`{name}` has to be resolved while the machine boots"))
            .label(format!("without an answer, {} does not start", proxy.product))
            .note(*unit, "does not wait until the network is up")
            .help("start after `network-online.target` (`Wants=` and `After=`), or resolve the name at run time");
    }
}

/// A program can only listen on an address that the machine has.
fn check_addresses(site: &Site, findings: &mut Findings) {
    let asked: BTreeSet<ListenerId> = site
        .ends()
        .filter_map(|(end, _)| match end.reach {
            Reach::Delivered(listener) => Some(listener),
            _ => None,
        })
        .collect();
    for (number, machine) in site.machines.iter().enumerate() {
        for service in &machine.services {
            let Some(unit) = service.before_addresses else { continue };
            for index in &service.listeners {
                let id = ListenerId { machine: MachineId(number), index: *index };
                let listener = site.listener(id);
                let Endpoint::Tcp { bind: Bind::Only(address), .. } = listener.endpoint else { continue };
                let is_needed = !service.proxies.is_empty() || asked.contains(&id);
                if !is_needed || address.is_loopback() || address.is_unspecified() {
                    continue;
                }
                findings
                    .warning(listener.bind_place, format!("the machine may not have `{address}` yet while it boots"))
                    .label(format!("without it, `{}` does not start", service.name))
                    .note(unit, "does not wait until the network is up")
                    .help("start after `network-online.target` (`Wants=` and `After=`), or listen on every address");
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, dependency, hop, place, said, site};
    use crate::site::Site;
    use crate::site::machine::{Condition, MachineId, Start};
    use crate::source::Spanned;

    const WEB: MachineId = MachineId(0);
    const API: MachineId = MachineId(1);

    /// A proxy on `web` that asks `api`.
    fn web_and_api(edit: impl Fn(&mut Site)) -> String {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        container(&mut site, "api", 8000);
        hop(&mut site, web, "api", 8000);
        edit(&mut site);
        said(&RULE, &mut site)
    }

    fn waits(site: &mut Site, condition: Condition) {
        site.machines[WEB.0].depends_on.push(dependency(API, condition));
    }

    #[test]
    fn a_proxy_waits_or_comes_back() {
        let said = "at 1000: `web` does not wait for `api`\n";
        assert_eq!(web_and_api(|_| {}), format!("warning {said}"));
        let always = |policy: &str| Some(Spanned::new(policy.to_owned(), place(9)));
        assert_eq!(web_and_api(|site| site.machines[WEB.0].restart = always("always")), format!("advice {said}"));
        assert_eq!(web_and_api(|site| site.machines[WEB.0].restart = always("no")), format!("warning {said}"));
        assert_eq!(web_and_api(|site| waits(site, Condition::Started)), "");
        assert_eq!(web_and_api(|site| site.machines[API.0].project = 1), "");
    }

    #[test]
    fn a_slow_start_has_to_be_waited_for() {
        let slow = |condition| {
            web_and_api(|site| {
                site.machines[API.0].slow_start = Some(Spanned::new("manage.py migrate".to_owned(), place(9)));
                waits(site, condition);
            })
        };
        let said = "warning at 2001: `web` does not wait until `api` answers, only until it is started\n";
        assert_eq!(slow(Condition::Started), said);
        assert_eq!(slow(Condition::Healthy), "");
    }

    #[test]
    fn what_does_not_start_has_no_name() {
        let profile = Start::Profile(Spanned::new("extra".to_owned(), place(9)));
        let said = "error at 3000: `api` is not started, so nobody has this name\n";
        assert_eq!(web_and_api(|site| site.machines[API.0].start = profile.clone()), said);
        let both = web_and_api(|site| {
            site.machines[API.0].start = profile.clone();
            site.machines[WEB.0].start = profile.clone();
        });
        assert_eq!(both, "");
    }

    #[test]
    fn health_is_only_waited_for_where_it_is_checked() {
        let image = |has_probe| {
            web_and_api(|site| {
                waits(site, Condition::Healthy);
                site.machines[API.0].image_has_probe = has_probe;
            })
        };
        assert_eq!(image(Some(false)), "error at 2001: `api` has no health check\n");
        assert_eq!(image(Some(true)), "");
        assert_eq!(image(None), "");
    }
}
