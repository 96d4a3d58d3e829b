//! Backends and proxies that stay down after a crash or a reboot, while the services beside them come back.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::machine::{Condition, Kind, Machine, MachineId, NotAtBoot, Service, Start};
use crate::site::proxy::{Host, Target};
use crate::site::reach::Reach;
use crate::site::trouble::{Trouble, UnitTrouble, UnitWhy};
use crate::source::Span;

pub const RULE: Rule = Rule { id: "lifecycle/no-restart", doc: include_str!("no_restart.md"), check };

/// So many neighbours are named as evidence.
const NEIGHBOURS: usize = 2;

fn check(site: &Site, findings: &mut Findings) {
    let needed = needed(site);
    let tasks = tasks(site);
    let mut projects: BTreeMap<usize, Vec<MachineId>> = BTreeMap::new();
    for (number, machine) in site.machines.iter().enumerate() {
        let id = MachineId(number);
        if machine.kind == Kind::Container && machine.start == Start::Always && !tasks.contains(&id) {
            projects.entry(machine.project).or_default().push(id);
        }
    }
    for members in projects.values() {
        let machines = || members.iter().map(|id| site.machine(*id));
        let lasting: Vec<&Machine> = machines().filter(|machine| comes_back(machine)).collect();
        let without = machines().filter(|machine| machine.restart.is_none()).count();
        let missing = members.iter().filter(|id| site.machine(**id).restart.is_none());
        let mut missing = missing.filter_map(|id| Some((site.machine(*id), needed.get(id)?)));
        if lasting.is_empty() {
            // Nobody thought of it, or another program starts everything: once is enough.
            if let Some((machine, need)) = missing.next() {
                add(findings, Level::Advice, machine, need, &lasting);
            }
            continue;
        }
        // Where most services come back, one that does not was forgotten.
        let level = if lasting.len() > without { Level::Warning } else { Level::Advice };
        for (machine, need) in missing {
            add(findings, level, machine, need, &lasting);
        }
    }
    check_services(site, findings);
    for trouble in &site.troubles {
        let Trouble::Unit(UnitTrouble { unit, place, why: UnitWhy::Misplaced { setting, section } }) = trouble else {
            continue;
        };
        let message = format!("`{unit}` stays down after a crash: `{setting}` has no effect in `[{section}]`");
        let finding = findings.warning(*place, message).label("ignored here");
        finding.help("move it to `[Service]`");
    }
}

fn add(findings: &mut Findings, level: Level, machine: &Machine, need: &Need, lasting: &[&Machine]) {
    let name = words::name(machine);
    let message = format!("{name} stays down after a crash or a reboot");
    let finding = findings.add(level, machine.place, message).label("no restart policy");
    // Services that share a policy are one piece of evidence.
    let mut policies: BTreeMap<Span, (&str, Vec<&str>)> = BTreeMap::new();
    for neighbour in lasting.iter().take(NEIGHBOURS) {
        if let Some(restart) = &neighbour.restart {
            policies.entry(restart.span).or_insert((&restart.value, Vec::new())).1.push(&neighbour.name);
        }
    }
    for (place, (policy, names)) in policies {
        let verb = if names.len() == 1 { "comes" } else { "come" };
        finding.note(place, format!("{} {verb} back: `{policy}`", words::list(names)));
    }
    finding.note(need.place, need.words.clone());
    let policy = lasting.first().and_then(|machine| machine.restart.as_ref());
    let policy = policy.map_or("unless-stopped", |policy| policy.value.as_str());
    finding.help(format!("add `restart: {policy}` to {name}"));
}

/// What keeps processes running on a server: units and process lists.
fn check_services(site: &Site, findings: &mut Findings) {
    let asked = asked(site);
    for (number, machine) in site.machines.iter().enumerate().filter(|(_, machine)| machine.kind == Kind::Host) {
        let hop_to =
            |service: &Service| service.listeners.iter().find_map(|index| asked.get(&(number, *index))).copied();
        let needed: Vec<(&Service, Option<Span>)> = machine
            .services
            .iter()
            .map(|service| (service, hop_to(service)))
            .filter(|(service, hop)| hop.is_some() || !service.proxies.is_empty())
            .collect();
        let mut has_told_of_manager = false;
        for (service, hop) in &needed {
            let Some(why) = service.not_at_boot else { continue };
            let is_managed = matches!(why, NotAtBoot::NoManager { .. });
            if !(is_managed && has_told_of_manager) {
                add_not_at_boot(findings, service, why, *hop);
            }
            has_told_of_manager |= is_managed;
        }
        let own: Vec<&(&Service, Option<Span>)> =
            needed.iter().filter(|(service, _)| service.is_own && !service.is_woken).collect();
        let lasting: Vec<&Service> =
            own.iter().map(|(service, _)| *service).filter(|it| it.restart.is_some()).collect();
        // The instances of one template are one unit to mend.
        let mut told: BTreeSet<Span> = BTreeSet::new();
        let without = own.len() - lasting.len();
        for (service, hop) in own.iter().filter(|(service, _)| service.restart.is_none()) {
            let misplaced = site.troubles.iter().any(|trouble| match trouble {
                Trouble::Unit(UnitTrouble { unit, why: UnitWhy::Misplaced { .. }, .. }) => *unit == service.name,
                _ => false,
            });
            if misplaced || !told.insert(service.place) {
                continue;
            }
            // Where most come back this one was forgotten; and a single process has nobody to start it again.
            let is_forgotten = lasting.len() > without;
            let level = if is_forgotten || !service.may_have_master { Level::Warning } else { Level::Advice };
            add_stays_down(findings, level, service, *hop, &lasting);
        }
    }
}

/// The hops to listeners, by machine and listener.
fn asked(site: &Site) -> BTreeMap<(usize, usize), Span> {
    let mut asked = BTreeMap::new();
    for (end, _) in site.ends() {
        if let Reach::Delivered(id) = &end.reach {
            asked.entry((id.machine.0, id.index)).or_insert(end.place);
        }
    }
    asked
}

fn add_not_at_boot(findings: &mut Findings, service: &Service, why: NotAtBoot, hop: Option<Span>) {
    let name = &service.name;
    let finding = match why {
        NotAtBoot::NotEnabled(place) => findings
            .warning(place, format!("`{name}` stays down after a reboot: it is not enabled"))
            .label("this target does not start it yet")
            .help(format!("run `systemctl enable {name}`")),
        NotAtBoot::NoInstall => findings
            .warning(service.place, format!("`{name}` stays down after a reboot: nothing starts it"))
            .label("no `[Install]` section, and no other unit asks for it")
            .help(format!("add `[Install]` with `WantedBy=multi-user.target`, then run `systemctl enable {name}`")),
        NotAtBoot::NoManager { name: manager, help } => findings
            .warning(service.place, format!("the {name} stays down after a reboot: nothing starts {manager}"))
            .help(help),
    };
    if let Some(hop) = hop {
        finding.note(hop, "requests are sent to it from here");
    }
}

fn add_stays_down(findings: &mut Findings, level: Level, service: &Service, hop: Option<Span>, lasting: &[&Service]) {
    let finding = findings.add(level, service.place, format!("`{}` stays down after a crash", service.name));
    finding.label("no `Restart=`");
    for neighbour in lasting.iter().take(NEIGHBOURS) {
        if let Some(restart) = &neighbour.restart {
            finding.note(restart.span, format!("`{}` comes back: `{}`", neighbour.name, restart.value));
        }
    }
    if let Some(hop) = hop {
        finding.note(hop, "requests are sent to it from here");
    }
    finding.help("add `Restart=on-failure` to its `[Service]` section");
}

/// Docker starts these again when its daemon starts; `on-failure` only after a crash, which is a choice as well
/// (docs.docker.com/engine/containers/start-containers-automatically).
fn comes_back(machine: &Machine) -> bool {
    machine.restart.as_ref().is_some_and(|restart| matches!(restart.value.as_str(), "always" | "unless-stopped"))
}

/// Why a machine is needed: it is a proxy, or a proxy asks for it.
struct Need {
    place: Span,
    words: String,
}

fn needed(site: &Site) -> BTreeMap<MachineId, Need> {
    let mut named: FxHashMap<(usize, &str), MachineId> = FxHashMap::default();
    for (number, machine) in site.machines.iter().enumerate() {
        named.entry((machine.project, &machine.name)).or_insert(MachineId(number));
    }
    let mut needed = BTreeMap::new();
    for (end, hop) in site.ends() {
        let Some(home) = site.proxy(hop.proxy).machine else { continue };
        let product = &site.proxy(hop.proxy).product;
        let need = || Need { place: end.place, words: format!("its {product} takes requests for others") };
        needed.entry(home).or_insert_with(need);
        let need = || Need { place: end.place, words: format!("{product} sends requests to it") };
        if let Reach::Delivered(listener) = &end.reach {
            needed.entry(listener.machine).or_insert_with(need);
        }
        let Some(Target::Tcp { host, .. }) = site.target(end) else { continue };
        let Host::Name(asked) = &host.value else { continue };
        let project = site.machine(home).project;
        if let Some(machine) = named.get(&(project, asked.as_str())) {
            needed.entry(*machine).or_insert_with(need);
        }
    }
    needed
}

/// Machines that others wait for until they have done their work: they are meant to end.
fn tasks(site: &Site) -> BTreeSet<MachineId> {
    let dependencies = site.machines.iter().flat_map(|machine| &machine.depends_on);
    dependencies.filter(|it| it.condition == Condition::Completed).map(|it| it.on).collect()
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, hop, place, said, site};
    use crate::site::machine::MachineId;
    use crate::source::Spanned;

    fn stack(policies: [Option<&str>; 3]) -> String {
        let mut site = site();
        for (number, name) in ["web", "api", "store"].iter().enumerate() {
            let MachineId(id) = container(&mut site, name, 80);
            let span = place(10 + number as u32);
            site.machines[id].restart = policies[number].map(|policy| Spanned::new(policy.to_owned(), span));
        }
        hop(&mut site, MachineId(0), "api", 80);
        said(&RULE, &mut site)
    }

    #[test]
    fn who_is_forgotten_among_others() {
        let web = "at 1000: `web` stays down after a crash or a reboot\n";
        let api = "at 1001: `api` stays down after a crash or a reboot\n";
        assert_eq!(stack([None, Some("always"), Some("always")]), format!("warning {web}"));
        assert_eq!(stack([Some("always"), None, Some("always")]), format!("warning {api}"));
        assert_eq!(stack([None, None, Some("always")]), format!("advice {web}advice {api}"));
        assert_eq!(stack([Some("always"), None, None]), format!("advice {api}"));
        assert_eq!(stack([None, None, None]), format!("advice {web}"));
    }

    #[test]
    fn what_is_chosen_is_left_alone() {
        assert_eq!(stack([Some("no"), Some("on-failure"), Some("always")]), "");
        assert_eq!(stack([Some("always"), Some("always"), None]), "");
    }
}
