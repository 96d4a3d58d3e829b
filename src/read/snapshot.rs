//! Looks things up in the snapshot as a file system would: symbolic links are followed, and what was not listed is unknown.

use crate::read::surroundings::{Found, Listing};
use crate::source::{Entry, FileState, Sources};

/// As many links as Linux follows before it gives up (`path_resolution(7)`).
const LINKS: usize = 40;

/// A folder of the snapshot that stands for `/`, or for itself when absolute links lead out of it.
#[derive(Clone, Copy)]
pub struct Tree<'s> {
    pub sources: &'s Sources,
    /// What an absolute link starts from; `None`: it leads out of what is visible.
    pub root: Option<&'s str>,
}

enum Resolved {
    /// A path of the snapshot with an entry that is no link.
    At(String),
    Absent,
    Unknown,
}

impl Tree<'_> {
    /// What stands at a path of the snapshot.
    pub fn find(&self, path: &str) -> Found {
        let at = match self.resolve(path) {
            Resolved::At(at) => at,
            Resolved::Absent => return Found::Absent,
            Resolved::Unknown => return Found::Unknown,
        };
        match self.sources.entry(&at) {
            Some(Entry::File(FileState::Read(file))) => Found::File(self.sources.text(*file)),
            Some(Entry::File(FileState::NotRead)) => {
                // Asking is what makes it come with the next reading.
                let _ = self.sources.read(&at);
                Found::Opaque
            }
            Some(Entry::File(FileState::Unreadable(_))) => Found::Unknown,
            Some(Entry::Special) => Found::Opaque,
            Some(Entry::Directory { .. }) => Found::Directory,
            Some(Entry::Link(_)) | None => Found::Absent,
        }
    }

    /// What stands in a folder of the snapshot.
    pub fn list(&self, path: &str) -> Listing {
        let at = match self.resolve(path) {
            Resolved::At(at) => at,
            Resolved::Absent => return Listing { names: Vec::new(), complete: true },
            Resolved::Unknown => return Listing::default(),
        };
        match self.sources.entry(&at) {
            Some(Entry::Directory { listed }) => {
                let names = self.sources.children(&at).map(|path| path.rsplit('/').next().unwrap_or(path).to_owned());
                Listing { names: names.collect(), complete: *listed }
            }
            _ => Listing { names: Vec::new(), complete: true },
        }
    }

    /// The path of the snapshot behind all links, when something stands there.
    pub fn real_path(&self, path: &str) -> Option<String> {
        match self.resolve(path) {
            Resolved::At(at) => Some(at),
            _ => None,
        }
    }

    fn resolve(&self, path: &str) -> Resolved {
        // Nothing is listed below a link, so what has an entry is reached through folders alone.
        if let Some(Entry::File(_) | Entry::Directory { .. } | Entry::Special) = self.sources.entry(path) {
            return Resolved::At(path.to_owned());
        }
        let mut left = LINKS;
        let mut pending: Vec<String> = parts(path);
        pending.reverse();
        let mut at = String::new();
        while let Some(part) = pending.pop() {
            if part == ".." {
                if self.root == Some(at.as_str()) {
                    // Above `/` there is only `/`.
                    continue;
                }
                if at.is_empty() {
                    return Resolved::Unknown;
                }
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            let next = if at.is_empty() { part } else { format!("{at}/{part}") };
            match self.sources.entry(&next) {
                Some(Entry::Link(target)) => {
                    if left == 0 {
                        return Resolved::Absent;
                    }
                    left -= 1;
                    if target.starts_with('/') {
                        let Some(root) = self.root else { return Resolved::Unknown };
                        at = root.to_owned();
                    }
                    let mut steps = parts(target);
                    steps.reverse();
                    pending.extend(steps);
                }
                Some(Entry::Directory { listed: false }) if !pending.is_empty() => return Resolved::Unknown,
                Some(_) => at = next,
                None => {
                    return if self.is_listed(&at) { Resolved::Absent } else { Resolved::Unknown };
                }
            }
        }
        Resolved::At(at)
    }

    fn is_listed(&self, folder: &str) -> bool {
        !matches!(self.sources.entry(folder), Some(Entry::Directory { listed: false }))
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// `folder/rest` of the snapshot, with `.` and `..` taken out; `None` when it leads out of the snapshot.
pub fn join(folder: &str, rest: &str) -> Option<String> {
    let mut found: Vec<String> = parts(folder);
    for part in parts(rest) {
        if part == ".." {
            found.pop()?;
        } else {
            found.push(part);
        }
    }
    Some(found.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{Tree, join};
    use crate::read::surroundings::Found;
    use crate::source::{Entry, FileState, Sources};

    #[test]
    fn links_and_what_is_not_listed() {
        let mut sources = Sources::default();
        sources.add("srv/etc/nginx/sites-available/shop", "server {}");
        sources.add_entry("srv/etc/nginx/sites-enabled/shop", Entry::Link("../sites-available/shop".into()));
        sources.add_entry("srv/etc/nginx/sites-enabled/abs", Entry::Link("/etc/nginx/sites-available/shop".into()));
        sources.add_entry("srv/loop", Entry::Link("loop".into()));
        sources.add_entry("srv/node_modules", Entry::Directory { listed: false });
        sources.add_entry("srv/later.js", Entry::File(FileState::NotRead));
        let tree = Tree { sources: &sources, root: Some("srv") };
        assert!(matches!(tree.find("srv/etc/nginx/sites-enabled/shop"), Found::File(_)));
        assert!(matches!(tree.find("srv/etc/nginx/sites-enabled/abs"), Found::File(_)));
        assert!(matches!(tree.find("srv/loop"), Found::Absent));
        assert!(matches!(tree.find("srv/node_modules/x"), Found::Unknown));
        assert!(matches!(tree.find("srv/nothing"), Found::Absent));
        assert!(matches!(tree.find("../x"), Found::Unknown));
        assert!(matches!(tree.find("srv/later.js"), Found::Opaque));
        assert_eq!(sources.wanted(), ["srv/later.js"]);
        assert_eq!(tree.list("srv/etc/nginx/sites-enabled").names, ["abs", "shop"]);
        let closed = Tree { sources: &sources, root: None };
        assert!(matches!(closed.find("srv/etc/nginx/sites-enabled/abs"), Found::Unknown));
        assert_eq!(join("a/b", "../c").as_deref(), Some("a/c"));
        assert_eq!(join("a", "../../c"), None);
    }
}
