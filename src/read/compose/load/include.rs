//! `include`: other projects whose services, networks and volumes become part of this one.

use crate::read::compose::environment::Environment;
use crate::read::compose::load::{Loader, Named, parent};
use crate::read::compose::merge::merge;
use crate::read::compose::tree::{Folder, Kind, Map, Mark, Node};
use crate::read::snapshot;
use crate::source::{FileId, Text};

/// How deep includes may be nested.
const DEPTH: usize = 64;

/// The sections of a file whose entries are imported.
const SECTIONS: &[&str] = &["services", "networks", "volumes", "configs", "secrets"];

impl Loader<'_> {
    pub fn include(&mut self, tree: &mut Node, folder: Folder, environment: &Environment, above: &mut Vec<FileId>) {
        let Kind::Map(top) = &mut tree.kind else { return };
        let Some(include) = top.take("include") else { return };
        for item in include.items() {
            let Some(imported) = self.included(item, folder, environment, above) else { continue };
            let Kind::Map(imported) = imported.kind else { continue };
            for (section, entries) in imported {
                let name = SECTIONS.iter().find(|name| **name == section.as_str());
                let (Kind::Map(entries), Some(name)) = (entries.kind, name) else { continue };
                self.import(top, name, section, entries);
            }
        }
    }

    /// What a file defines goes on top of what it includes under the same name (since compose-go 2.10, `importResource`).
    fn import(&mut self, top: &mut Map, name: &'static str, section: Text, entries: Map) {
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
                Some(_) => {
                    let Some(slot) = own.get_mut(key.as_str()) else { continue };
                    let nothing = Node { span: slot.span, folder: slot.folder, mark: Mark::Merge, kind: Kind::Null };
                    let over = std::mem::replace(slot, nothing);
                    *slot = merge(value, over, &mut vec![name, "*"]);
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
