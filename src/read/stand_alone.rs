//! nginx configs that no machine is seen to load: only what they prove by themselves is said.

use std::sync::Arc;

use crate::read::nginx::{self, Files, Setup};
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::{Found, Listing};
use crate::read::trees::Trees;
use crate::site::Site;
use crate::source::{FileId, Sources};
use crate::syntax::nginx::Tree;

/// Blocks by which an nginx config is recognised.
const BLOCKS: &[&str] = &["http", "server", "upstream", "location", "events", "stream"];

/// Folders whose files are nginx configs whatever their names.
const FOLDERS: &[&str] = &["conf.d", "http.d", "sites-available", "sites-enabled", "nginx"];

/// Files that look like nginx configs by their names.
pub fn candidates(sources: &Sources) -> Vec<FileId> {
    let named = |(file, source): (FileId, &crate::source::Source)| {
        let mut parts = source.path.rsplit('/');
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let folder = parts.next().unwrap_or_default();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let takes = match extension {
            "conf" | "nginx" | "template" | "tmpl" | "tpl" | "vhost" | "inc" => true,
            "" => FOLDERS.contains(&folder) || name.contains("nginx"),
            "yml" | "yaml" | "md" | "sh" | "json" | "dockerfile" | "py" | "js" | "env" | "service" | "txt" => false,
            _ => name.contains("nginx") || FOLDERS[..4].contains(&folder),
        };
        takes.then_some(file)
    };
    sources.files().filter_map(named).collect()
}

/// Reads every candidate that no machine loads.
pub fn read(site: &mut Site, trees: &Trees<'_>, candidates: &[FileId]) -> Vec<Arc<Tree>> {
    let sources = trees.sources();
    let mut found: Vec<(FileId, Arc<Tree>, bool)> = Vec::new();
    for file in candidates.iter().filter(|file| !trees.is_used(**file) && !trees.is_rendered(**file)) {
        let tree = trees.get(&sources.text(*file));
        if let Some(is_main) = kind(sources.path(*file), &tree) {
            found.push((*file, tree, is_main));
        }
    }
    // Main files first: what they include is theirs.
    found.sort_by_key(|(file, _, is_main)| (!is_main, *file));
    let mut read = Vec::new();
    let mut done: Vec<FileId> = Vec::new();
    for (file, tree, _) in found {
        if done.contains(&file) {
            continue;
        }
        let path = sources.path(file).to_owned();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let snapshot = Snapshot { sources, root: None };
        // What is not beside it may well be where it is deployed.
        let find = |path: &str| match path.strip_prefix('/').filter(|path| below(path, folder)) {
            Some(path) => match snapshot.find(path) {
                Found::File(text) => Found::File(text),
                _ => Found::Unknown,
            },
            None => Found::Unknown,
        };
        let list = |path: &str| match path.strip_prefix('/').filter(|path| below(path, folder)) {
            Some(path) => Listing { complete: false, ..snapshot.list(path) },
            None => Listing::default(),
        };
        let parse = |text: &crate::source::Text| trees.get(text);
        let setup = Setup {
            machine: None,
            main: tree.clone(),
            folder: &format!("/{folder}"),
            files: Files { file: &find, list: &list, parse: &parse },
            place: tree.text().span(0..0),
            version: None,
        };
        let reading = nginx::read(site, &setup);
        done.extend(reading.trees.iter().filter_map(|tree| tree.text().file()));
        read.extend(reading.trees);
    }
    read
}

fn below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
}

/// Whether a tree is an nginx config, and then whether it is a main file. What is called nginx.conf is one however broken,
/// unless it begins with capitals, as no statement of nginx does: other programs have files of that name, too.
fn kind(path: &str, tree: &Tree) -> Option<bool> {
    let blocks: Vec<_> = tree.root().filter(|directive| directive.is_block()).collect();
    let is = |name: &str| blocks.iter().any(|block| block.name() == name);
    // Apache begins directives so, and a file of supervisord or systemd its sections.
    let is_foreign = tree
        .root()
        .next()
        .is_some_and(|first| first.name().starts_with(|it: char| it.is_ascii_uppercase() || it == '['));
    let is_named = path.rsplit('/').next() == Some("nginx.conf") && !tree.problems().is_empty() && !is_foreign;
    (is_named || BLOCKS.iter().any(|name| is(name))).then(|| is("http") || is("events"))
}
