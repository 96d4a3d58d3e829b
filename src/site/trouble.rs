//! What readers meet on the way: texts that cannot be read, files that are not there, settings that are empty.
//! Facts only; which of them is worth a word, rules decide.

use crate::site::machine::MachineId;
use crate::source::{Span, Spanned};

#[derive(Clone, Debug)]
pub enum Trouble {
    /// A text could not be read; `notation` is the last part of the rule's name: "nginx", "compose".
    Syntax { notation: &'static str, place: Span, message: String, related: Option<(Span, String)> },
    /// A file that a config pulls in by its full name is not there.
    IncludeMissing { place: Span, path: String, machine: Option<MachineId> },
    /// A variable without value where one is needed.
    EmptyVariable(EmptyVariable),
    /// The source of a mount is not in the tree.
    MountSourceMissing(MountSourceMissing),
    /// A file lies where the proxy would load configs from, and it does not load it.
    NotLoaded(NotLoaded),
    /// A proxy lacks a module that its config needs.
    ModuleMissing(ModuleMissing),
    /// A unit says something that systemd does not follow.
    Unit(UnitTrouble),
    /// php-fpm refuses its settings.
    Pool(PoolTrouble),
    /// What a machine is told to start cannot work.
    Start(StartTrouble),
    /// The folder of a socket is not there when the program wants to make the socket.
    SocketFolder(SocketFolder),
}

#[derive(Clone, Debug)]
pub struct EmptyVariable {
    pub name: String,
    pub place: Span,
    pub effect: EmptyEffect,
    /// Where a value could be given, and what is there: "`.env` does not set it".
    pub given: Vec<(Span, String)>,
    /// The outcome does not depend on anything outside the files (the shell's environment).
    pub certain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmptyEffect {
    /// `${NAME:-default}` and the like stay in the config as they are.
    StaysLiteral { expression: String },
    /// The name stays in the config as it is, because the substitution only replaces variables that exist.
    StaysUnset { expression: String },
    /// A variable of the config itself is emptied by a substitution that was not told which ones to replace.
    Eats { variable: String },
    /// A substitution is told to write over its own template, so nothing is left of it.
    Overwrites { path: String },
    /// A host, port or path is left empty.
    Empties { what: String },
    /// It is meant for the shell inside the container, and replaced before the container is made.
    TakenBefore { expression: String },
    /// Compose refuses to start without it; the message it shows.
    Refused { message: String },
    /// A file of variables that a service needs is not there.
    FileMissing { path: String, template: Option<String> },
    /// A file of variables is not there, so a service of a server is not started.
    FileOfService { path: String, service: String },
    /// The program looks for a file of variables in its working directory, and the file lies elsewhere.
    FileElsewhere { program: String, wanted: String },
    /// The program refuses to start without it.
    Required { program: String },
}

#[derive(Clone, Debug)]
pub struct MountSourceMissing {
    pub machine: MachineId,
    pub place: Span,
    /// The path as it is written, and its target.
    pub source: String,
    pub target: String,
    /// What stands at the target without the mount is a file, so the container cannot start.
    pub over_file: bool,
    /// A proxy on the machine reads the target.
    pub is_config: bool,
    /// Each machine has its own: git keeps it out of the tree.
    pub kept_out: bool,
    /// The folder that the source should lie in is in the tree.
    pub folder_is_there: bool,
    /// A path of the tree with the same file name.
    pub similar: Option<String>,
    /// A path of the tree from which it is made before a deploy: `app.conf.example` for `app.conf`.
    pub template: Option<String>,
}

#[derive(Clone, Debug)]
pub struct NotLoaded {
    pub machine: MachineId,
    /// The mount, copy or file.
    pub place: Span,
    pub file: Option<Span>,
    pub path: String,
    pub why: NotLoadedWhy,
    /// Nothing else makes the proxy listen, or a hop of another machine fails for it.
    pub nothing_else: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotLoadedWhy {
    /// No include pattern takes it: the pattern.
    NoPattern { pattern: String, place: Span },
    /// No include line of the config that is loaded looks into its folder, and nothing else is loaded but what comes
    /// with the image, or nothing with a server in it: where the main config looks.
    NoInclude { looks: Option<String> },
    /// A whole config with its own `http` or `events` lies where parts are included.
    MainInside { block: String, place: Span },
    /// A part of a config, with a block that belongs into `http`, lies where the main config is read.
    PartAsMain { block: String, place: Span },
    /// Another mount or copy lies over it.
    Shadowed { by: Span },
    /// The default site that comes with the image takes the requests.
    DefaultSite { place: Span },
    /// It is a folder, and an include takes it for a file.
    IsFolder,
    /// It is in the folder of available sites, no link makes it a used one, and a hop asks for a group that it defines.
    NotEnabled { asks: Span },
}

#[derive(Clone, Debug)]
pub struct StartTrouble {
    pub machine: MachineId,
    /// The word of the command; for packages that are hidden, the mount.
    pub place: Span,
    pub why: StartWhy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartWhy {
    /// Nothing stands at the path that is to be run; where on the machine a file of this name is.
    Missing { path: String, elsewhere: Option<(String, Span)> },
    /// The lines of the script end in a carriage return, so its first line names an interpreter that does not exist.
    CarriageReturns { path: String, file: Span },
    /// package.json has no script of this name; the scripts that it has.
    NoScript { name: String, package: Span, scripts: Vec<String> },
    /// It reads from a terminal that it does not have: the command.
    EndsAtOnce { command: String },
    /// Nobody may execute it.
    NotExecutable { path: String, file: Span },
    /// A mount covers the folder into which the build installed packages, and has none of them.
    Hidden { folder: String, installed: Span, target: String },
    /// The module that is named is not among those of its folder; the modules that would do.
    ModuleMissing { module: String, folder: String, candidates: Vec<(String, Span)> },
}

#[derive(Clone, Debug)]
pub struct SocketFolder {
    pub machine: MachineId,
    /// Index into the listeners of the machine.
    pub listener: usize,
    /// Absolute, `/run` for `/var/run`.
    pub folder: String,
    pub why: SocketFolderWhy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketFolderWhy {
    /// It is empty after a boot, and nothing makes this folder again.
    Vanishes,
    /// The setting that keeps the program from writing there.
    ReadOnly { setting: Spanned<String> },
    /// It belongs to root, and the program is started as another user.
    NotWritable { user: Spanned<String> },
}

#[derive(Clone, Debug)]
pub struct UnitTrouble {
    /// Its name, to be quoted.
    pub unit: String,
    pub place: Span,
    pub why: UnitWhy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitWhy {
    /// The setting that keeps a program running stands in a section where it has no effect.
    Misplaced { setting: String, section: String },
    /// The program is named relative to nothing.
    NotAbsolute { setting: String, program: String },
    /// A word that only a shell understands, where no shell is started.
    NoShell { word: String },
    /// Nobody of this name is in /etc/passwd, which is there.
    UnknownUser { user: String, passwd: Span },
    /// The setting takes the kind of socket away that it opens or connects by; its address, where that is written.
    NoFamily { setting: String, family: &'static str, listener: Option<Span> },
    /// The setting keeps what goes over the network away from it.
    CutOff { setting: String, kind: CutOff, listener: Option<Span> },
}

/// What a setting does to connections over the loopback of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutOff {
    /// The loopback that the program sees is its own.
    OwnNetwork,
    /// What comes from addresses that are not let in is dropped, and nothing can be sent there.
    Addresses,
}

/// Settings for which php-fpm does not start at all.
#[derive(Clone, Debug)]
pub struct PoolTrouble {
    pub pool: String,
    pub place: Span,
    pub why: PoolWhy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolWhy {
    /// A number of processes that does not fit the others: "`pm.start_servers` is more than `pm.max_spare_servers`"; the
    /// other setting.
    Numbers { message: String, other: Option<Span> },
    /// Another pool of this name has the same `listen`, which stands there.
    SameListen { listen: String, other: String, there: Span },
    /// Nobody of this name is in /etc/passwd, which is there.
    UnknownUser { user: String, passwd: Span },
    /// `listen` has the `unix:` of other programs in front of its path, which is taken for the name of a host.
    Prefix { path: String },
}

#[derive(Clone, Debug)]
pub struct ModuleMissing {
    pub machine: MachineId,
    /// The directive of the module, or the statement that loads it.
    pub place: Span,
    /// The name of its file.
    pub module: String,
    /// What should bring it and does not: the image, the line that takes in what loads modules.
    pub evidence: Option<Span>,
    /// The place loads it; otherwise nothing does.
    pub is_load: bool,
    /// It lies there and only has to be loaded.
    pub is_brought: bool,
    /// The package that brings it, where it is known.
    pub package: Option<String>,
}
