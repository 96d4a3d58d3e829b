//! A proxy in a container asks its own loopback address for something that runs elsewhere.

use super::loopback::{Ports, fights_over_a_port};
use super::words::{connects, host_and_port, is_literal, level, note_each};
use crate::finding::Findings;
use crate::rules::Rule;
use crate::rules::words::{list, name};
use crate::site::Site;
use crate::site::reach::Reach;

pub const RULE: Rule =
    Rule { id: "target/localhost-in-container", doc: include_str!("localhost_in_container.md"), check };

/// What helps when no service has the port.
const NAME_IT: &str = "name the service that listens there; a program on the host is `host.docker.internal`, \
                       with `extra_hosts: [\"host.docker.internal:host-gateway\"]`";

fn check(site: &Site, findings: &mut Findings) {
    let ports = Ports::of(site);
    for (end, hop) in site.ends() {
        let Reach::Refused(refused) = &end.reach else { continue };
        if !ports.is_elsewhere(site, hop, refused) || fights_over_a_port(site, refused) {
            continue;
        }
        let (Some(home), Some((host, port))) = (site.home(hop), host_and_port(site, end)) else { continue };
        let message = format!(
            "nothing in {} listens on port {}, and `{}` is {} itself",
            name(home),
            refused.port,
            host,
            name(home)
        );
        let finding = findings.add(level(refused.certainty), host.span, message).label(connects(site, end, hop));
        let others = ports.meant(site, refused.machine, refused.port);
        note_each(finding, others.iter().map(|other| (other.place, other.reason(site, refused.port))));
        let [other] = &others[..] else {
            let names: Vec<&str> = others.iter().map(|other| site.machine(other.machine).name.as_str()).collect();
            finding.help(match names.is_empty() {
                true => NAME_IT.to_owned(),
                false => format!("name the service instead: {}", list(names)),
            });
            continue;
        };
        let service = &site.machine(other.machine).name;
        finding.help(format!("use `{service}:{}`", other.port));
        if !is_literal(host.span, &host.value.to_string()) {
            continue;
        }
        if other.port == port.number {
            finding.fix(format!("use `{service}`"), true, host.span, service.clone());
        } else if let Some(written) = port.written
            && written.file == host.span.file
            && is_literal(written, &port.number.to_string())
        {
            let target = format!("{service}:{}", other.port);
            finding.fix(format!("use `{target}`"), true, host.span.to(written), target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, hop, published, run, site};

    #[test]
    fn the_service_that_has_the_port_is_named() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        container(&mut site, "api", 8000);
        hop(&mut site, web, "localhost", 8000);
        let findings = run(&RULE, &mut site);
        assert_eq!(findings[0].help.as_deref(), Some("use `api:8000`"));
    }

    #[test]
    fn a_port_of_the_host_leads_to_the_one_inside() {
        let mut site = site();
        let web = container(&mut site, "web", 80);
        let api = container(&mut site, "api", 8000);
        site.machines[api.0].published.push(published(9000, 8000, 7));
        hop(&mut site, web, "localhost", 9000);
        let findings = run(&RULE, &mut site);
        assert_eq!(findings[0].help.as_deref(), Some("use `api:8000`"));
    }
}
