//! What the catalogue says of the files that an image or a package of the operating system puts on disk.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// An entry of `trees.yaml`. `{}` in paths and contents stands for the version in the name of the package.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tree {
    pub source: String,
    /// Absolute paths and what they hold, in our own words: only what decides where something listens and which
    /// files are read. `~`: a file with contents that do not matter or are not known.
    pub files: BTreeMap<String, Option<String>>,
    /// Symbolic links and where they lead.
    pub links: BTreeMap<String, String>,
    /// Folders that exist; those of the files need not be named.
    pub folders: Vec<String>,
    /// Folders in which nothing else stands, at any depth, than what is named here.
    pub closed: Vec<String>,
    /// Folders below a closed one that may hold anything all the same.
    pub unknown: Vec<String>,
    /// A folder of scripts (`*.sh`) that the entrypoint runs before the command.
    pub scripts: Option<String>,
    /// Templates that become files when the container starts.
    pub templates: Option<Templates>,
    /// Every path that is named, made when the first one is looked for.
    #[serde(skip)]
    index: OnceLock<FxHashMap<String, Named>>,
}

/// A tree of the catalogue, or one made for a version.
#[derive(Clone, Debug)]
pub enum KnownTree {
    Catalogue(&'static Tree),
    Made(Box<Tree>),
}

impl Deref for KnownTree {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        match self {
            KnownTree::Catalogue(tree) => tree,
            KnownTree::Made(tree) => tree,
        }
    }
}

/// What a path is to a tree.
#[derive(Clone, Copy, Debug, Default)]
struct Named {
    file: bool,
    link: bool,
    folder: bool,
    closed: bool,
    unknown: bool,
}

/// What a tree says of a path.
pub struct Look<'t, 'p> {
    /// It is a file, with this text where it matters.
    pub file: Option<Option<&'t String>>,
    /// The link that stands there or above, where it leads, and the rest of the path.
    pub link: Option<(&'p str, &'t String, &'p str)>,
    /// It is a folder.
    pub folder: bool,
    /// Nothing stands there unless the tree names it.
    pub closed: bool,
}

/// How an image's entrypoint makes configuration files from templates with `envsubst`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// The folder with the templates, and the variable that changes it.
    pub from: String,
    pub from_variable: String,
    /// The folder that the results are written to, and the variable that changes it. Subfolders are kept.
    pub to: String,
    pub to_variable: String,
    /// What a template's name ends in, which the result's name lacks, and the variable that changes it.
    pub suffix: String,
    pub suffix_variable: String,
    /// A variable with a regular expression: only variables whose names match are put in.
    pub filter_variable: String,
    /// Templates for `stream {}`: their suffix, folder and the variables that change them.
    #[serde(default)]
    pub stream: Option<StreamTemplates>,
}

/// Templates for `stream {}` of the official nginx image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamTemplates {
    pub to: String,
    pub to_variable: String,
    pub suffix: String,
    pub suffix_variable: String,
}

impl Tree {
    /// What is at an absolute path. Of the folders around it that are closed or may hold anything the innermost counts, of
    /// links the outermost.
    pub fn look<'t, 'p>(&'t self, path: &'p str) -> Look<'t, 'p> {
        let index = self.index.get_or_init(|| self.named());
        let mut look = Look { file: None, link: None, folder: false, closed: false };
        let mut is_decided = false;
        for above in around(path) {
            let Some(named) = index.get(above) else { continue };
            if above.len() == path.len() {
                look.file = if named.file { self.files.get(path).map(Option::as_ref) } else { None };
                look.folder = named.folder;
            }
            if named.link
                && let Some(to) = self.links.get(above)
            {
                look.link = Some((above, to, path[above.len()..].trim_start_matches('/')));
            }
            if !is_decided && (named.closed || named.unknown) {
                is_decided = true;
                look.closed = !named.unknown;
                if self.links.is_empty() {
                    break;
                }
            }
        }
        look
    }

    fn named(&self) -> FxHashMap<String, Named> {
        let mut index: FxHashMap<String, Named> = FxHashMap::default();
        let mut name = |path: &str, set: fn(&mut Named)| {
            let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
            set(index.entry(path.to_owned()).or_default());
        };
        for path in self.files.keys().chain(&self.folders) {
            around(path).for_each(|above| name(above, |named| named.folder = true));
        }
        self.files.keys().for_each(|path| name(path, |named| (named.file, named.folder) = (true, false)));
        self.links.keys().for_each(|path| name(path, |named| named.link = true));
        self.closed.iter().for_each(|path| name(path, |named| named.closed = true));
        self.unknown.iter().for_each(|path| name(path, |named| named.unknown = true));
        index
    }

    /// The tree of one version: `8.2` for the package `php8.2-fpm`.
    pub fn of_version(&self, version: &str) -> Tree {
        let put_in = |text: &String| text.replace("{}", version);
        Tree {
            source: self.source.clone(),
            files: self.files.iter().map(|(path, text)| (put_in(path), text.as_ref().map(put_in))).collect(),
            links: self.links.iter().map(|(path, to)| (put_in(path), put_in(to))).collect(),
            folders: self.folders.iter().map(put_in).collect(),
            closed: self.closed.iter().map(put_in).collect(),
            unknown: self.unknown.iter().map(put_in).collect(),
            scripts: self.scripts.clone(),
            templates: self.templates.clone(),
            index: OnceLock::new(),
        }
    }
}

/// A path and the folders around it, from the inside to `/`.
fn around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match memchr::memrchr(b'/', path.as_bytes())? {
        0 => (path.len() > 1).then_some("/"),
        end => Some(&path[..end]),
    })
}

/// An entry of `packages.yaml`; its names are `apt nginx`, `apk php*-fpm`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Package {
    pub source: String,
    /// Names in `trees.yaml`.
    pub trees: Vec<String>,
    /// Tools for health checks that come with it.
    pub has: Vec<String>,
}
