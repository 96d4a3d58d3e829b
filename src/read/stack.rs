//! Compose projects become machines and networks of the site.

mod network;
mod service;

use std::collections::{BTreeMap, HashMap};
use std::mem;

use rustc_hash::FxHashMap;

use crate::read::backends::memory::memory;
use crate::read::compose::model::{self, Content, Dockerfile, HostPath, Kept, MountKind, Project, Service};
use crate::read::container::{Blueprint, Build, Container};
use crate::read::image::files::join;
use crate::read::machine_files::MountedFiles;
use crate::read::probe;
use crate::read::stack::network::{Networks, lent_stacks};
use crate::read::stack::service::{
    command, declared, longest_queue, port_variables, published, replicas, restart, starts_as_it_came,
};
use crate::side_by_side::side_by_side;
use crate::site::Site;
use crate::site::listener::Listening;
use crate::site::machine::{Condition, Dependency, Kind, Machine, MachineId, Mount, MountSource, NetworkId, Start};
use crate::source::{Lookup, Sources, Span, Spanned, Text};

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
    let mut networks = Networks::default();
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
        // Whatever is started there is found there, for all that is known.
        if let Some(directory) = service.working_dir.as_ref().filter(|it| !self.project.is_certain(it.whole())) {
            let (target, from) = ("/".to_owned(), MountSource::Unknown);
            mounts.push(MountedFiles {
                mount: Mount { target, from, read_only: false, place: directory.whole() },
                text: None,
            });
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
            starts_as_it_came: starts_as_it_came(service, container),
            names_hosts: container.started.names_hosts,
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

/// The place of a service's key.
pub fn place_of(project: &Project) -> Option<Span> {
    project.services.first().map(|service| service.name.span)
}
