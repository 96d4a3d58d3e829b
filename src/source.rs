//! The texts that are judged, and where every piece of them stands on disk.
//!
//! [`Sources`] is a snapshot of a folder: which entries exist and, for those that were read, their text. Nothing
//! in here touches the disk; whoever builds the snapshot does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, OnceLock};

/// Number of a text in its [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range of one file. `end` is behind the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The smallest span that holds both; `self` when the other one lies in another file.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and the text that it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Spanned<T> {
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(out)
    }
}

/// A string that knows where each of its bytes came from, also after quotes were taken off, variables were put in or
/// an indentation was removed. Cheap to clone and to take parts of.
#[derive(Clone)]
pub struct Text {
    /// What this text is a part of.
    base: Arc<String>,
    start: u32,
    end: u32,
    origin: Origin,
}

/// Where the bytes of [`Text::base`] came from.
#[derive(Clone)]
enum Origin {
    /// Byte `i` is byte `shift + i` of the file.
    File { file: FileId, shift: u32 },
    /// Sorted by `at`, the first one at 0.
    /// In a vector of their own, so that texts, of which there are very many, hold one word for them.
    Pieces(Arc<Vec<Piece>>),
}

/// From byte `at` on, up to the next piece, the text came from `origin`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    at: u32,
    origin: Span,
    /// Byte by byte; otherwise the whole piece stands for the whole origin (a substituted variable, a built-in text).
    verbatim: bool,
}

impl Text {
    /// A whole file.
    pub fn of_file(file: FileId, text: impl Into<String>) -> Text {
        Text::of(Arc::new(text.into()), Origin::File { file, shift: 0 })
    }

    fn of(base: Arc<String>, origin: Origin) -> Text {
        Text { start: 0, end: base.len() as u32, base, origin }
    }

    /// A text that stands in no file and is blamed, as a whole, on `origin`: what an image is known to contain, a default value.
    pub fn fixed(text: &str, origin: Span) -> Text {
        let origin = Span { end: origin.start.max(origin.end), ..origin };
        Text::of(Arc::new(text.to_owned()), Origin::Pieces(Arc::new(vec![Piece { at: 0, origin, verbatim: false }])))
    }

    pub fn as_str(&self) -> &str {
        &self.base[self.start as usize..self.end as usize]
    }

    /// The bytes of a range of this text, without the rest.
    pub fn part(&self, range: Range<usize>) -> &str {
        let start = self.start as usize;
        &self.base[start + range.start..start + range.end]
    }

    /// Where a byte range of this text stands on disk.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.start + range.start as u32;
        let end = self.start + range.end.max(range.start) as u32;
        match &self.origin {
            Origin::File { file, shift } => Span { file: *file, start: start + shift, end: end + shift },
            Origin::Pieces(pieces) => {
                let place = |at: u32, is_end: bool| {
                    // An end belongs to the piece of the byte before it, and so does nothing at all: a value that is empty
                    // stands behind what leads to it, not in front of what comes next.
                    let byte = if is_end && at > start || start == end { at.saturating_sub(1) } else { at };
                    let piece = pieces[pieces.partition_point(|piece| piece.at <= byte).max(1) - 1];
                    if piece.verbatim {
                        let exact = (piece.origin.start + (at - piece.at)).min(piece.origin.end);
                        Span { file: piece.origin.file, start: exact, end: exact }
                    } else {
                        piece.origin
                    }
                };
                let (first, last) = (place(start, false), place(end, true));
                if first.file == last.file && first.start <= last.end {
                    Span { file: first.file, start: first.start, end: last.end }
                } else {
                    first
                }
            }
        }
    }

    /// Where the whole text stands.
    pub fn whole(&self) -> Span {
        self.span(0..self.as_str().len())
    }

    /// A part of this text, which still knows where it stands.
    pub fn slice(&self, range: Range<usize>) -> Text {
        let part = &self.as_str()[range.clone()];
        let start = self.start + range.start as u32;
        Text { base: self.base.clone(), start, end: start + part.len() as u32, origin: self.origin.clone() }
    }

    /// Without white space at both ends.
    pub fn trim(&self) -> Text {
        let text = self.as_str();
        let start = text.len() - text.trim_start().len();
        self.slice(start..start + text.trim().len())
    }

    /// The parts before and behind the first occurrence of `separator`.
    pub fn split_once(&self, separator: char) -> Option<(Text, Text)> {
        let text = self.as_str();
        let at = text.find(separator)?;
        Some((self.slice(0..at), self.slice(at + separator.len_utf8()..text.len())))
    }

    pub fn spanned(&self) -> Spanned<String> {
        Spanned::new(self.as_str().to_owned(), self.whole())
    }

    /// The whole file, when this text is one, unchanged.
    pub fn file(&self) -> Option<FileId> {
        match self.origin {
            Origin::File { file, shift: 0 } if self.start == 0 => Some(file),
            _ => None,
        }
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.whole();
        write!(out, "{:?} of file {}, {}..{}", self.as_str(), place.file.0, place.start, place.end)
    }
}

/// Puts a [`Text`] together from pieces.
#[derive(Default)]
pub struct TextBuilder {
    text: String,
    pieces: Vec<Piece>,
}

impl TextBuilder {
    /// Adds a part of another text as it stands.
    pub fn push(&mut self, from: &Text, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let base = self.text.len() as u32;
        self.text.push_str(&from.as_str()[range.clone()]);
        match &from.origin {
            Origin::File { .. } => self.verbatim(base, from.span(range)),
            Origin::Pieces(pieces) => {
                let offset = from.start as usize;
                let (start, end) = (offset + range.start, offset + range.end);
                let first = pieces.partition_point(|piece| piece.at as usize <= start).max(1) - 1;
                for (index, piece) in pieces.iter().enumerate().skip(first) {
                    if piece.at as usize >= end {
                        break;
                    }
                    let from_byte = (piece.at as usize).max(start);
                    let to_byte = pieces.get(index + 1).map_or(end, |next| (next.at as usize).min(end));
                    let at = base + (from_byte - start) as u32;
                    if piece.verbatim {
                        self.verbatim(at, from.span(from_byte - offset..to_byte - offset));
                    } else {
                        self.pieces.push(Piece { at, origin: piece.origin, verbatim: false });
                    }
                }
            }
        }
    }

    /// What continues the last piece on disk is part of it.
    fn verbatim(&mut self, at: u32, origin: Span) {
        if let Some(last) = self.pieces.last_mut()
            && last.verbatim
            && last.origin.file == origin.file
            && last.origin.end == origin.start
        {
            last.origin.end = origin.end;
            return;
        }
        self.pieces.push(Piece { at, origin, verbatim: true });
    }

    /// Adds text that stands for `origin` as a whole.
    pub fn push_fixed(&mut self, text: &str, origin: Span) {
        if text.is_empty() {
            return;
        }
        self.pieces.push(Piece { at: self.text.len() as u32, origin, verbatim: false });
        self.text.push_str(text);
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The finished text; an empty one stands at `place`.
    pub fn finish(mut self, place: Span) -> Text {
        if self.pieces.is_empty() {
            self.pieces.push(Piece {
                at: 0,
                origin: Span { end: place.start.max(place.end), ..place },
                verbatim: false,
            });
        }
        if let [Piece { at: 0, origin, verbatim: true }] = self.pieces[..] {
            return Text::of(self.text.into(), Origin::File { file: origin.file, shift: origin.start });
        }
        self.pieces.shrink_to_fit();
        Text::of(self.text.into(), Origin::Pieces(Arc::new(self.pieces)))
    }
}

/// The value of an environment variable.
#[derive(Clone, Debug)]
pub enum Lookup {
    Value(Text),
    Unset,
    /// It may be set, and to what is not visible.
    Unknown,
}

/// What stands at a path of the snapshot. Paths are relative to its root, with `/`, without `.` and `..`; the root is "".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Its text, once it was read.
    File(FileState),
    /// `listed`: every entry below it is in the snapshot. Pruned folders (node_modules, .git) are not.
    Directory { listed: bool },
    /// A symbolic link and what it says, as it is written.
    Link(String),
    /// A socket, pipe or device.
    Special,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    Read(FileId),
    /// It is there and was not needed so far.
    NotRead,
    /// It is there and cannot be read: permissions, size, no text. The reason is for people.
    Unreadable(String),
}

/// One text of the snapshot.
#[derive(Debug)]
pub struct Source {
    /// Relative to the root of the snapshot, with `/`.
    pub path: String,
    pub text: Arc<String>,
    /// What had to be changed to make it text, for people: bytes that are no UTF-8.
    pub altered: Option<String>,
    /// The execute bit, where the file system has one.
    pub executable: Option<bool>,
    lines: OnceLock<Vec<u32>>,
    ascii: OnceLock<bool>,
}

/// Whom a folder of a server belongs to, as the disk has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// The number of its user and of its group.
    pub owner: u32,
    pub group: u32,
    /// Permission bits, such as 0o750.
    pub mode: u32,
    /// A list of further users and groups decides besides the mode, or may do so (acl(5)).
    pub has_list: bool,
}

/// What whoever checks a folder says of it, besides what stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The folder is the `/` of a server, whatever is found in it.
    pub is_server: bool,
    /// Tables of the sockets that were open on the server.
    pub sockets: Vec<FileId>,
}

/// Everything that is judged together: the entries of a folder and the texts among them.
#[derive(Debug, Default)]
pub struct Sources {
    pub told: Told,
    files: Vec<Source>,
    entries: BTreeMap<String, Entry>,
    permissions: BTreeMap<String, Permissions>,
    wanted: Mutex<BTreeSet<String>>,
}

impl Sources {
    /// Adds a file with its text; the folders above it come to exist with it.
    pub fn add(&mut self, path: &str, text: impl Into<String>) -> FileId {
        let id = self.push(path, text.into());
        self.add_entry(path, Entry::File(FileState::Read(id)));
        id
    }

    fn push(&mut self, path: &str, text: String) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(Source {
            path: path.to_owned(),
            text: Arc::new(text),
            altered: None,
            executable: None,
            lines: OnceLock::new(),
            ascii: OnceLock::new(),
        });
        id
    }

    /// Adds a table of sockets, which is no part of the folder. Its path is for people, and taken as it is.
    pub fn add_sockets(&mut self, path: &str, text: impl Into<String>) -> FileId {
        let id = self.push(path, text.into());
        self.told.sockets.push(id);
        id
    }

    /// The path is that of a text which is no part of the folder.
    pub fn is_apart(&self, path: &str) -> bool {
        self.told.sockets.iter().any(|file| self.path(*file) == path)
    }

    /// Says that something stands at `path`; the folders above it come to exist with it.
    pub fn add_entry(&mut self, path: &str, entry: Entry) {
        let mut above = path;
        while let Some((folder, _)) = above.rsplit_once('/') {
            if self.entries.contains_key(folder) {
                break;
            }
            self.entries.insert(folder.to_owned(), Entry::Directory { listed: true });
            above = folder;
        }
        self.entries.entry(String::new()).or_insert(Entry::Directory { listed: true });
        self.entries.insert(path.to_owned(), entry);
    }

    pub fn set_altered(&mut self, file: FileId, what: String) {
        self.files[file.0 as usize].altered = Some(what);
    }

    pub fn set_executable(&mut self, file: FileId, executable: bool) {
        self.files[file.0 as usize].executable = Some(executable);
    }

    pub fn set_permissions(&mut self, folder: &str, permissions: Permissions) {
        self.permissions.insert(folder.to_owned(), permissions);
    }

    /// Whom a folder belongs to; `None`: the folder is not there, or its numbers say nothing.
    pub fn permissions(&self, folder: &str) -> Option<Permissions> {
        self.permissions.get(folder).copied()
    }

    /// The owners on disk are those of the server, not of somebody who copied the files: the system's own folder belongs
    /// to root, and another one to somebody else.
    pub fn keeps_owners(&self, system: &str) -> bool {
        self.permissions(system).is_some_and(|it| it.owner == 0) && self.permissions.values().any(|it| it.owner != 0)
    }

    pub fn get(&self, file: FileId) -> &Source {
        &self.files[file.0 as usize]
    }

    pub fn path(&self, file: FileId) -> &str {
        &self.get(file).path
    }

    pub fn text(&self, file: FileId) -> Text {
        Text::of(self.get(file).text.clone(), Origin::File { file, shift: 0 })
    }

    /// The quoted text of a span.
    pub fn quote(&self, span: Span) -> &str {
        self.get(span.file).text.get(span.range()).unwrap_or("")
    }

    /// Bytes of all texts.
    pub fn size(&self) -> usize {
        self.files.iter().map(|source| source.text.len()).sum()
    }

    /// Every text, in the order in which it was added.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &Source)> {
        self.files.iter().enumerate().map(|(index, source)| (FileId(index as u32), source))
    }

    /// Every entry below `folder` ("" for all), the folder itself not, in the order of their paths.
    pub fn below<'s>(&'s self, folder: &str) -> impl Iterator<Item = (&'s str, &'s Entry)> + use<'s> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.entries
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .filter(|(path, _)| !path.is_empty())
            .map(|(path, entry)| (path.as_str(), entry))
    }

    /// The paths of what stands right in `folder` ("" for the root), in their order. What is below them is stepped over.
    pub fn children<'s>(&'s self, folder: &str) -> impl Iterator<Item = &'s str> + use<'s> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut from = prefix.clone();
        std::iter::from_fn(move || {
            loop {
                let range = (Bound::Included(from.as_str()), Bound::Unbounded);
                let (path, _) = self.entries.range::<str, _>(range).next()?;
                let rest = path.strip_prefix(prefix.as_str())?;
                match rest.find('/') {
                    None => from = format!("{path}\0"),
                    // `0` is the character behind `/`.
                    Some(end) => from = format!("{}0", &path[..prefix.len() + end]),
                }
                if !rest.is_empty() && !rest.contains('/') {
                    return Some(path.as_str());
                }
            }
        })
    }

    /// What stands at `path`, symbolic links along the way not followed.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Asks for the text of a file that is there. A file that was not read so far is remembered as [`Sources::wanted`].
    pub fn read(&self, path: &str) -> Option<FileId> {
        match self.entries.get(path)? {
            Entry::File(FileState::Read(file)) => Some(*file),
            Entry::File(FileState::NotRead) => {
                if let Ok(mut wanted) = self.wanted.lock() {
                    wanted.insert(path.to_owned());
                }
                None
            }
            _ => None,
        }
    }

    /// The files that somebody asked for and that were not read: read them, and judge again.
    pub fn wanted(&self) -> Vec<String> {
        self.wanted.lock().map(|wanted| wanted.iter().cloned().collect()).unwrap_or_default()
    }

    /// Line and column of a byte, both from 1; the column counts Unicode scalar values.
    pub fn position(&self, file: FileId, offset: u32) -> (usize, usize) {
        let source = self.get(file);
        let lines = source.line_starts();
        let line = lines.partition_point(|start| *start <= offset).max(1);
        let start = lines[line - 1] as usize;
        let end = (offset as usize).min(source.text.len()).max(start);
        // Many findings on one line of a megabyte must not count its characters again and again.
        if *source.ascii.get_or_init(|| source.text.is_ascii()) {
            return (line, end - start + 1);
        }
        let column = source.text.as_bytes()[start..end].iter().filter(|byte| **byte & 0xC0 != 0x80).count() + 1;
        (line, column)
    }
}

impl Source {
    /// The byte offset at which each line begins.
    pub fn line_starts(&self) -> &[u32] {
        self.lines.get_or_init(|| {
            let breaks = memchr::memchr_iter(b'\n', self.text.as_bytes()).map(|at| at as u32 + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FileId, Sources, Text, TextBuilder};

    /// `port ${PORT};` with an empty variable: the missing port stands where the variable is, not behind it.
    #[test]
    fn what_is_empty_stands_behind_what_leads_to_it() {
        let text = Text::of_file(FileId(0), "port ${PORT};");
        let mut builder = TextBuilder::default();
        builder.push(&text, 0..5);
        builder.push(&text, 12..13);
        let rendered = builder.finish(text.whole());
        assert_eq!((rendered.as_str(), rendered.slice(5..5).whole().start), ("port ;", 5));
        assert_eq!(rendered.slice(5..6).whole().start, 12);
    }

    #[test]
    fn children_stand_right_in_a_folder() {
        let mut sources = Sources::default();
        for path in ["a/b/c", "a/b-d", "a/b/e/f", "a/b0", "a/b.x/y", "ab/z", "a b"] {
            sources.add(path, "");
        }
        let names = |folder: &str| sources.children(folder).collect::<Vec<&str>>();
        assert_eq!(names("a"), ["a/b", "a/b-d", "a/b.x", "a/b0"]);
        assert_eq!(names("a/b"), ["a/b/c", "a/b/e"]);
        assert_eq!(names(""), ["a", "a b", "ab"]);
        assert_eq!(names("nowhere"), [""; 0]);
    }

    #[test]
    fn a_text_knows_where_its_pieces_came_from() {
        let mut sources = Sources::default();
        let template = sources.add("t", "pass http://${HOST}:80;");
        let value = sources.add("env", "HOST=api");
        let (template, value) = (sources.text(template), sources.text(value));
        let mut builder = TextBuilder::default();
        builder.push(&template, 0..12);
        builder.push_fixed("api", template.span(12..19));
        builder.push(&template, 19..23);
        let text: Text = builder.finish(template.whole());
        assert_eq!(text.as_str(), "pass http://api:80;");
        assert_eq!(sources.quote(text.span(16..18)), "80");
        assert_eq!(sources.quote(text.span(12..15)), "${HOST}");
        assert_eq!(sources.quote(text.span(5..18)), "http://${HOST}:80");
        let host = text.slice(12..18);
        assert_eq!(sources.quote(host.span(4..6)), "80");
        assert_eq!(sources.quote(value.slice(5..8).whole()), "api");
    }

    #[test]
    fn positions_count_characters() {
        let mut sources = Sources::default();
        let file = sources.add("a", "é1\nzwei");
        assert_eq!(sources.position(file, 2), (1, 2));
        assert_eq!(sources.position(file, 4), (2, 1));
        assert_eq!(sources.position(file, 99), (2, 5));
    }
}
