//! Every file that an nginx config pulls in, parsed once, and which include line pulls in which.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::read::glob;
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
    includes: HashMap<String, Vec<usize>>,
    /// Every include line, with its full path.
    pub patterns: Vec<Include>,
    /// Folders that an include takes, which nginx cannot read as files: the include line and the path.
    pub folders: Vec<(Span, String)>,
    /// Includes of a full name that is not there.
    pub missing: Vec<(Span, String)>,
    /// Why some part may be missing, with the include that asks for it.
    pub incomplete: Option<String>,
}

/// Reads `main`, whose includes are relative to `folder` (the folder of the main file: `ngx_conf_full_name`).
pub fn load(main: Arc<Tree>, folder: &str, files: &Files<'_>) -> Loaded {
    let mut loaded = Loaded {
        trees: vec![main],
        includes: HashMap::new(),
        patterns: Vec::new(),
        folders: Vec::new(),
        missing: Vec::new(),
        incomplete: None,
    };
    let mut paths: HashMap<String, usize> = HashMap::new();
    let mut next = 0;
    while next < loaded.trees.len() {
        let tree = loaded.trees[next].clone();
        next += 1;
        for include in includes(&tree) {
            let Some(word) = include.argument(0) else { continue };
            let pattern = word.value().into_owned();
            if loaded.includes.contains_key(&pattern) {
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
            loaded.includes.insert(pattern, numbers);
        }
    }
    untangle(&mut loaded);
    loaded
}

/// Takes out the includes that would never end, or that would make a config of gigabytes out of a few lines.
fn untangle(loaded: &mut Loaded) {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Not,
        Open,
        /// With everything that it pulls in, so many bytes.
        Size(usize),
    }
    let pulled = |tree: &Arc<Tree>| -> Vec<usize> {
        let words = includes(tree).into_iter().filter_map(|include| include.argument(0));
        words.flat_map(|word| loaded.includes.get(&*word.value()).into_iter().flatten().copied()).collect()
    };
    let edges: Vec<Vec<usize>> = loaded.trees.iter().map(pulled).collect();
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

/// Every include of a tree, at any depth, in the order of the text.
fn includes(tree: &Tree) -> Vec<DirectiveRef<'_>> {
    let mut found = Vec::new();
    let mut open: Vec<Directives<'_>> = vec![tree.root()];
    while let Some(directives) = open.last_mut() {
        let Some(directive) = directives.next() else {
            open.pop();
            continue;
        };
        if directive.is_block() {
            open.push(directive.children());
        } else if directive.name() == "include" {
            found.push(directive);
        }
    }
    found
}

impl Loaded {
    /// The statements of a block with the included ones in their places.
    pub fn items<'l>(&'l self, directives: Directives<'l>) -> Vec<DirectiveRef<'l>> {
        let mut items = Vec::new();
        self.collect(directives, DEPTH, &mut items);
        items
    }

    pub fn top(&self) -> Vec<DirectiveRef<'_>> {
        self.items(self.trees[0].root())
    }

    fn collect<'l>(&'l self, directives: Directives<'l>, depth: usize, items: &mut Vec<DirectiveRef<'l>>) {
        for directive in directives {
            if directive.name() != "include" || directive.is_block() {
                items.push(directive);
                continue;
            }
            let Some(word) = directive.argument(0) else { continue };
            if depth == 0 {
                continue;
            }
            for number in self.includes.get(&*word.value()).into_iter().flatten() {
                self.collect(self.trees[*number].root(), depth - 1, items);
            }
        }
    }
}
