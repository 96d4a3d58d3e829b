//! Compose projects become machines and networks of the site.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::read::backends::memory::memory;
use crate::read::compose::model::{
    self, Attachment as Joined, CommandForm, Content, Dockerfile, HostPath, Kept, MountKind, NetworkMode, Project,
    Service,
};
use crate::read::container::{Blueprint, Build, Container};
use crate::read::image::files::join;
use crate::read::machine_files::MountedFiles;
use crate::read::probe;
use crate::read::process::Start as Command;
use crate::side_by_side::side_by_side;
use crate::site::Site;
use crate::site::listener::Listening;
use crate::site::machine::{
    Attached, Attachment, Condition, Declared, DeclaredBy, Dependency, HostPort, HostsEntry, HostsTarget, Kind,
    LongestQueue, Machine, MachineId, Mount, MountSource, Network, NetworkId, Published, Start,
};
use crate::source::{Lookup, Sources, Span, Spanned, Text};
use crate::syntax::compose_values::ports::Protocol;
use crate::syntax::compose_values::words::words;

/// A container on its way into the site. It is large, and handed around.
pub struct Part<'s> {
    pub id: MachineId,
    /// The number of its service in its project.
    pub service: usize,
    /// As it will stand in the site.
    pub machine: Box<Machine>,
    pub container: Box<Container<'s>>,
    /// What is read of this container alone, for [`Site::add`]. It holds no machines.
    pub site: Box<Site>,
}

/// The machines of each project by service.
pub struct Machines(Vec<FxHashMap<String, MachineId>>);

impl Machines {
    pub fn get(&self, project: usize, service: &str) -> Option<MachineId> {
        self.0.get(project)?.get(service).copied()
    }
}

/// So many containers are set up before a second thread would have started.
const FEW: usize = 12;

/// Puts the networks into the site, and sets up a part for every service, of which little is kept. Gives what `settle` makes
/// of the parts, in the order of the ids of their machines; these follow those that the site has. `host` is the machine
/// that the containers run on; `root` the folder of the snapshot that is its `/`, where there is one.
pub fn read<'s, T: Send>(
    site: &mut Site,
    sources: &'s Sources,
    projects: &mut [Project],
    host: MachineId,
    root: Option<&str>,
    settle: impl Fn(Box<Part<'s>>, &Kept) -> T + Sync + Send,
) -> (Vec<T>, Machines) {
    let mut machines = Machines(vec![FxHashMap::default(); projects.len()]);
    let mut services: Vec<(usize, usize, Box<Service>)> = Vec::new();
    let mut networks = Networks { by_name: HashMap::new() };
    let mut keys: Vec<HashMap<String, NetworkId>> = Vec::new();
    let mut lent: Vec<FxHashMap<usize, MachineId>> = Vec::new();
    let mut next = site.machines.len();
    for (number, project) in projects.iter_mut().enumerate() {
        keys.push(networks.add(site, number, project));
        for service in project.services.iter().filter(|service| !service.is_provider) {
            machines.0[number].insert(service.name.value.clone(), MachineId(next));
            next += 1;
        }
        lent.push(lent_stacks(project, &machines.0[number], host));
        project.kept.reserve_exact(project.services.len());
        services.extend(mem::take(&mut project.services).into_iter().enumerate().map(|(at, it)| (number, at, it)));
    }
    let all = &*projects;
    let made = side_by_side(services, FEW, |(number, at, service)| {
        let (project, networks, lent) = (&all[number], &keys[number], &lent[number]);
        let place = Placed { sources, project, number, host, root, networks, lent, machines: &machines };
        let id = machines.get(number, &service.name.value);
        let part = id.map(|id| Box::new(place.part(&service, at, id)));
        let kept = Kept::of(*service);
        (number, part.map(|part| settle(part, &kept)), kept)
    });
    let mut settled = Vec::with_capacity(made.len());
    for (number, part, kept) in made {
        settled.extend(part);
        projects[number].kept.push(kept);
    }
    (settled, machines)
}

/// By the number of each service that has no stack of its own, the machine whose stack it uses.
fn lent_stacks(
    project: &Project,
    machines: &FxHashMap<String, MachineId>,
    host: MachineId,
) -> FxHashMap<usize, MachineId> {
    let lender = |service: &Service| match &service.network_mode.as_ref()?.value {
        NetworkMode::Service(other) => lender(project, machines, host, other),
        NetworkMode::Container(name) => {
            let is_meant = |it: &&Box<Service>| it.container_name.as_ref().is_some_and(|own| own.as_str() == name);
            lender(project, machines, host, &project.services.iter().find(is_meant)?.name.value)
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

struct Networks {
    by_name: HashMap<String, NetworkId>,
}

impl Networks {
    /// Adds the networks of a project; gives its keys. The same real name in two projects is the same network.
    fn add(&mut self, site: &mut Site, number: usize, project: &Project) -> HashMap<String, NetworkId> {
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

/// A project on its way into the site.
struct Placed<'p, 's> {
    sources: &'s Sources,
    project: &'p Project,
    number: usize,
    host: MachineId,
    root: Option<&'p str>,
    networks: &'p HashMap<String, NetworkId>,
    lent: &'p FxHashMap<usize, MachineId>,
    machines: &'p Machines,
}

impl<'s> Placed<'_, 's> {
    fn part(&self, service: &Service, at: usize, id: MachineId) -> Part<'s> {
        let container = Box::new(Container::of(self.sources, self.blueprint(service)));
        let machine = Box::new(self.machine(service, at, id, &container));
        let limit = service.mem_limit.or(service.deploy.as_ref().and_then(|deploy| deploy.memory_limit));
        let mut site = Box::<Site>::default();
        site.memory.extend(limit.map(|limit| memory(id, limit, &container)));
        Part { id, service: at, machine, container, site }
    }

    fn blueprint(&self, service: &Service) -> Blueprint {
        let value = |value: &Option<Text>| value.clone().map_or(Lookup::Unknown, Lookup::Value);
        let environment = service.environment.iter();
        Blueprint {
            place: service.name.span,
            image: service.image.clone(),
            build: service.build.as_ref().map(|build| self.build(build)),
            entrypoint: service.entrypoint.as_ref().map(command),
            command: service.command.as_ref().map(command),
            environment: environment.map(|(name, text)| (name.value.clone(), self.certain(value(text)))).collect(),
            environment_is_open: service.environment_is_open(),
            directory: service.working_dir.clone(),
            user: service.user.clone(),
            terminal: service.terminal,
            mounts: self.mounts(service),
        }
    }

    /// A value in which a variable of the shell may stand is not known.
    fn certain(&self, value: Lookup) -> Lookup {
        match value {
            Lookup::Value(text) if !self.project.is_certain(text.whole()) => Lookup::Unknown,
            other => other,
        }
    }

    fn build(&self, build: &model::Build) -> Build {
        let inside = |path: &HostPath| match path {
            HostPath::Inside(path) => Some(path.clone()),
            _ => None,
        };
        let dockerfile = match &build.dockerfile {
            Dockerfile::Inline(text) => Some(text.clone()),
            Dockerfile::Path(path) => inside(&path.path).and_then(|path| {
                let snapshot = crate::read::snapshot::Tree { sources: self.sources, root: None };
                match snapshot.find(&path) {
                    crate::read::surroundings::Found::File(text) => Some(text),
                    _ => None,
                }
            }),
        };
        let arguments = build
            .args
            .iter()
            .map(|(name, value)| (name.value.clone(), value.clone().map_or(Lookup::Unknown, Lookup::Value)));
        Build {
            // With a variable left out of the stage's name, nobody knows what is built.
            context: inside(&build.context.path)
                .filter(|_| build.target.as_ref().is_none_or(|target| self.project.is_certain(target.whole()))),
            dockerfile,
            target: build.target.as_ref().map(Text::to_string),
            arguments: arguments.collect(),
            place: build.span,
        }
    }

    fn mounts(&self, service: &Service) -> Vec<MountedFiles> {
        let mut mounts = Vec::with_capacity(service.mounts.len());
        for mount in &service.mounts {
            let from = match &mount.kind {
                MountKind::Bind(path) => self.bind(path),
                MountKind::Volume { name, subpath } => self.volume(name, subpath.as_ref()),
                MountKind::Anonymous | MountKind::Tmpfs => MountSource::Private,
                MountKind::Other => MountSource::Unknown,
            };
            let mount =
                Mount { target: join("/", mount.target.as_str()), from, read_only: mount.read_only, place: mount.span };
            mounts.push(MountedFiles { mount, text: None });
        }
        for file in service.configs.iter().chain(&service.secrets) {
            let (from, text) = match &file.content {
                Content::File(path) => (self.bind(path), None),
                Content::Inline(text) => (MountSource::Text, Some(text.clone())),
                Content::Environment(_) | Content::External | Content::Undeclared => (MountSource::Text, None),
            };
            let mount = Mount { target: join("/", &file.target), from, read_only: true, place: file.span };
            mounts.push(MountedFiles { mount, text });
        }
        // What other containers mount is not followed.
        for other in &service.volumes_from {
            let mount =
                Mount { target: "/".to_owned(), from: MountSource::Unknown, read_only: false, place: other.whole() };
            mounts.push(MountedFiles { mount, text: None });
        }
        mounts
    }

    fn bind(&self, path: &model::PathText) -> MountSource {
        match &path.path {
            HostPath::Inside(inside) => MountSource::Snapshot(inside.clone()),
            HostPath::Unknown => MountSource::Unknown,
            HostPath::Outside => match (path.text.as_str().strip_prefix('/'), self.root) {
                (Some(rest), Some(root)) => MountSource::Snapshot(join(root, rest)),
                (Some(_), None) => MountSource::Host(join("/", path.text.as_str())),
                (None, _) => MountSource::Unknown,
            },
        }
    }

    fn volume(&self, name: &Spanned<String>, subpath: Option<&Text>) -> MountSource {
        let volume = self.project.volumes.iter().find(|volume| volume.key.value == name.value);
        if let Some(device) = volume.and_then(|volume| volume.device.as_ref()) {
            return self.bind(device);
        }
        let real = volume.and_then(|volume| volume.real_name.clone());
        let real = real.unwrap_or_else(|| format!("{}/{}", self.number, name.value));
        MountSource::Volume(subpath.map_or(real.clone(), |path| format!("{real}/{path}")))
    }

    fn machine(&self, service: &Service, at: usize, id: MachineId, container: &Container<'_>) -> Machine {
        let (stack, attached) = self.attached(service, at, id);
        let image = match (&service.build, &service.image) {
            (Some(build), _) => Some(build.context.text.spanned()),
            (None, Some(image)) => Some(image.spanned()),
            (None, None) => None,
        };
        let (probe, image_has_probe) = probe::read(service, container);
        Machine {
            name: service.name.value.clone(),
            place: service.name.span,
            kind: Kind::Container,
            project: self.number,
            stack,
            attached,
            image,
            built_here: container.files.image.is_some(),
            listening: Listening::open("it was not read"),
            listener_processes: Vec::new(),
            conditional_processes: Vec::new(),
            declared: declared(service, container),
            port_variables: port_variables(container),
            published: published(service),
            hosts: self.hosts(service),
            mounts: container.files.mounts.iter().map(|it| it.mount.clone()).collect(),
            start: self.start(service),
            depends_on: self.depends_on(service),
            restart: restart(service),
            tools: probe::tools(probe.as_ref(), container),
            probe: probe.map(Box::new),
            image_has_probe,
            slow_start: container.started.slow.clone(),
            replaced_alone: None,
            replicas: replicas(service),
            container_name: service.container_name.as_ref().map(Text::spanned),
            users: Vec::new(),
            services: Vec::new(),
            folders: Vec::new(),
            sealed: Vec::new(),
            real_paths: BTreeMap::new(),
            may_have_links: false,
            open_files: service.open_files,
            longest_queue: longest_queue(service),
            daemons: None,
        }
    }

    fn attached(&self, service: &Service, at: usize, id: MachineId) -> (MachineId, Attached) {
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

    fn hosts(&self, service: &Service) -> Vec<HostsEntry> {
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

    fn start(&self, service: &Service) -> Start {
        if let Some(profile) = service.profiles.first().filter(|_| service.is_off) {
            return Start::Profile(profile.spanned());
        }
        match replicas(service) {
            Some(replicas) if replicas.value == 0 => Start::Never(replicas.span),
            _ => Start::Always,
        }
    }

    fn depends_on(&self, service: &Service) -> Vec<Dependency> {
        let dependency = |it: &model::Dependency| {
            Some(Dependency {
                on: self.machines.get(self.number, &it.service.value)?,
                condition: match it.condition {
                    model::Condition::Started => Condition::Started,
                    model::Condition::Healthy => Condition::Healthy,
                    model::Condition::CompletedSuccessfully => Condition::Completed,
                    model::Condition::Other => Condition::Unknown,
                },
                required: it.required,
                place: it.span,
            })
        };
        service.depends_on.iter().filter_map(dependency).collect()
    }
}

/// What a container is given when nothing is said, whatever the host has: `SOMAXCONN` of a kernel since 5.4, 128 before
/// (docs.kernel.org/networking/ip-sysctl.html).
const LONGEST_QUEUE: u64 = 4096;

fn longest_queue(service: &Service) -> Option<LongestQueue> {
    let written = service.sysctls.iter().rev().find(|(name, _)| name.value == "net.core.somaxconn");
    if let Some((_, value)) = written {
        return Some(LongestQueue { length: value.as_str().trim().parse().ok()?, written: Some(value.whole()) });
    }
    let is_own = service.network_mode.as_ref().is_none_or(|mode| mode.value == NetworkMode::Bridge);
    is_own.then_some(LongestQueue { length: LONGEST_QUEUE, written: None })
}

fn command(form: &CommandForm) -> Command {
    match form {
        CommandForm::List(list) => Command::Exec(list.clone()),
        // Compose cuts the string into words itself; no shell sees it.
        CommandForm::Shell(text) => Command::Exec(words(text).unwrap_or_default()),
    }
}

fn declared(service: &Service, container: &Container<'_>) -> Vec<Declared> {
    let mut declared = Vec::new();
    for ports in container.files.image.iter().flat_map(|image| &image.exposed) {
        declared.push(Declared { ports: ports.value, by: DeclaredBy::Expose, place: ports.span });
    }
    for expose in service.expose.iter().filter(|expose| expose.protocol == Protocol::Tcp) {
        if let Some(ports) = expose.ports {
            declared.push(Declared { ports, by: DeclaredBy::Service, place: expose.text.whole() });
        }
    }
    for port in service.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
        if let Some(target) = &port.target {
            let ports = (target.value, target.value);
            declared.push(Declared { ports, by: DeclaredBy::Published, place: port.span });
        }
    }
    declared
}

/// A variable that is called `PORT` or `…_PORT` often says where the program behind it listens, and so does a number in
/// its command.
fn port_variables(container: &Container<'_>) -> Vec<u16> {
    let named = container.variables.iter().filter(|(name, _)| name == "PORT" || name.ends_with("_PORT"));
    let number = |value: &Lookup| match value {
        Lookup::Value(text) => text.as_str().parse().ok(),
        _ => None,
    };
    let words = match &container.start {
        Some(Command::Exec(words)) => words.iter().map(Text::as_str).collect::<Vec<_>>(),
        Some(Command::Shell(text)) => vec![text.as_str()],
        None => Vec::new(),
    };
    // `--port 7000` of a program that nobody knows says no less.
    let words = words.into_iter().flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric()));
    let ports = words.filter_map(|word| word.parse().ok()).filter(|port| *port > 0);
    named.filter_map(|(_, value)| number(value)).chain(ports).collect()
}

fn published(service: &Service) -> Vec<Published> {
    let publish = |port: &model::Port| {
        let target = port.target?.value;
        Some(Published {
            address: port.host_ip.as_ref().and_then(|text| {
                let address: std::net::IpAddr = text.as_str().trim_matches(['[', ']']).parse().ok()?;
                (!address.is_unspecified()).then(|| Spanned::new(address, text.whole()))
            }),
            host: match port.published {
                model::Published::Random => HostPort::Random,
                model::Published::One(one) => HostPort::Fixed(one, one),
                model::Published::Range(..) | model::Published::Unknown => HostPort::Unknown,
            },
            container: (target, target),
            udp: port.protocol != Protocol::Tcp,
            place: port.span,
        })
    };
    service.ports.iter().filter_map(publish).collect()
}

fn replicas(service: &Service) -> Option<Spanned<u64>> {
    let deployed = service.deploy.as_ref().and_then(|deploy| deploy.replicas);
    service.scale.or(deployed)
}

fn restart(service: &Service) -> Option<Spanned<String>> {
    let deployed = service.deploy.as_ref().and_then(|deploy| deploy.restart_condition.as_ref());
    service.restart.as_ref().or(deployed).map(Text::spanned)
}

/// The place of a service's key.
pub fn place_of(project: &Project) -> Option<Span> {
    project.services.first().map(|service| service.name.span)
}
