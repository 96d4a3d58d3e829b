//! The vassals of a uwsgi emperor: one instance for each file of a folder (uwsgi-docs.readthedocs.io, "The uWSGI Emperor").

use crate::read::app::paths::absolute;
use crate::read::app::settings::{Format, Setting, settings};
use crate::read::glob;
use crate::read::process::Process;
use crate::read::process::access::Identity;
use crate::read::process::flags::{Given, find};
use crate::read::surroundings::{Found, Surroundings};

/// Endings of files that an emperor takes for vassals.
pub const ENDINGS: [&str; 5] = [".ini", ".xml", ".yml", ".yaml", ".json"];

/// The files that an emperor starts.
pub enum Vassals {
    Files(Vec<String>),
    /// The reason why they are not visible.
    Hidden(String),
}

/// `None`: it is no emperor.
pub fn of(process: &Process, surroundings: &Surroundings<'_>) -> Option<Vassals> {
    let base = process.called.rsplit('/').next().unwrap_or_default();
    if !base.starts_with("uwsgi") {
        return None;
    }
    let place = emperor(process, surroundings)?;
    let hidden = || Some(Vassals::Hidden(format!("what the emperor in `{place}` starts is not visible")));
    if !place.starts_with('/') {
        return hidden();
    }
    let pattern = if glob::is_pattern(&place) { place.clone() } else { format!("{}/*", place.trim_end_matches('/')) };
    let matches = glob::expand(&pattern, surroundings.list);
    let is_vassal = |path: &String| ENDINGS.iter().any(|ending| path.ends_with(ending));
    let files: Vec<String> = matches.paths.into_iter().filter(is_vassal).collect();
    if files.is_empty() || !matches.complete { hidden() } else { Some(Vassals::Files(files)) }
}

/// As whom the vassals run: an emperor that root starts gives its rights away when it is told `--uid` and `--gid`.
pub fn identity(process: &Process, started_as: &Identity) -> Identity {
    let mut identity = started_as.clone();
    let given = |name: &str| match find(&process.arguments, name, true, &|_| false).pop() {
        Some(Given::Value(name)) => Some(name.as_str().to_owned()),
        _ => None,
    };
    if started_as.is_root() {
        if let Some(user) = given("--uid") {
            identity.user = user;
        }
        identity.group = given("--gid").or(identity.group);
    }
    identity
}

/// `--emperor FOLDER`, or `emperor = FOLDER` in the file that it is started with.
fn emperor(process: &Process, surroundings: &Surroundings<'_>) -> Option<String> {
    let given = |names: &str| find(&process.arguments, names, true, &|_| false).pop();
    match given("--emperor") {
        Some(Given::Value(folder)) => return Some(folder.as_str().to_owned()),
        Some(_) => return Some("$".to_owned()),
        None => {}
    }
    let named = match given("--ini -i") {
        Some(Given::Value(path)) => path.as_str().to_owned(),
        _ => process.arguments.iter().find(|word| word.as_str().ends_with(".ini"))?.as_str().to_owned(),
    };
    let path = absolute(&process.directory, &named);
    let Found::File(text) = (surroundings.file)(&path) else { return None };
    match settings(Format::Uwsgi, &path, &text, surroundings).get("emperor") {
        Setting::Value(folder) => Some(folder.as_str().to_owned()),
        Setting::Values(_) => Some("$".to_owned()),
        Setting::Absent | Setting::Unclear(_) => None,
    }
}
