//! The file system of a machine: what its image is known to hold, what a Dockerfile does to it, what is mounted over
//! it, and what its start writes. Later ones win.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::read::catalogue::tree::KnownTree;
use crate::read::image::files::{self, Start, below, in_context, join, parent, resolved};
use crate::read::image::{Change, Image};
use crate::read::snapshot;
use crate::read::surroundings::{Found, Listing};
use crate::site::machine::{Mount, MountSource};
use crate::source::{Entry, Span, Text};

/// Links that lead to links; as many as Linux follows.
const LINKS: usize = 40;

pub struct MachineFiles<'s> {
    /// The snapshot, for everything that comes from it.
    pub snapshot: snapshot::Tree<'s>,
    /// The folder of the snapshot that is `/`, for a server that is audited as a whole.
    pub root: Option<String>,
    /// Of the image and of its packages, later ones over earlier ones.
    pub known: Vec<KnownTree>,
    /// Where the image is named: what is known of it is blamed there.
    pub place: Span,
    /// Nothing is there that is not named here: an image from scratch.
    pub empty: bool,
    /// What a Dockerfile of the snapshot makes of it.
    pub image: Option<Arc<Image>>,
    pub mounts: Vec<MountedFiles>,
    /// What the start writes before anything listens: an image that only holds changes.
    pub started: Option<Arc<Image>>,
}

/// A mount, with its text when it has one.
#[derive(Clone)]
pub struct MountedFiles {
    pub mount: Mount,
    pub text: Option<Text>,
}

/// What one layer says of a path.
enum Layer {
    Says(Found),
    /// The path to look at instead.
    Link(String),
    Nothing,
}

impl MachineFiles<'_> {
    /// What stands at an absolute path.
    pub fn find(&self, path: &str) -> Found {
        let mut path = resolved(path);
        for _ in 0..LINKS {
            let under_start = || self.below_start(&path);
            let layer = match &self.started {
                Some(started) => self.layer(started, &path, &|| match self.below_start(&path) {
                    Layer::Says(Found::File(text)) => Some(text),
                    _ => None,
                }),
                None => Layer::Nothing,
            };
            let layer = if let Layer::Nothing = layer { under_start() } else { layer };
            match layer {
                Layer::Says(found) => return found,
                Layer::Link(to) => path = Cow::Owned(join("/", &to)),
                Layer::Nothing => return Found::Unknown,
            }
        }
        Found::Absent
    }

    /// Whether any file may have a text that is seen. Most containers bring nothing of their own, and what the catalogue
    /// knows of their images holds none.
    pub fn has_texts(&self) -> bool {
        let is_seen = |it: &MountedFiles| matches!(it.mount.from, MountSource::Snapshot(_) | MountSource::Text);
        self.image.is_some()
            || self.started.is_some()
            || self.root.is_some()
            || self.mounts.iter().any(is_seen)
            || self.known.iter().any(|tree| tree.files.values().any(Option::is_some))
    }

    /// The first text of this name in these folders, and its path.
    pub fn text_in(&self, folders: &[&str], name: &str) -> Option<(String, Text)> {
        if !self.has_texts() {
            return None;
        }
        folders.iter().find_map(|folder| {
            let path = join(folder, name);
            match self.find(&path) {
                Found::File(text) => Some((path, text)),
                _ => None,
            }
        })
    }

    /// What a symbolic link of an audited server says, as it is written.
    pub fn link(&self, path: &str) -> Option<&str> {
        let path = join(self.root.as_deref()?, path.trim_start_matches('/'));
        match self.snapshot.sources.entry(path.trim_start_matches('/')) {
            Some(Entry::Link(target)) => Some(target),
            _ => None,
        }
    }

    /// What the image has at a path, whatever is mounted over it.
    pub fn find_in_image(&self, path: &str) -> Found {
        let mut path = resolved(path);
        for _ in 0..LINKS {
            match self.in_image(&path) {
                Layer::Says(found) => return found,
                Layer::Link(to) => path = Cow::Owned(join("/", &to)),
                Layer::Nothing => return Found::Unknown,
            }
        }
        Found::Absent
    }

    fn below_start(&self, path: &str) -> Layer {
        if let Some((mounted, rest)) = self.mount_over(path) {
            match &mounted.mount.from {
                MountSource::Snapshot(source) => {
                    let found = self.snapshot.find(&in_context(source, rest));
                    // Docker makes an empty folder of a source that is not there, and of what leads to other mounts.
                    let folder = matches!(found, Found::Absent) && (rest.is_empty() || self.has_mount_below(path));
                    return Layer::Says(if folder { Found::Directory } else { found });
                }
                MountSource::Text => {
                    return Layer::Says(match &mounted.text {
                        Some(text) if rest.is_empty() => Found::File(text.clone()),
                        _ => Found::Opaque,
                    });
                }
                // A fresh volume begins with what the image has at its place.
                MountSource::Private => {}
                MountSource::Volume(_) | MountSource::Host(_) | MountSource::Unknown => {
                    return Layer::Says(Found::Unknown);
                }
            }
        }
        if self.has_mount_below(path) {
            return Layer::Says(Found::Directory);
        }
        if let Some(root) = &self.root {
            return Layer::Says(self.snapshot.find(&join(root, path.trim_start_matches('/'))));
        }
        self.in_image(path)
    }

    fn in_image(&self, path: &str) -> Layer {
        let base = || match self.base(path) {
            Layer::Says(Found::File(text)) => Some(text),
            _ => None,
        };
        let layer = self.image.as_ref().map_or(Layer::Nothing, |image| self.layer(image, path, &base));
        if let Layer::Nothing = layer { self.base(path) } else { layer }
    }

    fn layer(&self, image: &Image, path: &str, untouched: &dyn Fn() -> Option<Text>) -> Layer {
        let content = files::find(image, self.snapshot.sources, path);
        if !content.then.is_empty() {
            let text = match content.start {
                Start::Untouched => content.text(untouched().as_ref()),
                _ => content.text(None),
            };
            return Layer::Says(text.map_or(Found::Unknown, Found::File));
        }
        match content.start {
            Start::Text(text) => Layer::Says(Found::File(text)),
            Start::File => Layer::Says(Found::Opaque),
            Start::Directory => Layer::Says(Found::Directory),
            Start::Link(to) => Layer::Link(to),
            Start::Removed => Layer::Says(Found::Absent),
            Start::Untouched => Layer::Nothing,
            Start::Unknown(_) => Layer::Says(Found::Unknown),
        }
    }

    fn mount_over<'p>(&self, path: &'p str) -> Option<(&MountedFiles, &'p str)> {
        let covering = self.mounts.iter().filter_map(|it| Some((it, below(&it.mount.target, path)?)));
        covering.max_by_key(|(it, _)| it.mount.target.len())
    }

    fn has_mount_below(&self, path: &str) -> bool {
        self.mounts.iter().any(|it| below(path, &it.mount.target).is_some_and(|rest| !rest.is_empty()))
    }

    fn base(&self, path: &str) -> Layer {
        let (mut folder, mut closed) = (false, self.empty);
        for tree in self.known.iter().rev() {
            let look = tree.look(path);
            if let Some(text) = look.file {
                let text = text.map(|text| Text::fixed(text, self.place));
                return Layer::Says(text.map_or(Found::Opaque, Found::File));
            }
            if let Some((link, to, rest)) = look.link {
                return Layer::Link(join(&join(parent(link).0, to), rest));
            }
            folder |= look.folder;
            closed |= look.closed;
        }
        Layer::Says(match (folder, closed) {
            (true, _) => Found::Directory,
            (false, true) => Found::Absent,
            (false, false) => Found::Unknown,
        })
    }

    /// What stands in a folder.
    pub fn list(&self, folder: &str) -> Listing {
        let folder = self.without_links(folder);
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut complete = self.list_below_start(&folder, &mut names);
        if let Some(started) = &self.started {
            let listing = files::list(started, self.snapshot.sources, &folder);
            names.extend(listing.names);
            complete &= listing.complete;
        }
        for it in &self.mounts {
            let name = below(&folder, &it.mount.target).and_then(|rest| rest.split('/').next());
            names.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        names.retain(|name| !matches!(self.find(&join(&folder, name)), Found::Absent));
        Listing { names: names.into_iter().collect(), complete }
    }

    /// A folder behind its links.
    fn without_links(&self, folder: &str) -> String {
        let mut path = join("/", folder);
        for _ in 0..LINKS {
            match self.below_start(&path) {
                Layer::Link(to) => path = join("/", &to),
                _ => break,
            }
        }
        path
    }

    fn list_below_start(&self, folder: &str, names: &mut BTreeSet<String>) -> bool {
        if let Some((mounted, rest)) = self.mount_over(folder) {
            match &mounted.mount.from {
                MountSource::Snapshot(source) => {
                    let listing = self.snapshot.list(&join(source, rest));
                    names.extend(listing.names);
                    return listing.complete;
                }
                MountSource::Text => return true,
                MountSource::Private => {}
                _ => return false,
            }
        }
        if let Some(root) = &self.root {
            let listing = self.snapshot.list(&join(root, folder.trim_start_matches('/')));
            names.extend(listing.names);
            return listing.complete;
        }
        let Some(image) = &self.image else { return self.list_base(folder, names) };
        let listing = files::list(image, self.snapshot.sources, folder);
        let complete = !listing.untouched || self.list_base(folder, names);
        names.extend(listing.names);
        complete && listing.complete
    }

    fn list_base(&self, folder: &str, names: &mut BTreeSet<String>) -> bool {
        for tree in &self.known {
            let paths = tree.files.keys().chain(tree.links.keys()).chain(&tree.folders);
            let below = paths.filter_map(|path| below(folder, path)?.split('/').next());
            names.extend(below.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        self.empty || self.known.iter().any(|tree| tree.look(folder).closed)
    }

    /// The mount or the instruction that put a file where it is.
    pub fn origin(&self, path: &str) -> Option<Span> {
        let path = join("/", path);
        if let Some((mounted, _)) = self.mount_over(&path) {
            return Some(mounted.mount.place);
        }
        match files::find(self.image.as_ref()?, self.snapshot.sources, &path).change? {
            Change::Copy { place, .. } | Change::Write { place, .. } | Change::Link { place, .. } => Some(*place),
            _ => None,
        }
    }
}
