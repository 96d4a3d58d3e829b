//! Loads the files of a project into one tree: `extends`, `include`, and one file on top of the other.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::OnceLock;

use crate::read::compose::environment::Environment;
use crate::read::compose::merge::merge;
use crate::read::compose::tree::{Folder, Kind, Map, Mark, Node, convert};
use crate::read::snapshot::{self, Tree};
use crate::read::surroundings::Found;
use crate::source::{FileId, Sources, Span, Text};
use crate::syntax::Problem;
use crate::syntax::compose_values::interpolation::{Missing, interpolate};
use crate::syntax::yaml::{self, Document, NodeRef};

/// How many nodes a project may have after aliases, `extends` and `include` were resolved; 5,000 services have 400,000.
const NODES: usize = if cfg!(test) { 50_000 } else { 2_000_000 };

/// How deep includes may be nested.
const DEPTH: usize = 64;

/// The sections of a file whose entries are imported by `include`.
const SECTIONS: &[&str] = &["services", "networks", "volumes", "configs", "secrets"];

/// YAML files, each parsed once however many projects share it.
pub struct Documents<'s> {
    pub sources: &'s Sources,
    /// By the number of the file.
    parsed: Vec<OnceLock<Document>>,
}

impl<'s> Documents<'s> {
    pub fn new(sources: &'s Sources) -> Documents<'s> {
        Documents { sources, parsed: sources.files().map(|_| OnceLock::new()).collect() }
    }

    pub fn get(&self, file: FileId) -> &Document {
        self.parsed[file.0 as usize].get_or_init(|| yaml::parse(&self.sources.text(file)))
    }
}

/// What stands at a path that a file names.
pub enum Named {
    File(FileId, Text),
    /// It is certain that nothing is there, or nothing that can be read as a file.
    Absent,
    Unknown,
}

/// The services of a project.
pub enum Services<'d> {
    /// Merged, extended and included.
    Merged(Node),
    /// Those of a file that needs no other, each to be converted when it is read: there may be thousands, and their trees
    /// are larger than what is read from them.
    Written(NodeRef<'d>),
}

/// Everything that is found out about a project while its files are loaded.
pub struct Loader<'d> {
    pub documents: &'d Documents<'d>,
    pub files: Vec<FileId>,
    pub missing: Vec<Missing>,
    pub problems: Vec<Problem>,
    pub uncertain: Vec<Span>,
    pub unreadable: bool,
    pub incomplete: bool,
    folders: Vec<String>,
    environments: u32,
    budget: usize,
    trees: HashMap<Place, Rc<Node>>,
    extended: HashMap<(Place, String), Node>,
}

/// A file as it is read from one folder, with one environment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    file: FileId,
    folder: Folder,
    environment: u32,
}

impl<'d> Loader<'d> {
    pub fn new(documents: &'d Documents<'d>) -> Loader<'d> {
        Loader {
            documents,
            files: Vec::new(),
            missing: Vec::new(),
            problems: Vec::new(),
            uncertain: Vec::new(),
            unreadable: false,
            incomplete: false,
            folders: Vec::new(),
            environments: 0,
            budget: NODES,
            trees: HashMap::new(),
            extended: HashMap::new(),
        }
    }

    pub fn folder(&mut self, path: &str) -> Folder {
        let number = self.folders.iter().position(|folder| folder == path).unwrap_or_else(|| {
            self.folders.push(path.to_owned());
            self.folders.len() - 1
        });
        Folder(number as u32)
    }

    pub fn folder_path(&self, folder: Folder) -> &str {
        &self.folders[folder.0 as usize]
    }

    pub fn problem(&mut self, span: Span, message: String) {
        self.problems.push(Problem { span, message, related: None });
    }

    /// What stands at a path that is relative to a folder.
    pub fn find(&self, folder: Folder, path: &str) -> (Option<String>, Named) {
        if path.starts_with(['/', '~']) || path.contains("://") {
            return (None, Named::Unknown);
        }
        let Some(path) = snapshot::join(self.folder_path(folder), path) else { return (None, Named::Unknown) };
        let named = match (Tree { sources: self.documents.sources, root: None }).find(&path) {
            Found::File(text) => match text.file() {
                Some(file) => Named::File(file, text),
                None => Named::Unknown,
            },
            Found::Absent | Found::Directory => Named::Absent,
            Found::Opaque | Found::Unknown => Named::Unknown,
        };
        (Some(path), named)
    }

    /// Loads the files of a project: everything but its services, and these.
    pub fn load_project(
        &mut self,
        files: &[FileId],
        folder: Folder,
        environment: &Environment,
    ) -> Option<(Node, Option<Services<'d>>)> {
        if let [file] = files
            && let Some((root, services)) = lone(self.documents.get(*file))
        {
            self.open(*file);
            let mut top = Map::default();
            for (key, value) in root.entries().filter(|(key, _)| key.as_str() != Some("services")) {
                let Some(key) = key.text() else { continue };
                top.set(key, self.convert(value, folder, environment));
            }
            let top = Node { span: root.span(), folder, mark: Mark::Merge, kind: Kind::Map(top) };
            return Some((top, Some(Services::Written(services))));
        }
        let mut top = self.load(files, folder, environment, &mut Vec::new())?;
        let services = top.take("services").map(Services::Merged);
        Some((top, services))
    }

    /// Loads files that are laid on top of each other, with the folder and the variables they share.
    fn load(
        &mut self,
        files: &[FileId],
        folder: Folder,
        environment: &Environment,
        above: &mut Vec<FileId>,
    ) -> Option<Node> {
        let mut merged: Option<Node> = None;
        above.extend(files);
        for file in files {
            let place = Place { file: *file, folder, environment: environment.number };
            let extended = self.extended_services(place, environment);
            let tree = self.tree(place, environment);
            // Hardly any tree is asked for again, so it is taken out instead of copied.
            self.trees.remove(&place);
            let mut tree = Rc::try_unwrap(tree).unwrap_or_else(|shared| Node::clone(&shared));
            put_services(&mut tree, extended);
            self.include(&mut tree, folder, environment, above);
            merged = Some(match merged {
                Some(base) => merge(base, tree, &mut Vec::new()),
                None => tree,
            });
        }
        above.truncate(above.len() - files.len());
        merged
    }

    /// A file with its variables put in; the documents of one file are laid on top of each other as well.
    fn tree(&mut self, place: Place, environment: &Environment) -> Rc<Node> {
        if let Some(tree) = self.trees.get(&place) {
            return tree.clone();
        }
        let document = self.open(place.file);
        let whole = self.documents.sources.text(place.file).whole();
        let mut merged = Node { span: whole, folder: place.folder, mark: Mark::Merge, kind: Kind::Map(Map::default()) };
        let mut wrong = None;
        for root in document.roots() {
            if root.is_map() {
                let node = self.convert(root, place.folder, environment);
                merged = merge(merged, node, &mut Vec::new());
            } else if !root.is_null() {
                wrong = Some(root.span());
            }
        }
        if let Some(span) = wrong.filter(|_| !document.is_broken()) {
            self.problem(span, "a compose file is a mapping: `services:` and its like".to_owned());
            self.unreadable = true;
        }
        let tree = Rc::new(merged);
        self.trees.insert(place, tree.clone());
        tree
    }

    /// The document of a file that takes part in the project.
    fn open(&mut self, file: FileId) -> &'d Document {
        let document = self.documents.get(file);
        if !self.files.contains(&file) {
            self.files.push(file);
            self.problems.extend(document.problems().iter().cloned());
            self.unreadable |= document.is_broken();
        }
        document
    }

    /// A value of a file with its variables put in.
    pub fn convert(&mut self, node: NodeRef<'_>, folder: Folder, environment: &Environment) -> Node {
        let (missing, problems, uncertain) = (&mut self.missing, &mut self.problems, &mut self.uncertain);
        let look_up = |name: &str| environment.look_up(name);
        let mut fill = |text: &Text, span: Span| {
            let mut result = interpolate(text, &look_up);
            missing.append(&mut result.missing);
            problems.append(&mut result.problems);
            if result.incomplete {
                uncertain.push(span);
            }
            result
        };
        let converted = convert(node, folder, &mut self.budget, &mut fill);
        self.check_budget(self.documents.sources.text(node.span().file).whole());
        converted
    }

    fn check_budget(&mut self, span: Span) {
        if self.budget == 0 && !self.unreadable {
            self.unreadable = true;
            self.problem(span, "aliases and `extends` make this file too large to be judged".to_owned());
        }
    }

    /// The services of a file that extend others, with everything they get from them.
    fn extended_services(&mut self, place: Place, environment: &Environment) -> Vec<(Text, Node)> {
        let tree = self.tree(place, environment);
        let Some(services) = tree.get("services").and_then(Node::map) else { return Vec::new() };
        let extending = services.iter().filter(|(_, service)| service.get("extends").is_some());
        extending
            .filter_map(|(name, _)| Some((name.clone(), self.extended(place, name.as_str(), environment)?)))
            .collect()
    }

    /// A service with everything it extends, from the same file or from others.
    fn extended(&mut self, place: Place, name: &str, environment: &Environment) -> Option<Node> {
        if self.budget == 0 {
            return None;
        }
        let mut chain: Vec<((Place, String), Node)> = Vec::new();
        let mut seen: HashSet<(Place, String)> = HashSet::new();
        let mut next = Some(((place, name.to_owned()), None::<Span>));
        let mut base: Option<Node> = None;
        while let Some((key, from)) = next.take() {
            if let Some(done) = self.extended.get(&key) {
                base = Some(done.clone());
                break;
            }
            if !seen.insert(key.clone()) {
                let span = from.unwrap_or_else(|| self.documents.sources.text(key.0.file).whole());
                self.problem(span, format!("service `{}` extends itself", key.1));
                break;
            }
            let tree = self.tree(key.0, environment);
            let Some(service) = tree.get("services").and_then(|services| services.get(&key.1)) else {
                if let (Some(span), false) = (from, self.unreadable) {
                    let path = self.documents.sources.path(key.0.file);
                    self.problem(span, format!("there is no service `{}` in {path} to extend", key.1));
                    self.unreadable = true;
                }
                break;
            };
            next = self.extends(service, key.0);
            chain.push((key, service.clone()));
        }
        while let Some((key, service)) = chain.pop() {
            let mut service = match base.take() {
                Some(base) => merge(base, service, &mut vec!["services", "*"]),
                None => service,
            };
            if let Kind::Map(map) = &mut service.kind {
                map.take("extends");
            }
            self.budget = self.budget.saturating_sub(size(&service));
            self.check_budget(service.span);
            if self.budget == 0 {
                return None;
            }
            self.extended.insert(key, service.clone());
            base = Some(service);
        }
        base
    }

    /// What a service extends, and where that is written.
    fn extends(&mut self, service: &Node, place: Place) -> Option<((Place, String), Option<Span>)> {
        let extends = service.get("extends")?;
        if let Some(name) = extends.text() {
            return Some(((place, name.to_string()), Some(extends.span)));
        }
        let name = extends.get("service")?;
        let service = name.text()?.to_string();
        let Some(file) = extends.get("file") else { return Some(((place, service), Some(name.span))) };
        if file.is_incomplete() {
            self.incomplete = true;
            return None;
        }
        let written = file.text()?;
        let (path, found) = self.find(file.folder, written.as_str());
        match (path, found) {
            (Some(path), Named::File(other, _)) => {
                let folder = self.folder(parent(&path));
                Some(((Place { file: other, folder, ..place }, service), Some(name.span)))
            }
            (Some(path), Named::Absent) => {
                self.unreadable = true;
                self.problem(written.whole(), format!("there is no file {path} to extend from"));
                None
            }
            _ => {
                self.incomplete = true;
                None
            }
        }
    }

    fn include(&mut self, tree: &mut Node, folder: Folder, environment: &Environment, above: &mut Vec<FileId>) {
        let Kind::Map(top) = &mut tree.kind else { return };
        let Some(include) = top.take("include") else { return };
        for item in include.items() {
            let Some(imported) = self.included(item, folder, environment, above) else { continue };
            let Kind::Map(imported) = imported.kind else { continue };
            for (section, entries) in imported {
                let (Kind::Map(entries), true) = (entries.kind, SECTIONS.contains(&section.as_str())) else {
                    continue;
                };
                self.import(top, section, entries);
            }
        }
    }

    fn import(&mut self, top: &mut Map, section: Text, entries: Map) {
        if !matches!(top.get(section.as_str()), Some(Node { kind: Kind::Map(_), .. })) {
            let folder = self.folder("");
            let node = Node { span: section.whole(), folder, mark: Mark::Merge, kind: Kind::Map(Map::default()) };
            top.set(section.clone(), node);
        }
        let Some(Node { kind: Kind::Map(own), .. }) = top.get_mut(section.as_str()) else { return };
        for (key, value) in entries {
            match own.entry(key.as_str()) {
                None => own.set(key, value),
                Some((_, existing)) if existing.span == value.span => {}
                Some((first, _)) => {
                    let related = Some((key.whole(), "included here".to_owned()));
                    let message = format!(
                        "{} `{}` is also defined by an included file",
                        section.as_str().trim_end_matches('s'),
                        key
                    );
                    // The same network or volume is often declared in both.
                    if section.as_str() == "services" {
                        let span = first.whole();
                        self.problems.push(Problem { span, message, related });
                    }
                }
            }
        }
    }

    fn included(
        &mut self,
        item: &Node,
        folder: Folder,
        environment: &Environment,
        above: &mut Vec<FileId>,
    ) -> Option<Node> {
        let paths = item.get("path").unwrap_or(item);
        let mut files = Vec::new();
        let mut first_folder = None;
        for node in paths.items() {
            let Some(written) = node.some_text() else { continue };
            let (path, found) = self.find(folder, written.as_str());
            match (path, found) {
                _ if node.is_incomplete() => self.incomplete = true,
                (Some(path), Named::File(file, _)) => {
                    first_folder.get_or_insert_with(|| parent(&path).to_owned());
                    files.push((file, node.span));
                }
                (Some(path), Named::Absent) => {
                    self.unreadable = true;
                    self.problem(written.whole(), format!("there is no file {path} to include"));
                }
                _ => self.incomplete = true,
            }
        }
        if let Some((_, span)) = files.iter().find(|(file, _)| above.contains(file)) {
            self.problem(*span, "this file includes itself".to_owned());
            return None;
        }
        if above.len() >= DEPTH {
            self.problem(item.span, "includes are nested too deep".to_owned());
            return None;
        }
        let own_folder = match item.get("project_directory").and_then(Node::some_text) {
            Some(written) => match snapshot::join(self.folder_path(folder), written.as_str()) {
                Some(path) if !written.as_str().starts_with(['/', '~']) => path,
                _ => {
                    self.incomplete = true;
                    first_folder?
                }
            },
            None => first_folder?,
        };
        let own_folder = self.folder(&own_folder);
        self.environments += 1;
        let mut own = Environment { number: self.environments, ..environment.clone() };
        let env_files = item.get("env_file").map_or(&[][..], Node::items);
        for node in env_files {
            let Some(written) = node.some_text() else { continue };
            match self.find(folder, written.as_str()) {
                (_, Named::File(_, text)) => self.problems.extend(own.add(&text)),
                // Files with variables are often kept out of repositories.
                _ => self.incomplete = true,
            }
        }
        if env_files.is_empty()
            && let (_, Named::File(_, text)) = self.find(own_folder, ".env")
        {
            self.problems.extend(own.add(&text));
        }
        let files: Vec<FileId> = files.into_iter().map(|(file, _)| file).collect();
        self.load(&files, own_folder, &own, above)
    }
}

/// The top of a file whose services need nothing but themselves, and its services.
fn lone(document: &Document) -> Option<(NodeRef<'_>, NodeRef<'_>)> {
    let mut roots = document.roots();
    let (Some(root), None) = (roots.next(), roots.next()) else { return None };
    let services = root.get("services").filter(|services| services.is_map() && services.tag().is_none())?;
    let alone = root.get("include").is_none() && services.entries().all(|(_, it)| it.get("extends").is_none());
    alone.then_some((root, services))
}

fn put_services(tree: &mut Node, extended: Vec<(Text, Node)>) {
    let Kind::Map(top) = &mut tree.kind else { return };
    let Some(Node { kind: Kind::Map(services), .. }) = top.get_mut("services") else { return };
    for (name, service) in extended {
        services.set(name, service);
    }
}

/// The folder of a path of the snapshot.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(map) => 1 + map.iter().map(|(_, value)| size(value)).sum::<usize>(),
        _ => 1,
    }
}
