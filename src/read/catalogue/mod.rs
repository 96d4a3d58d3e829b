//! Knowledge about programs, images and packages: the data files beside this one, and how to ask them.
//!
//! # Adding a program or an image without writing Rust
//!
//! Each file is a YAML mapping. The heading of an entry is the name, or several names separated by commas, in which
//! `*` stands for any characters. `build.rs` puts the files into the program; an entry is parsed when a site needs it,
//! so they may grow.
//!
//! - `programs.yaml`: what a command starts. A heading has one or more words: `gunicorn`, `next dev`, `rails server`;
//!   the one with most words wins. `listen` is the protocol and the default address, `movers` what changes it,
//!   strongest first; [`program::Program`] and [`program::Mover`] list the fields, `source` is required.
//! - `wrappers.yaml`: commands that start another command, such as `tini` and `npm run` ([`wrapper::Wrapper`]).
//! - `images.yaml`: repositories without `docker.io/` and `library/` ([`image::ImageFacts`]). What an image starts is
//!   written with names of `programs.yaml`; what a tag changes stands below `tags`.
//! - `systems.yaml`: the tools of Alpine, Debian and others ([`image::System`]).
//! - `trees.yaml`: the files that images and packages bring ([`tree::Tree`]), in our own minimal words.
//! - `slow.yaml`: commands that keep a start script busy before its program listens.
//! - `packages.yaml`: which package brings which tree and which tools ([`tree::Package`]).
//!
//! The build says what is no YAML, `cargo test catalogue` what is wrong with an entry.

pub mod entries;
pub mod image;
pub mod program;
pub mod tree;
pub mod wrapper;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::read::catalogue::entries::{Entries, Entry, captured, matches};
use crate::read::catalogue::image::{ImageFacts, System, reference};
use crate::read::catalogue::program::Program;
use crate::read::catalogue::tree::{Package, Tree};
use crate::read::catalogue::wrapper::Wrapper;

static PROGRAMS: Entries<Program> = include!(concat!(env!("OUT_DIR"), "/programs.rs"));
static WRAPPERS: Entries<Wrapper> = include!(concat!(env!("OUT_DIR"), "/wrappers.rs"));
static IMAGES: Entries<ImageFacts> = include!(concat!(env!("OUT_DIR"), "/images.rs"));
static SYSTEMS: Entries<System> = include!(concat!(env!("OUT_DIR"), "/systems.rs"));
static TREES: Entries<Tree> = include!(concat!(env!("OUT_DIR"), "/trees.rs"));
static PACKAGES: Entries<Package> = include!(concat!(env!("OUT_DIR"), "/packages.rs"));
static SLOW: OnceLock<Vec<&str>> = OnceLock::new();

/// So many references of images are remembered.
const REMEMBERED: usize = 1_000;

/// An entry that the words of a command begin with.
pub struct Match<T: 'static> {
    pub value: &'static T,
    /// Which of the words belong to its name, ascending.
    pub words: Vec<usize>,
}

/// The program that a command starts; the words are those behind all wrappers.
pub fn program(words: &[&str]) -> Option<Match<Program>> {
    find(&PROGRAMS, words)
}

/// A command that takes long and ends on its own: a migration, an installation, a build.
pub fn is_slow(words: &[&str]) -> bool {
    let slow =
        SLOW.get_or_init(|| serde_json::from_str(include!(concat!(env!("OUT_DIR"), "/slow.rs"))).unwrap_or_default());
    slow.iter().any(|command| {
        let mut rest = words.iter().map(|word| word.rsplit('/').next().unwrap_or(word));
        command.split(' ').all(|wanted| rest.any(|word| word == wanted))
    })
}

/// What flags of a program say that is not in the catalogue.
pub fn unknown_program() -> Option<&'static Program> {
    PROGRAMS.iter().find(|entry| entry.names.contains(&"<unknown>"))?.value()
}

/// A program that is known to be built on a framework with a web server: `<spring-boot>`.
pub fn framework(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|entry| entry.names.contains(&name))?.value()
}

/// The wrapper that a command begins with.
pub fn wrapper(words: &[&str]) -> Option<Match<Wrapper>> {
    find(&WRAPPERS, words)
}

/// What is known of an image, by its reference: `docker.io/library/php:8.3-fpm`. Those of one reference share it.
pub fn image(written: &str) -> Option<Arc<ImageFacts>> {
    static KNOWN: Mutex<BTreeMap<String, Option<Arc<ImageFacts>>>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(facts) = known().get(written) {
        return facts.clone();
    }
    let facts = tagged(written).map(Arc::new);
    let mut known = known();
    // An editor that runs for days sees every reference that is half typed.
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(written.to_owned(), facts.clone());
    facts
}

fn tagged(written: &str) -> Option<ImageFacts> {
    let reference = reference(written);
    let entry = IMAGES
        .iter()
        .find(|entry| entry.names.contains(&reference.repository))
        .or_else(|| IMAGES.iter().find(|entry| entry.names.iter().any(|name| matches(name, reference.repository))))?;
    Some(entry.value()?.tagged(reference.tag))
}

/// Whether an image has a tool that a health check may call; `None`: not known.
pub fn has_tool(image: &ImageFacts, tool: &str) -> Option<bool> {
    let says = |has: &[String], lacks: &[String]| {
        if has.iter().any(|name| name == tool) {
            return Some(true);
        }
        lacks.iter().any(|name| name == tool || name == "*").then_some(false)
    };
    says(&image.has, &image.lacks).or_else(|| {
        let system = system(image.system.as_deref()?)?;
        says(&system.has, &system.lacks)
    })
}

/// What is known of a system that images are built on, by its name in `systems.yaml`.
pub fn system(name: &str) -> Option<&'static System> {
    SYSTEMS.iter().find(|entry| entry.names.contains(&name))?.value()
}

/// A tree by its name in `trees.yaml`.
pub fn tree(name: &str) -> Option<&'static Tree> {
    TREES.iter().find(|entry| entry.names.contains(&name))?.value()
}

/// What a package brings.
pub struct Installed {
    pub trees: Vec<Tree>,
    pub has: Vec<String>,
}

/// What the installation of a package brings, by its manager (`apt`, `apk`, `dnf`) and its name.
/// Every package is believed to bring the tool that is called like it.
pub fn package(manager: &str, name: &str) -> Installed {
    // `apk add curl=8.5` and `apt install php8.2-fpm/stable` pin a version.
    let name = name.split(['=', '/', '<', '>', '~', '@']).next().unwrap_or(name);
    let manager = match manager {
        "apt-get" | "aptitude" => "apt",
        "yum" | "microdnf" => "dnf",
        other => other,
    };
    let wanted = format!("{manager} {name}");
    let mut installed = Installed { trees: Vec::new(), has: vec![name.to_owned()] };
    for entry in PACKAGES.iter() {
        let Some(pattern) = entry.names.iter().find(|pattern| matches(pattern, &wanted)) else { continue };
        let Some(package) = entry.value() else { continue };
        let version = captured(pattern, &wanted);
        installed.has.extend(package.has.iter().cloned());
        installed.trees.extend(package.trees.iter().filter_map(|name| tree(name)).map(|tree| tree.of_version(version)));
        break;
    }
    installed
}

/// The entry with the longest name that the words begin with. Between the words of a name there may be options.
fn find<T: serde::de::DeserializeOwned>(entries: &'static Entries<T>, words: &[&str]) -> Option<Match<T>> {
    let first = words.first()?;
    let first = first.rsplit('/').next().unwrap_or(first);
    let mut best: Option<(usize, bool, Vec<usize>, &'static Entry<T>)> = None;
    for (start, name, entry) in entries.named(first) {
        let exact = start == first;
        let Some(found) = following(name.split(' ').skip(1), words) else { continue };
        let better = best.as_ref().is_none_or(|(length, was_exact, ..)| (found.len(), exact) > (*length, *was_exact));
        if better {
            best = Some((found.len(), exact, found, entry));
        }
    }
    let (_, _, words, entry) = best?;
    Some(Match { value: entry.value()?, words })
}

/// Where the further words of a name stand. Options, and what may be the value of one, are passed over.
fn following<'n>(parts: impl Iterator<Item = &'n str>, words: &[&str]) -> Option<Vec<usize>> {
    let mut found = vec![0];
    let mut at = 1;
    for part in parts {
        loop {
            let word = words.get(at)?;
            at += 1;
            if *word == part || word.rsplit('/').next() == Some(part) {
                found.push(at - 1);
                break;
            }
            let value_of_option = at >= 2 && words[at - 2].starts_with('-') && !words[at - 2].contains('=');
            if !word.starts_with('-') && !value_of_option {
                return None;
            }
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests;
