//! What a process sees of the machine it runs on: its files, its variables, its working directory.

use crate::source::{Lookup, Text};

/// What stands at a path of a machine.
#[derive(Clone, Debug)]
pub enum Found {
    File(Text),
    /// A file that is there, with contents that are not known.
    Opaque,
    Directory,
    Absent,
    /// The files do not say.
    Unknown,
}

/// The entries of a folder of a machine.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// File names, sorted.
    pub names: Vec<String>,
    /// There can be no others.
    pub complete: bool,
}

/// A machine as one of its processes sees it.
#[derive(Clone, Copy)]
pub struct Surroundings<'m> {
    /// The working directory, absolute.
    pub directory: &'m str,
    pub variable: &'m dyn Fn(&str) -> Lookup,
    /// Takes an absolute path.
    pub file: &'m dyn Fn(&str) -> Found,
    /// Takes the absolute path of a folder.
    pub list: &'m dyn Fn(&str) -> Listing,
    /// Some file has a text that is seen; where none has, no script has to be looked for.
    pub has_texts: bool,
    /// Only a part of the machine is in the files: a program may have its settings where nothing is seen.
    pub partial: bool,
}
