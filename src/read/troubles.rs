//! What the files of a stack get wrong before any request: mounts without source, configs that nobody includes,
//! variables without value.

pub mod without_value;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::OnceLock;

use crate::read::compose::model::{HostPath, Kept, MountKind, PathText};
use crate::read::container::Container;
use crate::read::glob;
use crate::read::image::Change;
use crate::read::image::files::{below, join};
use crate::read::image::ignore::is_kept_out_by_git;
use crate::read::machine_files::MachineFiles;
use crate::read::process::Start;
use crate::read::running::{NGINX_PLACES, NginxRead};
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::Found;
use crate::read::trees::Trees;
use crate::site::Site;
use crate::site::machine::MachineId;
use crate::site::proxy::{Hop, Host, Listen, Target, To, VirtualServer};
use crate::site::trouble::{MountSourceMissing, NotLoaded, NotLoadedWhy, Trouble};
use crate::source::{Entry, Sources, Span, Spanned};
use crate::syntax::nginx::{DirectiveRef, Tree};

/// Endings of files that are written by hand and become others before a deploy.
const TEMPLATES: &[&str] = &[".example", ".sample", ".dist", ".template", ".tmpl", "-example", "-sample", ".default"];

/// Folders whose files are configs.
const CONFIGS: &[&str] =
    &["/etc", "/usr/local/etc", "/usr/local/openresty/nginx/conf", "/opt/bitnami", "/usr/local/apache2/conf"];

/// So many further places are shown that want a file which is not there.
const ALSO: usize = 3;

/// Mounts of a machine whose source is not in the tree. Whether a proxy's own config is among them: what it would have
/// opened is missing for this reason, and said once.
pub fn mounts(
    site: &mut Site,
    sources: &Sources,
    service: &Kept,
    id: MachineId,
    files: &MachineFiles<'_>,
    names: &FileNames<'_>,
) -> bool {
    let mut lacks_config = false;
    for mount in &service.binds {
        let MountKind::Bind(PathText { text, path: HostPath::Inside(path) }) = &mount.kind else { continue };
        let snapshot = Snapshot { sources, root: None };
        if !matches!(snapshot.find(path), Found::Absent) {
            continue;
        }
        let target = join("/", mount.target.as_str());
        let over_file = matches!(files.find_in_image(&target), Found::File(_) | Found::Opaque);
        let is_below = |folder: &&str| below(folder, &target).is_some_and(|rest| !rest.is_empty());
        let is_named_so =
            [".conf", ".template", "conf.d", "templates", "sites-enabled"].iter().any(|it| target.ends_with(it));
        lacks_config |= is_named_so && NGINX_PLACES.iter().any(is_below);
        site.troubles.push(Trouble::MountSourceMissing(MountSourceMissing {
            machine: id,
            place: mount.span,
            source: text.to_string(),
            is_config: CONFIGS.iter().any(|folder| below(folder, &target).is_some()),
            target,
            over_file,
            kept_out: is_kept_out_by_git(sources, path),
            similar: names.similar(path),
            template: template_of(sources, path),
            folder_is_there: path.rsplit_once('/').is_some_and(|(folder, _)| sources.entry(folder).is_some()),
        }));
    }
    lacks_config
}

/// The paths of the tree by the names of their files, once somebody asks for one.
pub struct FileNames<'s> {
    sources: &'s Sources,
    paths: OnceLock<HashMap<&'s str, Vec<&'s str>>>,
}

impl<'s> FileNames<'s> {
    pub fn of(sources: &'s Sources) -> FileNames<'s> {
        FileNames { sources, paths: OnceLock::new() }
    }

    /// Another path with the same file name.
    fn similar(&self, path: &str) -> Option<String> {
        let paths = self.paths.get_or_init(|| {
            let mut paths: HashMap<&str, Vec<&str>> = HashMap::new();
            for (path, _) in self.sources.below("").filter(|(_, entry)| matches!(entry, Entry::File(_))) {
                paths.entry(file_name(path)).or_default().push(path);
            }
            paths
        });
        let same = paths.get(file_name(path))?;
        same.iter().find(|other| **other != path).map(|other| (*other).to_owned())
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

pub fn template_of(sources: &Sources, path: &str) -> Option<String> {
    let there = |candidate: &String| matches!(sources.entry(candidate), Some(Entry::File(_) | Entry::Link(_)));
    let mut candidates: Vec<String> = TEMPLATES.iter().map(|ending| format!("{path}{ending}")).collect();
    if let Some((folder, name)) = path.rsplit_once('/') {
        candidates.extend(["example", "sample", "template"].map(|word| format!("{folder}/{word}{name}")));
        candidates.extend(["example", "sample", "template"].map(|word| format!("{folder}/{word}.{name}")));
    } else {
        candidates.extend(["example", "sample", "template"].map(|word| format!("{word}{path}")));
        candidates.extend(["env.example", "env.sample", "example.env", "sample.env"].map(str::to_owned));
    }
    candidates.into_iter().find(there)
}

/// Why a machine whose configs are not all loaded may listen elsewhere.
pub const NOT_LOADED: &str = "a part of its configuration is not loaded";

/// nginx configs that are put where a proxy loads configs from, and that it does not load. Whether one of them is all
/// that its proxy would have: what it would have opened is missing for this reason, and said once.
pub fn not_loaded(
    site: &mut Site,
    trees: &Trees<'_>,
    id: MachineId,
    files: &MachineFiles<'_>,
    read: &[NginxRead],
    nothing_listens: bool,
) -> bool {
    for nginx in read {
        let loaded: Vec<_> = nginx.trees.iter().filter_map(|tree| tree.text().file()).collect();
        for include in &nginx.includes {
            let Some((folder, pattern)) = include.path.rsplit_once('/') else { continue };
            if !glob::is_pattern(pattern) || glob::is_pattern(folder) {
                continue;
            }
            for name in files.list(folder).names {
                // Most are loaded, and a name may say that it is put aside.
                if glob::matches(pattern, &name) || is_put_aside(&name) {
                    continue;
                }
                let path = join(folder, &name);
                let Found::File(text) = files.find(&path) else { continue };
                let Some(file) = text.file() else { continue };
                // On a server nothing puts it there but a hand; then the include is what has to change.
                let Some(origin) = files.origin(&path).or(files.root.is_some().then_some(include.place)) else {
                    continue;
                };
                if loaded.contains(&file) || trees.is_used(file) {
                    continue;
                }
                let tree = trees.peek(&text);
                if !has_server(&tree) {
                    continue;
                }
                let nothing_else = nothing_listens || defines_what_is_asked(site, id, &tree);
                site.troubles.push(Trouble::NotLoaded(NotLoaded {
                    machine: id,
                    place: origin,
                    file: Some(text.span(0..text.as_str().find('\n').unwrap_or(text.as_str().len()))),
                    path,
                    why: NotLoadedWhy::NoPattern { pattern: include.path.clone(), place: include.place },
                    nothing_else,
                }));
            }
        }
        not_enabled(site, trees, id, files, nginx);
        if let Some((origin, block, path)) = part_as_main(nginx, files) {
            site.troubles.push(Trouble::NotLoaded(NotLoaded {
                machine: id,
                place: origin.unwrap_or(block.name_span()),
                file: None,
                path: path.to_owned(),
                why: NotLoadedWhy::PartAsMain { block: block.name().into_owned(), place: block.name_span() },
                nothing_else: false,
            }));
        }
        for tree in &nginx.trees[1..] {
            let block = tree.root().find(|item| item.is_block() && matches!(&*item.name(), "http" | "events"));
            let Some(block) = block else { continue };
            let Some(path) = tree.text().file().map(|file| trees.sources().path(file).to_owned()) else { continue };
            let place = brought(nginx, files, tree).unwrap_or(block.name_span());
            site.troubles.push(Trouble::NotLoaded(NotLoaded {
                machine: id,
                place,
                file: None,
                path,
                why: NotLoadedWhy::MainInside { block: block.name().into_owned(), place: block.name_span() },
                nothing_else: false,
            }));
        }
    }
    site.troubles.iter().any(|trouble| match trouble {
        Trouble::NotLoaded(it) => it.machine == id && it.nothing_else,
        _ => false,
    })
}

/// Files among the available sites of a server that define a group that a hop asks for, and that no link makes used ones.
fn not_enabled(site: &mut Site, trees: &Trees<'_>, id: MachineId, files: &MachineFiles<'_>, nginx: &NginxRead) {
    let asks = |hop: &Hop| site.proxy(hop.proxy).machine == Some(id) && asked_name(hop).is_some();
    if files.root.is_none() || !site.hops.iter().any(|hop| asks(hop)) {
        return;
    }
    for include in &nginx.includes {
        let Some((enabled, pattern)) = include.path.rsplit_once('/') else { continue };
        let Some(available) = enabled.strip_suffix("-enabled").map(|sites| format!("{sites}-available")) else {
            continue;
        };
        // Without any link the tree does not show which sites are used.
        if !glob::is_pattern(pattern) || files.list(enabled).names.is_empty() {
            continue;
        }
        for name in files.list(&available).names {
            let path = join(&available, &name);
            let Found::File(text) = files.find(&path) else { continue };
            if is_put_aside(&name) || text.file().is_none_or(|file| trees.is_used(file)) {
                continue;
            }
            let tree = trees.peek(&text);
            let Some((group, asks)) = asked_group(site, id, &tree) else { continue };
            site.troubles.push(Trouble::NotLoaded(NotLoaded {
                machine: id,
                place: group,
                file: None,
                path,
                why: NotLoadedWhy::NotEnabled { asks },
                nothing_else: false,
            }));
        }
    }
}

/// A block at the outermost level of the main file that nginx only takes inside `http`, and what brings that file.
fn part_as_main<'n>(
    nginx: &'n NginxRead,
    files: &MachineFiles<'_>,
) -> Option<(Option<Span>, DirectiveRef<'n>, &'n str)> {
    let path = nginx.main.as_deref()?;
    let main = nginx.trees.first().filter(|tree| tree.text().file().is_some())?;
    let is_part =
        |item: &DirectiveRef<'_>| item.is_block() && matches!(&*item.name(), "server" | "upstream" | "location");
    let block = main.root().find(is_part)?;
    Some((files.origin(path), block, path))
}

/// The config would define a group that a hop of the machine's proxies goes to, as if it were a host.
fn defines_what_is_asked(site: &Site, id: MachineId, tree: &Tree) -> bool {
    asked_group(site, id, tree).is_some()
}

/// The head of such a group, and the word that asks for it.
fn asked_group(site: &Site, id: MachineId, tree: &Tree) -> Option<(Span, Span)> {
    let is_group = |item: &DirectiveRef<'_>| item.is_block() && item.name() == "upstream";
    let named = |item: DirectiveRef<'_>| {
        let name = item.argument(0)?;
        Some((name.value().to_ascii_lowercase(), item.name_span().to(name.span())))
    };
    let groups: Vec<(String, Span)> = tree.root().filter(is_group).filter_map(named).collect();
    let hops = site.hops.iter().filter(|hop| !groups.is_empty() && site.proxy(hop.proxy).machine == Some(id));
    hops.filter_map(|hop| {
        let asked = asked_name(hop)?;
        let (_, group) = groups.iter().find(|(name, _)| asked.eq_ignore_ascii_case(name))?;
        Some((*group, hop.place))
    })
    .next()
}

/// The name of the target, where it may be a group's that the config does not define.
fn asked_name(hop: &Hop) -> Option<&str> {
    match &hop.to {
        To::Target(Target::Tcp { host: Spanned { value: Host::Name(name), .. }, port }) if port.written.is_none() => {
            Some(name)
        }
        To::NoGroup(name) => Some(&name.value),
        _ => None,
    }
}

/// Sites that are mounted or copied below nginx's folder while nothing is loaded but what comes with the image, or nothing
/// with a server in it. Whether one of them is all that its proxy would have.
pub fn outside_of_includes(
    site: &mut Site,
    trees: &Trees<'_>,
    id: MachineId,
    container: &Container<'_>,
    read: &[NginxRead],
    nothing_listens: bool,
) -> bool {
    let files = &container.files;
    let [nginx] = read else { return false };
    // What a main file that is not visible includes is not visible.
    if nginx.main.is_none() {
        return false;
    }
    let only_image = nginx.trees.iter().all(|tree| tree.root().all(|item| item.span() == container.image_place));
    // Its own main file, without a server in anything that it takes in.
    let is_empty = nothing_listens && container.started.open.is_none() && !nginx.trees.iter().any(|it| has_server(it));
    if !only_image && !is_empty || nginx.trees.is_empty() {
        return false;
    }
    let mounted = files.mounts.iter().map(|it| it.mount.target.clone());
    let copied = files.image.iter().flat_map(|image| &image.changes).filter_map(|change| match change {
        Change::Copy { target, .. } => Some(target.clone()),
        _ => None,
    });
    let links = links_sites(container);
    let mut seen = BTreeSet::new();
    for target in mounted.chain(copied) {
        let is_below = NGINX_PLACES.iter().any(|folder| below(folder, &target).is_some_and(|rest| !rest.is_empty()));
        let names = match files.find(&target) {
            _ if !is_below => continue,
            Found::File(_) => vec![target],
            Found::Directory => files.list(&target).names.iter().map(|name| join(&target, name)).collect(),
            _ => continue,
        };
        for path in names {
            let is_linked = links && path.contains("/sites-available/");
            let is_template = path.contains("/templates/") || is_put_aside(&path) || is_linked;
            let taken = nginx.includes.iter().any(|include| {
                let folders = include.path.rsplit_once('/').zip(path.rsplit_once('/'));
                folders.is_some_and(|((pattern, _), (folder, _))| glob::is_pattern(pattern) || pattern == folder)
            });
            let Found::File(text) = files.find(&path) else { continue };
            let is_unused = text.file().is_some_and(|file| !trees.is_used(file));
            let Some(origin) = files.origin(&path) else { continue };
            if !is_template && !taken && is_unused && has_server(&trees.peek(&text)) && seen.insert(path.clone()) {
                site.troubles.push(Trouble::NotLoaded(NotLoaded {
                    machine: id,
                    place: origin,
                    file: Some(text.span(0..text.as_str().find('\n').unwrap_or(text.as_str().len()))),
                    path,
                    why: NotLoadedWhy::NoInclude { looks: looks(nginx) },
                    nothing_else: nothing_listens,
                }));
            }
        }
    }
    nothing_listens && !seen.is_empty()
}

/// The pattern by which the main config takes in sites.
fn looks(nginx: &NginxRead) -> Option<String> {
    let is_for_sites = |path: &str| {
        glob::is_pattern(path) && (path.contains("site") || path.contains("conf.d") || path.contains("http.d"))
    };
    nginx.includes.iter().find(|include| is_for_sites(&include.path)).map(|include| include.path.clone())
}

/// A script of the build or of the start may link sites that are available.
fn links_sites(container: &Container<'_>) -> bool {
    let commands = container.files.image.iter().flat_map(|image| &image.commands);
    let mut words = commands.flat_map(|command| &command.words).filter_map(|word| word.literal());
    let sources = container.files.snapshot.sources;
    let opened = container.opened.borrow();
    let mut texts = opened.iter().map(|file| sources.get(*file).text.as_str());
    let of_start = match &container.start {
        Some(Start::Shell(text)) => text.as_str().contains("sites-"),
        Some(Start::Exec(words)) => words.iter().any(|word| word.as_str().contains("sites-")),
        None => true,
    };
    of_start
        || words.any(|word| word.as_str().contains("sites-") || word.as_str().ends_with(".sh"))
        || texts.any(|text| text.contains("sites-enabled"))
        || container.started.open.is_some()
}

/// Servers without a name of their own behind the one that comes with the image: nginx takes the first server of an
/// address for every name that nobody has ("How nginx processes a request").
pub fn default_sites(site: &mut Site, trees: &Trees<'_>, id: MachineId, container: &Container<'_>, read: &[NginxRead]) {
    let of_machine = |server: &&VirtualServer| site.proxy(server.proxy).machine == Some(id);
    let is_nameless =
        |server: &VirtualServer| server.names.iter().all(|name| matches!(name.value.as_str(), "" | "_" | "localhost"));
    if !site.servers.iter().filter(of_machine).any(|server| server.place == container.image_place) {
        return;
    }
    let mut found = Vec::new();
    for own in site.servers.iter().filter(of_machine).filter(|server| is_nameless(server)) {
        let first = own.listens.iter().find_map(|listen| {
            let same = |other: &&Listen| other.endpoint.of_any_family() == listen.endpoint.of_any_family();
            let mut rivals = site.servers.iter().filter(of_machine).filter(|server| server.proxy == own.proxy);
            let any_default = rivals.clone().any(|it| it.listens.iter().filter(same).any(|it| it.default));
            let first = rivals.find(|server| server.listens.iter().any(|other| same(&other)))?;
            (!any_default && first.place == container.image_place && own.place != first.place).then_some(first.place)
        });
        let Some(first) = first else { continue };
        let trees_of_all = read.iter().flat_map(|nginx| nginx.trees.iter().map(move |tree| (nginx, tree)));
        let holds = |(_, tree): &(&NginxRead, &Arc<Tree>)| tree.text().file() == Some(own.place.file);
        let origin = trees_of_all.into_iter().find(holds);
        let origin = origin.and_then(|(nginx, tree)| brought(nginx, &container.files, tree));
        found.push(NotLoaded {
            machine: id,
            place: origin.unwrap_or(own.place),
            file: None,
            path: trees.sources().path(own.place.file).to_owned(),
            why: NotLoadedWhy::DefaultSite { place: first },
            nothing_else: false,
        });
    }
    site.troubles.extend(found.into_iter().map(Trouble::NotLoaded));
}

/// The mount or copy that brings the file of a tree.
fn brought(nginx: &NginxRead, files: &MachineFiles<'_>, tree: &Tree) -> Option<Span> {
    let file = tree.text().file()?;
    nginx.includes.iter().find_map(|include| {
        let (folder, pattern) = include.path.rsplit_once('/')?;
        let names = files.list(folder).names;
        let mut matching = names.iter().filter(|name| glob::matches(pattern, name)).map(|name| join(folder, name));
        let is_it = |path: &String| matches!(files.find(path), Found::File(text) if text.file() == Some(file));
        files.origin(&matching.find(is_it)?)
    })
}

fn is_put_aside(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let endings = [
        ".bak",
        ".off",
        ".disabled",
        ".old",
        ".orig",
        ".save",
        ".example",
        ".sample",
        ".dist",
        ".template",
        "~",
        ".tmpl",
        ".inc",
        ".md",
        ".txt",
        ".backup",
    ];
    lower.starts_with('.') || endings.iter().any(|ending| lower.ends_with(ending)) || lower.contains("disabled")
}

fn has_server(tree: &Tree) -> bool {
    tree.problems().is_empty()
        && tree.root().any(|item| item.is_block() && matches!(&*item.name(), "server" | "upstream"))
}
