//! A compose project after everything was merged, extended, included and interpolated. Plain data; every value knows
//! the place it was written at, also when it came from another file.

use crate::source::{FileId, Span, Spanned, Text};
use crate::syntax::Problem;
use crate::syntax::compose_values::interpolation::Missing;
use crate::syntax::compose_values::ports::Protocol;

/// Services that are started together.
#[derive(Debug)]
pub struct Project {
    /// `None`: the name comes from a folder that the snapshot does not name.
    pub name: Option<String>,
    /// The folder against which paths are resolved: that of the first file. A path of the snapshot.
    pub folder: String,
    /// Every compose file that takes part: base, overrides, included and extended ones.
    pub files: Vec<FileId>,
    /// In the order of the files. Each is large, and let go of when its container is set up: there may be thousands.
    pub services: Vec<Box<Service>>,
    /// What is left of them then, in the same order.
    pub kept: Vec<Kept>,
    /// `default` is among them when a service uses it.
    pub networks: Vec<Network>,
    pub volumes: Vec<Volume>,
    /// Profiles that `COMPOSE_PROFILES` of the `.env` file turns on.
    pub active_profiles: Vec<String>,
    /// Variables of the files that are set nowhere. They may be set in the shell of whoever runs compose.
    pub missing_variables: Vec<Missing>,
    /// Those in the command of a service that sets them for its container: the variable, and where it is set.
    pub meant_inside: Vec<(Span, Span)>,
    /// What compose would refuse.
    pub problems: Vec<Problem>,
    /// A part of a file could not be read, or a file that is named is not there: nothing follows from what is absent.
    pub unreadable: bool,
    /// A part lies outside of the snapshot: nothing follows from what is absent.
    pub incomplete: bool,
    /// An overlay whose base, or another file that it needs, is not known: nothing follows from what is absent. Where
    /// it was only guessed which files it goes with, it has no services.
    pub fragment: bool,
    /// Why it has no services although its files name some. For people.
    pub not_judged: Option<String>,
    /// Files that another program fills in before compose can read them.
    pub templates: Vec<FileId>,
    /// Values in which a variable was left out, in the order of their places.
    pub uncertain: Vec<Span>,
}

impl Project {
    /// No variable was left out of the value at this place.
    pub fn is_certain(&self, place: Span) -> bool {
        let before = self.uncertain.partition_point(|span| (span.file, span.start) <= (place.file, place.start));
        let holds = |span: &Span| span.file == place.file && span.start <= place.start && place.end <= span.end;
        let inside = |span: &Span| span.file == place.file && span.start < place.end;
        let around = before.checked_sub(1).and_then(|last| self.uncertain.get(last)).is_some_and(holds);
        !around && !self.uncertain.get(before).is_some_and(inside)
    }
}

#[derive(Debug)]
pub struct Service {
    pub name: Spanned<String>,
    pub image: Option<Text>,
    /// A variable was left out of the image.
    pub image_is_uncertain: bool,
    pub build: Option<Box<Build>>,
    pub command: Option<CommandForm>,
    pub entrypoint: Option<CommandForm>,
    /// What the container gets: the files of `env_file`, then `environment`; one entry a name. `None`: the value is
    /// taken from the shell, so it is not known.
    pub environment: Vec<(Spanned<String>, Option<Text>)>,
    pub env_files: Vec<EnvFile>,
    pub ports: Vec<Port>,
    pub expose: Vec<Expose>,
    /// One entry a target.
    pub mounts: Vec<Mount>,
    pub volumes_from: Vec<Text>,
    /// What `configs:` puts into the container.
    pub configs: Vec<FileMount>,
    /// What `secrets:` puts into the container.
    pub secrets: Vec<FileMount>,
    /// `None`: nothing is written, so it is attached to `default`, unless there is a `network_mode`.
    pub networks: Option<Vec<Attachment>>,
    pub network_mode: Option<Spanned<NetworkMode>>,
    pub links: Vec<Link>,
    /// Containers of other projects.
    pub external_links: Vec<Link>,
    /// Name and address; the address may be `host-gateway`.
    pub extra_hosts: Vec<(Text, Text)>,
    pub depends_on: Vec<Dependency>,
    pub healthcheck: Option<Box<Healthcheck>>,
    pub restart: Option<Text>,
    pub deploy: Option<Box<Deploy>>,
    pub scale: Option<Spanned<u64>>,
    /// In bytes.
    pub mem_limit: Option<Spanned<u64>>,
    /// How many files a process may open, from `ulimits`: the soft limit.
    pub open_files: Option<Spanned<u64>>,
    /// Settings of the kernel.
    pub sysctls: Vec<(Spanned<String>, Text)>,
    pub profiles: Vec<Text>,
    pub labels: Vec<(Spanned<String>, Text)>,
    pub working_dir: Option<Text>,
    pub user: Option<Text>,
    pub container_name: Option<Text>,
    pub hostname: Option<Text>,
    /// `tty` or `stdin_open`: what reads from a terminal finds one.
    pub terminal: bool,
    pub dns: Vec<Text>,
    pub privileged: bool,
    /// It is a plugin of compose and no container.
    pub is_provider: bool,
    /// It has profiles, and none of them is turned on by `COMPOSE_PROFILES`.
    pub is_off: bool,
}

impl Service {
    /// The value of a variable of the container, when it is set and known.
    pub fn variable(&self, name: &str) -> Option<&Text> {
        self.environment.iter().find(|(key, _)| key.value == name)?.1.as_ref()
    }

    /// It is attached to the network `default`, whether that is written or not.
    pub fn is_on_default(&self) -> bool {
        match &self.networks {
            Some(networks) => networks.iter().any(|attachment| attachment.network.value == "default"),
            None => self.network_mode.is_none(),
        }
    }

    /// A file that sets variables is not there, so there may be more of them.
    pub fn environment_is_open(&self) -> bool {
        self.env_files.iter().any(|file| file.found.is_none())
    }
}

/// What is asked of a service after its container was set up.
#[derive(Debug)]
pub struct Kept {
    pub name: Spanned<String>,
    pub env_files: Vec<EnvFile>,
    /// Those of paths of the snapshot.
    pub binds: Vec<Mount>,
}

impl Kept {
    pub fn of(service: Service) -> Kept {
        let is_inside =
            |mount: &Mount| matches!(mount.kind, MountKind::Bind(PathText { path: HostPath::Inside(_), .. }));
        let mut binds = service.mounts;
        binds.retain(is_inside);
        binds.shrink_to_fit();
        Kept { name: service.name, env_files: service.env_files, binds }
    }
}

/// `command` and `entrypoint`. No shell runs them unless they name one.
#[derive(Clone, Debug)]
pub enum CommandForm {
    /// One string, which compose splits into words itself: `syntax::compose_values::words`.
    Shell(Text),
    /// Words. An empty list takes away what the image says.
    List(Vec<Text>),
}

/// Where a path of a compose file leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPath {
    /// A path of the snapshot; whether something stands there is another question.
    Inside(String),
    /// Absolute, in somebody's home, or above the snapshot; for a build also a repository.
    Outside,
    /// A variable without value is part of it.
    Unknown,
}

/// A path as it is written, and where it leads.
#[derive(Clone, Debug)]
pub struct PathText {
    pub text: Text,
    pub path: HostPath,
}

#[derive(Clone, Debug)]
pub struct Build {
    pub span: Span,
    pub context: PathText,
    pub dockerfile: Dockerfile,
    pub target: Option<Text>,
    /// `None`: taken from the shell.
    pub args: Vec<(Spanned<String>, Option<Text>)>,
}

#[derive(Clone, Debug)]
pub enum Dockerfile {
    /// `text` is `Dockerfile` at the place of the context when none is named.
    Path(PathText),
    Inline(Text),
}

#[derive(Clone, Debug)]
pub struct EnvFile {
    pub file: PathText,
    pub required: bool,
    /// `None`: it is not there or cannot be read.
    pub found: Option<FileId>,
}

/// One port of the container and where the host offers it.
#[derive(Clone, Debug)]
pub struct Port {
    /// The whole item.
    pub span: Span,
    pub host_ip: Option<Text>,
    pub published: Published,
    /// `None`: a variable without value decides.
    pub target: Option<Spanned<u16>>,
    pub protocol: Protocol,
}

/// The host's side of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Published {
    /// Docker picks a free one.
    Random,
    One(u16),
    /// One of these, the first that is free.
    Range(u16, u16),
    /// A variable without value decides.
    Unknown,
}

/// A port that is said to be open to other containers; a declaration without effect.
#[derive(Clone, Debug)]
pub struct Expose {
    /// First and last one; `None`: it is no number.
    pub ports: Option<(u16, u16)>,
    pub protocol: Protocol,
    pub text: Text,
}

/// Something that lies at a path of the container.
#[derive(Clone, Debug)]
pub struct Mount {
    pub span: Span,
    pub kind: MountKind,
    /// The path in the container.
    pub target: Text,
    pub read_only: bool,
    /// A folder is made where the path of the host is missing; otherwise the container does not start.
    pub create_host_path: bool,
}

#[derive(Clone, Debug)]
pub enum MountKind {
    Bind(PathText),
    /// A key of [`Project::volumes`], and the folder in it that is mounted.
    Volume {
        name: Spanned<String>,
        subpath: Option<Text>,
    },
    Anonymous,
    Tmpfs,
    /// An image, a pipe, or something that is not known.
    Other,
}

/// A file that `configs:` or `secrets:` put into the container.
#[derive(Clone, Debug)]
pub struct FileMount {
    pub span: Span,
    /// The key of the config or secret.
    pub source: Spanned<String>,
    pub content: Content,
    /// The path in the container, absolute.
    pub target: String,
}

#[derive(Clone, Debug)]
pub enum Content {
    File(PathText),
    Inline(Text),
    /// The value of this variable of the shell.
    Environment(Text),
    External,
    /// Nothing of that name is declared.
    Undeclared,
}

#[derive(Clone, Debug)]
pub struct Attachment {
    /// A key of [`Project::networks`].
    pub network: Spanned<String>,
    pub aliases: Vec<Text>,
    /// Fixed ones, as they are written.
    pub addresses: Vec<Text>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    Host,
    None,
    /// Docker's own bridge, without names.
    Bridge,
    /// The network of another service.
    Service(String),
    Container(String),
    /// The name of a network, or something else.
    Other(String),
}

#[derive(Clone, Debug)]
pub struct Link {
    /// A service; for external links a container.
    pub target: Text,
    /// The name it gets; the target when none is written.
    pub alias: Text,
}

#[derive(Clone, Debug)]
pub struct Dependency {
    pub service: Spanned<String>,
    pub condition: Condition,
    pub required: bool,
    /// The item with its condition.
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Started,
    Healthy,
    CompletedSuccessfully,
    Other,
}

#[derive(Clone, Debug)]
pub struct Healthcheck {
    pub span: Span,
    pub test: Option<HealthTest>,
    /// In seconds, as the other times.
    pub interval: Option<Spanned<f64>>,
    pub timeout: Option<Spanned<f64>>,
    pub start_period: Option<Spanned<f64>>,
    pub start_interval: Option<Spanned<f64>>,
    pub retries: Option<Spanned<u64>>,
    /// `disable: true`, or `NONE` as its test.
    pub disable: bool,
}

#[derive(Clone, Debug)]
pub enum HealthTest {
    /// A string, or a list that begins with CMD-SHELL: a shell runs it.
    Shell(Text),
    /// The words behind CMD.
    Exec(Vec<Text>),
    None,
}

#[derive(Clone, Debug, Default)]
pub struct Deploy {
    pub replicas: Option<Spanned<u64>>,
    /// `none`, `on-failure` or `any`.
    pub restart_condition: Option<Text>,
    /// In bytes.
    pub memory_limit: Option<Spanned<u64>>,
}

#[derive(Clone, Debug)]
pub struct Network {
    pub key: Spanned<String>,
    /// The name that Docker gives it; `None`: the project's name is part of it and not known.
    pub real_name: Option<String>,
    /// Somebody else creates it.
    pub external: bool,
    pub driver: Option<Text>,
    pub internal: bool,
    pub subnets: Vec<Subnet>,
}

#[derive(Clone, Debug)]
pub struct Subnet {
    pub span: Span,
    pub subnet: Option<Text>,
    pub gateway: Option<Text>,
}

#[derive(Clone, Debug)]
pub struct Volume {
    pub key: Spanned<String>,
    /// The name that Docker gives it; `None`: the project's name is part of it and not known.
    pub real_name: Option<String>,
    pub external: bool,
    /// A volume of the local driver that is bound to a path of the host.
    pub device: Option<PathText>,
}
