//! A server's files as the readers of this folder see them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::read::catalogue;
use crate::read::machine_files::MachineFiles;
use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::{Found, Listing};
use crate::source::{Entry, FileId, FileState, Sources, Span, Text};

pub struct Server<'s> {
    pub files: MachineFiles<'s>,
    /// The tree holds all of the system, and not only what people keep in a repository.
    pub is_whole: bool,
    /// Main files that packages bring and that are left out of the tree, by their absolute path.
    brought: BTreeMap<String, Text>,
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
        let brought = if is_whole { BTreeMap::new() } else { brought(&files) };
        Server { files, is_whole, brought, opened: RefCell::default() }
    }

    pub fn find(&self, path: &str) -> Found {
        let found = match self.files.find(path) {
            Found::Absent => self.brought.get(path).map_or(Found::Absent, |text| Found::File(text.clone())),
            found => found,
        };
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

/// People keep what they have written themselves: the folder that a main file includes, and not the main file as its
/// package brings it.
fn brought(files: &MachineFiles<'_>) -> BTreeMap<String, Text> {
    let mut brought = BTreeMap::new();
    let mut add = |tree: &str, version: &str, main: &str, folder: &str| {
        let names = files.list(folder).names;
        let Some(first) = names.first() else { return };
        let Some(Found::File(place)) = Some(files.find(&format!("{folder}/{first}"))) else { return };
        let Some(tree) = catalogue::tree(tree).map(|tree| tree.of_version(version)) else { return };
        if let Some(Some(text)) = tree.files.get(main) {
            brought.insert(main.to_owned(), Text::fixed(text, place.span(0..0)));
        }
    };
    add("supervisor-debian", "", "/etc/supervisor/supervisord.conf", "/etc/supervisor/conf.d");
    add("supervisor-alpine", "", "/etc/supervisord.conf", "/etc/supervisor.d");
    add("supervisor-redhat", "", "/etc/supervisord.conf", "/etc/supervisord.d");
    add("php-fpm-redhat", "", "/etc/php-fpm.conf", "/etc/php-fpm.d");
    add("php-fpm-freebsd", "", "/usr/local/etc/php-fpm.conf", "/usr/local/etc/php-fpm.d");
    for name in files.list("/etc").names {
        // Alpine, and without a version Arch.
        if let Some(version) = name.strip_prefix("php") {
            add("php-fpm-alpine", version, &format!("/etc/{name}/php-fpm.conf"), &format!("/etc/{name}/php-fpm.d"));
        }
    }
    for version in files.list("/etc/php").names {
        let main = format!("/etc/php/{version}/fpm/php-fpm.conf");
        add("php-fpm-debian", &version, &main, &format!("/etc/php/{version}/fpm/pool.d"));
    }
    brought
}
