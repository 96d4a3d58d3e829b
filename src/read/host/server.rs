//! A server's files as the readers of this folder see them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::read::machine_files::MachineFiles;
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::{Found, Listing};
use crate::source::{Entry, FileId, FileState, Sources, Span, Text};

pub struct Server<'s> {
    pub files: MachineFiles<'s>,
    /// The tree holds all of the system, and not only what people keep in a repository.
    pub is_whole: bool,
    /// In the order in which they were looked into.
    opened: RefCell<Vec<FileId>>,
}

/// What only a whole system has.
const OF_A_WHOLE_SYSTEM: [&[&str]; 3] =
    [&["/etc/passwd"], &["/etc/os-release", "/usr/lib/os-release"], &["/usr/bin", "/bin", "/usr/lib/systemd"]];

impl<'s> Server<'s> {
    /// `root`: the folder of the snapshot that is `/`.
    pub fn of(sources: &'s Sources, root: &'s str) -> Server<'s> {
        let files = MachineFiles {
            snapshot: Snapshot { sources, root: Some(root) },
            root: Some(root.to_owned()),
            known: Vec::new(),
            place: Span { file: FileId(0), start: 0, end: 0 },
            empty: false,
            image: None,
            mounts: Vec::new(),
            started: None,
        };
        let is_there = |path: &&str| !matches!(files.find(path), Found::Absent | Found::Unknown);
        let is_whole = OF_A_WHOLE_SYSTEM.iter().all(|paths| paths.iter().any(&is_there));
        Server { files, is_whole, opened: RefCell::default() }
    }

    pub fn find(&self, path: &str) -> Found {
        let found = self.files.find(path);
        if let Found::File(text) = &found {
            self.opened.borrow_mut().extend(text.file());
        }
        found
    }

    pub fn text(&self, path: &str) -> Option<Text> {
        match self.find(path) {
            Found::File(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self, path: &str) -> Listing {
        self.files.list(path)
    }

    /// The names in a folder, also those of links to what packages bring and the tree does not hold.
    pub fn entries(&self, folder: &str) -> Vec<String> {
        let Some(root) = self.files.root.as_deref() else { return Vec::new() };
        let path = if root.is_empty() { folder.trim_start_matches('/').to_owned() } else { format!("{root}{folder}") };
        self.files.snapshot.list(&path).names
    }

    pub fn sources(&self) -> &'s Sources {
        self.files.snapshot.sources
    }

    /// A path with the links of its folders followed, as far as the folders are there.
    pub fn real_path(&self, path: &str) -> Option<String> {
        let root = self.files.root.as_deref()?;
        let mut folder = path;
        while let Some((above, _)) = folder.rsplit_once('/').filter(|(above, _)| !above.is_empty()) {
            if let Some(real) = self.files.snapshot.real_path(&format!("{root}{above}")) {
                return Some(format!("{}{}", self.path_of(&real)?, &path[above.len()..]));
            }
            folder = above;
        }
        None
    }

    /// The absolute path, on the server, of a path of the snapshot.
    pub fn path_of(&self, path: &str) -> Option<String> {
        let root = self.files.root.as_deref()?;
        let rest = if root.is_empty() { path } else { path.strip_prefix(root)?.strip_prefix('/')? };
        Some(format!("/{rest}"))
    }

    /// A folder of the server as a path of the snapshot, when it is there.
    pub fn below(&self, folder: &str) -> Option<String> {
        let root = self.files.root.as_deref()?;
        let path = if root.is_empty() { folder.to_owned() } else { format!("{root}/{folder}") };
        self.sources().entry(&path).map(|_| path)
    }

    /// Something has looked into the file at this path already.
    pub fn was_opened(&self, path: &str) -> bool {
        let root = self.files.root.as_deref().unwrap_or_default();
        let path = format!("{root}{path}");
        match self.sources().entry(path.trim_start_matches('/')) {
            Some(Entry::File(FileState::Read(file))) => self.opened.borrow().contains(file),
            _ => false,
        }
    }

    /// How many files have been looked into.
    pub fn count_opened(&self) -> usize {
        self.opened.borrow().len()
    }

    /// The texts that were looked into since then.
    pub fn any_opened_since(&self, count: usize, is_meant: impl Fn(&str) -> bool) -> bool {
        let opened = self.opened.borrow();
        opened.iter().skip(count).any(|file| is_meant(&self.sources().get(*file).text))
    }

    /// The files that were looked into.
    pub fn opened(self) -> BTreeSet<FileId> {
        self.opened.into_inner().into_iter().collect()
    }
}
