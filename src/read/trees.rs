//! nginx trees, parsed once for a file however many machines load it, and ahead of time on several threads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::read::side_by_side::side_by_side;
use crate::source::{FileId, Sources, Text};
use crate::syntax::nginx::{self, Tree};

/// Less text than this is parsed before a second thread would have started.
pub const WORTH_A_THREAD: usize = 128 * 1024;

pub struct Trees<'s> {
    sources: &'s Sources,
    parsed: Vec<OnceLock<Arc<Tree>>>,
    /// Files in another template language, which are not read.
    foreign: RefCell<BTreeMap<FileId, &'static str>>,
    /// Files that were asked for.
    used: RefCell<BTreeSet<FileId>>,
}

impl<'s> Trees<'s> {
    pub fn of(sources: &'s Sources) -> Trees<'s> {
        Trees {
            sources,
            parsed: sources.files().map(|_| OnceLock::new()).collect(),
            foreign: RefCell::default(),
            used: RefCell::default(),
        }
    }

    /// Parses these files, side by side when there is much to do.
    pub fn parse_ahead(sources: &'s Sources, files: &[FileId]) -> Trees<'s> {
        let trees = Trees::of(sources);
        let size: usize = files.iter().map(|file| sources.get(*file).text.len()).sum();
        if size < WORTH_A_THREAD {
            return trees;
        }
        let parsed = &trees.parsed;
        side_by_side(files.len(), 1, |number| {
            let text = sources.text(files[number]);
            if nginx::is_foreign_template(text.as_str()).is_none() {
                parsed[files[number].0 as usize].get_or_init(|| Arc::new(nginx::parse(&text)));
            }
        });
        trees
    }

    /// The tree of a text. A file in another template language gives an empty tree.
    pub fn get(&self, text: &Text) -> Arc<Tree> {
        let Some(file) = text.file() else { return Arc::new(nginx::parse(text)) };
        self.used.borrow_mut().insert(file);
        let Some(cell) = self.parsed.get(file.0 as usize) else { return Arc::new(nginx::parse(text)) };
        cell.get_or_init(|| {
            if let Some(language) = nginx::is_foreign_template(text.as_str()) {
                self.foreign.borrow_mut().insert(file, language);
                return Arc::new(nginx::parse(&text.slice(0..0)));
            }
            Arc::new(nginx::parse(text))
        })
        .clone()
    }

    /// The tree of a text that nobody loads.
    pub fn peek(&self, text: &Text) -> Arc<Tree> {
        let known = text.file().and_then(|file| self.parsed.get(file.0 as usize)?.get().cloned());
        known.unwrap_or_else(|| Arc::new(nginx::parse(text)))
    }

    pub fn is_used(&self, file: FileId) -> bool {
        self.used.borrow().contains(&file)
    }

    pub fn used(&self) -> Vec<FileId> {
        self.used.borrow().iter().copied().collect()
    }

    pub fn foreign(&self, file: FileId) -> Option<&'static str> {
        self.foreign.borrow().get(&file).copied()
    }

    pub fn sources(&self) -> &'s Sources {
        self.sources
    }
}
