//! Finds the compose files of a snapshot and which of them are used together.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::read::compose::environment::Environment;
use crate::read::compose::load::{Documents, parent};
use crate::read::compose::model::Project;
use crate::read::compose::{FEW, services_of};
use crate::read::glob;
use crate::read::snapshot::join;
use crate::side_by_side::side_by_side;
use crate::source::{Entry, FileId, FileState, Sources, Text};
use crate::syntax::compose_values::interpolation::interpolate;
use crate::syntax::compose_values::volumes::{Source, is_path, short_volume};
use crate::syntax::yaml::{Document, NodeRef};

/// Files that are loaded together, the first one at the bottom.
pub struct Group {
    pub files: Vec<FileId>,
    pub certainty: Certainty,
}

/// How we know that the files are used together, and without others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Compose does so by itself, or a file says so.
    Known,
    /// A file that seems to stand for itself; if it does not, it lies on this base.
    Alone(Option<FileId>),
    /// An overlay with a base. It may need further ones.
    Overlay,
    /// An overlay without anything to lie on.
    Fragment,
}

/// What compose takes when it is given no file, the first that is there (`cli.DefaultFileNames` of compose-go).
const BASES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// What it lays on top of them by itself (`cli.DefaultOverrideFileNames`).
const OVERRIDES: &[&str] =
    &["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// Names that only compose files have.
const NAMES: &[&str] = &[
    "compose*.yml",
    "compose*.yaml",
    "docker-compose*.yml",
    "docker-compose*.yaml",
    "*.compose.yml",
    "*.compose.yaml",
    "*-compose.yml",
    "*-compose.yaml",
];

/// What may stand at the top of a compose file, besides extensions (`x-…`); compose refuses everything else.
const SECTIONS: &[&str] =
    &["name", "version", "services", "networks", "volumes", "configs", "secrets", "models", "include"];

/// A compose file and what is written in it.
struct Candidate {
    file: FileId,
    /// It stands for itself: each service has an image, and each name that it uses is declared.
    complete: bool,
}

/// The groups of files that make a project, in the order of their paths.
pub fn groups(documents: &Documents<'_>) -> Vec<Group> {
    let folders = candidates(documents);
    let mut environments = Environments { sources: documents.sources, known: HashMap::new() };
    let mut parts: HashSet<FileId> = HashSet::new();
    let mut extended: HashSet<FileId> = HashSet::new();
    for candidate in folders.values().flatten() {
        let document = documents.get(candidate.file);
        parts.extend(included(document, candidate.file, &mut environments));
        extended.extend(extended_files(document, candidate.file, &mut environments));
    }
    let mut groups: Vec<Group> = Vec::new();
    for files in listed(documents.sources, &mut environments) {
        parts.extend(&files);
        groups.push(Group { files, certainty: Certainty::Known });
    }
    let bases: BTreeMap<&str, FileId> = folders
        .iter()
        .filter_map(|(folder, candidates)| Some((folder.as_str(), base(documents.sources, candidates)?)))
        .collect();
    for (folder, candidates) in &folders {
        group_folder(documents.sources, folder, candidates, &bases, &parts, &extended, &mut groups);
    }
    // Files that only include each other are nobody's parts.
    let grouped: HashSet<FileId> = groups.iter().flat_map(|group| group.files.iter().copied()).collect();
    if grouped.is_empty() {
        let all = folders.values().flatten().filter(|candidate| candidate.complete);
        groups.extend(all.map(|candidate| Group { files: vec![candidate.file], certainty: Certainty::Known }));
    }
    groups.sort_by_key(|group| group.files.first().map(|file| documents.sources.path(*file).to_owned()));
    groups
}

/// Another compose file than these declares the name.
pub fn is_declared_elsewhere(documents: &Documents<'_>, files: &[FileId], section: &str, name: &str) -> bool {
    let folders = candidates(documents);
    let mut others = folders.values().flatten().filter(|candidate| !files.contains(&candidate.file));
    others.any(|candidate| {
        let document = documents.get(candidate.file);
        document.root().and_then(|root| root.get(section)?.get(name)).is_some()
    })
}

fn group_folder(
    sources: &Sources,
    folder: &str,
    candidates: &[Candidate],
    bases: &BTreeMap<&str, FileId>,
    parts: &HashSet<FileId>,
    extended: &HashSet<FileId>,
    groups: &mut Vec<Group>,
) {
    let own_base = bases.get(folder).copied();
    let is_pattern = |file: &FileId| extended.contains(file) && !BASES.contains(&file_name(sources, *file));
    let main = own_base.filter(|base| !parts.contains(base) && !is_pattern(base));
    let laid_over = own_base.and_then(|_| named(sources, candidates, OVERRIDES));
    if let Some(base) = main {
        let files = std::iter::once(base).chain(laid_over).collect();
        groups.push(Group { files, certainty: Certainty::Known });
    }
    for candidate in candidates {
        let file = candidate.file;
        if Some(file) == own_base || Some(file) == laid_over || parts.contains(&file) {
            continue;
        }
        if candidate.complete {
            // A file that others extend holds patterns, unless it is the one that compose takes by itself.
            if !extended.contains(&file) {
                let certainty = Certainty::Alone(main);
                groups.push(Group { files: vec![file], certainty });
            }
            continue;
        }
        if extended.contains(&file) {
            continue;
        }
        let below = own_base.or_else(|| base_above(folder, bases));
        match below {
            // The base of an overlay may be a part of something larger; then the overlay is, too.
            Some(base) if parts.contains(&base) && own_base.is_some() => {}
            Some(base) => groups.push(Group { files: vec![base, file], certainty: Certainty::Overlay }),
            None => groups.push(Group { files: vec![file], certainty: Certainty::Fragment }),
        }
    }
}

/// The file that the others of a folder are laid on.
fn base(sources: &Sources, candidates: &[Candidate]) -> Option<FileId> {
    if let Some(base) = named(sources, candidates, BASES) {
        return Some(base);
    }
    let mut complete = candidates.iter().filter(|candidate| candidate.complete);
    match (complete.next(), complete.next()) {
        (Some(only), None) => Some(only.file),
        _ => None,
    }
}

fn named(sources: &Sources, candidates: &[Candidate], names: &[&str]) -> Option<FileId> {
    names
        .iter()
        .find_map(|name| candidates.iter().find(|candidate| file_name(sources, candidate.file) == *name))
        .map(|candidate| candidate.file)
}

/// Compose takes a file of this folder by itself.
pub fn has_base(sources: &Sources, folder: &str) -> bool {
    BASES.iter().any(|name| join(folder, name).is_some_and(|path| sources.entry(&path).is_some()))
}

fn base_above(folder: &str, bases: &BTreeMap<&str, FileId>) -> Option<FileId> {
    let mut folder = folder;
    while !folder.is_empty() {
        folder = parent(folder);
        if let Some(base) = bases.get(folder) {
            return Some(*base);
        }
    }
    None
}

fn file_name(sources: &Sources, file: FileId) -> &str {
    let path = sources.path(file);
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// `nginx.override.yml`: a name that says that the file lies on another one, however much stands in it.
fn is_called_overlay(name: &str) -> bool {
    name.split(['.', '-', '_']).any(|word| matches!(word, "override" | "overrides" | "overlay"))
}

/// The compose files of each folder.
fn candidates(documents: &Documents<'_>) -> BTreeMap<String, Vec<Candidate>> {
    let sources = documents.sources;
    let mut files: Vec<(&str, FileId, bool)> = Vec::new();
    for (path, entry) in sources.below("") {
        let Entry::File(state) = entry else { continue };
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name).to_ascii_lowercase();
        if !name.ends_with(".yml") && !name.ends_with(".yaml") {
            continue;
        }
        let is_named = NAMES.iter().any(|pattern| glob::matches(pattern, &name));
        let file = match state {
            FileState::Read(file) => *file,
            FileState::NotRead if is_named => {
                // Asking is what makes it come with the next reading.
                let _ = sources.read(path);
                continue;
            }
            _ => continue,
        };
        if is_named || mentions_services(&sources.get(file).text) {
            files.push((path, file, is_named));
        }
    }
    let found = side_by_side(&files, FEW, |&(_, file, is_named)| {
        let document = documents.get(file);
        let complete = || is_complete(document) && !is_called_overlay(file_name(sources, file));
        is_compose(document, is_named).then(|| Candidate { file, complete: complete() })
    });
    let mut folders: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for ((path, ..), candidate) in files.into_iter().zip(found) {
        if let Some(candidate) = candidate {
            folders.entry(parent(path).to_owned()).or_default().push(candidate);
        }
    }
    folders
}

/// A key `services` at the beginning of a line.
fn mentions_services(text: &str) -> bool {
    text.starts_with("services:") || text.contains("\nservices:")
}

fn is_compose(document: &Document, is_named: bool) -> bool {
    let Some(root) = document.root() else { return is_named && document.is_broken() };
    if is_named {
        return ["services", "include"].iter().any(|key| root.get(key).is_some()) || document.is_broken();
    }
    // Files of build servers have services with images, too, and sections of their own.
    let mut sections = root.entries().filter_map(|(key, _)| key.as_str());
    sections.all(|key| SECTIONS.contains(&key) || key.starts_with("x-"))
        && services_of(document).any(|(_, service)| has_image(service))
}

fn has_image(service: NodeRef<'_>) -> bool {
    let image = service.get("image").is_some_and(|image| image.is_scalar() && !image.is_null());
    image || service.get("build").is_some_and(|build| !build.is_null())
}

/// Whether compose would take the file by itself, as far as its own text tells.
fn is_complete(document: &Document) -> bool {
    let Some(root) = document.root() else { return false };
    if root.get("include").is_some() {
        return true;
    }
    let declared = |section: &str, name: &str| root.get(section).is_some_and(|section| section.get(name).is_some());
    let mut any = false;
    for (_, service) in services_of(document) {
        any = true;
        let supplied = ["extends", "provider"].iter().any(|key| service.get(key).is_some());
        if !has_image(service) && !supplied {
            return false;
        }
        let networks = service.get("networks").map(names).unwrap_or_default();
        let needs = service.get("depends_on").map(names).unwrap_or_default();
        if !networks.iter().all(|name| *name == "default" || declared("networks", name))
            || !needs.iter().all(|name| declared("services", name))
        {
            return false;
        }
        let mut mounts = service.get("volumes").into_iter().flat_map(NodeRef::items).filter_map(NodeRef::text);
        if !mounts.all(|mount| volume_is_declared(&mount, &declared)) {
            return false;
        }
    }
    any
}

fn volume_is_declared(mount: &Text, declared: &dyn Fn(&str, &str) -> bool) -> bool {
    // Most mounts are of files.
    if is_path(mount.as_str()) {
        return true;
    }
    match short_volume(mount) {
        Ok(volume) => match &volume.source {
            Source::Volume(name) => name.as_str().contains('$') || declared("volumes", name.as_str()),
            Source::Bind(_) | Source::Anonymous => true,
        },
        Err(_) => true,
    }
}

/// The items of a list, or the keys of a map.
fn names(node: NodeRef<'_>) -> Vec<&str> {
    let keys = node.entries().filter_map(|(key, _)| key.as_str());
    node.items().filter_map(NodeRef::as_str).chain(keys).collect()
}

/// The variables of each folder that has a `.env`.
struct Environments<'s> {
    sources: &'s Sources,
    known: HashMap<String, Environment>,
}

impl Environments<'_> {
    fn of(&mut self, folder: &str) -> &Environment {
        if !self.known.contains_key(folder) {
            let mut environment = Environment::default();
            let file = join(folder, ".env").and_then(|path| self.sources.read(&path));
            if let Some(file) = file {
                // What is wrong with the file is said when its project is loaded.
                let _ = environment.add(&self.sources.text(file));
            }
            self.known.insert(folder.to_owned(), environment);
        }
        &self.known[folder]
    }

    /// The file that a value names, relative to a folder.
    fn file(&mut self, folder: &str, written: &Text) -> Option<FileId> {
        let environment = self.of(folder);
        let path = interpolate(written, &|name| environment.look_up(name)).text;
        if path.as_str().starts_with(['/', '~']) {
            return None;
        }
        self.sources.read(&join(folder, path.as_str())?)
    }
}

/// The files that the `include` of a file names.
fn included(document: &Document, file: FileId, environments: &mut Environments<'_>) -> Vec<FileId> {
    let folder = parent(environments.sources.path(file)).to_owned();
    let Some(include) = document.root().and_then(|root| root.get("include")) else { return Vec::new() };
    let mut files = Vec::new();
    for item in include.items() {
        let path = item.get("path").unwrap_or(item);
        for path in std::iter::once(path).chain(path.items()) {
            let found = path.text().and_then(|text| environments.file(&folder, &text));
            files.extend(found.filter(|found| *found != file));
        }
    }
    files
}

/// The other files whose services are extended.
fn extended_files(document: &Document, file: FileId, environments: &mut Environments<'_>) -> Vec<FileId> {
    let folder = parent(environments.sources.path(file)).to_owned();
    let mut files = Vec::new();
    for (_, service) in services_of(document) {
        let written = service.get("extends").and_then(|extends| extends.get("file")).and_then(NodeRef::text);
        let found = written.and_then(|text| environments.file(&folder, &text));
        files.extend(found.filter(|found| *found != file));
    }
    files
}

/// The files that a `COMPOSE_FILE` in a `.env` names, for each `.env` that does so.
fn listed(sources: &Sources, environments: &mut Environments<'_>) -> Vec<Vec<FileId>> {
    let mut found = Vec::new();
    for (_, source) in sources.files() {
        let name = source.path.rsplit_once('/').map_or(source.path.as_str(), |(_, name)| name);
        if name != ".env" || !source.text.contains("COMPOSE_FILE") {
            continue;
        }
        let folder = parent(&source.path);
        let environment = environments.of(folder);
        let Some(value) = environment.values.get("COMPOSE_FILE").cloned() else { continue };
        let separator = environment
            .values
            .get("COMPOSE_PATH_SEPARATOR")
            .map_or(':', |separator| separator.as_str().chars().next().unwrap_or(':'));
        let mut files = Vec::new();
        for path in value.as_str().split(separator).filter(|path| !path.is_empty()) {
            files.extend(environments.file(folder, &Text::fixed(path, value.whole())));
        }
        if !files.is_empty() {
            found.push(files);
        }
    }
    found
}

/// A file that some other program fills in: no YAML, and full of its brackets.
pub fn is_template(sources: &Sources, file: FileId, document: &Document) -> bool {
    let text = &sources.get(file).text;
    document.is_broken() && (text.contains("{%") || text.contains("{{") || text.contains("<%"))
}

/// Takes out projects whose services lack an image that one of their overlays supplies: nobody runs them alone.
pub fn drop_unfinished(projects: &mut Vec<Project>) {
    let lacks = |project: &Project| {
        project
            .services
            .iter()
            .any(|service| service.image.is_none() && service.build.is_none() && !service.is_provider)
    };
    let whole = projects.iter().filter(|project| !project.fragment && !lacks(project));
    let finished: Vec<Vec<FileId>> = whole.map(|project| project.files.clone()).collect();
    projects.retain(|project| {
        let covers = |files: &Vec<FileId>| {
            files.len() > project.files.len() && project.files.iter().all(|file| files.contains(file))
        };
        !lacks(project) || !finished.iter().any(covers)
    });
}
