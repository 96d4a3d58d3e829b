//! One systemd service: what its start command leaves running, as whom, and where that listens.

use crate::read::app::paths::absolute;
use crate::read::backends::{self, memory};
use crate::read::host::boot;
use crate::read::host::dotenv;
use crate::read::host::environment::Environment;
use crate::read::host::folders;
use crate::read::host::server::Server;
use crate::read::host::sockets::Socket;
use crate::read::host::units::Unit;
use crate::read::host::vassals::{self, Vassals};
use crate::read::host::walls::{self, Barrier, Walls};
use crate::read::host::words;
use crate::read::process::access::{self, Identity};
use crate::read::process::{self, Process, Start};
use crate::read::running::named_main;
use crate::read::surroundings::{Found, Surroundings};
use crate::site::backend::{Backend, Memory};
use crate::site::listener::{Endpoint, Listener};
use crate::site::machine::{Folder, MachineId, Service};
use crate::source::{Lookup, Span, Spanned, Text};

/// A service that runs, or may be run, on the server.
pub struct Running {
    pub service: Service,
    pub listeners: Vec<Listener>,
    /// Each nginx that it starts.
    pub nginx: Vec<NginxStart>,
    /// The folders that are made when it starts.
    pub folders: Vec<Folder>,
    /// Why it may listen elsewhere, too.
    pub open: Option<String>,
    /// Files of variables that its programs do not find.
    pub hidden: Vec<dotenv::Hidden>,
    /// What names the folder that it is started in.
    pub directory_place: Option<Span>,
    /// Files of variables without which it is not started.
    pub missing_files: Vec<Text>,
    /// What it may not write to.
    pub walls: Walls,
    /// It may make the folders of its sockets itself.
    pub makes_folders: bool,
    /// It runs pools of php-fpm.
    pub has_pools: bool,
    /// What its processes are limited to; their listeners are indices into `listeners`.
    pub backends: Vec<Backend>,
    /// Its memory, when that is limited.
    pub memory: Option<Memory>,
    /// The listeners of each of its processes, as indices; empty: they are not told apart.
    pub processes: Vec<Vec<usize>>,
    pub barriers: Vec<Barrier>,
    /// Listeners in a network of their own.
    pub apart: Vec<Listener>,
}

/// How an nginx is started.
pub struct NginxStart {
    /// Its main file, absolute; `None`: where its package puts it.
    pub main: Option<String>,
    /// Its program, as it is called.
    pub program: String,
}

/// As whom a unit's command is started.
fn identity_of(server: &Server<'_>, unit: &Unit) -> Identity {
    let dynamic = unit.switched_on("Service", "DynamicUser").is_some();
    let stem = unit.name.split(['.', '@']).next().unwrap_or_default();
    let named = unit.value("Service", "User").map(|user| user.as_str().to_owned());
    let user = named.unwrap_or_else(|| if dynamic { stem.to_owned() } else { "root".to_owned() });
    let group = unit.value("Service", "Group").map(|group| group.as_str().to_owned());
    let group = group.unwrap_or_else(|| primary_group(&|path| server.find(path), &user));
    let umask = unit.value("Service", "UMask");
    let umask = umask.and_then(|mask| u32::from_str_radix(mask.as_str(), 8).ok()).unwrap_or(0o022);
    Identity { user, group: Some(group), umask }
}

/// The group of a user as /etc/passwd has it; else the one that is called like the user, as `adduser` makes it.
fn primary_group(find: &dyn Fn(&str) -> Found, user: &str) -> String {
    let field = |path: &str, matches: &dyn Fn(&[&str]) -> bool, wanted: usize| {
        let Found::File(text) = find(path) else { return None };
        let line = text.as_str().lines().map(|line| line.split(':').collect::<Vec<&str>>());
        line.into_iter().find(|fields| matches(fields))?.get(wanted).map(|field| (*field).to_owned())
    };
    let number = field("/etc/passwd", &|fields| fields.first() == Some(&user), 3);
    let name = number.and_then(|number| field("/etc/group", &|fields| fields.get(2) == Some(&number.as_str()), 0));
    name.unwrap_or_else(|| user.to_owned())
}

/// Follows a unit's start command. `socket`: the unit that hands it its sockets.
pub fn run(server: &Server<'_>, unit: &Unit, enabled: Option<bool>, socket: Option<&Socket>) -> Running {
    let identity = identity_of(server, unit);
    let starts = unit.values("Service", "ExecStart");
    let place = starts.first().map_or(unit.place, Text::whole);
    let mut running = Running {
        service: Service {
            name: unit.name.clone(),
            place,
            listeners: Vec::new(),
            proxies: Vec::new(),
            enabled,
            restart: unit.value("Service", "Restart").map(|restart| restart.spanned()),
            user: unit.value("Service", "User").map(|user| user.spanned()),
            own_tmp: own_tmp(unit),
            hidden: walls::hidden(unit),
            after: unit.names("Unit", "After"),
            wants: [unit.names("Unit", "Wants"), unit.names("Unit", "Requires"), unit.names("Unit", "BindsTo")]
                .concat(),
            open_files: open_files(unit),
            asked: false,
            is_own: boot::is_own(server, unit),
            may_have_master: false,
            is_woken: socket.is_some(),
            not_at_boot: None,
            before_network: boot::before_network(server, unit, place),
            before_addresses: None,
        },
        listeners: Vec::new(),
        nginx: Vec::new(),
        folders: runtime_folders(unit, &identity),
        open: None,
        hidden: Vec::new(),
        directory_place: unit.value("Service", "WorkingDirectory").map(|folder| folder.whole()),
        missing_files: Vec::new(),
        walls: Walls::of(unit),
        makes_folders: starts_scripts(unit),
        has_pools: false,
        backends: Vec::new(),
        memory: memory_of(unit),
        processes: Vec::new(),
        barriers: if socket.is_none() { walls::barriers(unit) } else { Vec::new() },
        apart: Vec::new(),
    };
    if starts.is_empty() {
        running.open = unit.has_file.then(|| format!("`{}` has no start command", unit.name));
        return running;
    }
    if let Some(root) = unit.value("Service", "RootDirectory").or_else(|| unit.value("Service", "RootImage")) {
        running.open = Some(format!("`{}` runs below `{}`", unit.name, root.as_str()));
        return running;
    }
    let before = server.count_opened();
    let environment = Environment::of(server, unit);
    // What runs before may write the files.
    if unit.values("Service", "ExecStartPre").is_empty() {
        running.missing_files.clone_from(&environment.missing);
    }
    for start in &starts {
        follow(server, unit, &environment, &identity, start, &mut running);
    }
    if changes_access(unit) || server.any_opened_since(before, access::may_change) {
        running.makes_folders |= !running.folders.is_empty();
        running.folders.clear();
        running.listeners.iter_mut().for_each(|listener| listener.access = None);
    }
    running.makes_folders |= server.any_opened_since(before, folders::may_make);
    if unit.switched_on("Service", "PrivateNetwork").is_some() {
        // Its loopback is its own.
        let is_path = |listener: &Listener| matches!(listener.endpoint, Endpoint::Unix { .. });
        (running.listeners, running.apart) = std::mem::take(&mut running.listeners).into_iter().partition(is_path);
        running.processes.clear();
    }
    if let Some(socket) = socket {
        socket.hand_over(&mut running);
    }
    running
}

fn follow(
    server: &Server<'_>,
    unit: &Unit,
    environment: &Environment,
    identity: &Identity,
    start: &Text,
    running: &mut Running,
) {
    let variable = |name: &str| environment.variable(name);
    let command = words::command(start, &variable);
    let identity = if command.privileged { &Identity::root() } else { identity };
    let directory = unit.value("Service", "WorkingDirectory");
    let directory = directory.as_ref().map_or("/", |folder| folder.as_str().trim_start_matches('-'));
    let directory = match directory.strip_prefix('~') {
        Some(rest) => absolute(&home_of(server, &identity.user), rest.trim_start_matches('/')),
        None => absolute("/", directory),
    };
    let ends = unit.value("Service", "Type").is_some_and(|kind| matches!(kind.as_str(), "oneshot"));
    if ends && is_of_the_system(&command.line) {
        return;
    }
    // An nginx that was built by hand has its settings beside the folder of its program.
    let first = command.line.as_str().split_whitespace().next().unwrap_or_default();
    let beside = first.strip_suffix("/sbin/nginx").map(|prefix| format!("{prefix}/conf/nginx.conf"));
    let start = match command.words {
        Some(words) => Start::Exec(words),
        None => Start::Shell(command.line),
    };
    run_command(server, &start, &directory, &variable, identity, running);
    for nginx in running.nginx.iter_mut().filter(|nginx| nginx.main.is_none()) {
        nginx.main = beside.clone().filter(|path| server.text(path).is_some());
    }
    if ends && running.listeners.is_empty() {
        running.open.get_or_insert_with(|| format!("what `{}` leaves running is not visible", unit.name));
    }
}

/// Follows a command and adds what it leaves running.
pub fn run_command(
    server: &Server<'_>,
    start: &Start,
    directory: &str,
    variable: &dyn Fn(&str) -> Lookup,
    identity: &Identity,
    running: &mut Running,
) {
    let file = |path: &str| server.find(path);
    let list = |path: &str| server.list(path);
    let surroundings =
        Surroundings { directory, variable, file: &file, list: &list, has_texts: true, partial: !server.is_whole };
    let started = process::start(start, &surroundings);
    if started.processes.is_empty() && started.open.is_none() {
        running.open.get_or_insert_with(|| format!("what `{}` leaves running is not visible", running.service.name));
    }
    running.open = running.open.take().or(started.open);
    for process in &started.processes {
        match vassals::of(process, &surroundings) {
            None => add_started(process, &surroundings, identity, running),
            Some(Vassals::Hidden(why)) => drop(running.open.get_or_insert(why)),
            Some(Vassals::Files(files)) => {
                let identity = &vassals::identity(process, identity);
                for file in files {
                    let words = ["uwsgi", &file].map(|word| Text::fixed(word, process.place)).to_vec();
                    let started = process::start(&Start::Exec(words), &surroundings);
                    started.processes.iter().for_each(|it| add_started(it, &surroundings, identity, running));
                }
            }
        }
    }
}

/// The commands around the start change who may use its files.
pub fn changes_access(unit: &Unit) -> bool {
    ["ExecStartPre", "ExecStart", "ExecStartPost"]
        .iter()
        .any(|key| unit.values("Service", key).iter().any(|command| access::may_change(command.as_str())))
}

/// Something that is not of the system runs before the program.
fn starts_scripts(unit: &Unit) -> bool {
    let commands = unit.values("Service", "ExecStartPre");
    commands.iter().any(|command| !is_of_the_system(command) || folders::may_make(command.as_str()))
        || unit.value("Service", "AmbientCapabilities").is_some()
}

/// Adds a process to what a service leaves running.
pub fn add_started(process: &Process, surroundings: &Surroundings<'_>, identity: &Identity, running: &mut Running) {
    let reader = process.program.and_then(|program| program.reader.as_deref());
    let is_known = process.program.is_some() || process.entry.is_some();
    let has_workers = reader.is_some() || process.program.is_some_and(|program| program.workers.is_some());
    running.service.may_have_master |= has_workers || !is_known;
    if reader == Some("nginx") {
        running.nginx.push(NginxStart { main: named_main(process), program: process.called.clone() });
        return;
    }
    let listening = process::listening::listening(process, surroundings);
    running.has_pools |= reader == Some("php-fpm");
    running.makes_folders |= process.program.is_none() && process.entry.is_none();
    running.hidden.extend(dotenv::hidden(process, surroundings, running.directory_place));
    let own: Vec<&Listener> = listening.listeners.iter().collect();
    if let Some(memory) = &mut running.memory {
        memory.demands.extend(memory::of_process(process, memory.limit.value, surroundings));
    }
    let identity = &own_identity(process, surroundings, identity);
    // The machine is told when the service is put into one.
    let mut found = backends::of_process(MachineId(0), process, &own, surroundings);
    let mut places = Vec::new();
    for mut listener in listening.listeners {
        access::complete(&mut listener, process, identity);
        let known = running.listeners.iter().position(|it| *it == listener);
        places.push(known.unwrap_or(running.listeners.len()));
        if known.is_none() {
            running.listeners.push(listener);
        }
    }
    for backend in &mut found {
        backend.listeners.iter_mut().for_each(|index| *index = places.get(*index).copied().unwrap_or(*index));
    }
    running.backends.extend(found);
    running.processes.push(places);
    running.open = running.open.take().or(listening.open);
}

/// What root starts may be started as somebody else.
fn own_identity(process: &Process, surroundings: &Surroundings<'_>, identity: &Identity) -> Identity {
    let umask = process.umask.unwrap_or(identity.umask);
    match process.user.as_ref().filter(|_| identity.is_root()) {
        Some(user) => Identity { user: user.clone(), group: Some(primary_group(surroundings.file, user)), umask },
        None => Identity { umask, ..identity.clone() },
    }
}

fn home_of(server: &Server<'_>, user: &str) -> String {
    let passwd = server.text("/etc/passwd");
    let line = passwd
        .as_ref()
        .and_then(|text| text.as_str().lines().find(|line| line.split(':').next() == Some(user)).map(str::to_owned));
    let home = line.and_then(|line| line.split(':').nth(5).map(str::to_owned));
    home.unwrap_or_else(|| if user == "root" { "/root".to_owned() } else { format!("/home/{user}") })
}

/// A program that packages bring, started to do something and end.
fn is_of_the_system(line: &Text) -> bool {
    let word = line.as_str().split_whitespace().next().unwrap_or_default();
    let word = word.trim_start_matches(['-', '@', '+', '!', ':', '|']);
    let name = word.rsplit('/').next().unwrap_or(word);
    let folder =
        ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/lib/"].iter().any(|it| word.starts_with(it));
    let starts_others = [
        "sh",
        "bash",
        "dash",
        "env",
        "docker",
        "docker-compose",
        "podman",
        "podman-compose",
        "su",
        "sudo",
        "runuser",
        "systemd-run",
        "screen",
        "tmux",
        "nohup",
        "start-stop-daemon",
        "python3",
        "node",
        "perl",
        "php",
        "supervisord",
        "pm2",
    ];
    folder && !starts_others.contains(&name)
}

/// `MemoryMax=`, once called `MemoryLimit=`: above it the kernel ends a process of the unit.
pub fn memory_of(unit: &Unit) -> Option<Memory> {
    let value = unit.value("Service", "MemoryMax").or_else(|| unit.value("Service", "MemoryLimit"))?;
    // The machine is told when the service is put into one.
    let (machine, service) = (MachineId(0), Some(unit.name.clone()));
    Some(Memory { machine, service, limit: memory::limit(&value)?, demands: Vec::new() })
}

/// `LimitNOFILE=4096` or, with the limit that the process may raise it to, `LimitNOFILE=4096:8192` (systemd.exec(5)).
fn open_files(unit: &Unit) -> Option<Spanned<u64>> {
    let value = unit.value("Service", "LimitNOFILE")?;
    let soft = value.as_str().split(':').next()?.trim().parse().ok()?;
    Some(Spanned::new(soft, value.whole()))
}

/// A namespace of its own for `/tmp`; a dynamic user always has one.
fn own_tmp(unit: &Unit) -> Option<Spanned<String>> {
    let place = unit.switched_on("Service", "PrivateTmp").or_else(|| unit.switched_on("Service", "DynamicUser"))?;
    Some(Spanned::new(unit.name.clone(), place))
}

/// `RuntimeDirectory=`: folders below /run that are made, and given to the unit's user, each time it starts.
fn runtime_folders(unit: &Unit, identity: &Identity) -> Vec<Folder> {
    let mode = unit.value("Service", "RuntimeDirectoryMode");
    let bits = mode.as_ref().and_then(|mode| u32::from_str_radix(mode.as_str(), 8).ok()).unwrap_or(0o755);
    let names = unit.values("Service", "RuntimeDirectory");
    let folder = |name: Text| Folder {
        path: absolute("/run", name.as_str().split(':').next().unwrap_or_default()),
        owner: identity.user.clone(),
        group: identity.group.clone().unwrap_or_else(|| identity.user.clone()),
        mode: bits,
        place: Some(mode.as_ref().map_or(name.whole(), Text::whole)),
        may_let_in: false,
    };
    names.iter().flat_map(words::plain).map(folder).collect()
}
