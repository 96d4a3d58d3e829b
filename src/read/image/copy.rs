//! `COPY` and `ADD`: from the build context, another stage, another image, a here-document.

use crate::read::glob::is_pattern;
use crate::read::image::files::{Start, below, find, followed, join, parent, transferred};
use crate::read::image::glob::matches;
use crate::read::image::stage::{Build, Stage};
use crate::read::image::{Base, Brought, Change, CopySource, Image, Origin};
use crate::source::{Entry, Sources, Span};
use crate::syntax::command_line::{Part, Word};
use crate::syntax::dockerfile::{CopySource as Written, Instruction};

const MOST_SOURCES: usize = 1_000;
/// More than anybody copies from one stage to another; beyond that it is not followed where a program comes from.
const MOST_BROUGHT: usize = 100;

/// A target with the suffix of what is copied is the file itself, and no folder.
fn same_suffix(name: &str, target: &str) -> bool {
    let suffix = |name: &str| name.rfind('.').filter(|at| *at > 0).map(|at| name[at..].to_owned());
    suffix(name).is_some_and(|known| suffix(parent(target).1) == Some(known))
}

/// Where a `COPY` puts what it copies.
struct Target {
    path: String,
    /// Files land in it under their own names.
    folder: bool,
    place: Span,
}

pub fn copy<'f>(
    stage: &mut Stage,
    instruction: &Instruction,
    written: &[Written],
    target: &Word,
    build: &Build,
    find_stage: &dyn Fn(&str) -> Option<&'f Stage>,
) {
    let place = instruction.span;
    let text = stage.expand(target);
    let Some((text, path)) = text.and_then(|text| Some((text.to_string(), stage.path(text.as_str())?))) else {
        let folder = literal_folder(target).and_then(|folder| stage.path(&folder));
        return stage.unknown(folder, place, "it is copied to a path that is not known");
    };
    let named_folder = text.ends_with('/') || matches!(text.rsplit('/').next(), Some("." | ".."));
    let folder = named_folder
        || written.len() > 1
        || path == "/"
        || matches!(find(&stage.image, build.sources, &path).start, Start::Directory);
    let mut target = Target { path, folder, place };
    if written.len() > MOST_SOURCES {
        return stage.unknown(Some(target.path), place, "it copies too many things to follow");
    }
    let from = instruction.flag("from");
    for source in written {
        let path = match source {
            Written::Heredoc { name, heredoc } => {
                let text = heredoc.expand(&|name| stage.lookup(name));
                match text {
                    Some(text) => target.put(stage, CopySource::Text(text), &name.value),
                    None => target.hide(stage, &name.value, "its text holds a variable that is not known"),
                }
                continue;
            }
            Written::Path(word) => stage.expand(word),
        };
        let Some(path) = path else {
            stage.unknown(
                Some(target.path.clone()),
                place,
                "what is copied has a variable in its path that is not known",
            );
            continue;
        };
        let path = path.as_str();
        let from_name = from.map(|from| stage.expand(from));
        match from_name {
            None => from_context(stage, instruction, path, &mut target, build),
            Some(None) => {
                stage.unknown(Some(target.path.clone()), place, "it is copied from a stage that is not known")
            }
            Some(Some(name)) => match find_stage(name.as_str()) {
                Some(other) => from_stage(stage, other, path, &target, build.sources),
                None => {
                    let image = name.to_string();
                    let path = join("/", path);
                    let name = parent(&path).1.to_owned();
                    if target.folder && !is_file_like(&name) {
                        let hidden = "it is copied from another image";
                        stage.unknown(Some(target.path.clone()), place, hidden);
                    } else {
                        target.put(stage, CopySource::Image { image, path }, &name);
                    }
                }
            },
        }
    }
    if let Some(mode) = instruction.flag("chmod").and_then(|mode| stage.expand(mode)) {
        let digits = mode.as_str().bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            let executable = mode.as_str().bytes().any(|digit| digit % 2 == 1);
            stage.image.changes.push(Change::Mode { path: target.path, executable, place });
        }
    }
}

/// The folder that the literal front of a word names.
pub fn literal_folder(word: &Word) -> Option<String> {
    let Some(Part::Literal(front)) = word.parts.first() else { return None };
    let (folder, _) = front.as_str().rsplit_once('/')?;
    Some(if folder.is_empty() { "/".to_owned() } else { folder.to_owned() })
}

/// It has a suffix, as files have and folders do not.
fn is_file_like(name: &str) -> bool {
    name.rfind('.').is_some_and(|at| at > 0)
}

impl Target {
    /// Where a file of this name lands, and where else it lands if the base image has a folder at the first.
    fn of_file(&self, name: &str) -> (String, Option<String>) {
        let inside = join(&self.path, name);
        match self.folder {
            true => (inside, None),
            false => (self.path.clone(), Some(inside).filter(|_| !same_suffix(name, &self.path))),
        }
    }

    fn put(&self, stage: &mut Stage, source: CopySource, name: &str) {
        let (target, inside) = self.of_file(name);
        stage.image.changes.push(Change::Copy { source, target, inside, place: self.place });
    }

    fn hide(&self, stage: &mut Stage, name: &str, why: &'static str) {
        let (path, _) = self.of_file(name);
        stage.unknown(Some(path), self.place, why);
    }
}

fn from_context(stage: &mut Stage, instruction: &Instruction, written: &str, target: &mut Target, build: &Build) {
    let add = instruction.name.value == "ADD";
    if add && (written.contains("://") || written.starts_with("git@")) {
        let name = written.rsplit('/').next().unwrap_or("").to_owned();
        return target.put(stage, CopySource::Remote(written.to_owned()), &name);
    }
    // Nothing above the context can be copied: `..` stops there.
    let path = join("", written.trim_start_matches('/'));
    let path = if build.context.is_empty() { path } else { join(build.context, &path) };
    if !is_pattern(&path) {
        return from_path(stage, add, path, target, build);
    }
    let fixed = &path[..path.find(['*', '?', '[']).unwrap_or(path.len())];
    let folder = parent(fixed).0;
    let depth = path.split('/').count();
    let found = build.sources.below(folder).map(|(entry, _)| entry);
    let found = found.filter(|entry| entry.split('/').count() == depth && matches(&path, entry));
    let found: Vec<String> = found.filter(|entry| !stage.image.ignored.covers(entry)).map(str::to_owned).collect();
    if found.is_empty() {
        built_before(stage, &path, target, build);
        return stage.unknown(
            Some(target.path.clone()),
            target.place,
            "nothing in the tree has the name that is copied",
        );
    }
    target.folder |= found.len() > 1;
    for path in found {
        from_path(stage, add, path, target, build);
    }
}

fn from_path(stage: &mut Stage, add: bool, path: String, target: &Target, build: &Build) {
    let name = parent(&path).1.to_owned();
    if stage.image.ignored.covers(&path) {
        return target.hide(stage, &name, "the build ignores what is copied");
    }
    let archive = [".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst"];
    if add && archive.iter().any(|suffix| name.ends_with(suffix)) {
        return stage.unknown(Some(target.path.clone()), target.place, "an archive is unpacked there");
    }
    let folder = match followed(build.sources, &path) {
        Some(Entry::Directory { .. }) => true,
        Some(_) => false,
        None => {
            built_before(stage, &path, target, build);
            !is_file_like(&name)
        }
    };
    if folder {
        let source = CopySource::Context(path);
        let (target, place) = (target.path.clone(), target.place);
        stage.image.changes.push(Change::Copy { source, target, inside: None, place });
    } else {
        target.put(stage, CopySource::Context(path), &name);
    }
}

/// Remembers where something lay that is not in the tree: whatever is run before the build makes it.
fn built_before(stage: &mut Stage, path: &str, target: &Target, build: &Build) {
    let Some(path) = below(build.context, path).filter(|_| stage.image.brought.len() < MOST_BROUGHT) else { return };
    let name = parent(path).1;
    let lands_inside = target.folder && is_file_like(name) && !is_pattern(path);
    let at = if lands_inside { join(&target.path, name) } else { target.path.clone() };
    let origin = Origin::Context(build.context.to_owned());
    stage.image.brought.push(Brought { target: at, source: join("/", path), origin });
}

fn from_stage(stage: &mut Stage, other: &Stage, written: &str, target: &Target, sources: &Sources) {
    let path = join("/", written);
    let name = parent(&path).1.to_owned();
    if stage.image.brought.len() < MOST_BROUGHT {
        let lands_inside = target.folder && is_file_like(&name) && !is_pattern(&path);
        let at = if lands_inside { join(&target.path, &name) } else { target.path.clone() };
        let origin = Origin::Stage(other.shared());
        stage.image.brought.push(Brought { target: at, source: path.clone(), origin });
    }
    if is_pattern(&path) {
        return stage.unknown(Some(target.path.clone()), target.place, "it is copied from another stage by a pattern");
    }
    let file = match find(&other.image, sources, &path).start {
        Start::Text(_) | Start::File => true,
        Start::Directory => false,
        _ => is_file_like(&name),
    };
    let (to, inside) = if file { target.of_file(&name) } else { (target.path.clone(), None) };
    let changes = brought(&other.image, other.opaque, sources, (&path, &to), inside, target.place);
    stage.image.changes.extend(changes);
}

/// The changes that bring `paths.0` of an image to `paths.1`. `opaque`: commands ran there that may have made it.
pub fn brought(
    image: &Image,
    opaque: bool,
    sources: &Sources,
    paths: (&str, &str),
    inside: Option<String>,
    place: Span,
) -> Vec<Change> {
    let (path, to) = paths;
    let start = find(image, sources, path).start;
    let mut changes = Vec::new();
    let target = to.to_owned();
    match (&start, &image.base) {
        (Start::Text(_) | Start::File | Start::Removed, _) | (_, Base::Scratch) if !opaque => {}
        (Start::Text(_) | Start::File, _) => {}
        (_, Base::Image(base)) if !opaque && path.starts_with('/') => {
            let source = CopySource::Image { image: base.to_string(), path: path.to_owned() };
            changes.push(Change::Copy { source, target, inside: inside.clone(), place });
        }
        _ => {
            let why = "it is copied from where commands may have made anything";
            changes.push(Change::Unknown { path: Some(target), place, why });
        }
    }
    for mut change in transferred(image, sources, path, to) {
        if let Change::Copy { target, inside: other, .. } = &mut change
            && target == to
            && other.is_none()
        {
            *other = inside.clone();
        }
        changes.push(change);
    }
    changes
}
