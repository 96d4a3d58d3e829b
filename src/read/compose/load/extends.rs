//! `extends`: services that take over what other services say.

use std::collections::HashSet;

use crate::read::compose::environment::Environment;
use crate::read::compose::load::{Loader, Named, Place, parent};
use crate::read::compose::merge::merge;
use crate::read::compose::tree::{Kind, Node};
use crate::source::{Span, Text};

impl Loader<'_> {
    /// The services of a file that extend others, with everything they get from them.
    pub fn extended_services(&mut self, place: Place, environment: &Environment) -> Vec<(Text, Node)> {
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
}

/// Puts them into the place of what is written.
pub fn put_services(tree: &mut Node, extended: Vec<(Text, Node)>) {
    let Kind::Map(top) = &mut tree.kind else { return };
    let Some(Node { kind: Kind::Map(services), .. }) = top.get_mut("services") else { return };
    for (name, service) in extended {
        services.set(name, service);
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(map) => 1 + map.iter().map(|(_, value)| size(value)).sum::<usize>(),
        _ => 1,
    }
}
