//! firewalld as it is set up on a server: its zones, and the one that the bridges of Docker are in (firewalld.zone(5)).
//!
//! Docker puts its bridges into a zone `docker`, which accepts everything unless somebody has made it otherwise; when
//! Docker is kept from firewalls, its bridges are in the default zone (docs.docker.com/engine/network/firewall-iptables).

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use crate::read::firewall::iptables::ports;
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::Found;
use crate::site::firewall::{Firewall, Interface, Network, PacketRule, Verdict};
use crate::source::{FileId, Sources, Span, Spanned, Text};

/// Zones of the administrator hide those that come with it.
const FOLDERS: [&str; 2] = ["etc/firewalld", "usr/lib/firewalld"];

/// Zones and services that were read and are no XML, with the reason: nothing follows from them.
pub fn unreadable(sources: &Sources) -> Vec<(FileId, String)> {
    let settings = sources.files().filter(|(_, source)| {
        source.path.ends_with(".xml") && FOLDERS.iter().any(|folder| source.path.contains(&format!("{folder}/")))
    });
    settings.filter_map(|(file, source)| Some((file, Document::parse(&source.text).err()?.to_string()))).collect()
}

/// Links that `systemctl enable` makes.
const ENABLED: [&str; 2] = [
    "etc/systemd/system/multi-user.target.wants/firewalld.service",
    "etc/systemd/system/dbus-org.fedoraproject.FirewallD1.service",
];

/// Ports of services that come with firewalld, for trees without them.
const SERVICES: &[(&str, &[u16])] = &[
    ("ssh", &[22]),
    ("http", &[80]),
    ("https", &[443]),
    ("http3", &[]),
    ("cockpit", &[9090]),
    ("dhcpv6-client", &[]),
    ("mdns", &[]),
    ("samba-client", &[]),
    ("smtp", &[25]),
    ("imaps", &[993]),
    ("dns", &[53]),
    ("nfs", &[2049]),
    ("mysql", &[3306]),
    ("postgresql", &[5432]),
    ("redis", &[6379]),
];

struct Server<'s> {
    snapshot: Snapshot<'s>,
    root: &'s str,
}

/// One zone.
struct Zone {
    target: Spanned<Verdict>,
    /// What it says before its target, for everything that comes into it.
    rules: Vec<PacketRule>,
    interfaces: Vec<String>,
    /// `None`: a set of addresses.
    sources: Vec<Option<Network>>,
}

pub fn read(sources: &Sources, root: &str) -> Option<Firewall> {
    let server = Server { snapshot: Snapshot { sources, root: Some(root) }, root };
    if !ENABLED.iter().any(|link| sources.entry(&server.path(link)).is_some()) {
        return None;
    }
    let settings = server.find("etc/firewalld/firewalld.conf")?;
    // Policies and direct rules come before the zones, and may say anything.
    let before = ["etc/firewalld/direct.xml", "etc/firewalld/policies"].map(|path| server.path(path));
    if sources.below("").any(|(path, _)| before.iter().any(|it| path.starts_with(it.as_str()))) {
        let is_plain = server.find("etc/firewalld/direct.xml").is_some_and(|text| !text.as_str().contains("<rule"))
            && !sources.below(&before[1]).any(|(path, _)| path.ends_with(".xml"));
        if !is_plain {
            return None;
        }
    }
    let drifts = setting(&settings, "AllowZoneDrifting").is_some_and(|value| value.value == "yes");
    let default = setting(&settings, "DefaultZone")?;
    let keeps_out = server.find("etc/docker/daemon.json").is_some_and(|text| is_kept_from_firewalls(&text));
    let mut rules = vec![PacketRule {
        interface: Some(Interface { name: "lo".to_owned(), negated: false }),
        ..rule(Verdict::Accept, default.span)
    }];
    let mut by_interface = Vec::new();
    for name in server.zones() {
        let zone = server.zone(&name)?;
        for source in &zone.sources {
            let own = |rule: &PacketRule| PacketRule {
                source: *source,
                unclear: rule.unclear || source.is_none(),
                ..rule.clone()
            };
            rules.extend(zone.rules.iter().map(own));
            let end = own(&rule(zone.target.value, zone.target.span));
            rules.push(PacketRule { unclear: end.unclear || drifts, ..end });
        }
        for interface in &zone.interfaces {
            // Docker does not start when one of its bridges is in another zone than its own.
            let unclear = !keeps_out && name != DOCKER;
            let interface = Some(Interface { name: interface.clone(), negated: false });
            let own = |rule: &PacketRule| PacketRule {
                interface: interface.clone(),
                unclear: rule.unclear || unclear,
                ..rule.clone()
            };
            by_interface.extend(zone.rules.iter().map(own));
            by_interface.push(own(&rule(zone.target.value, zone.target.span)));
        }
    }
    rules.extend(by_interface);
    let of_bridges = if keeps_out { default.value.as_str() } else { DOCKER };
    let policy = match server.zone(of_bridges) {
        Some(zone) => {
            rules.extend(zone.rules);
            zone.target
        }
        // Docker makes it when it starts.
        None if of_bridges == DOCKER => Spanned::new(Verdict::Accept, default.span),
        None => return None,
    };
    Some(Firewall { tool: "firewalld".to_owned(), certain: true, rules, policy })
}

/// The zone that Docker makes.
const DOCKER: &str = "docker";

impl Server<'_> {
    fn path(&self, path: &str) -> String {
        if self.root.is_empty() { path.to_owned() } else { format!("{}/{path}", self.root) }
    }

    fn find(&self, path: &str) -> Option<Text> {
        match self.snapshot.find(&self.path(path)) {
            Found::File(text) => Some(text),
            _ => None,
        }
    }

    /// The names of the zones that somebody has changed: those that come with it have neither interfaces nor sources.
    fn zones(&self) -> BTreeSet<String> {
        let names = self.snapshot.list(&self.path("etc/firewalld/zones")).names;
        names.iter().filter_map(|name| name.strip_suffix(".xml")).map(str::to_owned).collect()
    }

    fn zone(&self, name: &str) -> Option<Zone> {
        let text = FOLDERS.iter().find_map(|folder| self.find(&format!("{folder}/zones/{name}.xml")))?;
        let document = Document::parse(text.as_str()).ok()?;
        let root = document.root_element();
        let target = match root.attribute("target") {
            Some("ACCEPT") => Verdict::Accept,
            Some("DROP") => Verdict::Drop,
            None | Some("default" | "%%REJECT%%") => Verdict::Reject,
            Some(_) => return None,
        };
        let mut zone = Zone {
            target: Spanned::new(target, opening(&text, root)),
            rules: Vec::new(),
            interfaces: Vec::new(),
            sources: Vec::new(),
        };
        for node in root.children().filter(Node::is_element) {
            self.entry(&text, node, &mut zone);
        }
        // What denies comes before what allows (firewalld.richlanguage(5)).
        zone.rules.sort_by_key(|rule| rule.verdict == Verdict::Accept);
        Some(zone)
    }

    fn entry(&self, text: &Text, node: Node<'_, '_>, zone: &mut Zone) {
        let accept = rule(Verdict::Accept, text.span(node.range()));
        match node.tag_name().name() {
            "interface" => zone.interfaces.extend(node.attribute("name").map(str::to_owned)),
            "source" => zone.sources.push(node.attribute("address").and_then(Network::parse)),
            "port" | "forward-port" if is_tcp(node) => {
                let ports = node.attribute("port").and_then(ports);
                let unclear = ports.is_none() || node.tag_name().name() == "forward-port";
                zone.rules.push(PacketRule { ports, unclear, ..accept });
            }
            "service" => {
                let ports = node.attribute("name").and_then(|name| self.service(name, 0));
                zone.rules.push(PacketRule { unclear: ports.is_none(), ports, ..accept });
            }
            "protocol" if node.attribute("value") == Some("tcp") => zone.rules.push(accept),
            "source-port" if is_tcp(node) => zone.rules.push(PacketRule { unclear: true, ..accept }),
            "rule" => {
                let has = |name: &str| node.children().any(|child| child.has_tag_name(name));
                let verdict = match (has("drop"), has("reject")) {
                    (true, _) => Verdict::Drop,
                    (_, true) => Verdict::Reject,
                    _ => Verdict::Accept,
                };
                zone.rules.push(PacketRule { verdict, unclear: true, ..accept });
            }
            _ => {}
        }
    }

    /// The TCP ports of a service; `None`: not known.
    fn service(&self, name: &str, depth: usize) -> Option<Vec<(u16, u16)>> {
        let found = FOLDERS.iter().find_map(|folder| self.find(&format!("{folder}/services/{name}.xml")));
        let Some(text) = found else {
            let (_, numbers) = SERVICES.iter().find(|(known, _)| *known == name)?;
            return Some(numbers.iter().map(|port| (*port, *port)).collect());
        };
        let document = Document::parse(text.as_str()).ok()?;
        let mut all = Vec::new();
        for node in document.root_element().children() {
            match node.tag_name().name() {
                "port" if is_tcp(node) => all.extend(ports(node.attribute("port")?)?),
                "include" if depth < 4 => all.extend(self.service(node.attribute("service")?, depth + 1)?),
                "include" | "source-port" | "protocol" => return None,
                _ => {}
            }
        }
        Some(all)
    }
}

fn is_tcp(node: Node<'_, '_>) -> bool {
    node.attribute("protocol").is_none_or(|protocol| protocol.eq_ignore_ascii_case("tcp"))
}

fn rule(verdict: Verdict, place: Span) -> PacketRule {
    PacketRule { verdict, interface: None, source: None, destination: None, ports: None, unclear: false, place }
}

/// The first tag of an element.
fn opening(text: &Text, node: Node<'_, '_>) -> Span {
    let range = node.range();
    let length = text.as_str()[range.clone()].find('>').map_or(range.len(), |end| end + 1);
    text.span(range.start..range.start + length)
}

/// `Name=value`.
fn setting(text: &Text, name: &str) -> Option<Spanned<String>> {
    let mut start = 0;
    let mut found = None;
    for line in text.as_str().split_inclusive('\n') {
        let from = start;
        start += line.len();
        let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) else { continue };
        found = Some(Spanned::new(value.trim().to_owned(), text.span(from..from + line.trim_end().len())));
    }
    found
}

/// `"iptables": false` in Docker's settings.
fn is_kept_from_firewalls(text: &Text) -> bool {
    let settings: Option<serde_json::Value> = serde_json::from_str(text.as_str()).ok();
    settings.is_some_and(|settings| settings.get("iptables") == Some(&serde_json::Value::Bool(false)))
}

#[cfg(test)]
mod tests {
    use super::{read, unreadable};
    use crate::site::firewall::{Origin, Verdict};
    use crate::source::Sources;

    /// What becomes of a connection from a container to port 9000 of a server with these files.
    fn verdict(files: &[(&str, &str)]) -> Option<Verdict> {
        let mut sources = Sources::default();
        sources.add("etc/systemd/system/multi-user.target.wants/firewalld.service", "[Service]\n");
        sources.add("etc/firewalld/firewalld.conf", "# firewalld\nDefaultZone=public\n");
        for (path, text) in files {
            sources.add(path, *text);
        }
        let firewall = read(&sources, "")?;
        assert_eq!(firewall.judge(Origin::Loopback, 9000).map(|(verdict, _)| verdict), Some(Verdict::Accept));
        firewall.judge(Origin::Bridge, 9000).map(|(verdict, _)| verdict)
    }

    const DOCKER: &str = "etc/firewalld/zones/docker.xml";
    const PUBLIC: &str = "etc/firewalld/zones/public.xml";
    const ALONE: (&str, &str) = ("etc/docker/daemon.json", "{\"iptables\": false}");

    #[test]
    fn what_is_no_xml_is_told() {
        let mut sources = Sources::default();
        let broken = sources.add(DOCKER, "<zone><port");
        sources.add(PUBLIC, "<zone/>");
        let told = unreadable(&sources);
        assert_eq!(told.iter().map(|(file, _)| *file).collect::<Vec<_>>(), [broken]);
    }

    #[test]
    fn docker_has_a_zone_of_its_own() {
        assert_eq!(verdict(&[(PUBLIC, "<zone><service name=\"ssh\"/></zone>")]), Some(Verdict::Accept));
        assert_eq!(verdict(&[(DOCKER, "<zone target=\"ACCEPT\"/>")]), Some(Verdict::Accept));
        assert_eq!(verdict(&[(DOCKER, "<?xml version=\"1.0\"?>\n<zone target=\"DROP\"/>")]), Some(Verdict::Drop));
        let only = |entry: &str| verdict(&[(DOCKER, format!("<zone>{entry}</zone>").as_str())]);
        assert_eq!(only("<service name=\"http\"/><port port=\"9001-9010\" protocol=\"tcp\"/>"), Some(Verdict::Reject));
        assert_eq!(only("<port port=\"9000\" protocol=\"udp\"/>"), Some(Verdict::Reject));
        assert_eq!(only("<port port=\"8000-9000\" protocol=\"tcp\"/>"), Some(Verdict::Accept));
        assert_eq!(only("<service name=\"nobody-knows\"/>"), None);
        assert_eq!(only("<rule family=\"ipv4\"><source address=\"172.17.0.0/16\"/><accept/></rule>"), None);
        assert_eq!(verdict(&[(DOCKER, "<zone")]), None);
    }

    #[test]
    fn sources_and_the_default_zone() {
        let inner = "etc/firewalld/zones/inner.xml";
        assert_eq!(verdict(&[(inner, "<zone><source address=\"172.16.0.0/12\"/></zone>")]), Some(Verdict::Reject));
        assert_eq!(verdict(&[(inner, "<zone><source address=\"172.16.0.0/16\"/></zone>")]), None);
        assert_eq!(verdict(&[(inner, "<zone><source address=\"203.0.113.0/24\"/></zone>")]), Some(Verdict::Accept));
        assert_eq!(verdict(&[(inner, "<zone><interface name=\"docker0\"/></zone>")]), Some(Verdict::Accept));
        assert_eq!(verdict(&[(PUBLIC, "<zone><service name=\"ssh\"/></zone>"), ALONE]), Some(Verdict::Reject));
        let app = ("etc/firewalld/services/app.xml", "<service><port protocol=\"tcp\" port=\"9000\"/></service>");
        assert_eq!(verdict(&[(PUBLIC, "<zone><service name=\"app\"/></zone>"), ALONE, app]), Some(Verdict::Accept));
        assert_eq!(verdict(&[ALONE]), None);
        assert_eq!(verdict(&[("etc/firewalld/policies/own.xml", "<policy/>"), (DOCKER, "<zone/>")]), None);
    }
}
