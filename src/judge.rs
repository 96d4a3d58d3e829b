//! Reads a folder and judges it; what the judgement asks for is read, and it is judged again.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::Outcome;
use crate::coverage::{FileCoverage, Read};
use crate::discover::Snapshot;
use crate::source::{Entry, FileState, Sources};

/// After so many rounds of reading what was asked for, what is still missing stays unread.
const ROUNDS: usize = 4;

/// What to read of a folder besides what names say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'r> {
    /// The path of a file, relative to the folder, and the text that counts instead of the one on disk.
    pub unsaved: Option<(&'r str, &'r [u8])>,
    /// Files that somebody named: they are read whatever they are called. Relative to the folder.
    pub named: Option<&'r BTreeSet<String>>,
    /// The folder is the `/` of a server.
    pub is_server: bool,
    /// Tables of the sockets that are open on it, each with its path for people.
    pub sockets: &'r [(String, Vec<u8>)],
}

/// Why a folder was not judged. For people.
#[derive(Debug)]
pub enum Trouble {
    Unreadable(String),
    /// A mistake of ours, with its place in our source.
    Internal(String),
}

/// `lint` is [`crate::lint`]. The outcome's files are completed by those that could not be read.
pub fn folder(folder: &Path, request: Request, lint: fn(&Sources) -> Outcome) -> Result<(Sources, Outcome), Trouble> {
    let take = if request.is_server { Snapshot::of_server } else { Snapshot::of };
    let mut snapshot = take(folder, request.unsaved).map_err(Trouble::Unreadable)?;
    snapshot.add_sockets(request.sockets);
    snapshot.read_too(folder, request.named.into_iter().flatten().cloned().collect());
    let mut outcome = guarded(&snapshot.sources, lint)?;
    for _ in 0..ROUNDS {
        if !snapshot.read_wanted(folder) {
            break;
        }
        outcome = guarded(&snapshot.sources, lint)?;
    }
    outcome.files = complete(outcome.files, &snapshot, request.named);
    outcome.left_out = std::mem::take(&mut snapshot.left_out);
    Ok((snapshot.sources, outcome))
}

/// A mistake of ours in one folder must not cost the report of the others.
fn guarded(sources: &Sources, lint: fn(&Sources) -> Outcome) -> Result<Outcome, Trouble> {
    let place = Arc::new(Mutex::new(String::new()));
    let noted = Arc::clone(&place);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        if let (Ok(mut place), Some(location)) = (noted.lock(), what.location()) {
            *place = format!("{}:{}", location.file(), location.line());
        }
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| lint(sources)));
    panic::set_hook(usual);
    outcome.map_err(|what| {
        let words = what.downcast_ref::<String>().map(String::as_str).or_else(|| what.downcast_ref::<&str>().copied());
        let place = place.lock().map(|place| place.clone()).unwrap_or_default();
        Trouble::Internal(format!("{} ({place})", words.unwrap_or("no message").replace('\n', " ")))
    })
}

/// Adds what could not be read, what was read with changes, and what was named for nothing, unless the judgement has said
/// so already. In the order of the paths.
fn complete(said: Vec<FileCoverage>, snapshot: &Snapshot, named: Option<&BTreeSet<String>>) -> Vec<FileCoverage> {
    let mut files: BTreeMap<String, FileCoverage> = BTreeMap::new();
    for mut file in said {
        if let (Read::Whole, Some(Entry::File(FileState::Read(id)))) = (&file.read, snapshot.sources.entry(&file.path))
        {
            let altered = snapshot.sources.get(*id).altered.clone();
            file.read = altered.map_or(Read::Whole, Read::Partly);
        }
        files.insert(file.path.clone(), file);
    }
    for unread in &snapshot.unread {
        files.entry(unread.path.clone()).or_insert_with(|| unread.clone());
    }
    for path in named.into_iter().flatten() {
        let read = Read::No(match snapshot.sources.entry(path) {
            Some(Entry::Link(says)) => format!("a link to `{says}`, which is not followed"),
            _ => "nothing in it was recognised".to_owned(),
        });
        files.entry(path.clone()).or_insert(FileCoverage { path: path.clone(), format: "unknown", read });
    }
    files.into_values().collect()
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::{Request, Trouble, folder};
    use crate::Outcome;
    use crate::source::{Entry, FileState, Sources};

    #[test]
    fn our_own_mistake_is_told_with_its_place() {
        let judged = folder(&env::temp_dir().join("no502-not-there"), Request::default(), |_| Outcome::default());
        assert!(matches!(judged, Err(Trouble::Unreadable(_))), "{judged:?}");
        let place = env::temp_dir().join(format!("no502-panic-{}", process::id()));
        fs::create_dir_all(&place).expect("a temporary folder");
        let judged = folder(&place, Request::default(), |_| panic!("seven\nis eight"));
        fs::remove_dir_all(&place).expect("it was made above");
        let Err(Trouble::Internal(what)) = judged else { panic!("{judged:?}") };
        assert!(what.starts_with("seven is eight (src/judge.rs:"), "{what}");
    }

    /// Asks for the file that the last file read names.
    fn curious(sources: &Sources) -> Outcome {
        let last = sources.files().last().map(|(_, source)| source.text.trim().to_owned());
        sources.read(&last.unwrap_or_else(|| "1".to_owned()));
        Outcome::default()
    }

    #[test]
    fn what_is_asked_for_is_read_in_rounds() {
        let place = env::temp_dir().join(format!("no502-rounds-{}", process::id()));
        fs::create_dir_all(&place).expect("a temporary folder");
        for number in 1..9 {
            fs::write(place.join(number.to_string()), (number + 1).to_string()).expect("a small file");
        }
        let judged = folder(&place, Request::default(), curious);
        fs::remove_dir_all(&place).expect("it was made above");
        let (sources, _) = judged.expect("the folder can be read");
        let read = |path: &str| matches!(sources.entry(path), Some(Entry::File(FileState::Read(_))));
        assert!(read("1") && read("4") && !read("5"));
    }
}
