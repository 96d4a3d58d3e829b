//! nginx trees, parsed once for a file however many machines load it, and ahead of time on several threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::read::WORTH_A_THREAD;
use crate::side_by_side::side_by_side;
use crate::source::{FileId, Sources, Text};
use crate::syntax::nginx::{self, Tree};

pub struct Trees<'s> {
    sources: &'s Sources,
    files: Vec<Parsed>,
}

/// One file of the snapshot.
#[derive(Default)]
struct Parsed {
    tree: OnceLock<Arc<Tree>>,
    /// The other template language in which it is written, so that it is not read.
    foreign: OnceLock<Option<&'static str>>,
    /// It was asked for.
    used: AtomicBool,
    /// What was made of it was asked for.
    rendered: AtomicBool,
}

impl Parsed {
    fn tree(&self, text: &Text) -> Arc<Tree> {
        let foreign = || nginx::is_foreign_template(text.as_str());
        let parse = || match self.foreign.get_or_init(foreign) {
            Some(_) => Arc::new(nginx::parse(&text.slice(0..0))),
            None => Arc::new(nginx::parse(text)),
        };
        self.tree.get_or_init(parse).clone()
    }
}

impl<'s> Trees<'s> {
    pub fn of(sources: &'s Sources) -> Trees<'s> {
        Trees { sources, files: sources.files().map(|_| Parsed::default()).collect() }
    }

    /// Parses these files, side by side when there is much to do.
    pub fn parse_ahead(sources: &'s Sources, files: &[FileId]) -> Trees<'s> {
        let trees = Trees::of(sources);
        let size: usize = files.iter().map(|file| sources.get(*file).text.len()).sum();
        if size < WORTH_A_THREAD {
            return trees;
        }
        side_by_side(files, 1, |file| drop(trees.files[file.0 as usize].tree(&sources.text(*file))));
        trees
    }

    /// The tree of a text. A file in another template language gives an empty tree.
    pub fn get(&self, text: &Text) -> Arc<Tree> {
        let Some(file) = text.file() else {
            if let Some(template) = self.files.get(text.whole().file.0 as usize) {
                template.rendered.store(true, Ordering::Relaxed);
            }
            return Arc::new(nginx::parse(text));
        };
        let Some(parsed) = self.files.get(file.0 as usize) else { return Arc::new(nginx::parse(text)) };
        parsed.used.store(true, Ordering::Relaxed);
        parsed.tree(text)
    }

    /// The tree of a text that nobody loads.
    pub fn peek(&self, text: &Text) -> Arc<Tree> {
        let known = text.file().and_then(|file| self.files.get(file.0 as usize)?.tree.get().cloned());
        known.unwrap_or_else(|| Arc::new(nginx::parse(text)))
    }

    pub fn is_used(&self, file: FileId) -> bool {
        self.files.get(file.0 as usize).is_some_and(|parsed| parsed.used.load(Ordering::Relaxed))
    }

    /// Some machine loads what its start makes of this template.
    pub fn is_rendered(&self, file: FileId) -> bool {
        self.files.get(file.0 as usize).is_some_and(|parsed| parsed.rendered.load(Ordering::Relaxed))
    }

    pub fn used(&self) -> Vec<FileId> {
        self.sources.files().map(|(file, _)| file).filter(|file| self.is_used(*file)).collect()
    }

    pub fn foreign(&self, file: FileId) -> Option<&'static str> {
        self.files.get(file.0 as usize)?.foreign.get().copied().flatten()
    }

    pub fn sources(&self) -> &'s Sources {
        self.sources
    }
}
