//! Whom the folders above the sockets of a server belong to: as tmpfiles.d makes them, and as they are on disk.

use std::collections::{BTreeMap, BTreeSet};

use crate::read::app::paths::absolute;
use crate::read::host::server::Server;
use crate::read::host::service::Running;
use crate::read::host::starters::{Starters, with_those_above};
use crate::site::listener::Endpoint;
use crate::site::machine::Folder;
use crate::site::sockets::normal;
use crate::site::trouble::SocketFolderWhy;
use crate::source::Text;

/// What is known of folders.
pub struct Known {
    /// Whom they belong to: those above the sockets, and those that tmpfiles.d makes.
    pub folders: Vec<Folder>,
    /// Every folder that tmpfiles.d makes.
    made: BTreeSet<String>,
}

/// The folders that are known, among those above these paths.
pub fn known<'p>(server: &Server<'_>, sockets: impl Iterator<Item = &'p str>) -> Known {
    let mut above: BTreeSet<&str> = BTreeSet::new();
    for path in sockets {
        let ends = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        above.extend(ends.map(|at| &path[..at]));
    }
    let Made { mut folders, adjusted } = made_at_boot(server);
    let made = folders.iter().map(|folder| folder.path.clone()).collect();
    folders.retain(|folder| !adjusted.contains(&folder.path));
    let is_known = |folders: &[Folder], path: &str| folders.iter().any(|folder| folder.path == path);
    let on_disk = OnDisk::of(server);
    for path in above {
        if adjusted.contains(path) || is_known(&folders, path) {
            continue;
        }
        let found = match &on_disk {
            Some(disk) => disk.folder(server, path),
            None => home_of_root(path),
        };
        folders.extend(found);
    }
    Known { folders, made }
}

/// Every distribution keeps others out of the home of root; somebody may have changed that.
fn home_of_root(path: &str) -> Option<Folder> {
    let root = || "root".to_owned();
    (path == "/root").then(|| Folder {
        path: path.to_owned(),
        owner: root(),
        group: root(),
        mode: 0o700,
        place: None,
        may_let_in: true,
    })
}

/// Commands and calls that make folders.
const MAKING: [&str; 7] = ["mkdir", "makedirs", "ensureDir", "install -", "checkpath", "tmpfs", "systemd-tmpfiles"];

pub fn may_make(text: &str) -> bool {
    MAKING.iter().any(|word| text.contains(word))
}

/// Folders below /run that packages make for their own programs, with whatever they use for it.
const OF_PACKAGES: [&str; 22] = [
    "apache2",
    "containerd",
    "docker",
    "fail2ban",
    "fcgiwrap",
    "haproxy",
    "httpd",
    "lighttpd",
    "lock",
    "mysqld",
    "nginx",
    "passenger",
    "php",
    "php-fpm",
    "postgresql",
    "redis",
    "supervisor",
    "systemd",
    "unit",
    "user",
    "uwsgi",
    "varnish",
];

/// A listener whose folder is not there when it is to be made.
pub struct Unmade {
    /// Index into the services, and into the listeners of that service.
    pub service: usize,
    pub listener: usize,
    pub folder: String,
    pub why: SocketFolderWhy,
}

/// The sockets below /run in a folder that nothing makes.
pub fn unmade(server: &Server<'_>, services: &[Running], known: &Known) -> Vec<Unmade> {
    let by_services = services.iter().flat_map(|it| &it.folders).map(|folder| &folder.path);
    // Whoever makes a folder makes those above it.
    let made: BTreeSet<&str> = known.made.iter().chain(by_services).flat_map(|path| with_those_above(path)).collect();
    let knows_pools = server.below("etc/php").is_some() || server.below("etc/php-fpm.d").is_some();
    let mut starters = None;
    let mut found = Vec::new();
    for (service, running) in services.iter().enumerate() {
        let is_list = ["supervisor", "uwsgi app"].iter().any(|list| running.service.name.starts_with(list));
        let is_judged = running.service.is_own || is_list || (running.has_pools && knows_pools);
        if !is_judged || running.service.is_woken {
            continue;
        }
        for (listener, bound) in running.listeners.iter().enumerate() {
            let Endpoint::Unix { path } = &bound.endpoint else { continue };
            let path = normal(path);
            let Some((folder, _)) = path.rsplit_once('/') else { continue };
            let user = running.service.user.as_ref().filter(|user| !matches!(user.value.as_str(), "root" | "0"));
            if let Some(setting) = running.walls.closes(folder).filter(|_| running.service.is_own) {
                let why = SocketFolderWhy::ReadOnly { setting };
                found.push(Unmade { service, listener, folder: folder.to_owned(), why });
                continue;
            }
            let why = match (folder, user) {
                ("/run", Some(user)) if running.service.is_own && !running.has_pools && !running.makes_folders => {
                    SocketFolderWhy::NotWritable { user: user.clone() }
                }
                ("/run", _) => continue,
                _ if running.makes_folders => continue,
                _ => SocketFolderWhy::Vanishes,
            };
            let Some(below) = folder.strip_prefix("/run") else { continue };
            let name = below.trim_start_matches('/').split('/').next().unwrap_or_default();
            if why == SocketFolderWhy::Vanishes {
                let starters = starters.get_or_insert_with(|| Starters::of(server));
                if !below.starts_with('/')
                    || OF_PACKAGES.contains(&name)
                    || made.contains(folder)
                    || starters.make(folder)
                {
                    continue;
                }
            }
            found.push(Unmade { service, listener, folder: folder.to_owned(), why });
        }
    }
    found
}

/// Names of the numbers that the disk has.
struct OnDisk {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl OnDisk {
    /// `None`: the owners on disk are not those of the server.
    fn of(server: &Server<'_>) -> Option<OnDisk> {
        let system = server.below("etc")?;
        if !server.sources().keeps_owners(&system) {
            return None;
        }
        let (users, groups) = (server.text("/etc/passwd")?, server.text("/etc/group")?);
        Some(OnDisk { users: numbers(&users), groups: numbers(&groups) })
    }

    fn folder(&self, server: &Server<'_>, path: &str) -> Option<Folder> {
        let found = server.sources().permissions(&server.below(path.trim_start_matches('/'))?)?;
        if found.has_list {
            return None;
        }
        Some(Folder {
            path: path.to_owned(),
            owner: self.users.get(&found.owner).cloned().unwrap_or_else(|| found.owner.to_string()),
            group: self.groups.get(&found.group)?.clone(),
            mode: found.mode & 0o777,
            place: None,
            // Lists of users get lost in copies; without the group's right to enter there was none that let anybody in.
            may_let_in: found.mode & 0o010 != 0,
        })
    }
}

/// The names of users or groups by their numbers: the first and the third field.
fn numbers(text: &Text) -> BTreeMap<u32, String> {
    let mut numbers = BTreeMap::new();
    for line in text.as_str().lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else { continue };
        if let Ok(number) = number.trim().parse() {
            numbers.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    numbers
}

/// What tmpfiles.d does.
#[derive(Default)]
struct Made {
    folders: Vec<Folder>,
    /// Folders whose owner, mode or list of users it changes in a way that is not followed.
    adjusted: BTreeSet<String>,
}

/// Folders that tmpfiles.d makes: `d /run/app 0755 app www-data` (tmpfiles.d(5)).
fn made_at_boot(server: &Server<'_>) -> Made {
    let mut all = Made::default();
    for place in ["/usr/lib/tmpfiles.d", "/run/tmpfiles.d", "/etc/tmpfiles.d"] {
        for file in server.list(place).names.iter().filter(|name| name.ends_with(".conf")) {
            let Some(text) = server.text(&format!("{place}/{file}")) else { continue };
            all.add(&text);
        }
    }
    all
}

impl Made {
    fn add(&mut self, text: &Text) {
        let mut start = 0;
        for line in text.as_str().split_inclusive('\n') {
            let place = text.span(start..start + line.trim_end().len());
            start += line.len();
            let words: Vec<&str> = line.split_whitespace().collect();
            let [kind, path, rest @ ..] = words.as_slice() else { continue };
            if !path.starts_with('/') {
                continue;
            }
            let path = normal(&absolute("/", path));
            if kind.starts_with(['z', 'Z', 'm', 'a', 'A', 'e']) {
                self.adjusted.insert(path);
                continue;
            }
            if !kind.starts_with(['d', 'D', 'v', 'q', 'Q']) {
                continue;
            }
            let field = |number: usize| rest.get(number).filter(|field| **field != "-");
            let mode = field(0).and_then(|mode| u32::from_str_radix(mode.trim_start_matches(['~', ':']), 8).ok());
            let name = |number: usize| field(number).map_or("root", |name| name.trim_start_matches(':')).to_owned();
            self.folders.push(Folder {
                path,
                owner: name(1),
                group: name(2),
                mode: mode.unwrap_or(0o755),
                place: Some(place),
                may_let_in: false,
            });
        }
    }
}
