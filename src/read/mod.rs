//! Trees become facts in the site, one reader a product. Readers state facts; they do not judge.

pub mod address;
pub mod app;
pub mod backends;
pub mod built;
pub mod catalogue;
pub mod compose;
pub mod container;
pub mod deploys;
pub mod envsubst;
pub mod firewall;
pub mod generated;
pub mod glob;
pub mod host;
pub mod image;
pub mod machine_files;
pub mod nginx;
pub mod other_proxies;
pub mod probe;
pub mod process;
pub mod required;
pub mod roots;
pub mod running;
pub mod seen_sockets;
pub mod snapshot;
pub mod stack;
pub mod stand_alone;
pub mod start_troubles;
pub mod starting;
pub mod surroundings;
pub mod trees;
pub mod troubles;
pub mod unit_troubles;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::coverage::{FileCoverage, Read};
use crate::read::catalogue::image::reference;
use crate::read::compose::model::{Kept, Project};
use crate::read::container::Container;
use crate::read::image::Base;
use crate::read::process::listening;
use crate::read::running::NginxRead;
use crate::read::stack::Part;
use crate::read::trees::Trees;
use crate::read::troubles::FileNames;
use crate::read::troubles::without_value::{leftovers, variables};
use crate::side_by_side::{both, side_by_side};
use crate::site::Site;
use crate::site::machine::{Machine, MachineId};
use crate::site::trouble::Trouble;
use crate::source::{FileId, Sources, Span};
use crate::syntax::Problem;
use crate::syntax::nginx::Tree;

/// Less text than this is read before a second thread would have started.
pub const WORTH_A_THREAD: usize = 128 * 1024;

/// So many containers are read before a second thread would have started.
const FEW: usize = 12;

/// A site, and how much of the snapshot went into it.
pub struct Reading {
    pub site: Site,
    pub files: Vec<FileCoverage>,
    /// Nobody needs them any longer, and it takes its time to give their memory back.
    pub projects: Vec<Project>,
}

/// Whether a second thread is worth starting for all of it.
pub fn is_much(sources: &Sources) -> bool {
    sources.size() > WORTH_A_THREAD
}

/// Reads everything that there is to read.
pub fn read(sources: &Sources) -> Reading {
    let mut site = Site::default();
    let mut coverage = Coverage::default();
    if sources.files().next().is_none() {
        return Reading { site, files: Vec::new(), projects: Vec::new() };
    }
    let candidates = stand_alone::candidates(sources);
    let parse_nginx = || Trees::parse_ahead(sources, &candidates);
    let (mut projects, trees) = both(is_much(sources), || compose::projects(sources), parse_nginx);
    let mut nginx_trees = containers(&mut site, &mut coverage, &trees, &mut projects);
    let servers = roots::roots(sources, &|path| sources.read(path).is_some_and(|file| trees.is_used(file)));
    for (number, root) in servers.into_iter().enumerate() {
        let host = if number == 0 { MachineId(0) } else { host::add_machine(&mut site) };
        let reading = host::read(&mut site, &trees, &root, host);
        nginx_trees.extend(reading.trees);
        for file in reading.opened {
            coverage.add(sources, file, "other", Read::Whole);
        }
    }
    for (file, read) in seen_sockets::read(&mut site, sources, MachineId(0)) {
        coverage.set(sources, file, "sockets", read);
    }
    unit_troubles::read(&mut site, sources);
    firewall::read(&mut site, sources, &roots::roots(sources, &|_| false));
    for firewall in &site.firewalls {
        let rules = firewall.rules.iter().map(|rule| rule.place.file);
        for file in rules.chain([firewall.policy.span.file]) {
            coverage.add(sources, file, "firewall", Read::Whole);
        }
    }
    for (file, reason) in firewall::firewalld::unreadable(sources) {
        coverage.set(sources, file, "firewall", Read::No(reason));
    }
    if let Some(confinement) = &site.confinement {
        coverage.add(sources, confinement.place.file, "selinux", Read::Whole);
    }
    nginx_trees.extend(stand_alone::read(&mut site, &trees, &candidates));
    for file in trees.used() {
        if let Some(language) = trees.foreign(file) {
            coverage.set(sources, file, "nginx", Read::No(language.to_owned()));
        }
    }
    for tree in &nginx_trees {
        note_tree(&mut site, &mut coverage, sources, &trees, tree);
    }
    let is_nginx = |path: &str| coverage.files.get(path).is_some_and(|file| file.format == "nginx");
    for file in other_proxies::files(sources, is_nginx) {
        coverage.files.insert(file.path.clone(), file);
    }
    Reading { site, files: coverage.files.into_values().collect(), projects }
}

/// Reads the compose projects and the proxies inside of them.
fn containers<'s>(
    site: &mut Site,
    coverage: &mut Coverage,
    trees: &Trees<'s>,
    projects: &mut [Project],
) -> Vec<Arc<Tree>> {
    let sources = trees.sources();
    let host = MachineId(0);
    let somewhere = projects.iter().find_map(stack::place_of).unwrap_or(Span { file: FileId(0), start: 0, end: 0 });
    site.machines.push(Box::new(host::unseen(somewhere)));
    let roots = roots::roots(sources, &|_| false);
    let names = FileNames::of(sources);
    let settle = |mut part: Box<Part<'s>>, service: &Kept| {
        let version = nginx_version(&part.container);
        let read = running::read(&mut part, trees, version);
        part.site.shrink();
        if !read.is_empty() {
            return Settled::Proxies(part, read);
        }
        container_troubles(&mut part, &read, trees, service, &names);
        Settled::Finished(finish(*part, read))
    };
    let root = roots.first().map(String::as_str);
    let (settled, machines) = stack::read(site, sources, projects, host, root, settle);
    let projects = &*projects;
    let finished = side_by_side(settled, FEW, |settled| match settled {
        Settled::Finished(finished) => finished,
        Settled::Proxies(mut part, read) => {
            let service = &projects[part.machine.project].kept[part.service];
            container_troubles(&mut part, &read, trees, service, &names);
            finish(*part, read)
        }
    });
    let (mut containers, mut nginx_trees) = (Vec::new(), Vec::new());
    site.machines.reserve_exact(finished.len());
    site.make_room(finished.iter().map(|it| &*it.site));
    for Finished { machine, site: own, opened, dockerfile, container, trees } in finished {
        nginx_trees.extend(trees);
        site.machines.push(machine);
        site.add(*own);
        for file in opened {
            coverage.add(sources, file, "other", Read::Whole);
        }
        if let Some(file) = dockerfile {
            coverage.set(sources, file, "dockerfile", Read::Whole);
        }
        containers.extend(container);
    }
    generated::read(site, &containers);
    deploys::read(site, sources, projects, &machines);
    for project in projects {
        let (own, others): (Vec<Problem>, Vec<Problem>) =
            project.problems.iter().cloned().partition(|problem| project.files.contains(&problem.span.file));
        add_problems(site, "compose", &own);
        add_problems(site, "env-file", &others);
        variables(site, sources, project);
        for file in project.kept.iter().flat_map(|service| &service.env_files).filter_map(|file| file.found) {
            coverage.add(sources, file, "env", Read::Whole);
        }
        for file in &project.files {
            match &project.not_judged {
                // Another project may use the file as well.
                Some(why) => coverage.add(sources, *file, "compose", Read::No(why.clone())),
                None => coverage.set(sources, *file, "compose", how_read(&problems_in(*file, &project.problems))),
            }
        }
    }
    nginx_trees
}

/// A container, read as far as it can be before the others are. Most of it is let go of: there may be thousands.
enum Settled<'s> {
    Finished(Finished<'s>),
    /// What is wrong with these proxies depends on the files that others load.
    Proxies(Box<Part<'s>>, Vec<NginxRead>),
}

/// What is left of a container when all is read.
struct Finished<'s> {
    machine: Box<Machine>,
    site: Box<Site>,
    opened: BTreeSet<FileId>,
    dockerfile: Option<FileId>,
    /// Only where [`generated`] asks for it.
    container: Option<(MachineId, Box<Container<'s>>)>,
    trees: Vec<Arc<Tree>>,
}

fn finish(part: Part<'_>, read: Vec<NginxRead>) -> Finished<'_> {
    let Part { id, machine, container, site, .. } = part;
    let dockerfile = container.files.image.as_ref().map(|image| image.stage_place.file);
    let opened = container.opened.take();
    let container = generated::concerns(&container).then_some((id, container));
    let trees = read.into_iter().flat_map(|nginx| nginx.trees).collect();
    Finished { machine, site, opened, dockerfile, container, trees }
}

/// What is wrong in one container whose proxies were read.
fn container_troubles(
    part: &mut Part<'_>,
    read: &[NginxRead],
    trees: &Trees<'_>,
    service: &Kept,
    names: &FileNames<'_>,
) {
    let Part { id, machine, container, site, .. } = part;
    let (id, container) = (*id, &*container);
    site.backends = backends::read(id, machine, container);
    leftovers(site, trees, container);
    start_troubles::read(site, id, container);
    for nginx in read {
        nginx::modules::missing(site, id, container, &nginx.trees, nginx.complete);
    }
    let nothing_listens = machine.listening.listeners.is_empty();
    if troubles::not_loaded(site, trees, id, &container.files, read, nothing_listens) {
        machine.listening.open.get_or_insert_with(|| troubles::NOT_LOADED.to_owned());
    }
    if troubles::outside_of_includes(site, trees, id, container, read, nothing_listens) {
        machine.listening.open.get_or_insert_with(|| troubles::NOT_LOADED.to_owned());
    }
    troubles::default_sites(site, trees, id, container, read);
    if troubles::mounts(site, trees.sources(), service, id, &container.files, names) {
        machine.listening.open.get_or_insert_with(|| "a config that is mounted is not there".to_owned());
    }
    required::read(site, service, container);
    for process in &container.started.processes {
        let Some(program) = process.program else { continue };
        let pools = container.with_surroundings(|surroundings| listening::pools(process, program, surroundings));
        add_problems(site, "ini", &pools.map_or(Vec::new(), |pools| pools.problems));
    }
    if let Some(image) = &container.files.image {
        add_problems(site, "dockerfile", &image.problems);
    }
}

fn problems_in(file: FileId, problems: &[Problem]) -> Vec<Problem> {
    problems.iter().filter(|problem| problem.span.file == file).cloned().collect()
}

/// The version in the tag of an official image: `nginx:1.27.4-alpine`.
fn nginx_version(container: &Container<'_>) -> Option<(u32, u32, u32)> {
    let named = match container.files.image.as_ref().map(|image| &image.base) {
        Some(Base::Image(text)) => text.to_string(),
        Some(_) => return None,
        None => container.image.as_ref()?.to_string(),
    };
    let mut parts = reference(&named).tag.split('-').next()?.split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

fn note_tree(site: &mut Site, coverage: &mut Coverage, sources: &Sources, trees: &Trees<'_>, tree: &Arc<Tree>) {
    add_problems(site, "nginx", tree.problems());
    let Some(file) = tree.text().file() else {
        let template = tree.text().whole().file;
        if trees.is_rendered(template) {
            coverage.add(sources, template, "nginx", how_read(tree.problems()));
        }
        return;
    };
    if trees.foreign(file).is_some() {
        return;
    }
    coverage.set(sources, file, "nginx", how_read(tree.problems()));
}

fn how_read(problems: &[Problem]) -> Read {
    match problems {
        [] => Read::Whole,
        [only] => Read::Partly(only.message.clone()),
        [first, rest @ ..] => Read::Partly(format!("{} (and {} more)", first.message, rest.len())),
    }
}

fn add_problems(site: &mut Site, notation: &'static str, problems: &[Problem]) {
    for problem in problems {
        site.troubles.push(Trouble::Syntax {
            notation,
            place: problem.span,
            message: problem.message.clone(),
            related: problem.related.clone(),
        });
    }
}

#[derive(Default)]
struct Coverage {
    files: BTreeMap<String, FileCoverage>,
}

impl Coverage {
    /// Unless more is known of the file already.
    fn add(&mut self, sources: &Sources, file: FileId, format: &'static str, read: Read) {
        let path = sources.path(file).to_owned();
        self.files.entry(path.clone()).or_insert(FileCoverage { path, format, read });
    }

    fn set(&mut self, sources: &Sources, file: FileId, format: &'static str, read: Read) {
        let path = sources.path(file).to_owned();
        self.files.insert(path.clone(), FileCoverage { path, format, read });
    }
}
