//! Published and exposed ports of a service.

use std::ops::RangeInclusive;

use crate::read::compose::latest::{keep_last, repeated};
use crate::read::compose::model::{Expose, Port, Published};
use crate::read::compose::reader::Reader;
use crate::read::compose::tree::Node;
use crate::source::{Spanned, Text};
use crate::syntax::compose_values::ports::{Protocol, ShortPort, address, protocol, range, short_port};
use crate::syntax::yaml::whole_number;

/// More ports than a host has.
const MOST: usize = 70_000;

impl Reader<'_, '_> {
    /// One entry a port; ranges are taken apart.
    pub fn ports(&mut self, service: &Node) -> Vec<Port> {
        let mut ports: Vec<Port> = Vec::new();
        for node in service.get("ports").map_or(&[][..], Node::items) {
            let found = if node.map().is_some() { self.long_port(node) } else { self.short_ports(node) };
            if ports.len() + found.len() > MOST {
                self.loader.problem(node.span, "a service has no more ports than there are".to_owned());
                break;
            }
            ports.extend(found);
        }
        let again = repeated(&ports, |port| {
            let host_ip = port.host_ip.as_ref().map(Text::as_str);
            (port.target.map(|target| target.value), port.published, port.protocol, host_ip)
        });
        keep_last(ports, &again)
    }

    fn short_ports(&mut self, node: &Node) -> Vec<Port> {
        let Some(text) = node.text() else { return Vec::new() };
        let uncertain = node.is_incomplete();
        let Some(ShortPort { host_ip, published, target, protocol }) = self.accept(node, short_port(&text)) else {
            if !uncertain {
                return Vec::new();
            }
            return vec![Port {
                span: node.span,
                host_ip: None,
                published: Published::Unknown,
                target: None,
                protocol: Protocol::Tcp,
            }];
        };
        let single = target.value.len() == 1;
        let first = *target.value.start();
        let ports = target.value.clone().map(|port| Port {
            span: node.span,
            host_ip: host_ip.clone(),
            published: match &published {
                None | Some(_) if uncertain => Published::Unknown,
                None => Published::Random,
                Some(published) if single => of_range(&published.value),
                Some(published) => one(published.value.start() + (port - first)),
            },
            target: Some(Spanned::new(port, target.span)),
            protocol,
        });
        ports.collect()
    }

    fn long_port(&mut self, node: &Node) -> Vec<Port> {
        let Some(target_node) = node.get("target") else {
            self.loader.problem(node.span, "this port has no target".to_owned());
            return Vec::new();
        };
        let target = target_node.text().and_then(|text| {
            let number = whole_number(text.as_str()).and_then(|number| u16::try_from(number).ok());
            Some(Spanned::new(number.filter(|number| *number != 0)?, text.whole()))
        });
        if target.is_none() && !target_node.is_incomplete() {
            self.loader.problem(target_node.span, "this is no port of a container".to_owned());
            return Vec::new();
        }
        let published = match node.get("published").filter(|node| node.scalar().is_some()) {
            None => Published::Random,
            Some(published) => match published.some_text() {
                None if published.is_incomplete() => Published::Unknown,
                None => Published::Random,
                Some(text) => match self.accept(published, range(&text)) {
                    Some(range) => of_range(&range.value),
                    None if published.is_incomplete() => Published::Unknown,
                    None => return Vec::new(),
                },
            },
        };
        let host_ip = match node.get("host_ip") {
            Some(host) => match host.some_text() {
                Some(text) => self.accept(host, address(&text)),
                None => None,
            },
            None => None,
        };
        let kind = node.get("protocol").and_then(Node::text).and_then(|text| protocol(&text).ok());
        let protocol = kind.unwrap_or(Protocol::Tcp);
        vec![Port { span: node.span, host_ip, published, target, protocol }]
    }

    /// Ports that other containers may use; compose takes anything here.
    pub fn expose(&self, service: &Node) -> Vec<Expose> {
        let exposed = |node: &Node| {
            let text = node.text()?;
            let (ports, kind) = match text.split_once('/') {
                Some((ports, kind)) => (range(&ports), protocol(&kind).unwrap_or(Protocol::Tcp)),
                None => (range(&text), Protocol::Tcp),
            };
            let ports = ports.ok().map(|range| (*range.value.start(), *range.value.end()));
            Some(Expose { ports, protocol: kind, text })
        };
        let items = service.get("expose").map_or(&[][..], Node::items);
        let mut found = Vec::with_capacity(items.len());
        found.extend(items.iter().filter_map(exposed));
        let again = repeated(&found, |expose| expose.text.as_str());
        keep_last(found, &again)
    }
}

fn of_range(range: &RangeInclusive<u16>) -> Published {
    if range.len() > 1 { Published::Range(*range.start(), *range.end()) } else { one(*range.start()) }
}

/// Port 0 of the host is a free one.
fn one(port: u16) -> Published {
    if port == 0 { Published::Random } else { Published::One(port) }
}

/// A link, written `target` or `target:alias`.
pub fn link(text: &Text) -> (Text, Text) {
    text.split_once(':').unwrap_or_else(|| (text.clone(), text.clone()))
}
