//! Trees become facts in the site, one reader a product. Readers state facts; they do not judge.

pub mod address;
pub mod app;
pub mod catalogue;
pub mod compose;
pub mod container;
pub mod envsubst;
pub mod glob;
pub mod host;
pub mod image;
pub mod machine_files;
pub mod nginx;
pub mod process;
pub mod running;
pub mod snapshot;
pub mod stand_alone;
pub mod starting;
pub mod surroundings;
pub mod trees;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::coverage::{FileCoverage, Read};
use crate::read::trees::Trees;
use crate::site::Site;
use crate::site::trouble::Trouble;
use crate::source::{FileId, Sources};
use crate::syntax::Problem;
use crate::syntax::nginx::Tree;

/// A site, and how much of the snapshot went into it.
pub struct Reading {
    pub site: Site,
    pub files: Vec<FileCoverage>,
}

/// Reads everything that there is to read.
pub fn read(sources: &Sources) -> Reading {
    let mut site = Site::default();
    let mut coverage = Coverage::default();
    let candidates = stand_alone::candidates(sources);
    let trees = Trees::parse_ahead(sources, &candidates);
    let mut nginx_trees = Vec::new();
    nginx_trees.extend(stand_alone::read(&mut site, &trees, &candidates));
    for file in trees.used() {
        if let Some(language) = trees.foreign(file) {
            coverage.set(sources, file, "nginx", Read::No(language.to_owned()));
        }
    }
    for tree in &nginx_trees {
        note_tree(&mut site, &mut coverage, sources, &trees, tree);
    }
    Reading { site, files: coverage.files.into_values().collect() }
}

fn note_tree(site: &mut Site, coverage: &mut Coverage, sources: &Sources, trees: &Trees<'_>, tree: &Arc<Tree>) {
    add_problems(site, "nginx", tree.problems());
    let Some(file) = tree.text().file() else { return };
    if trees.foreign(file).is_some() {
        return;
    }
    let read = match tree.problems() {
        [] => Read::Whole,
        [only] => Read::Partly(only.message.clone()),
        [first, rest @ ..] => Read::Partly(format!("{} (and {} more)", first.message, rest.len())),
    };
    coverage.set(sources, file, "nginx", read);
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
    fn set(&mut self, sources: &Sources, file: FileId, format: &'static str, read: Read) {
        let path = sources.path(file).to_owned();
        self.files.insert(path.clone(), FileCoverage { path, format, read });
    }
}
