//! Files of variables that a program looks for in its working directory while they lie beside its code.

use crate::read::process::{Process, listening};
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::Listener;
use crate::source::{Span, Spanned, Text};
use crate::syntax::env_file;

/// A file that is not found.
pub struct Hidden {
    pub program: String,
    /// Where the program looks for it, absolute.
    pub wanted: String,
    /// What says where the program is started.
    pub directory: Span,
    /// The variable that decides where the program listens, where the file sets it.
    pub variable: Spanned<String>,
    /// Where the program would listen with it.
    pub meant: Vec<Listener>,
}

/// So many folders above the code may be the one that was meant.
const ABOVE: usize = 3;

/// `directory`: what says where the process is started, unless something on the way to it does.
pub fn hidden(process: &Process, surroundings: &Surroundings<'_>, directory: Option<Span>) -> Option<Hidden> {
    let code = process.entry.as_ref()?;
    let found = listening::entry(process, surroundings)?;
    let is_there = |path: &str| !matches!((surroundings.file)(path), Found::Absent);
    let wanted = found.env_files.iter().find(|path| path.starts_with(&process.directory) && !is_there(path))?;
    let below = wanted.strip_prefix(process.directory.trim_end_matches('/'))?;
    let mut folder = code.path.as_str();
    for _ in 0..ABOVE {
        folder = folder.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty())?;
        let Found::File(text) = (surroundings.file)(&format!("{folder}{below}")) else { continue };
        let moved = Process { directory: folder.to_owned(), ..process.clone() };
        let meant = listening::entry(&moved, surroundings)?.listening.listeners;
        let variable =
            meant.iter().filter(|it| !found.listening.listeners.contains(it)).find_map(|it| decides(&text, it))?;
        let directory = process.directory_place.or(directory).unwrap_or(process.place);
        return Some(Hidden { program: process.name.clone(), wanted: wanted.clone(), directory, variable, meant });
    }
    None
}

/// The variable of the file that a listener stands for.
fn decides(text: &Text, listener: &Listener) -> Option<Spanned<String>> {
    let holds = |value: &Text| {
        let (outer, inner) = (value.whole(), listener.place);
        outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
    };
    env_file::parse(text)
        .entries
        .into_iter()
        .find(|entry| entry.value.as_ref().is_some_and(holds))
        .map(|entry| entry.name)
}
