//! Reads a folder into [`Sources`]: which entries there are and, where a name says that it matters, the text.
//!
//! Links are recorded and never followed, so that nothing outside the folder is read and no loop can catch us.

pub mod ahead;
pub mod live;
pub mod names;
pub mod server;
pub mod target;

use std::fs::{self, File};
use std::io::{self, Read as _};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use crate::coverage::{FileCoverage, LeftOut, Read};
use crate::read::snapshot::Tree;
use crate::side_by_side::side_by_side;
use crate::source::{Entry, FileState, Permissions, Sources};

/// Reading is spread over threads from this many files on; below, starting them costs more than it saves.
const MANY: usize = 24;

/// A folder as it was found.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub sources: Sources,
    /// What is there, matters by its name, and could not be read.
    pub unread: Vec<FileCoverage>,
    /// Folders of a server in which nothing is looked for.
    pub left_out: Vec<LeftOut>,
}

/// What reading one file gave.
enum Content {
    Text { text: String, altered: Option<String>, executable: Option<bool> },
    TooLargeForNow,
    Unreadable(String),
}

impl Snapshot {
    /// Looks at everything below `folder` and reads what [`names::FILES`] lists.
    ///
    /// The text `replaced` counts instead of what is on disk at its path: an editor has not saved it yet.
    pub fn of(folder: &Path, replaced: Option<(&str, &[u8])>) -> Result<Snapshot, String> {
        Snapshot::default().filled(folder, replaced)
    }

    /// The same for the `/` of a server: only folders that say something about it are entered ([`server`]).
    pub fn of_server(folder: &Path, replaced: Option<(&str, &[u8])>) -> Result<Snapshot, String> {
        let mut snapshot = Snapshot::default();
        snapshot.sources.told.is_server = true;
        snapshot.filled(folder, replaced)
    }

    fn filled(self, folder: &Path, replaced: Option<(&str, &[u8])>) -> Result<Snapshot, String> {
        let mut snapshot = self;
        let mut candidates = snapshot.walk(folder)?;
        candidates.sort();
        if let Some((path, bytes)) = replaced {
            candidates.retain(|(candidate, _)| candidate != path);
            let content = content(bytes.to_vec(), None);
            snapshot.add(path, content, "text");
        }
        let mut started = snapshot.read(folder, &candidates);
        started.sort();
        started.dedup();
        snapshot.read_too(folder, started);
        snapshot.unread.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(snapshot)
    }

    /// Adds tables of sockets, each with its path for people.
    pub fn add_sockets(&mut self, tables: &[(String, Vec<u8>)]) {
        for (path, bytes) in tables {
            match content(bytes.clone(), None) {
                Content::Text { text, altered, .. } => {
                    let file = self.sources.add_sockets(path, text);
                    if let Some(what) = altered {
                        self.sources.set_altered(file, what);
                    }
                }
                Content::Unreadable(reason) => {
                    self.unread.push(FileCoverage { path: path.clone(), format: "sockets", read: Read::No(reason) })
                }
                Content::TooLargeForNow => {}
            }
        }
    }

    /// Reads the files that a judgement has asked for. False when there was none.
    pub fn read_wanted(&mut self, folder: &Path) -> bool {
        self.read_too(folder, self.sources.wanted())
    }

    /// Reads files that somebody names, as far as they are there and were not read. False when there was none.
    pub fn read_too(&mut self, folder: &Path, paths: Vec<String>) -> bool {
        let is_new = |path: &String| self.sources.entry(path) == Some(&Entry::File(FileState::NotRead));
        let wanted: Vec<_> = paths.into_iter().filter(is_new).map(|path| (path, names::LARGEST)).collect();
        self.read(folder, &wanted);
        !wanted.is_empty()
    }

    /// Records every entry; gives the files to read at once, with the size up to which they are.
    fn walk(&mut self, folder: &Path) -> Result<Vec<(String, u64)>, String> {
        let mut candidates = Vec::new();
        let mut links = Vec::new();
        self.sources.add_entry("", Entry::Directory { listed: true });
        let is_server = self.sources.told.is_server;
        let mut left_out = server::Tally::default();
        let mut walk = WalkDir::new(folder).into_iter();
        while let Some(step) = walk.next() {
            let entry = match step {
                Ok(entry) => entry,
                Err(error) => {
                    self.unreadable_folder(folder, &error)?;
                    continue;
                }
            };
            if entry.depth() == 0 {
                if !entry.file_type().is_dir() && !entry.path().is_dir() {
                    return Err(format!("`{}` is no folder", folder.display()));
                }
                continue;
            }
            let Some(path) = relative(folder, entry.path()) else {
                let path =
                    entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy().replace('\\', "/");
                let reason = "its name is not UTF-8".to_owned();
                self.sources.add_entry(&path, Entry::File(FileState::Unreadable(reason)));
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                continue;
            };
            let kind = entry.file_type();
            let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
            if kind.is_dir() {
                let beside = is_server && !server::is_entered(&path);
                if beside {
                    left_out.add(&path);
                }
                let pruned = beside || names::is_pruned(entry.path(), name);
                if pruned {
                    walk.skip_current_dir();
                } else if names::names_a_file(name) {
                    self.not_read(&path, "a folder, not a file");
                }
                if is_server && let Some(permissions) = permissions(&entry) {
                    self.sources.set_permissions(&path, permissions);
                }
                self.sources.add_entry(&path, Entry::Directory { listed: !pruned });
            } else if kind.is_symlink() {
                links.push((path, entry.into_path()));
            } else if kind.is_file() {
                if let Some(row) = names::read_at_once(&path) {
                    candidates.push((path.clone(), row.largest));
                } else if is_server && server::is_read_at_once(&path) {
                    candidates.push((path.clone(), names::LARGEST));
                }
                self.sources.add_entry(&path, Entry::File(FileState::NotRead));
            } else {
                if names::names_a_file(name) {
                    self.not_read(&path, "a socket, pipe or device, not a file");
                }
                self.sources.add_entry(&path, Entry::Special);
            }
        }
        for (path, on_disk) in &links {
            self.add_link(folder, path, on_disk);
        }
        for (path, _) in &links {
            self.tell_about_link(path);
        }
        self.left_out = left_out.into_list();
        Ok(candidates)
    }

    /// A link with a full path that leads into the folder itself is recorded as a relative one: the snapshot does not know
    /// where it was taken.
    fn add_link(&mut self, folder: &Path, path: &str, on_disk: &Path) {
        let says = fs::read_link(on_disk).unwrap_or_default();
        let says = match says.strip_prefix(folder) {
            Ok(inside) if !self.sources.told.is_server => {
                let up = "../".repeat(path.matches('/').count());
                format!("{up}{}", inside.to_string_lossy())
            }
            _ => says.to_string_lossy().into_owned(),
        };
        self.sources.add_entry(path, Entry::Link(says));
    }

    /// Links are not followed out of the folder; where the name matters, people are told.
    fn tell_about_link(&mut self, path: &str) {
        let Some(Entry::Link(says)) = self.sources.entry(path) else { return };
        let leads_out = match says.strip_prefix('/') {
            // In the copy of a server's files, the folder stands for `/`.
            Some(_) => Tree { sources: &self.sources, root: Some("") }.real_path(path).is_none(),
            None if self.sources.told.is_server => false,
            None => {
                let depth = path.matches('/').count();
                let ups = says.split('/').take_while(|part| *part == "..").count();
                ups > depth
            }
        };
        // What packages bring is not part of what people keep of a server.
        let is_packaged = ["/lib/systemd/", "/usr/lib/systemd/"].iter().any(|folder| says.starts_with(folder));
        let is_missed = !is_packaged && (!self.sources.told.is_server || server::is_missed(path));
        if leads_out && is_missed && names::read_at_once(path).is_some() {
            let reason = format!("a link to `{says}`, which is not in the folder that is checked");
            self.not_read(path, &reason);
        }
    }

    fn unreadable_folder(&mut self, folder: &Path, error: &walkdir::Error) -> Result<(), String> {
        let reason = error.io_error().map_or_else(|| error.to_string(), reason);
        let path = error.path().and_then(|path| relative(folder, path)).unwrap_or_default();
        if path.is_empty() {
            return Err(format!("`{}` cannot be read: {reason}", folder.display()));
        }
        self.sources.add_entry(&path, Entry::Directory { listed: false });
        let is_server = self.sources.told.is_server;
        if path.split('/').any(names::folder_matters) || is_server && server::is_missed(&path) {
            self.unread.push(FileCoverage { path, format: "folder", read: Read::No(reason) });
        }
        Ok(())
    }

    /// Reads files, each up to its size, and adds them in the order given, whichever thread was first. Gives the files
    /// that start commands in them name.
    fn read(&mut self, folder: &Path, files: &[(String, u64)]) -> Vec<String> {
        let contents = side_by_side(files, MANY, |(path, largest)| {
            let content = read_file(&folder.join(path), *largest);
            let format = names::read_at_once(path).map_or("text", |row| row.format);
            let is_there = |path: &str| self.sources.entry(path).is_some();
            let started = match &content {
                Content::Text { text, .. } => ahead::started(format, path, text, is_there),
                _ => Vec::new(),
            };
            (format, content, started)
        });
        let mut all_started = Vec::new();
        for ((path, _), (format, content, started)) in files.iter().zip(contents) {
            all_started.extend(started);
            self.add(path, content, format);
        }
        all_started
    }

    fn add(&mut self, path: &str, content: Content, format: &'static str) {
        match content {
            Content::TooLargeForNow => {}
            Content::Unreadable(reason) => {
                self.unread.push(FileCoverage { path: path.to_owned(), format, read: Read::No(reason.clone()) });
                self.sources.add_entry(path, Entry::File(FileState::Unreadable(reason)));
            }
            Content::Text { text, .. } if self.is_link_in_words(path, &text) => {
                self.sources.add_entry(path, Entry::Link(text));
            }
            Content::Text { text, altered, executable } => {
                let file = self.sources.add(path, text);
                if let Some(what) = altered {
                    self.sources.set_altered(file, what);
                }
                if let Some(executable) = executable {
                    self.sources.set_executable(file, executable);
                }
            }
        }
    }

    /// Where links are not possible, git and archive programs leave a file that holds nothing but the path of its target,
    /// without a line break.
    fn is_link_in_words(&self, path: &str, text: &str) -> bool {
        if text.len() > 1024 || !text.contains('/') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return false;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut parts: Vec<&str> = if text.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_none() => return false,
                ".." => {}
                part => parts.push(part),
            }
        }
        parts.retain(|part| !part.is_empty());
        let target = parts.join("/");
        target != path && !target.is_empty() && self.sources.entry(&target).is_some()
    }

    fn not_read(&mut self, path: &str, reason: &str) {
        let format = names::read_at_once(path).map_or("text", |row| row.format);
        self.unread.push(FileCoverage { path: path.to_owned(), format, read: Read::No(reason.to_owned()) });
    }
}

/// Whom a folder belongs to.
#[cfg(unix)]
fn permissions(entry: &DirEntry) -> Option<Permissions> {
    let metadata = entry.metadata().ok()?;
    let mode = metadata.mode() & 0o7777;
    // A list of users takes the group's bits for its mask, so without the right to enter there it gives nobody any.
    let has_list = mode & 0o011 == 0o010 && has_list(entry.path());
    Some(Permissions { owner: metadata.uid(), group: metadata.gid(), mode, has_list })
}

#[cfg(not(unix))]
fn permissions(_: &DirEntry) -> Option<Permissions> {
    None
}

#[cfg(target_os = "linux")]
fn has_list(folder: &Path) -> bool {
    let mut nothing: [u8; 0] = [];
    // Asked for with an empty buffer, the kernel gives the size of the attribute.
    rustix::fs::getxattr(folder, "system.posix_acl_access", &mut nothing).is_ok()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn has_list(_: &Path) -> bool {
    true
}

/// The path below `folder` with `/`; none when it is not UTF-8.
fn relative(folder: &Path, path: &Path) -> Option<String> {
    let path = path.strip_prefix(folder).ok()?.to_str()?;
    Some(if std::path::MAIN_SEPARATOR == '/' { path.to_owned() } else { path.replace('\\', "/") })
}

fn read_file(path: &Path, largest: u64) -> Content {
    read_bytes(path, largest).unwrap_or_else(|error| Content::Unreadable(reason(&error)))
}

fn read_bytes(path: &Path, largest: u64) -> io::Result<Content> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > names::LARGEST {
        return Ok(too_large(metadata.len()));
    }
    if metadata.len() > largest {
        return Ok(Content::TooLargeForNow);
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    // A file below /proc calls itself empty, and one that is being written grows: the limit holds for what comes.
    file.take(names::LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(content(bytes, executable(&metadata)))
}

fn too_large(bytes: u64) -> Content {
    Content::Unreadable(format!("{} MB, more than the {} MB that are read", bytes >> 20, names::LARGEST >> 20))
}

/// Bytes as text. A byte that is no UTF-8 becomes one `?`, so that every offset stays what it is on disk.
fn content(bytes: Vec<u8>, executable: Option<bool>) -> Content {
    if bytes.len() as u64 > names::LARGEST {
        return too_large(bytes.len() as u64);
    }
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Content::Unreadable("UTF-16 text, which the programs that read this file do not understand".to_owned());
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Content::Text { text, altered: None, executable },
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len());
    let mut first = None;
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            first.get_or_insert(text.len());
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
    }
    let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..first.unwrap_or(0)]).count() + 1;
    let altered = Some(format!("not UTF-8 from line {line} on: what is no UTF-8 was read as `?`"));
    Content::Text { text, altered, executable }
}

#[cfg(unix)]
fn executable(metadata: &fs::Metadata) -> Option<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(_: &fs::Metadata) -> Option<bool> {
    None
}

/// An operating system's complaint in a few words for people.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        _ => {
            let text = error.to_string();
            text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, content};

    fn words(bytes: &[u8]) -> (String, String) {
        match content(bytes.to_vec(), None) {
            Content::Text { text, altered, .. } => (text, altered.unwrap_or_default()),
            Content::Unreadable(reason) => (String::new(), reason),
            Content::TooLargeForNow => (String::new(), String::new()),
        }
    }

    #[test]
    fn a_byte_that_is_no_text_keeps_its_place() {
        assert_eq!(words("é\u{feff}\0".as_bytes()), ("é\u{feff}\0".to_owned(), String::new()));
        let (text, altered) = words(b"a\n# caf\xE9\xE9\xF0\x9F\n");
        assert_eq!((text.as_str(), text.len()), ("a\n# caf????\n", 12));
        assert_eq!(altered, "not UTF-8 from line 2 on: what is no UTF-8 was read as `?`");
        assert!(words(&[0xFF, 0xFE, b'a', 0]).1.starts_with("UTF-16"));
    }
}
