//! Which folder is judged when somebody names a path, and how its files are called in reports.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::reason;

const COMPOSE: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// A folder to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub folder: PathBuf,
    /// Put before a path of the snapshot, it gives the path for people: relative to the current directory, with `/`.
    /// Ends with `/`, or is empty. A folder elsewhere that was named with its full path keeps that.
    pub prefix: String,
    /// The files that were asked for, relative to the folder; everything when none.
    pub focus: Option<BTreeSet<String>>,
}

/// The folders to judge for the paths of a command line, each folder once.
pub fn targets(paths: &[PathBuf], current: &Path) -> Result<Vec<Target>, String> {
    let mut targets: Vec<Target> = Vec::new();
    for path in paths {
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => target_folder(absolute(path, current), path.is_absolute(), current),
            Ok(metadata) if metadata.is_file() => target_file(path, current),
            Ok(_) => return Err(format!("`{}` is neither a file nor a folder", path.display())),
            Err(error) => return Err(format!("`{}` cannot be read: {}", path.display(), reason(&error))),
        };
        match targets.iter_mut().find(|other| other.folder == target.folder) {
            None => targets.push(target),
            Some(other) => {
                other.focus = match (other.focus.take(), target.focus) {
                    (Some(mut files), Some(more)) => {
                        files.extend(more);
                        Some(files)
                    }
                    _ => None,
                }
            }
        }
    }
    Ok(targets)
}

/// The target for a text that comes from an editor and will be saved as `path`; it need not be there yet.
pub fn target_of_unsaved(path: &Path, within: &[PathBuf], current: &Path) -> Result<(Target, String), String> {
    let named = absolute(path, current);
    let file = fs::canonicalize(&named).unwrap_or_else(|_| named.clone());
    let below = |folder: &Path| file.strip_prefix(folder).or_else(|_| named.strip_prefix(folder)).ok().map(slashes);
    let candidates = if within.is_empty() { vec![target_file(path, current)] } else { targets(within, current)? };
    for target in candidates {
        if let Some(file) = below(&target.folder) {
            return Ok((Target { focus: Some(BTreeSet::from([file.clone()])), ..target }, file));
        }
    }
    Err(format!("`{}` lies in none of the folders that are checked", path.display()))
}

/// `whole`: it was named with its full path.
fn target_folder(folder: PathBuf, whole: bool, current: &Path) -> Target {
    let prefix = match folder.strip_prefix(current) {
        Ok(relative) => slashes(relative),
        Err(_) if whole => slashes(&folder),
        Err(_) => upwards(&folder, current),
    };
    let prefix = if prefix.is_empty() || prefix.ends_with('/') { prefix } else { prefix + "/" };
    Target { folder, prefix, focus: None }
}

/// A file that is reached through a link is judged under its own path, unless that leads away from here.
fn target_file(path: &Path, current: &Path) -> Target {
    let named = absolute(path, current);
    let file = match fs::canonicalize(&named) {
        Ok(real) if real.starts_with(current) || !named.starts_with(current) => real,
        _ => named,
    };
    let target = target_folder(project_of(&file, current), path.is_absolute(), current);
    let focus = file.strip_prefix(&target.folder).ok().map(slashes);
    Target { focus: Some(focus.into_iter().collect()), ..target }
}

/// The folder that is judged for one file: the nearest one above it, up to the current directory, that holds a compose
/// file or a repository; else the nearest one that holds an nginx.conf; else its own.
fn project_of(file: &Path, current: &Path) -> PathBuf {
    let own = file.parent().unwrap_or(file);
    let is_inside = own.starts_with(current);
    let above: Vec<&Path> = own.ancestors().take_while(|folder| !is_inside || folder.starts_with(current)).collect();
    let holds = |folder: &Path, name: &str| folder.join(name).exists();
    let is_project = |folder: &&&Path| COMPOSE.iter().any(|name| holds(folder, name)) || holds(folder, ".git");
    let is_server = |folder: &&&Path| holds(folder, "nginx.conf");
    let found = above.iter().find(is_project).or_else(|| above.iter().find(is_server));
    found.copied().unwrap_or(own).to_owned()
}

/// The whole path. `.` and `..` are taken out of the words; where links make that wrong, the disk is asked.
fn absolute(path: &Path, current: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    let joined = current.join(path);
    for part in joined.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    match (fs::canonicalize(&joined), fs::canonicalize(&whole)) {
        (Ok(meant), Ok(guessed)) if meant != guessed => meant,
        _ => whole,
    }
}

/// The path as it is seen from the current directory, with as many `..` as it takes.
fn upwards(path: &Path, current: &Path) -> String {
    let shared = path.components().zip(current.components()).take_while(|(a, b)| a == b).count();
    let ups = current.components().skip(shared).map(|_| "..");
    let downs: Vec<_> = path.components().skip(shared).map(|part| text(part.as_os_str())).collect();
    ups.map(str::to_owned).chain(downs).collect::<Vec<_>>().join("/")
}

fn slashes(path: &Path) -> String {
    let text = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { text.into_owned() } else { text.replace('\\', "/") }
}

fn text(part: &OsStr) -> String {
    part.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{absolute, target_folder, upwards};
    use std::path::Path;

    #[test]
    fn folders_are_called_as_they_are_seen_from_here() {
        let current = Path::new("/home/me/shop");
        let prefix = |path: &str| {
            let path = Path::new(path);
            target_folder(absolute(path, current), path.is_absolute(), current).prefix
        };
        assert_eq!(prefix("."), "");
        assert_eq!(prefix("./deploy/"), "deploy/");
        assert_eq!(prefix("/home/me/shop/deploy"), "deploy/");
        assert_eq!(prefix("../blog"), "../blog/");
        assert_eq!(prefix("/srv/www"), "/srv/www/");
        assert_eq!(prefix("/"), "/");
    }

    #[test]
    fn dots_are_taken_out() {
        assert_eq!(absolute(Path::new("a/./b/../c"), Path::new("/x")), Path::new("/x/a/c"));
        assert_eq!(upwards(Path::new("/x/a"), Path::new("/x/b/c")), "../../a");
        assert_eq!(upwards(Path::new("/x"), Path::new("/x")), "");
    }
}
