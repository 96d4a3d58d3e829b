//! The processes of a machine whose listeners stand in a configuration of their own.

use std::cell::RefCell;
use std::sync::Arc;

use crate::read::container::Container;
use crate::read::image::files::join;
use crate::read::machine_files::MachineFiles;
use crate::read::nginx::{self, Files, Setup};
use crate::read::process::Process;
use crate::read::stack::Part;
use crate::read::surroundings::Found;
use crate::read::trees::Trees;
use crate::site::Site;
use crate::site::listener::{Bind, Endpoint, Evidence, Listener, Listening, Protocol};
use crate::site::machine::MachineId;
use crate::source::{Span, Spanned, Text};
use crate::syntax::nginx::Tree;

/// Where nginx looks for its main file when nothing else is said, by distribution.
const NGINX_MAIN: &[&str] = &[
    "/etc/nginx/nginx.conf",
    "/usr/local/openresty/nginx/conf/nginx.conf",
    "/opt/bitnami/nginx/conf/nginx.conf",
    "/usr/local/nginx/conf/nginx.conf",
];

/// Folders in which a file shows that an image runs nginx, whatever it is called.
pub const NGINX_PLACES: &[&str] = &["/etc/nginx", "/usr/local/openresty/nginx/conf", "/opt/bitnami/nginx/conf"];

/// The main file of an image that is known to run nginx and whose own main file is not visible: that of the official
/// packages, as far as it matters here.
const USUAL_MAIN: &str = "http { include /etc/nginx/conf.d/*.conf; include /etc/nginx/sites-enabled/*; }";

/// One nginx of a machine, read.
pub struct NginxRead {
    /// The first is that of the main file.
    pub trees: Vec<Arc<Tree>>,
    /// The path of the main file, where it is visible.
    pub main: Option<String>,
    pub includes: Vec<nginx::Include>,
    /// Every file that it loads is visible.
    pub complete: bool,
}

/// Reads every nginx of a container and fills in what its machine listens on.
pub fn read(part: &mut Part<'_>, trees: &Trees<'_>, version: Option<(u32, u32, u32)>) -> Vec<NginxRead> {
    let Part { id, machine, container, site, .. } = part;
    let (id, container) = (*id, &*container);
    let mut read = Vec::new();
    let mut nginx_listening: Vec<(String, Listening)> = Vec::new();
    let processes = &container.started.processes;
    for process in processes.iter().filter(|process| reader(process) == Some("nginx")) {
        let key = process_key(process);
        if nginx_listening.iter().any(|(known, _)| *known == key) {
            continue;
        }
        let setup = main_file(container, process);
        let (reading, listening) = run_nginx(site, trees, id, container, setup, process.place, version);
        nginx_listening.push((key, listening));
        read.push(reading);
    }
    let may_run = container.started.open.is_some() && container.ends_at_once().is_none();
    let unseen = read.is_empty() && may_run && is_nginx_by_its_files(&container.files);
    if unseen {
        let main = main_of(&container.files).map_or(Main::Hidden, |(text, path)| Main::Seen(text, path));
        let place = container.image_place;
        let (reading, mut listening) = run_nginx(site, trees, id, container, main, place, version);
        listening.open = listening.open.or(container.started.open.clone());
        machine.listener_processes = vec![0; listening.listeners.len()];
        machine.listening = listening;
        return vec![reading];
    }
    let (listening, owners) = {
        let known = RefCell::new(nginx_listening);
        container.listening(&|process| match reader(process) {
            Some("nginx") => {
                let key = process_key(process);
                known.borrow().iter().find(|(known, _)| *known == key).map(|(_, listening)| listening.clone())
            }
            Some("apache") => Some(apache(container, process)),
            _ => None,
        })
    };
    machine.listening = listening;
    machine.listener_processes = owners;
    let numbered = container.started.processes.iter().enumerate();
    machine.conditional_processes =
        numbered.filter(|(_, process)| process.conditional).map(|(number, _)| number).collect();
    read
}

fn reader(process: &Process) -> Option<&str> {
    process.program?.reader.as_deref()
}

fn process_key(process: &Process) -> String {
    let arguments: Vec<&str> = process.arguments.iter().map(|argument| argument.as_str()).collect();
    format!("{} {}", process.name, arguments.join(" "))
}

enum Main {
    Seen(Text, String),
    /// It is not visible; the usual one is taken for granted.
    Hidden,
}

/// The main file of an nginx: `-c`, relative to `-p`, else where the image has one.
fn main_file(container: &Container<'_>, process: &Process) -> Main {
    if let Some(path) = named_main(process) {
        match container.files.find(&path) {
            Found::File(text) => return Main::Seen(text, path),
            _ if flag_value(process, "-c").is_some() => return Main::Hidden,
            _ => {}
        }
    }
    main_of(&container.files).map_or(Main::Hidden, |(text, path)| Main::Seen(text, path))
}

/// The main file that an nginx is told to read: `-c FILE`, relative to `-p FOLDER`, else `conf/nginx.conf` in that folder
/// (nginx.org/en/docs/switches.html). `None`: the one that it was built with.
pub fn named_main(process: &Process) -> Option<String> {
    let prefix = flag_value(process, "-p").map(|prefix| join(&process.directory, &prefix));
    match flag_value(process, "-c") {
        Some(file) => Some(join(prefix.as_deref().unwrap_or("/etc/nginx"), &file)),
        None => prefix.map(|prefix| join(&prefix, "conf/nginx.conf")),
    }
}

/// The value of a flag, behind it or glued to it.
fn flag_value(process: &Process, flag: &str) -> Option<String> {
    let mut words = process.arguments.iter();
    while let Some(word) = words.next() {
        if word.as_str() == flag {
            return words.next().map(|word| word.as_str().to_owned());
        }
        if let Some(glued) = word.as_str().strip_prefix(flag).filter(|rest| !rest.is_empty()) {
            return Some(glued.to_owned());
        }
    }
    None
}

fn main_of(files: &MachineFiles<'_>) -> Option<(Text, String)> {
    NGINX_MAIN.iter().find_map(|path| match files.find(path) {
        Found::File(text) => Some((text, (*path).to_owned())),
        _ => None,
    })
}

fn run_nginx(
    site: &mut Site,
    trees: &Trees<'_>,
    id: MachineId,
    container: &Container<'_>,
    main: Main,
    place: Span,
    version: Option<(u32, u32, u32)>,
) -> (NginxRead, Listening) {
    let hidden = matches!(main, Main::Hidden);
    let (text, path) = match main {
        Main::Seen(text, path) => (text, path),
        Main::Hidden => (Text::fixed(USUAL_MAIN, place), "/etc/nginx/nginx.conf".to_owned()),
    };
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let find = |path: &str| container.files.find(path);
    let list = |path: &str| container.files.list(path);
    let parse = |text: &Text| trees.get(text);
    let setup = Setup {
        machine: Some(id),
        main: trees.get(&text),
        folder,
        files: Files { file: &find, list: &list, parse: &parse },
        place,
        version,
    };
    let reading = nginx::read(site, &setup);
    match &container.identity {
        // A master that is not root ignores `user`.
        Some(identity) if !identity.is_root() => {
            site.proxies[reading.proxy.0].user = Some(Spanned::new(identity.user.clone(), place));
        }
        Some(_) => {}
        None => site.proxies[reading.proxy.0].user = None,
    }
    let mut listening = reading.listening;
    if hidden {
        listening.open.get_or_insert_with(|| "the main file of its nginx is not visible".to_owned());
    }
    let foreign = reading.trees.iter().filter_map(|tree| tree.text().file()).find_map(|file| trees.foreign(file));
    if let Some(language) = foreign {
        listening.open.get_or_insert_with(|| format!("a part of its configuration is {language}"));
    }
    let complete = listening.open.is_none();
    (
        NginxRead { trees: reading.trees, main: (!hidden).then_some(path), includes: reading.includes, complete },
        listening,
    )
}

/// Something is put where only nginx looks.
fn is_nginx_by_its_files(files: &MachineFiles<'_>) -> bool {
    let is_place =
        |path: &str| NGINX_PLACES.iter().any(|place| crate::read::image::files::below(place, path).is_some());
    files.mounts.iter().any(|it| is_place(&it.mount.target))
        || files.image.iter().flat_map(|image| &image.changes).any(|change| match change {
            crate::read::image::Change::Copy { target, .. } => is_place(target),
            crate::read::image::Change::Write { path, .. } => is_place(path),
            _ => false,
        })
}

/// Main files of Apache httpd.
const APACHE_MAIN: &[&str] = &[
    "/etc/apache2/apache2.conf",
    "/usr/local/apache2/conf/httpd.conf",
    "/etc/httpd/conf/httpd.conf",
    "/etc/apache2/httpd.conf",
];

/// `Listen` lines of Apache httpd and of the files that it includes (httpd.apache.org/docs/2.4/bind.html).
fn apache(container: &Container<'_>, process: &Process) -> Listening {
    let main = APACHE_MAIN.iter().find_map(|path| match container.files.find(path) {
        Found::File(text) => Some(text),
        _ => None,
    });
    let Some(main) = main else {
        return Listening::open(format!("the configuration of `{}` is not visible", process.name));
    };
    let mut listening = Listening { listeners: Vec::new(), open: None };
    let mut texts = vec![(main, 0)];
    while let Some((text, depth)) = texts.pop() {
        let mut start = 0;
        for line in text.as_str().split_inclusive('\n') {
            let from = start;
            start += line.len();
            let mut words = line.split_whitespace();
            let keyword = words.next().unwrap_or_default();
            let Some(value) = words.next() else { continue };
            if keyword.eq_ignore_ascii_case("listen") {
                let at = from + line.find(value).unwrap_or(0);
                let place = text.span(at..at + value.len());
                match listener(value, words.next(), place) {
                    Some(listener) => listening.listeners.push(listener),
                    None => {
                        listening.open.get_or_insert_with(|| format!("`Listen {value}` depends on a variable"));
                    }
                }
            } else if keyword.to_ascii_lowercase().starts_with("include") && depth < 8 {
                let path = join("/etc/apache2", value.trim_matches('"'));
                let matches = crate::read::glob::expand(&path, &|path| container.files.list(path));
                for path in matches.paths {
                    if let Found::File(text) = container.files.find(&path) {
                        texts.push((text, depth + 1));
                    }
                }
            }
        }
    }
    listening
}

fn listener(value: &str, protocol: Option<&str>, place: Span) -> Option<Listener> {
    let (host, port) = value.rsplit_once(':').map_or((None, value), |(host, port)| (Some(host), port));
    let port: u16 = port.parse().ok()?;
    let bind = match host.map(|host| host.trim_matches(['[', ']'])) {
        None | Some("*" | "0.0.0.0" | "::") => Bind::Any,
        Some(host) => Bind::Only(host.parse().ok()?),
    };
    let tls = protocol.is_some_and(|it| it.eq_ignore_ascii_case("https")) || port == 443;
    Some(Listener {
        endpoint: Endpoint::Tcp { bind, port },
        protocol: Some(if tls { Protocol::Https } else { Protocol::Http }),
        evidence: Evidence::Binding,
        place,
        bind_place: place,
        why: "`Listen` of its web server".to_owned(),
        access: None,
        anywhere: None,
    })
}
