//! Modules that a config needs and that the nginx of its machine is known not to have.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::read::container::Container;
use crate::read::image::Change;
use crate::read::starting;
use crate::site::Site;
use crate::site::machine::MachineId;
use crate::site::trouble::{ModuleMissing, Trouble};
use crate::source::{Span, Spanned};
use crate::syntax::nginx::{Directives, Tree};

/// An entry of `modules.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    pub file: &'static str,
    /// The documentation that lists its directives.
    pub source: &'static str,
    #[serde(borrow, default)]
    pub directives: Vec<&'static str>,
    #[serde(borrow, default)]
    pub blocks: Vec<&'static str>,
    #[serde(borrow, default)]
    pub built_in: Vec<&'static str>,
    #[serde(borrow, default)]
    pub brought: Vec<&'static str>,
    /// By distribution.
    #[serde(borrow, default)]
    pub packages: BTreeMap<&'static str, &'static str>,
}

/// Modules by their files, and by the directives that only they have, with braces or without.
struct Index {
    files: BTreeMap<&'static str, &'static Module>,
    directives: FxHashMap<(&'static str, bool), &'static Module>,
}

fn modules() -> &'static [Module] {
    static MODULES: OnceLock<Vec<Module>> = OnceLock::new();
    MODULES.get_or_init(|| serde_json::from_str(include!(concat!(env!("OUT_DIR"), "/modules.rs"))).unwrap_or_default())
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index { files: BTreeMap::new(), directives: FxHashMap::default() };
        for module in modules() {
            index.files.insert(module.file, module);
            index.directives.extend(module.directives.iter().map(|name| ((*name, false), module)));
            index.directives.extend(module.blocks.iter().map(|name| ((*name, true), module)));
        }
        index
    })
}

/// The module that alone has a directive of this name.
fn having(name: &str, is_block: bool) -> Option<&'static Module> {
    index().directives.get(&(name, is_block)).copied()
}

/// The module of a file, where it is known.
pub fn of_file(file: &str) -> Option<&'static Module> {
    index().files.get(file).copied()
}

/// The module that a package brings, where it is known.
pub fn of_package(distribution: &str, package: &str) -> Option<&'static Module> {
    modules().iter().find(|module| module.packages.get(distribution).is_some_and(|known| *known == package))
}

/// Blocks whose entries are no directives.
const RAW: &[&str] = &["map", "geo", "types", "split_clients", "charset_map", "match"];

/// In blocks.
const DEPTH: usize = 16;

/// Modules that a config names.
pub struct Uses {
    /// The path of each `load_module`.
    pub loaded: Vec<Spanned<String>>,
    /// The modules of its directives, each with the first of them.
    pub used: Vec<(&'static Module, Span)>,
}

impl Uses {
    pub fn of(trees: &[Arc<Tree>]) -> Uses {
        let mut uses = Uses { loaded: Vec::new(), used: Vec::new() };
        for tree in trees {
            uses.collect(tree.root(), false, 0);
        }
        uses
    }

    /// The names of the files that are loaded.
    pub fn files(&self) -> impl Iterator<Item = (&str, Span)> {
        self.loaded.iter().map(|path| (path.value.rsplit('/').next().unwrap_or_default(), path.span))
    }

    fn collect(&mut self, directives: Directives<'_>, in_stream: bool, depth: usize) {
        for item in directives {
            let name = item.name();
            if let Some(module) = having(&name, item.is_block()) {
                // Some names mean another module there.
                let is_other = in_stream && module.file.starts_with("ngx_http_");
                if !is_other && !self.used.iter().any(|(known, _)| known.file == module.file) {
                    self.used.push((module, item.name_span()));
                }
            } else if name == "load_module"
                && let Some(word) = item.argument(0)
            {
                self.loaded.push(Spanned::new(word.value().into_owned(), word.span()));
            }
            if item.is_block() && depth < DEPTH && !RAW.contains(&&*name) {
                self.collect(item.children(), in_stream || name == "stream", depth + 1);
            }
        }
    }
}

/// What the trees of one nginx need and its distribution does not give.
pub fn missing(site: &mut Site, id: MachineId, container: &Container<'_>, trees: &[Arc<Tree>], complete: bool) {
    let Some(distribution) = distribution(container) else { return };
    let uses = Uses::of(trees);
    let loaded: HashSet<&str> = uses.files().map(|(file, _)| file).collect();
    let has = |list: &[&str]| list.contains(&distribution.name);
    let mut said: HashSet<&str> = HashSet::new();
    let loads = uses.files().filter_map(|(file, place)| Some((*index().files.get(file)?, place, true)));
    // Any file that is not visible may load a module.
    let uses_of = uses.used.iter().filter(|_| complete).map(|(module, place)| (*module, *place, false));
    for (module, place, is_load) in loads.chain(uses_of) {
        let there = match is_load {
            true => has(&module.brought) || distribution.may_bring,
            false => has(&module.built_in) || loaded.contains(module.file),
        };
        if there || !said.insert(module.file) {
            continue;
        }
        let package = module.packages.get(distribution.name).copied().filter(|_| distribution.name != "official");
        site.troubles.push(Trouble::ModuleMissing(ModuleMissing {
            machine: id,
            place,
            module: module.file.to_owned(),
            evidence: Some(container.image_place),
            is_load,
            is_brought: has(&module.brought),
            package: package.map(str::to_owned),
        }));
    }
}

struct Distribution {
    name: &'static str,
    /// Something may put more files beside its own.
    may_bring: bool,
}

/// Where the nginx of a machine comes from, when it is as it was packaged.
fn distribution(container: &Container<'_>) -> Option<Distribution> {
    let image = container.files.image.as_ref();
    let packages = image.map_or(&[][..], |image| &image.installed);
    let is_more = |name: &str| name.starts_with("libnginx-mod") || name.starts_with("nginx-");
    let more = packages.iter().any(|package| is_more(&package.name.value));
    // A build of its own, or files of another one.
    let replaced = image.is_some_and(|image| {
        !image.commands.is_empty()
            || image.changes.iter().any(|change| match change {
                Change::Copy { target: path, .. } | Change::Unknown { path: Some(path), .. } => {
                    path.contains("/sbin") || path.contains("modules") || matches!(path.as_str(), "/" | "/usr" | "/etc")
                }
                Change::Unknown { path: None, .. } => true,
                _ => false,
            })
    });
    let mounted = container.files.mounts.iter().any(|it| it.mount.target.contains("modules"));
    // Commands of its start that may bring more.
    let fetches = starting::script(container).is_some_and(|script| {
        script.commands.iter().filter_map(|command| command.words.first()?.literal()).any(|program| {
            let name = program.as_str().rsplit('/').next().unwrap_or_default();
            matches!(name, "apk" | "apt" | "apt-get" | "curl" | "wget" | "cp" | "tar")
        })
    });
    if more || replaced || fetches {
        return None;
    }
    let trees = container.facts.as_ref().map_or(&[][..], |facts| &facts.trees);
    if trees.iter().any(|tree| tree == "nginx-official") {
        return Some(Distribution { name: "official", may_bring: mounted });
    }
    let installs = |manager: &str| packages.iter().any(|it| it.manager == manager && it.name.value == "nginx");
    if installs("apk") {
        return Some(Distribution { name: "alpine", may_bring: mounted });
    }
    // From Debian 12 and Ubuntu 24.04 on, the package `nginx` brings no modules; which release others build on is not
    // always said.
    const RELEASES: &[&str] = &["bookworm", "trixie", "debian:12", "debian:13", "noble", "ubuntu:24.04"];
    let base = container.image.as_ref()?.as_str();
    let known = RELEASES.iter().any(|release| base.contains(release));
    (installs("apt") && known).then_some(Distribution { name: "debian", may_bring: mounted })
}

#[cfg(test)]
mod tests {
    use super::{index, modules};

    #[test]
    fn the_list_can_be_read() {
        assert!(modules().len() > 10);
        for module in modules() {
            assert!(module.file.starts_with("ngx_") && module.file.ends_with(".so"), "{}", module.file);
            assert!(module.source.starts_with("https://"), "{}", module.file);
        }
        assert_eq!(index().files.len(), modules().len(), "each module is listed once");
        let names: usize = modules().iter().map(|module| module.directives.len() + module.blocks.len()).sum();
        assert_eq!(index().directives.len(), names, "each directive belongs to one module");
    }
}
