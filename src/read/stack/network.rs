//! Which networks a container is on, and the names by which others, and it itself, know machines.

use std::collections::HashMap;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::read::compose::model::{Attachment as Joined, NetworkMode, Project, Service};
use crate::read::stack::Placed;
use crate::site::Site;
use crate::site::machine::{Attached, Attachment, HostsEntry, HostsTarget, MachineId, Network, NetworkId};
use crate::source::Spanned;

/// Those of all projects.
#[derive(Default)]
pub struct Networks {
    by_name: HashMap<String, NetworkId>,
}

impl Networks {
    /// Adds the networks of a project; gives its keys. The same real name in two projects is the same network.
    pub fn add(&mut self, site: &mut Site, number: usize, project: &Project) -> HashMap<String, NetworkId> {
        let mut keys = HashMap::new();
        for network in &project.networks {
            let name = network.real_name.clone().unwrap_or_else(|| format!("{number}/{}", network.key.value));
            let gateways: Vec<IpAddr> =
                network.subnets.iter().filter_map(|subnet| subnet.gateway.as_ref()?.as_str().parse().ok()).collect();
            let id = *self.by_name.entry(name.clone()).or_insert_with(|| {
                site.networks.push(Network {
                    key: network.key.value.clone(),
                    name,
                    place: network.key.span,
                    open: true,
                    gateways: Vec::new(),
                });
                NetworkId(site.networks.len() - 1)
            });
            let known = &mut site.networks[id.0];
            known.gateways.extend(gateways);
            if !network.external {
                // Who creates it is in the tree, and so is whoever joins it.
                known.open = false;
                known.place = network.key.span;
            }
            keys.insert(network.key.value.clone(), id);
        }
        keys
    }
}

/// By the number of each service that has no stack of its own, the machine whose stack it uses.
pub fn lent_stacks(
    project: &Project,
    machines: &FxHashMap<String, MachineId>,
    host: MachineId,
) -> FxHashMap<usize, MachineId> {
    let lender = |service: &Service| match &service.network_mode.as_ref()?.value {
        NetworkMode::Service(other) => lender(project, machines, host, other),
        NetworkMode::Container(name) => {
            let is_meant = |service: &Service| service.container_name.as_ref().is_some_and(|own| own.as_str() == name);
            lender(project, machines, host, &project.services.iter().find(|it| is_meant(it))?.name.value)
        }
        _ => None,
    };
    let services = project.services.iter().enumerate();
    services.filter_map(|(at, service)| Some((at, lender(service)?))).collect()
}

/// The machine whose stack is used in the end, along a chain of services that share one.
fn lender(
    project: &Project,
    machines: &FxHashMap<String, MachineId>,
    host: MachineId,
    service: &str,
) -> Option<MachineId> {
    let mut name = service;
    for _ in 0..16 {
        let next = project.services.iter().find(|it| it.name.value == name)?;
        match next.network_mode.as_ref().map(|mode| &mode.value) {
            Some(NetworkMode::Service(other)) => name = other,
            Some(NetworkMode::Host) => return Some(host),
            _ => return machines.get(name).copied(),
        }
    }
    None
}

impl Placed<'_, '_> {
    pub fn attached(&self, service: &Service, at: usize, id: MachineId) -> (MachineId, Attached) {
        let Some(mode) = &service.network_mode else { return (id, Attached::Networks(self.attachments(service))) };
        match &mode.value {
            NetworkMode::Host => (self.host, Attached::Host(mode.span)),
            NetworkMode::None => (id, Attached::Nothing(mode.span)),
            NetworkMode::Bridge => (id, Attached::DefaultBridge(mode.span)),
            NetworkMode::Service(_) | NetworkMode::Container(_) => match self.lent.get(&at) {
                Some(machine) => (*machine, Attached::Shares(*machine, mode.span)),
                None => (id, Attached::Unknown),
            },
            NetworkMode::Other(_) => (id, Attached::Unknown),
        }
    }

    fn attachments(&self, service: &Service) -> Vec<Attachment> {
        let names = |joined: Option<&Joined>| {
            let mut names = vec![service.name.value.to_ascii_lowercase()];
            names.extend(service.container_name.as_ref().map(|name| name.as_str().to_ascii_lowercase()));
            // Docker's DNS knows it as well, since version 20.10 (github.com/moby/moby, pull request 39204).
            names.extend(service.hostname.as_ref().map(|name| name.as_str().to_ascii_lowercase()));
            let aliases = joined.iter().flat_map(|joined| &joined.aliases);
            names.extend(aliases.map(|alias| alias.as_str().to_ascii_lowercase()));
            names.dedup();
            names
        };
        let Some(joined) = &service.networks else {
            let network = self.networks.get("default").copied();
            let attachment =
                |network| Attachment { network, names: names(None), addresses: Vec::new(), place: service.name.span };
            return network.map(attachment).into_iter().collect();
        };
        let attach = |joined: &Joined| {
            Some(Attachment {
                network: *self.networks.get(&joined.network.value)?,
                names: names(Some(joined)),
                addresses: joined
                    .addresses
                    .iter()
                    .filter_map(|text| Some(Spanned::new(text.as_str().parse().ok()?, text.whole())))
                    .collect(),
                place: joined.network.span,
            })
        };
        let mut attachments = Vec::with_capacity(joined.len());
        attachments.extend(joined.iter().filter_map(attach));
        attachments
    }

    pub fn hosts(&self, service: &Service) -> Vec<HostsEntry> {
        let mut hosts = Vec::new();
        for (name, address) in &service.extra_hosts {
            let to = match address.as_str() {
                "host-gateway" => HostsTarget::Gateway,
                other => other.trim_matches(['[', ']']).parse().map_or(HostsTarget::Unknown, HostsTarget::Address),
            };
            hosts.push(HostsEntry { name: name.to_string(), to, place: name.whole() });
        }
        for link in &service.links {
            let to = self.machines.get(self.number, link.target.as_str());
            let to = to.map_or(HostsTarget::Unknown, HostsTarget::Machine);
            hosts.push(HostsEntry { name: link.alias.to_string(), to, place: link.alias.whole() });
        }
        for link in &service.external_links {
            hosts.push(HostsEntry {
                name: link.alias.to_string(),
                to: HostsTarget::Unknown,
                place: link.alias.whole(),
            });
        }
        hosts
    }
}
