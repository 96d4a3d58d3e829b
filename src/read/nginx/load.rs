//! Every file that an nginx config pulls in, parsed once, and which include line pulls in which.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::read::glob;
use crate::read::nginx::answers::BUFFERS;
use crate::read::nginx::pass::family;
use crate::read::surroundings::{Found, Listing};
use crate::source::{Span, Text};
use crate::syntax::nginx::{DirectiveRef, Directives, Tree};

/// How deep files may pull in each other; nginx itself stops only at its stack.
const DEPTH: usize = 24;

/// In bytes: what a config may come to once every include is put in its place.
const LARGEST: usize = 64 << 20;

/// The files of one proxy, as it sees them.
pub struct Files<'f> {
    /// Takes an absolute path.
    pub file: &'f dyn Fn(&str) -> Found,
    /// Takes the absolute path of a folder.
    pub list: &'f dyn Fn(&str) -> Listing,
    /// Parses a text, or hands out the tree that was parsed before.
    pub parse: &'f dyn Fn(&Text) -> Arc<Tree>,
}

/// An include line.
#[derive(Clone, Debug)]
pub struct Include {
    /// Absolute.
    pub path: String,
    pub place: Span,
}

/// A main file with everything below it.
pub struct Loaded {
    pub trees: Vec<Arc<Tree>>,
    /// The trees that an include pattern pulls in, in their order.
    includes: FxHashMap<String, Vec<usize>>,
    /// Every include line, with its full path.
    pub patterns: Vec<Include>,
    /// Folders that an include takes, which nginx cannot read as files: the include line and the path.
    pub folders: Vec<(Span, String)>,
    /// Includes of a full name that is not there.
    pub missing: Vec<(Span, String)>,
    /// Some statement sets buffers of answers.
    pub has_buffers: bool,
    /// How many statements pass requests on, and how many blocks take requests in.
    pub passes: usize,
    pub blocks: usize,
    /// Why some part may be missing, with the include that asks for it.
    pub incomplete: Option<String>,
}

/// Reads `main`, whose includes are relative to `folder` (the folder of the main file: `ngx_conf_full_name`).
pub fn load(main: Arc<Tree>, folder: &str, files: &Files<'_>) -> Loaded {
    let mut loaded = Loaded {
        trees: vec![main],
        includes: FxHashMap::default(),
        patterns: Vec::new(),
        folders: Vec::new(),
        missing: Vec::new(),
        has_buffers: false,
        passes: 0,
        blocks: 0,
        incomplete: None,
    };
    let mut paths: FxHashMap<String, usize> = FxHashMap::default();
    // The trees that each tree pulls in.
    let mut edges: Vec<Vec<usize>> = Vec::new();
    while let Some(tree) = loaded.trees.get(edges.len()).cloned() {
        let mut pulled = Vec::new();
        for item in tree.all() {
            let name = item.name();
            if item.is_block() {
                loaded.blocks += usize::from(matches!(&*name, "server" | "location"));
                continue;
            }
            if name.starts_with("${") {
                loaded.incomplete.get_or_insert_with(|| format!("what `{name}` stands for is not visible"));
                continue;
            }
            loaded.passes += usize::from(family(&name).is_some());
            loaded.has_buffers |= BUFFERS.iter().any(|rest| name.ends_with(rest));
            let Some(word) = item.argument(0).filter(|_| name == "include") else { continue };
            let pattern = word.value().into_owned();
            if let Some(known) = loaded.includes.get(&pattern) {
                pulled.extend(known);
                continue;
            }
            let full = if pattern.starts_with('/') { pattern.clone() } else { format!("{folder}/{pattern}") };
            loaded.patterns.push(Include { path: full.clone(), place: word.span() });
            let targets = resolve(&full, word.span(), &mut loaded, files);
            let mut numbers = Vec::new();
            for (path, text) in targets {
                let number = *paths.entry(path).or_insert_with(|| {
                    loaded.trees.push((files.parse)(&text));
                    loaded.trees.len() - 1
                });
                numbers.push(number);
            }
            pulled.extend(&numbers);
            loaded.includes.insert(pattern, numbers);
        }
        edges.push(pulled);
    }
    untangle(&mut loaded, &edges);
    loaded
}

/// Takes out the includes that would never end, or that would make a config of gigabytes out of a few lines.
fn untangle(loaded: &mut Loaded, edges: &[Vec<usize>]) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        Open,
        /// With everything that it pulls in, so many bytes.
        Size(usize),
    }
    let mut seen = vec![Seen::Not; edges.len()];
    let mut circular = HashSet::new();
    let mut open = vec![(0, 0)];
    while let Some((tree, edge)) = open.last_mut() {
        let Some(target) = edges[*tree].get(*edge) else {
            let size = edges[*tree].iter().map(|target| match seen[*target] {
                Seen::Size(size) => size,
                _ => 0,
            });
            let own = loaded.trees[*tree].text().as_str().len();
            seen[*tree] = Seen::Size(size.fold(own, usize::saturating_add));
            open.pop();
            continue;
        };
        seen[*tree] = Seen::Open;
        *edge += 1;
        match seen[*target] {
            Seen::Not => open.push((*target, 0)),
            Seen::Open => drop(circular.insert(*target)),
            Seen::Size(_) => {}
        }
    }
    if !circular.is_empty() {
        loaded.includes.values_mut().for_each(|numbers| numbers.retain(|number| !circular.contains(number)));
        loaded.incomplete.get_or_insert_with(|| "a file includes itself".to_owned());
    }
    if matches!(seen[0], Seen::Size(size) if size > LARGEST) {
        loaded.includes.clear();
        loaded.incomplete.get_or_insert_with(|| "the included files are too much together".to_owned());
    }
}

fn resolve(path: &str, place: Span, loaded: &mut Loaded, files: &Files<'_>) -> Vec<(String, Text)> {
    let unclear = |loaded: &mut Loaded| {
        loaded.incomplete.get_or_insert_with(|| format!("`include {path}` cannot be followed"));
    };
    if !glob::is_pattern(path) {
        return match (files.file)(path) {
            Found::File(text) => vec![(path.to_owned(), text)],
            // Its contents are known to matter little: types, parameters.
            Found::Opaque => Vec::new(),
            Found::Absent => {
                loaded.missing.push((place, path.to_owned()));
                Vec::new()
            }
            Found::Directory | Found::Unknown => {
                unclear(loaded);
                Vec::new()
            }
        };
    }
    let matches = glob::expand(path, files.list);
    if !matches.complete {
        unclear(loaded);
    }
    let mut texts = Vec::new();
    for path in matches.paths {
        match (files.file)(&path) {
            Found::File(text) => texts.push((path, text)),
            Found::Absent | Found::Opaque => {}
            Found::Directory => loaded.folders.push((place, path)),
            Found::Unknown => unclear(loaded),
        }
    }
    texts
}

/// A statement where nginx sees it, with its name, which many ask for.
pub struct Item<'l> {
    pub name: Cow<'l, str>,
    directive: DirectiveRef<'l>,
}

impl<'l> Deref for Item<'l> {
    type Target = DirectiveRef<'l>;

    fn deref(&self) -> &DirectiveRef<'l> {
        &self.directive
    }
}

impl Loaded {
    /// The statements of a block with the included ones in their places.
    pub fn items<'l>(&'l self, directives: Directives<'l>) -> Vec<Item<'l>> {
        let mut items = Vec::with_capacity(directives.count());
        self.collect(directives, DEPTH, &mut items);
        items
    }

    pub fn top(&self) -> Vec<Item<'_>> {
        self.items(self.trees[0].root())
    }

    fn collect<'l>(&'l self, directives: Directives<'l>, depth: usize, items: &mut Vec<Item<'l>>) {
        for directive in directives {
            let name = directive.name();
            if name != "include" || directive.is_block() {
                items.push(Item { name, directive });
                continue;
            }
            for tree in self.included(directive).filter(|_| depth > 0) {
                self.collect(tree.root(), depth - 1, items);
            }
        }
    }

    /// Hands on the name of each statement without a block of its own in a block, at any depth, with the included ones.
    pub fn each_inside<'l>(&'l self, block: DirectiveRef<'l>, take: &mut dyn FnMut(&str)) {
        self.each_name(block.inside(), DEPTH, take);
    }

    fn each_name<'l>(
        &'l self,
        directives: impl Iterator<Item = DirectiveRef<'l>>,
        depth: usize,
        take: &mut dyn FnMut(&str),
    ) {
        for directive in directives.filter(|directive| !directive.is_block()) {
            let name = directive.name();
            if name != "include" {
                take(&name);
                continue;
            }
            for tree in self.included(directive).filter(|_| depth > 0) {
                self.each_name(tree.all(), depth - 1, take);
            }
        }
    }

    /// The trees that an include line pulls in.
    fn included(&self, include: DirectiveRef<'_>) -> impl Iterator<Item = &Tree> {
        let numbers = include.argument(0).and_then(|word| self.includes.get(&*word.value()));
        numbers.into_iter().flatten().map(|number| &*self.trees[*number])
    }
}
