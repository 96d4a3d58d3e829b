//! Proxies that the policy of the system keeps from connecting to their backends.

use crate::finding::Findings;
use crate::rules::Rule;
use crate::site::Site;
use crate::site::firewall::Confinement;
use crate::site::machine::Kind;
use crate::site::proxy::{Hop, Target};
use crate::site::reach::{End, Reach};

pub const RULE: Rule = Rule { id: "firewall/selinux", doc: include_str!("selinux.md"), check };

/// So many hops are named one by one.
const HOPS: usize = 4;

/// Folders in which the policy labels nothing as a socket of the web.
const UNLABELLED: &[&str] = &["/home/", "/root/", "/srv/", "/opt/", "/tmp/"];

fn check(site: &Site, findings: &mut Findings) {
    let Some(confinement) = &site.confinement else { return };
    let on_host = |hop: &Hop| site.home(hop).is_some_and(|home| home.kind == Kind::Host);
    let stopped: Vec<(&End, &Hop)> = site
        .ends()
        .filter(|(end, hop)| on_host(hop) && may_work(end) && is_stopped(confinement, site.target(end)))
        .collect();
    let Some((end, hop)) = stopped.first() else { return };
    let proxy = site.proxy(hop.proxy);
    let message = format!("SELinux keeps {} from its backends: it answers {}", proxy.product, proxy.answers.refused);
    let finding = findings.warning(confinement.place, message).label("nothing in the tree opens these ways");
    for (end, _) in stopped.iter().take(HOPS) {
        let target = site.target(end).map(Target::to_string).unwrap_or_default();
        finding.note(end.place, format!("connects to {target}"));
    }
    match site.target(end) {
        Some(Target::Unix { .. }) => {
            finding.help("put the socket below /run and give it a label that web servers may write to");
        }
        _ => {
            finding.help(format!("`setsebool -P {} 1`, or give the port a label of the web", confinement.switch));
        }
    }
}

/// Nothing else stands in its way.
fn may_work(end: &End) -> bool {
    matches!(end.reach, Reach::Delivered(_) | Reach::Undecided(_) | Reach::Leaves)
}

fn is_stopped(confinement: &Confinement, target: Option<&Target>) -> bool {
    match target {
        Some(Target::Tcp { port, .. }) => !confinement.ports.contains(&port.number),
        Some(Target::Unix { path }) => {
            let labelled = |folder: &String| folder.len() > 1 && path.value.starts_with(folder.as_str());
            UNLABELLED.iter().any(|folder| path.value.starts_with(folder)) && !confinement.folders.iter().any(labelled)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{container, hop, place, said, site};
    use crate::site::firewall::Confinement;
    use crate::site::machine::Kind;

    fn host(port: u16, confined: bool) -> String {
        let mut site = site();
        let host = container(&mut site, "host", port);
        site.machines[host.0].kind = Kind::Host;
        let confinement = Confinement { place: place(4), ports: vec![80, 9000], folders: Vec::new(), switch: "x" };
        site.confinement = confined.then_some(confinement);
        hop(&mut site, host, "localhost", port);
        said(&RULE, &mut site)
    }

    #[test]
    fn only_ports_that_are_not_of_the_web() {
        assert_eq!(host(3000, true), "warning at 4: SELinux keeps proxy from its backends: it answers 502\n");
        assert_eq!(host(9000, true), "");
        assert_eq!(host(3000, false), "");
    }
}
