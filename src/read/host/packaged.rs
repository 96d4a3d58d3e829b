//! What packages start by themselves when the tree holds no unit of theirs: php-fpm, uwsgi, supervisor, other web servers;
//! and the old ways to start something at boot.

use crate::read::host::folders;
use crate::read::host::inventory::{Inventory, is_php_fpm};
use crate::read::host::quiet;
use crate::read::host::server::Server;
use crate::read::host::service::{self, Running, run_command};
use crate::read::host::units;
use crate::read::host::vassals::ENDINGS;
use crate::read::host::walls::Walls;
use crate::read::process::Start;
use crate::read::process::access::Identity;
use crate::read::process::web_server;
use crate::read::surroundings::Found;
use crate::site::listener::{Endpoint, Evidence, Listener, Protocol, SocketAccess};
use crate::site::machine::Service;
use crate::source::{Lookup, Span, Text};

pub fn add(server: &Server<'_>, inventory: &mut Inventory) {
    php_fpm(server, inventory);
    uwsgi(server, inventory);
    supervisor(server, inventory);
    scripts(server, inventory);
}

/// A service that no unit of the tree describes.
pub fn unseen(name: &str, place: Span) -> Running {
    let service = Service {
        name: name.to_owned(),
        place,
        listeners: Vec::new(),
        proxies: Vec::new(),
        enabled: None,
        restart: None,
        user: None,
        own_tmp: None,
        hidden: Vec::new(),
        after: Vec::new(),
        wants: Vec::new(),
        open_files: None,
        asked: false,
        is_own: false,
        may_have_master: false,
        is_woken: false,
        not_at_boot: None,
        before_network: None,
        before_addresses: None,
    };
    Running {
        service,
        listeners: Vec::new(),
        nginx: Vec::new(),
        folders: Vec::new(),
        open: None,
        hidden: Vec::new(),
        directory_place: None,
        missing_files: Vec::new(),
        walls: Walls::default(),
        makes_folders: false,
        has_pools: false,
        backends: Vec::new(),
        memory: None,
        processes: Vec::new(),
        barriers: Vec::new(),
        apart: Vec::new(),
    }
}

/// Follows a command that root starts without further variables.
pub fn run(server: &Server<'_>, running: &mut Running, words: &[&str], directory: &str, identity: &Identity) {
    let place = running.service.place;
    let words = words.iter().map(|word| Text::fixed(word, place)).collect();
    let variable = |_: &str| Lookup::Unset;
    let before = server.count_opened();
    run_command(server, &Start::Exec(words), directory, &variable, identity, running);
    running.makes_folders |= server.any_opened_since(before, folders::may_make);
}

/// Main files of php-fpm with the names of what starts them: Debian has one for each version, Alpine as well, RHEL and
/// FreeBSD has one as well, and Remi one for each of his collections; panels have folders of their own, which only a unit names.
pub fn php_fpm_mains(server: &Server<'_>) -> Vec<(String, String)> {
    let mut mains = Vec::new();
    let versions = server.list("/etc/php").names;
    mains.extend(
        versions.iter().map(|version| (format!("/etc/php/{version}/fpm/php-fpm.conf"), format!("php{version}-fpm"))),
    );
    let alpine = server.list("/etc").names.into_iter().filter(|name| name.starts_with("php"));
    mains.extend(alpine.map(|name| {
        (
            format!("/etc/{name}/php-fpm.conf"),
            format!("{}-fpm", name.replace("php", "php-fpm").trim_end_matches("-fpm")),
        )
    }));
    let plain = ["/etc/php-fpm.conf", "/usr/local/etc/php-fpm.conf"];
    mains.extend(plain.map(|main| (main.to_owned(), "php-fpm".to_owned())));
    let collections = server.list("/etc/opt/remi").names.into_iter().filter(|name| name.starts_with("php"));
    mains.extend(collections.map(|name| (format!("/etc/opt/remi/{name}/php-fpm.conf"), format!("{name}-php-fpm"))));
    mains.retain(|(main, _)| server.text(main).is_some());
    mains
}

fn php_fpm(server: &Server<'_>, inventory: &mut Inventory) {
    let mains = php_fpm_mains(server);
    let mut linked = linked_php_fpm(server);
    linked.retain(|unit| mains.iter().any(|(_, name)| format!("{name}.service") == *unit));
    for (main, name) in mains {
        let Some(text) = server.text(&main) else { continue };
        let unit = format!("{name}.service");
        // Its own unit was followed, or is switched off while those of other versions are on.
        let known = inventory.running.iter().any(|running| running.service.name == unit);
        let others_linked = inventory.names.iter().any(|name| is_php_fpm(name) && *name != unit);
        if known
            || (others_linked && !linked.contains(&unit) && inventory.running.iter().any(|it| it.has_pools))
            || (!linked.is_empty() && !linked.contains(&unit))
        {
            continue;
        }
        let mut running = unseen(&unit, text.span(0..0));
        let find = |path: &str| server.find(path);
        let drop_ins = units::load(&server.files, &find, &unit);
        running.memory = drop_ins.as_ref().and_then(service::memory_of);
        run(server, &mut running, &["php-fpm", "--nodaemonize", "--fpm-config", &main], "/", &Identity::root());
        running.has_pools = true;
        if drop_ins.is_some_and(|unit| service::changes_access(&unit)) {
            running.listeners.iter_mut().for_each(|listener| listener.access = None);
        }
        inventory.running.push(running);
    }
}

/// The units of php-fpm that are started at boot, as the links of `systemctl enable` show. What the links lead to, the
/// units of the packages, need not be in the tree.
pub fn linked_php_fpm(server: &Server<'_>) -> Vec<String> {
    let Some(folder) = server.below("etc/systemd/system/multi-user.target.wants") else { return Vec::new() };
    let names = server.sources().below(&folder).filter_map(|(path, _)| path.strip_prefix(folder.as_str()));
    let names = names.map(|name| name.trim_start_matches('/'));
    names.filter(|name| is_php_fpm(name)).map(str::to_owned).collect()
}

const DEBIAN_UWSGI: &str = "/etc/uwsgi/apps-enabled";

/// Debian's uwsgi runs one instance for each file in apps-enabled, as www-data and with a socket of its own choice unless
/// the file names one; an emperor runs its vassals.
fn uwsgi(server: &Server<'_>, inventory: &mut Inventory) {
    let folders = [DEBIAN_UWSGI, "/etc/uwsgi/vassals", "/etc/uwsgi-emperor/vassals", "/etc/uwsgi.d"];
    for folder in folders {
        for file in server.list(folder).names {
            let path = format!("{folder}/{file}");
            // An emperor whose unit is in the tree has it already.
            if server.was_opened(&path) {
                continue;
            }
            let Some(text) = server.text(&path) else { continue };
            let name = format!("uwsgi app `{}`", file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem));
            let mut running = unseen(&name, text.span(0..0));
            if !ENDINGS.iter().any(|ending| file.ends_with(ending)) {
                running.open = Some(format!("`{path}` is not read"));
            } else {
                run(server, &mut running, &["uwsgi", &path], "/", &Identity::root());
                if folder == DEBIAN_UWSGI {
                    with_defaults_of_debian(&mut running, &file);
                } else {
                    // They run as their emperor does.
                    running.listeners.iter_mut().for_each(|listener| listener.access = None);
                }
            }
            inventory.running.push(running);
        }
    }
}

/// What /usr/share/uwsgi/conf/default.ini of Debian says where the app's own file does not: a further socket below /run,
/// mode 660, and www-data.
fn with_defaults_of_debian(running: &mut Running, file: &str) {
    for listener in &mut running.listeners {
        let Some(access) = &mut listener.access else { continue };
        if access.place.is_none() {
            access.mode = Some(0o660);
        }
        for name in [&mut access.owner, &mut access.group] {
            if name.as_deref() == Some("root") {
                *name = Some("www-data".to_owned());
            }
        }
    }
    let place = running.service.place;
    let name = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let owner = Some("www-data".to_owned());
    if let Some(process) = running.processes.first_mut() {
        process.push(running.listeners.len());
    }
    running.listeners.push(Listener {
        endpoint: Endpoint::Unix { path: format!("/run/uwsgi/app/{name}/socket") },
        protocol: Some(Protocol::Uwsgi),
        evidence: Evidence::Default,
        place,
        bind_place: place,
        why: "the default of Debian's `uwsgi`".to_owned(),
        anywhere: None,
        access: Some(Box::new(SocketAccess {
            owner: owner.clone(),
            group: owner,
            mode: Some(0o660),
            ..SocketAccess::default()
        })),
    });
}

fn supervisor(server: &Server<'_>, inventory: &mut Inventory) {
    let followed = inventory.names.iter().any(|name| name.starts_with("supervisor"))
        && inventory.running.iter().any(|running| running.service.name.starts_with("supervisor"));
    if followed {
        return;
    }
    let mains = ["/etc/supervisor/supervisord.conf", "/etc/supervisord.conf"];
    let Some((path, text)) = mains.iter().find_map(|path| Some((path, server.text(path)?))) else { return };
    let mut running = unseen("supervisor.service", text.span(0..0));
    run(server, &mut running, &["supervisord", "-c", path], "/", &Identity::root());
    inventory.running.push(running);
}

/// The main file of a web server whose package starts it, by the name of its unit.
pub fn web_server(server: &Server<'_>, unit: &str) -> Option<(&'static str, Text)> {
    let (_, mains) = web_server::packaged().into_iter().find(|(name, _)| *name == unit)?;
    mains.iter().find_map(|main| Some((*main, server.text(main)?)))
}

/// Adds Apache, HAProxy and Caddy where their packages have laid them out and no unit of the tree has started them.
///
/// Where the tree does not show what is enabled, one that wants a port of another service is a leftover.
pub fn add_web_servers(server: &Server<'_>, inventory: &mut Inventory) {
    for (name, _) in web_server::packaged() {
        let Some((main, text)) = web_server(server, name) else { continue };
        let unit = format!("{name}.service");
        let place = text.span(0..0);
        let is_started = |running: &Running| running.service.name == unit || running.service.place == place;
        let is_enabled = inventory.names.contains(&unit) || server.list(RUN_LEVEL).names.iter().any(|it| it == name);
        if inventory.running.iter().any(is_started) || (inventory.has_links && !is_enabled) {
            continue;
        }
        let mut running = unseen(&unit, place);
        let flag = if name == "caddy" { "--config" } else { "-f" };
        run(server, &mut running, &[name, flag, main], "/", &Identity::root());
        let is_taken = |endpoint: &Endpoint| {
            inventory.running.iter().flat_map(|other| &other.listeners).any(|other| is_rival(&other.endpoint, endpoint))
        };
        if is_enabled || !running.listeners.iter().any(|listener| is_taken(&listener.endpoint)) {
            inventory.running.push(running);
        }
    }
}

fn is_rival(one: &Endpoint, other: &Endpoint) -> bool {
    match (one, other) {
        (Endpoint::Tcp { port, .. }, Endpoint::Tcp { port: other, .. }) => port == other,
        _ => one == other,
    }
}

/// The services that OpenRC starts.
const RUN_LEVEL: &str = "/etc/runlevels/default";

/// Folders of other programs that start services: quadlets, runit, s6, FreeBSD's rc, user managers that run without a
/// login.
const OTHER_MANAGERS: [&str; 8] = [
    "/etc/containers/systemd",
    "/etc/service",
    "/service",
    "/etc/runit/runsvdir/default",
    "/etc/s6",
    "/etc/xinetd.d",
    "/usr/local/etc/rc.d",
    "/var/lib/systemd/linger",
];

/// Lines of scripts that leave nothing running.
const ENDING: [&str; 10] = ["#", "exit", "set ", "iptables", "ip6tables", "ipset", "nft ", "ip ", "sysctl", "echo"];

/// Scripts that start something at boot and that are not followed.
fn scripts(server: &Server<'_>, inventory: &mut Inventory) {
    let starts = |line: &str| !line.is_empty() && !ENDING.iter().any(|word| line.starts_with(word));
    let own = ["/etc/rc.local", "/etc/rc.d/rc.local"].map(str::to_owned);
    let of_openrc = server.list("/etc/local.d").names.into_iter().filter(|name| name.ends_with(".start"));
    for path in own.into_iter().chain(of_openrc.map(|name| format!("/etc/local.d/{name}"))) {
        if server.text(&path).is_some_and(|text| text.as_str().lines().map(str::trim).any(starts)) {
            inventory.open.get_or_insert_with(|| format!("`{path}` may start something"));
        }
    }
    let at_boot = |text: &Text| text.as_str().lines().any(|line| line.trim_start().starts_with("@reboot"));
    let mut tables = vec!["/etc/crontab".to_owned()];
    for folder in ["/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron"] {
        tables.extend(server.list(folder).names.iter().map(|name| format!("{folder}/{name}")));
    }
    for path in tables {
        if let Found::File(text) = server.find(&path)
            && at_boot(&text)
        {
            inventory.open.get_or_insert_with(|| format!("`{path}` starts something at boot"));
        }
    }
    for folder in OTHER_MANAGERS {
        if !server.list(folder).names.is_empty() {
            inventory.open.get_or_insert_with(|| format!("what stands in `{folder}` is not followed"));
        }
    }
    for home in server.list("/home").names.iter().map(|name| format!("/home/{name}")).chain(["/root".to_owned()]) {
        let folder = format!("{home}/.config/systemd/user");
        if !server.list(&folder).names.is_empty() {
            inventory.open.get_or_insert_with(|| format!("what `{folder}` starts is not followed"));
        }
    }
    for folder in ["/etc/rc2.d", "/etc/rc3.d", "/etc/rc5.d"] {
        for link in server.list(folder).names {
            let Some(name) =
                link.strip_prefix('S').map(|rest| rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
            else {
                continue;
            };
            not_followed(server, inventory, name);
        }
    }
    for name in server.list(RUN_LEVEL).names {
        not_followed(server, inventory, &name);
    }
}

/// A service that an old kind of script starts.
fn not_followed(server: &Server<'_>, inventory: &mut Inventory, name: &str) {
    let unit = format!("{name}.service");
    let is_read = inventory.names.contains(&unit)
        || inventory.running.iter().any(|running| running.service.name == name)
        || is_php_fpm(name)
        || matches!(name, "nginx" | "supervisor" | "uwsgi")
        || web_server(server, name).is_some();
    match quiet::known(name) {
        _ if is_read => {}
        Some(quiet::Known::Quiet) => {}
        Some(quiet::Known::Daemon) => {
            inventory.daemons.get_or_insert_with(|| format!("where `{name}` listens is not read"));
        }
        _ => {
            inventory.open.get_or_insert_with(|| format!("what `{name}` starts at boot is not read"));
        }
    }
}

/// An nginx whose unit is not in the tree; drop-ins of the unit may be.
pub fn unseen_nginx(server: &Server<'_>, place: Span) -> Running {
    let find = |path: &str| server.find(path);
    match units::load(&server.files, &find, "nginx.service") {
        Some(unit) => {
            let mut running = service::run(server, &unit, None, None);
            running.open = None;
            running.service.place = place;
            running
        }
        None => unseen("nginx.service", place),
    }
}
