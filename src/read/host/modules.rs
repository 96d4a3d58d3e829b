//! Modules that the nginx of a server is told to load or to use, and that are not there.

use std::collections::BTreeSet;

use crate::read::host::server::Server;
use crate::read::nginx::Include;
use crate::read::nginx::modules::{self, Uses};
use crate::read::running::NginxRead;
use crate::site::Site;
use crate::site::machine::MachineId;
use crate::site::trouble::{ModuleMissing, Trouble};
use crate::source::Span;

/// Folders in which packages lay down the files of modules.
const FOLDERS: &[&str] = &[
    "/usr/lib/nginx/modules",
    "/usr/lib64/nginx/modules",
    "/usr/local/nginx/modules",
    "/usr/local/openresty/nginx/modules",
    "/etc/nginx/modules",
];

/// The patterns of main files that take in what loads modules, and whose packages write them.
const LOADERS: &[(&str, &str)] = &[
    ("/etc/nginx/modules-enabled/*.conf", "debian"),
    ("/usr/share/nginx/modules/*.conf", "redhat"),
    ("/etc/nginx/modules/*.conf", "alpine"),
];

/// Programs that packages bring.
const PACKAGED: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/sbin/nginx"];

/// Says what an nginx is missing. `program`: what its unit calls.
pub fn missing(site: &mut Site, server: &Server<'_>, host: MachineId, nginx: &NginxRead, program: Option<&str>) {
    let uses = Uses::of(&nginx.trees);
    let mut found = not_there(server, &uses);
    let is_packaged = program.is_none_or(|program| PACKAGED.contains(&program));
    let files: BTreeSet<&str> = uses.files().map(|(file, _)| file).collect();
    if nginx.complete
        && is_packaged
        && uses.used.iter().any(|(module, _)| !files.contains(module.file))
        && let Some(loader) = Loader::of(server, &nginx.includes, &uses)
    {
        found.extend(uses.used.iter().filter(|(module, _)| !loader.loads(module.file)).map(|(module, place)| {
            let package = module.packages.get(loader.distribution).copied();
            let is_installed = package.is_some_and(|package| loader.installed.contains(package));
            ModuleMissing {
                machine: host,
                place: *place,
                module: module.file.to_owned(),
                evidence: Some(loader.place),
                is_load: false,
                is_brought: is_installed,
                package: package.map(str::to_owned),
            }
        }));
    }
    let troubles = found.into_iter().map(|missing| Trouble::ModuleMissing(ModuleMissing { machine: host, ..missing }));
    site.troubles.extend(troubles);
}

/// What is loaded and lies in none of the folders, when the tree shows them.
fn not_there(server: &Server<'_>, uses: &Uses) -> Vec<ModuleMissing> {
    let shown = |folder: &str| -> Vec<String> {
        let names = server.entries(folder);
        if names.iter().any(|name| name.ends_with(".so")) { names } else { Vec::new() }
    };
    let usual: BTreeSet<String> = FOLDERS.iter().flat_map(|folder| shown(folder)).collect();
    let mut missing = Vec::new();
    for path in &uses.loaded {
        let Some((folder, file)) = path.value.rsplit_once('/') else { continue };
        let names = if folder.starts_with('/') { shown(folder).into_iter().collect() } else { usual.clone() };
        if names.is_empty() || names.contains(file) {
            continue;
        }
        missing.push(ModuleMissing {
            machine: MachineId(0),
            place: path.span,
            module: file.to_owned(),
            evidence: None,
            is_load: true,
            is_brought: false,
            package: distribution(server)
                .and_then(|name| modules::of_file(file)?.packages.get(name).map(|package| (*package).to_owned())),
        });
    }
    missing
}

/// Whose packages the server has, as it says itself.
fn distribution(server: &Server<'_>) -> Option<&'static str> {
    let release = server.text("/etc/os-release").or_else(|| server.text("/usr/lib/os-release"))?;
    let of_name = |name: &str| match name {
        "debian" | "ubuntu" => Some("debian"),
        "alpine" => Some("alpine"),
        "rhel" | "fedora" | "centos" | "rocky" | "almalinux" | "ol" => Some("redhat"),
        _ => None,
    };
    let lines = release.as_str().lines().filter_map(|line| line.split_once('='));
    let named = lines.filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"));
    named.flat_map(|(_, value)| value.trim_matches('"').split(' ')).find_map(of_name)
}

/// The line of the main file that takes in what loads modules, when the tree shows all of that.
struct Loader {
    distribution: &'static str,
    place: Span,
    /// Files of modules.
    loaded: BTreeSet<String>,
    /// Packages.
    installed: BTreeSet<String>,
}

impl Loader {
    fn of(server: &Server<'_>, includes: &[Include], uses: &Uses) -> Option<Loader> {
        let (include, distribution) = includes.iter().find_map(|include| {
            let (_, distribution) = LOADERS.iter().find(|(pattern, _)| *pattern == include.path)?;
            Some((include, *distribution))
        })?;
        let folder = include.path.strip_suffix("/*.conf")?;
        let entries = server.entries(folder);
        let files = entries.iter().filter(|name| name.ends_with(".conf"));
        let mut loaded: BTreeSet<String> = uses.files().map(|(file, _)| file.to_owned()).collect();
        let mut installed = BTreeSet::new();
        match packages(server, distribution) {
            // It was built by somebody else, who may have compiled in whatever he liked.
            Some(packages) if !packages.contains(if distribution == "debian" { "nginx-common" } else { "nginx" }) => {
                return None;
            }
            Some(packages) => installed = packages,
            None if files.clone().next().is_none() && !server.is_whole => return None,
            None => {}
        }
        // An empty folder is not kept by everything that keeps files.
        if files.clone().next().is_none() && !server.is_whole {
            let of_package = |package: &String| modules::of_package(distribution, package);
            loaded.extend(installed.iter().filter_map(of_package).map(|module| module.file.to_owned()));
        }
        // Links to what packages bring tell it by their names: `50-mod-http-perl.conf`.
        for name in files.filter(|name| server.text(&format!("{folder}/{name}")).is_none()) {
            let (_, stem) = name.trim_end_matches(".conf").split_once("mod-")?;
            loaded.insert(modules::of_package(distribution, &format!("libnginx-mod-{stem}"))?.file.to_owned());
        }
        Some(Loader { distribution, place: include.place, loaded, installed })
    }

    fn loads(&self, file: &str) -> bool {
        self.loaded.contains(file)
    }
}

/// The packages of nginx that the system has written down as installed; `None`: that is not visible.
fn packages(server: &Server<'_>, distribution: &str) -> Option<BTreeSet<String>> {
    let (path, key) = match distribution {
        "debian" => ("/var/lib/dpkg/status", "Package: "),
        "alpine" => ("/lib/apk/db/installed", "P:"),
        _ => return None,
    };
    let text = server.text(path)?;
    let mut names = BTreeSet::new();
    for paragraph in text.as_str().split("\n\n") {
        let field = |key: &str| paragraph.lines().find_map(|line| line.strip_prefix(key));
        let Some(name) = field(key).filter(|name| name.contains("nginx")) else { continue };
        if field("Status: ").is_none_or(|status| status.ends_with(" installed")) {
            names.insert(name.to_owned());
        }
    }
    Some(names)
}
