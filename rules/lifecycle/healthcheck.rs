//! Health checks that can never succeed, and those that make everybody wait.

use std::collections::BTreeMap;

use crate::finding::{Findings, Level};
use crate::rules::{Rule, words};
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Protocol};
use crate::site::machine::{Asks, Condition, Dependency, Machine, MachineId, Probe, Start, Tool};
use crate::site::reach::ListenerId;
use crate::source::Span;

pub const RULE: Rule = Rule { id: "lifecycle/healthcheck", doc: include_str!("healthcheck.md"), check };

/// Nobody means to wait for so many seconds before the first look at a service that just started.
const FIRST_LOOK: f64 = 120.0;

fn check(site: &Site, findings: &mut Findings) {
    let waiters = waiters(site);
    let mut stacks: BTreeMap<MachineId, Vec<MachineId>> = BTreeMap::new();
    for (number, machine) in site.machines.iter().enumerate() {
        stacks.entry(machine.stack).or_default().push(MachineId(number));
    }
    for (number, machine) in site.machines.iter().enumerate().filter(|(_, machine)| machine.start == Start::Always) {
        let Some(probe) = machine.probe.as_ref().filter(|probe| probe.enabled) else { continue };
        let around = stacks.get(&machine.stack).map_or(&[][..], Vec::as_slice);
        let check = Check { site, machine, around, probe, waiter: waiters[number] };
        // A tool that is not there is the first obstacle; what it would ask does not matter.
        if !check.tool(findings) {
            check.asked(findings);
        }
        check.first_look(findings);
    }
}

/// For each machine another one that starts only once it is healthy.
fn waiters(site: &Site) -> Vec<Option<(&Machine, &Dependency)>> {
    let mut waiters = vec![None; site.machines.len()];
    for machine in site.machines.iter().filter(|machine| machine.start == Start::Always) {
        for dependency in &machine.depends_on {
            if dependency.condition == Condition::Healthy && dependency.required {
                waiters[dependency.on.0].get_or_insert((&**machine, dependency));
            }
        }
    }
    waiters
}

struct Check<'s> {
    site: &'s Site,
    machine: &'s Machine,
    /// Who shares its addresses, itself included.
    around: &'s [MachineId],
    probe: &'s Probe,
    waiter: Option<(&'s Machine, &'s Dependency)>,
}

impl Check<'_> {
    /// The program of the probe is known not to be there.
    fn tool(&self, findings: &mut Findings) -> bool {
        let shell = self.probe.shell.and_then(|place| Some(("sh", place, self.missing("sh")?)));
        let program = || {
            let tool = self.probe.tool.as_ref()?;
            let name = tool.value.rsplit('/').next().unwrap_or(&tool.value);
            Some((name, tool.span, self.missing(name)?))
        };
        let Some((name, place, tool)) = shell.or_else(program) else { return false };
        let machine = &self.machine.name;
        let message = format!("the health check of `{machine}` needs `{name}`, which is not there");
        let present = self.machine.tools.iter().find(|other| other.present && is_alike(name, &other.name));
        let finding = self.add(findings, place, message);
        finding.note(tool.place, format!("this brings no `{name}`"));
        match present {
            Some(other) => finding.help(format!("use `{}`, which is there", other.name)),
            None => finding.help(format!("install `{name}`, or ask with a program that is there")),
        };
        true
    }

    fn missing(&self, name: &str) -> Option<&Tool> {
        let mut tools = self.machine.tools.iter().filter(|tool| tool.name == name);
        let first = tools.next()?;
        (!first.present && tools.all(|tool| !tool.present)).then_some(first)
    }

    /// Nobody listens on the port that it asks, or speaks another language there.
    fn asked(&self, findings: &mut Findings) {
        let Some(asks) = &self.probe.asks else { return };
        if !self.asks_itself(asks) {
            return;
        }
        let mut listeners: Vec<ListenerId> = Vec::new();
        for machine in self.around {
            let listening = &self.site.machine(*machine).listening;
            if listening.open.is_some() {
                return;
            }
            let id = |index| ListenerId { machine: *machine, index };
            listeners.extend((0..listening.listeners.len()).map(id));
        }
        // A worker may have the image of a server, with its check, and nobody asks whether it is healthy.
        let is_of_the_image = self.probe.place.file != self.machine.place.file;
        if listeners.is_empty() && is_of_the_image && self.waiter.is_none() {
            return;
        }
        let there = listeners.iter().find(
            |id| matches!(self.site.listener(**id).endpoint, Endpoint::Tcp { port, .. } if port == asks.port.value),
        );
        match there {
            None => self.add_other_port(asks, &listeners, findings),
            Some(id) if !self.check_address(asks, &listeners, findings) => self.check_protocol(asks, *id, findings),
            Some(_) => {}
        }
    }

    fn asks_itself(&self, asks: &Asks) -> bool {
        let host = asks.host.as_str();
        matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]" | "0.0.0.0" | "") || host == self.machine.name
    }

    fn add_other_port(&self, asks: &Asks, listeners: &[ListenerId], findings: &mut Findings) {
        let message =
            format!("the health check of `{}` asks port {}, where nobody listens", self.machine.name, asks.port);
        let finding = self.add(findings, asks.port.span, message);
        for id in listeners.iter().take(3) {
            finding.note(self.site.listener(*id).place, words::listens(self.site, *id));
        }
        let ports: Vec<u16> = listeners
            .iter()
            .filter_map(|id| match self.site.listener(*id).endpoint {
                Endpoint::Tcp { port, .. } => Some(port),
                Endpoint::Unix { .. } => None,
            })
            .collect();
        let [port] = ports[..] else {
            finding.help("ask the port that the service listens on");
            return;
        };
        finding.help(format!("ask port {port}"));
        if asks.port.span.range().len() == asks.port.value.to_string().len() {
            finding.fix(format!("ask port {port}"), true, asks.port.span, port.to_string());
        }
    }

    /// The port is open, but not on the address that is asked.
    fn check_address(&self, asks: &Asks, listeners: &[ListenerId], findings: &mut Findings) -> bool {
        let mut there = Vec::new();
        for id in listeners {
            match self.site.listener(*id).endpoint {
                Endpoint::Tcp { bind, port } if port == asks.port.value => there.push((*id, bind)),
                _ => {}
            }
        }
        let Some((id, _)) = there.first() else { return false };
        let all = |wanted: Bind| there.iter().all(|(_, bind)| *bind == wanted);
        let is_loopback = matches!(asks.host.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]");
        let machine = &self.machine.name;
        let listener = self.site.listener(*id);
        if is_loopback && all(Bind::OwnName) {
            let message = format!(
                "the health check of `{machine}` asks {}, and port {} is open on the address of its own name only",
                asks.host, asks.port
            );
            let finding = self.add(findings, asks.port.span, message);
            finding.note(listener.bind_place, words::listens(self.site, *id));
            if let Some(anywhere) = &listener.anywhere {
                finding.help(format!("let it listen on every address: `{anywhere}`"));
            }
            return true;
        }
        let asks_ipv6 = asks.first_address || matches!(asks.host.as_str(), "::1" | "[::1]");
        if !asks_ipv6 || !all(Bind::AnyIpv4) {
            return false;
        }
        let message =
            format!("the health check of `{machine}` asks `::1`, and port {} is open for IPv4 only", asks.port);
        // Machines without IPv6 go on to the other address.
        let finding = findings.warning(asks.port.span, message);
        finding.label(match (asks.first_address, self.waiter) {
            (true, _) => "BusyBox's `wget` takes the first address of `localhost`".to_owned(),
            (false, Some((waiter, _))) => format!("never healthy, so `{}` does not start", waiter.name),
            (false, None) => "never healthy".to_owned(),
        });
        if let Some((waiter, dependency)) = self.waiter {
            finding.note(dependency.place, format!("`{}` waits until it is healthy", waiter.name));
        }
        finding.note(listener.place, words::listens(self.site, *id));
        finding.help("ask `127.0.0.1`, or listen on `[::]` as well");
        true
    }

    fn check_protocol(&self, asks: &Asks, id: ListenerId, findings: &mut Findings) {
        let protocol = self.site.listener(id).protocol;
        let wrong = match protocol {
            Some(Protocol::Http | Protocol::Http2) => asks.tls,
            Some(Protocol::FastCgi | Protocol::Uwsgi | Protocol::Scgi | Protocol::Ajp) => asks.path.is_some(),
            _ => false,
        };
        let Some(protocol) = protocol.filter(|_| wrong) else { return };
        let spoken = if asks.tls { "HTTPS" } else { "HTTP" };
        let message = format!(
            "the health check of `{}` speaks {spoken} to port {}, which speaks {protocol}",
            self.machine.name, asks.port
        );
        let finding = self.add(findings, asks.port.span, message);
        finding.note(self.site.listener(id).place, words::listens(self.site, id));
        finding.help(format!("ask in {protocol}, or only whether the port is open"));
    }

    /// The first probe runs one interval after the start, unless a time of grace makes Docker look more often.
    fn first_look(&self, findings: &mut Findings) {
        let (Some(interval), Some((waiter, dependency))) = (&self.probe.interval, self.waiter) else { return };
        if interval.value < FIRST_LOOK || self.probe.start_period.as_ref().is_some_and(|period| period.value > 0.0) {
            return;
        }
        let message =
            format!("the health of `{}` is looked at for the first time after {} s", self.machine.name, interval);
        findings
            .warning(interval.span, message)
            .label(format!("`{}` is not started before", waiter.name))
            .note(dependency.place, format!("`{}` waits until it is healthy", waiter.name))
            .help("shorten the interval, or add a `start_period`, in which the first answers come after 5 s");
    }

    /// A check that always fails is an error when somebody waits for it; else it only looks bad.
    fn add<'f>(&self, findings: &'f mut Findings, place: Span, message: String) -> &'f mut crate::finding::Finding {
        let level = if self.waiter.is_some() { Level::Error } else { Level::Warning };
        let finding = findings.add(level, place, message);
        match self.waiter {
            Some((waiter, dependency)) => finding
                .label(format!("never healthy, so `{}` does not start", waiter.name))
                .note(dependency.place, format!("`{}` waits until it is healthy", waiter.name)),
            None => finding.label("never healthy"),
        }
    }
}

/// Programs that can do the same.
fn is_alike(name: &str, other: &str) -> bool {
    const ASK_BY_HTTP: [&str; 2] = ["curl", "wget"];
    ASK_BY_HTTP.contains(&name) && ASK_BY_HTTP.contains(&other)
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, dependency, place, said, site};
    use crate::site::Site;
    use crate::site::machine::{Asks, Condition, Probe, Tool};
    use crate::source::Spanned;

    /// A container on port 80 whose health check asks this port with `curl`.
    fn probed(port: u16, edit: impl Fn(&mut Site)) -> String {
        let mut site = site();
        let id = container(&mut site, "api", 80);
        let port = Spanned::new(port, place(7));
        site.machines[id.0].probe = Some(Box::new(Probe {
            place: place(5),
            enabled: true,
            tool: Some(Spanned::new("curl".to_owned(), place(6))),
            shell: None,
            asks: Some(Asks {
                host: "localhost".to_owned(),
                port,
                path: Some("/".to_owned()),
                tls: false,
                first_address: false,
            }),
            interval: None,
            timeout: None,
            retries: None,
            start_period: None,
        }));
        edit(&mut site);
        said(&RULE, &mut site)
    }

    #[test]
    fn nobody_listens_where_it_asks() {
        assert_eq!(probed(80, |_| {}), "");
        let said = "at 7: the health check of `api` asks port 81, where nobody listens\n";
        assert_eq!(probed(81, |_| {}), format!("warning {said}"));
        let awaited = probed(81, |site| {
            let waiter = container(site, "web", 80);
            let api = crate::site::machine::MachineId(0);
            site.machines[waiter.0].depends_on.push(dependency(api, Condition::Healthy));
        });
        assert_eq!(awaited, format!("error {said}"));
        assert_eq!(probed(81, |site| site.machines[0].listening.open = Some("it is not known".to_owned())), "");
    }

    #[test]
    fn its_program_is_not_there() {
        let tool = |present| Tool { name: "curl".to_owned(), present, place: place(8) };
        let said = "warning at 6: the health check of `api` needs `curl`, which is not there\n";
        assert_eq!(probed(80, |site| site.machines[0].tools.push(tool(false))), said);
        assert_eq!(probed(80, |site| site.machines[0].tools.extend([tool(false), tool(true)])), "");
    }
}
