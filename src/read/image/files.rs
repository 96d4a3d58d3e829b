//! What the changes of an image make of a path. The base image's own files are not known here: that is [`Start::Untouched`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::read::glob::is_pattern;
use crate::read::image::glob::{component, matches};
use crate::read::image::sed::edited;
use crate::read::image::{Change, CopySource, Image};
use crate::source::{Entry, FileState, Sources, Text, TextBuilder};

/// What stands at a path, before the edits that follow.
#[derive(Clone, Debug)]
pub enum Start {
    Text(Text),
    /// A file with contents that are not known.
    File,
    Directory,
    /// A symbolic link on the way; the path to look at instead.
    Link(String),
    Removed,
    /// As it is in the base image.
    Untouched,
    Unknown(&'static str),
}

/// What is known about a path of the image.
#[derive(Clone, Debug)]
pub struct Content<'i> {
    pub start: Start,
    /// [`Change::Write`] that append and [`Change::Edit`], in their order.
    pub then: Vec<&'i Change>,
    /// The change that put it there.
    pub change: Option<&'i Change>,
}

impl Content<'_> {
    /// The text of the file; `untouched` is what it is in the base image, where that is known.
    pub fn text(&self, untouched: Option<&Text>) -> Option<Text> {
        let mut text = match &self.start {
            Start::Text(text) => Some(text.clone()),
            Start::Untouched => untouched.cloned(),
            Start::Removed => None,
            _ => return None,
        };
        for change in &self.then {
            text = match (change, text) {
                (Change::Write { text: added, .. }, None) if matches!(self.start, Start::Removed) => {
                    Some(added.clone())
                }
                (Change::Write { text: added, .. }, Some(text)) => Some(joined(&text, added)?),
                (Change::Edit { edit, .. }, Some(text)) => Some(edited(&text, edit)?),
                _ => return None,
            };
        }
        text
    }
}

/// In bytes.
const LONGEST_TEXT: usize = 1024 * 1024;

fn joined(text: &Text, added: &Text) -> Option<Text> {
    if text.as_str().len() + added.as_str().len() > LONGEST_TEXT {
        return None;
    }
    let mut builder = TextBuilder::default();
    builder.push(text, 0..text.as_str().len());
    builder.push(added, 0..added.as_str().len());
    Some(builder.finish(text.whole()))
}

/// The rest of `path` below `folder`, empty when they are the same.
pub fn below<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    match folder {
        "/" => path.strip_prefix('/'),
        "" => (!path.starts_with('/')).then_some(path),
        _ => match path.strip_prefix(folder)? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        },
    }
}

/// An absolute path without `.` and `..`.
pub fn resolved(path: &str) -> Cow<'_, str> {
    if is_straight(path) { Cow::Borrowed(path) } else { Cow::Owned(join("/", path)) }
}

/// `path`, seen from `folder`, without `.` and `..`.
pub fn join(folder: &str, path: &str) -> String {
    if is_straight(path) {
        return path.to_owned();
    }
    let absolute = path.starts_with('/') || folder.starts_with('/');
    let above = if path.starts_with('/') { "" } else { folder };
    let mut joined = String::with_capacity(above.len() + path.len() + 2);
    if absolute {
        joined.push('/');
    }
    let start = joined.len();
    for part in above.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => joined.truncate(joined.rfind('/').unwrap_or(0).max(start)),
            part => {
                if joined.len() > start {
                    joined.push('/');
                }
                joined.push_str(part);
            }
        }
    }
    joined
}

/// An absolute path in which nothing has to be resolved. Most are so, and very many are asked for.
fn is_straight(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.first() == Some(&b'/')
        && bytes.last() != Some(&b'/')
        // Without leaving early, many bytes are looked at in one step.
        && !bytes.iter().zip(&bytes[1..]).fold(false, |found, (first, second)| {
            found | ((*first == b'/') & ((*second == b'/') | (*second == b'.')))
        })
}

/// The folder that holds `path`, and its name in there.
pub fn parent(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => ("", path),
    }
}

/// What the image has at `path`. Links are not followed. A file whose [`Change::Copy`] has an `inside` is found at both
/// of its places: only who knows the base image can tell which of them it is.
pub fn find<'i>(image: &'i Image, sources: &Sources, path: &str) -> Content<'i> {
    let mut then = Vec::new();
    for change in image.changes.iter().rev() {
        let found = match change {
            Change::Write { path: written, append: true, .. } | Change::Edit { path: written, .. }
                if written == path =>
            {
                then.push(change);
                None
            }
            _ => one(image, sources, change, path),
        };
        if let Some(start) = found {
            then.reverse();
            return Content { start, then, change: Some(change) };
        }
    }
    then.reverse();
    Content { start: Start::Untouched, then, change: None }
}

/// What one change puts at a path; `None` when it leaves it alone.
fn one(image: &Image, sources: &Sources, change: &Change, path: &str) -> Option<Start> {
    match change {
        Change::Copy { source, target, inside, .. } => {
            if inside.as_deref() == Some(path) {
                return at_source(image, sources, source, "");
            }
            match below(target, path) {
                Some(rest) => at_source(image, sources, source, rest),
                None => below(path, target).map(|_| Start::Directory),
            }
        }
        Change::Remove { path: removed, .. } => removes(removed, path).then_some(Start::Removed),
        Change::Link { path: link, to, .. } => match below(link, path) {
            Some(rest) => Some(Start::Link(join(&join(parent(link).0, to), rest))),
            None => below(path, link).map(|_| Start::Directory),
        },
        Change::Write { path: written, text, .. } if written == path => Some(Start::Text(text.clone())),
        Change::Write { path: written, .. } => below(path, written).map(|_| Start::Directory),
        Change::MakeDirectory { path: made, .. } => below(path, made).map(|_| Start::Directory),
        Change::Unknown { path: Some(unknown), why, .. } => below(unknown, path).map(|_| Start::Unknown(why)),
        Change::Unknown { path: None, why, .. } => Some(Start::Unknown(why)),
        Change::Edit { .. } | Change::Mode { .. } => None,
    }
}

fn removes(removed: &str, path: &str) -> bool {
    if !is_pattern(removed) {
        return below(removed, path).is_some();
    }
    // What is in a removed folder is gone as well.
    let depth = removed.split('/').count();
    let end = path.match_indices('/').map(|(at, _)| at).nth(depth - 1).unwrap_or(path.len());
    matches(removed, &path[..end])
}

/// What a source holds at `rest` below it.
fn at_source(image: &Image, sources: &Sources, source: &CopySource, rest: &str) -> Option<Start> {
    let context = match source {
        CopySource::Context(path) => path,
        CopySource::Text(text) => return rest.is_empty().then(|| Start::Text(text.clone())),
        CopySource::Remote(_) => return rest.is_empty().then_some(Start::File),
        CopySource::Image { .. } if rest.is_empty() => return Some(Start::File),
        CopySource::Image { .. } => return Some(Start::Unknown("it is copied from another image")),
    };
    let path = in_context(context, rest);
    if image.ignored.covers(&path) {
        return rest.is_empty().then_some(Start::Unknown("the build ignores the file that is copied"));
    }
    match followed(sources, &path) {
        Some(Entry::File(FileState::Read(file))) => Some(Start::Text(sources.text(*file))),
        Some(Entry::File(FileState::NotRead)) => {
            sources.read(&path);
            Some(Start::File)
        }
        Some(Entry::File(_) | Entry::Special) => Some(Start::File),
        Some(Entry::Directory { .. }) => Some(Start::Directory),
        Some(Entry::Link(_)) => Some(Start::Unknown("it is a symbolic link to something outside")),
        None if is_listed(sources, context, rest) => None,
        None => Some(Start::Unknown("what is copied is not in the tree")),
    }
}

pub fn in_context(context: &str, rest: &str) -> String {
    if rest.is_empty() { context.to_owned() } else { join(context, rest) }
}

/// The entry at a path of the snapshot, or the one that its links lead to.
pub fn followed<'s>(sources: &'s Sources, path: &str) -> Option<&'s Entry> {
    let mut path = path.to_owned();
    for _ in 0..8 {
        match sources.entry(&path)? {
            Entry::Link(to) if !to.starts_with('/') => path = join(parent(&path).0, to),
            entry => return Some(entry),
        }
    }
    sources.entry(&path)
}

/// A path that is not in the snapshot does not exist: the folder that would hold it is there, with all its entries.
fn is_listed(sources: &Sources, context: &str, rest: &str) -> bool {
    if rest.is_empty() {
        return false;
    }
    let mut rest = rest;
    loop {
        rest = parent(rest).0;
        match sources.entry(&in_context(context, rest)) {
            Some(Entry::Directory { listed }) => return *listed,
            Some(Entry::File(_) | Entry::Special) => return true,
            Some(Entry::Link(_)) => return false,
            None if rest.is_empty() => return false,
            None => {}
        }
    }
}

/// The entries of a folder as the changes leave them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub names: BTreeSet<String>,
    /// Patterns of the names that the base image may have there and that are gone.
    pub removed: Vec<String>,
    /// What the base image has there is still to be seen, but for `removed`.
    pub untouched: bool,
    /// Nothing is there but `names` and what the base image has.
    pub complete: bool,
}

/// Lists a folder. Links are not followed.
pub fn list(image: &Image, sources: &Sources, folder: &str) -> Listing {
    let mut listing = Listing { untouched: true, complete: true, ..Listing::default() };
    for change in &image.changes {
        match change {
            Change::Copy { source, target, inside, .. } => {
                let held = inside.as_deref().filter(|inside| parent(inside).0 == folder);
                listing.add(folder, held.unwrap_or(target));
                if let (Some(rest), CopySource::Context(path)) = (below(target, folder), source) {
                    listing.add_context(image, sources, &in_context(path, rest));
                } else if below(target, folder).is_some() && matches!(source, CopySource::Image { .. }) {
                    listing.complete = false;
                }
            }
            Change::Link { path, .. } | Change::MakeDirectory { path, .. } | Change::Write { path, .. } => {
                listing.add(folder, path);
            }
            Change::Remove { path, .. } if removes(path, folder) => {
                listing = Listing { complete: true, ..Listing::default() };
            }
            Change::Remove { path, .. } if parent(path).0 == folder => {
                let pattern = parent(path).1;
                listing.names.retain(|name| !component(pattern, name));
                listing.removed.push(pattern.to_owned());
            }
            Change::Unknown { path: None, .. } => listing.complete = false,
            Change::Unknown { path: Some(path), .. } if below(path, folder).is_some() => listing.complete = false,
            Change::Unknown { path: Some(path), .. } => listing.add(folder, path),
            Change::Remove { .. } | Change::Edit { .. } | Change::Mode { .. } => {}
        }
    }
    listing
}

impl Listing {
    fn add(&mut self, folder: &str, path: &str) {
        let name = below(folder, path).and_then(|rest| rest.split('/').next());
        self.names.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
    }

    fn add_context(&mut self, image: &Image, sources: &Sources, path: &str) {
        match sources.entry(path) {
            Some(Entry::Directory { listed }) => self.complete &= *listed,
            Some(_) => return,
            None => return self.complete = false,
        }
        for entry in sources.children(path).filter(|entry| !image.ignored.covers(entry)) {
            self.names.insert(parent(entry).1.to_owned());
        }
    }
}

/// Whether a file may be executed; `None` when nothing says so.
pub fn executable(image: &Image, sources: &Sources, path: &str) -> Option<bool> {
    for change in image.changes.iter().rev() {
        match change {
            Change::Mode { path: changed, executable, .. } if below(changed, path).is_some() => {
                return Some(*executable);
            }
            Change::Copy { source: CopySource::Context(source), target, inside, .. } => {
                let rest = if inside.as_deref() == Some(path) { Some("") } else { below(target, path) };
                let Some(rest) = rest else { continue };
                match followed(sources, &in_context(source, rest)) {
                    Some(Entry::File(FileState::Read(file))) => return sources.get(*file).executable,
                    Some(_) => return None,
                    None => {}
                }
            }
            _ => {
                if one(image, sources, change, path).is_some() {
                    return None;
                }
            }
        }
    }
    None
}

/// The changes that a copy of `path` makes at `target`, given what was done to `path` in the image that it is copied from.
pub fn transferred(image: &Image, sources: &Sources, path: &str, target: &str) -> Vec<Change> {
    let moved = |at: &str| below(path, at).map(|rest| in_context(target, rest));
    let mut changes = Vec::new();
    for change in &image.changes {
        let mut copy = change.clone();
        let kept = match &mut copy {
            Change::Copy { source, target: at, inside, .. } => {
                if let Some(rest) = below(at, path).filter(|rest| !rest.is_empty()) {
                    *at = target.to_owned();
                    *inside = None;
                    deeper(image, sources, source, rest)
                } else if inside.as_deref() == Some(path) || at == path {
                    *at = target.to_owned();
                    *inside = None;
                    true
                } else {
                    *inside = inside.as_deref().and_then(moved);
                    replace(at, moved(at))
                }
            }
            Change::Remove { path: at, .. } if below(at, path).is_some() => replace(at, Some(target.to_owned())),
            Change::Unknown { path: Some(at), .. } if below(at, path).is_some() => replace(at, Some(target.to_owned())),
            Change::Unknown { path: at @ None, .. } => {
                *at = Some(target.to_owned());
                true
            }
            Change::Mode { path: at, .. } if below(at, path).is_some() => replace(at, Some(target.to_owned())),
            Change::Remove { path: at, .. }
            | Change::Link { path: at, .. }
            | Change::Write { path: at, .. }
            | Change::Edit { path: at, .. }
            | Change::MakeDirectory { path: at, .. }
            | Change::Mode { path: at, .. }
            | Change::Unknown { path: Some(at), .. } => {
                let to = moved(at);
                replace(at, to)
            }
        };
        if kept {
            changes.push(copy);
        }
    }
    changes
}

fn replace(path: &mut String, with: Option<String>) -> bool {
    let Some(with) = with else { return false };
    *path = with;
    true
}

/// Goes from a folder that is copied to something in it; false when there is no such thing.
fn deeper(image: &Image, sources: &Sources, source: &mut CopySource, rest: &str) -> bool {
    match source {
        CopySource::Context(path) => {
            let there = at_source(image, sources, &CopySource::Context(path.clone()), rest).is_some();
            *path = in_context(path, rest);
            there
        }
        CopySource::Image { path, .. } => {
            *path = in_context(path, rest);
            true
        }
        CopySource::Text(_) | CopySource::Remote(_) => false,
    }
}
