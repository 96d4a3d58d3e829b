//! Loads the files of a project into one tree: `extends`, `include`, and one file on top of the other.

mod extends;
mod include;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::OnceLock;

use crate::read::compose::environment::Environment;
use crate::read::compose::load::extends::put_services;
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
pub struct Place {
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

    /// What is written at this place begins with a variable.
    pub fn is_variable(&self, span: Span) -> bool {
        let written = self.documents.sources.get(span.file).text.get(span.range());
        written.is_some_and(|written| written.trim_start_matches(['"', '\'']).starts_with('$'))
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
}

/// The top of a file whose services need nothing but themselves, and its services.
fn lone(document: &Document) -> Option<(NodeRef<'_>, NodeRef<'_>)> {
    let mut roots = document.roots();
    let (Some(root), None) = (roots.next(), roots.next()) else { return None };
    let services = root.get("services").filter(|services| services.is_map() && services.tag().is_none())?;
    let alone = root.get("include").is_none() && services.entries().all(|(_, it)| it.get("extends").is_none());
    alone.then_some((root, services))
}

/// The folder of a path of the snapshot.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
