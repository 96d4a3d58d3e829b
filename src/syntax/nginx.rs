//! nginx configurations: the tree of directives, read by the rules of nginx's own tokenizer.
//!
//! Unknown directives are directives like any other, and so are the entries of `map`, `geo`, `types` and their kind.
//! The meaning of a directive is not known here.

mod lua;
mod missing_semicolon;
mod reader;
mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::ops::Range;

use memchr::memchr;

use crate::source::{Span, Text, TextBuilder};
use crate::syntax::Problem;

/// The directives of one text, in the order in which they stand there.
#[derive(Debug)]
pub struct Tree {
    text: Text,
    words: Vec<Word>,
    directives: Vec<Directive>,
    comments: Vec<Word>,
    problems: Vec<Problem>,
}

/// A byte range of the text: a word with its quotes, or a comment with its `#`.
#[derive(Clone, Copy, Debug)]
struct Word {
    start: u32,
    /// With [`PLAIN`]: no text is that long.
    marked_end: u32,
}

/// Neither a backslash nor a quote at its start stands in the word, so what is written is what nginx sees.
const PLAIN: u32 = 1 << 31;

/// The words of a directive end where those of the next one begin.
#[derive(Clone, Copy, Debug)]
struct Directive {
    first_word: u32,
    /// Behind its `;` or `{`, or behind its last word when both are missing.
    end: u32,
    /// Behind its closing brace; equal to `end` without a block.
    block_end: u32,
    /// The first directive behind it that is not inside it.
    next: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Simple,
    Block,
    Lua,
}

/// Reads a configuration or a fragment of one. What cannot be read becomes a problem, and the rest still counts.
pub fn parse(text: &Text) -> Tree {
    reader::read(text)
}

/// Whether a text is the source of a configuration in a template language, and which: "a Jinja template". `${NAME}` is
/// not counted, since nginx and envsubst write it, too. Neither is anything in quotes, comments and Lua blocks.
pub fn is_foreign_template(text: &str) -> Option<&'static str> {
    template::language(text)
}

impl Tree {
    /// The directives that stand in no block.
    pub fn root(&self) -> Directives<'_> {
        Directives { tree: self, next: 0, end: self.directives.len() as u32 }
    }

    /// Every directive, at any depth, in the order of the text.
    pub fn all(&self) -> impl ExactSizeIterator<Item = DirectiveRef<'_>> {
        (0..self.directives.len() as u32).map(|index| DirectiveRef { tree: self, index })
    }

    /// What nginx would refuse, or surely takes for something else than what was meant; in the order of the text.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub fn text(&self) -> &Text {
        &self.text
    }
}

impl Word {
    fn plain(range: Range<usize>) -> Word {
        Word { start: range.start as u32, marked_end: range.end as u32 | PLAIN }
    }

    /// One that may have quotes or escapes.
    fn written(range: Range<usize>) -> Word {
        Word { start: range.start as u32, marked_end: range.end as u32 }
    }

    fn is_plain(self) -> bool {
        self.marked_end & PLAIN != 0
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end()
    }

    fn end(self) -> usize {
        (self.marked_end & !PLAIN) as usize
    }
}

/// Directives beside each other, without those inside them.
#[derive(Clone, Copy, Debug)]
pub struct Directives<'t> {
    tree: &'t Tree,
    next: u32,
    end: u32,
}

impl<'t> Iterator for Directives<'t> {
    type Item = DirectiveRef<'t>;

    fn next(&mut self) -> Option<DirectiveRef<'t>> {
        if self.next >= self.end {
            return None;
        }
        let directive = DirectiveRef { tree: self.tree, index: self.next };
        self.next = directive.entry().next;
        Some(directive)
    }
}

impl FusedIterator for Directives<'_> {}

/// One directive: a name, arguments, perhaps a block.
#[derive(Clone, Copy, Debug)]
pub struct DirectiveRef<'t> {
    tree: &'t Tree,
    index: u32,
}

impl<'t> DirectiveRef<'t> {
    /// Without quotes and escapes. Empty for a `{` that stands there without a name, which is a problem of the tree.
    pub fn name(self) -> Cow<'t, str> {
        self.word(0).map_or(Cow::Borrowed(""), WordRef::value)
    }

    /// From the name to the end of the name.
    pub fn name_span(self) -> Span {
        self.word(0).map_or_else(|| self.span(), WordRef::span)
    }

    /// The words behind the name.
    pub fn arguments(self) -> impl Iterator<Item = WordRef<'t>> {
        self.words().skip(1).map(move |index| WordRef { tree: self.tree, index: index as u32 })
    }

    /// The argument with this number; the first one behind the name is 0.
    pub fn argument(self, index: usize) -> Option<WordRef<'t>> {
        self.word(index.checked_add(1)?)
    }

    /// The number of words behind the name.
    pub fn argument_count(self) -> usize {
        self.words().len().saturating_sub(1)
    }

    /// From the name to the `;` or the `{`, both included.
    pub fn span(self) -> Span {
        self.tree.text.span(self.start()..self.entry().end as usize)
    }

    /// From the name to the `}` that closes its block; without a block the same as [`DirectiveRef::span`].
    pub fn block_span(self) -> Span {
        self.tree.text.span(self.start()..self.entry().block_end as usize)
    }

    /// Whether it ends with a block in braces, of directives or of Lua.
    pub fn is_block(self) -> bool {
        self.entry().kind != Kind::Simple
    }

    /// The directives in its block; none without a block, and none in a block of Lua.
    pub fn children(self) -> Directives<'t> {
        Directives { tree: self.tree, next: self.index + 1, end: self.entry().next }
    }

    /// Every directive in its block, at any depth, in the order of the text.
    pub fn inside(self) -> impl Iterator<Item = DirectiveRef<'t>> {
        (self.index + 1..self.entry().next).map(move |index| DirectiveRef { tree: self.tree, index })
    }

    /// What stands between the braces of a Lua block.
    pub fn lua(self) -> Option<Span> {
        let entry = self.entry();
        if entry.kind != Kind::Lua {
            return None;
        }
        let start = entry.end as usize;
        let body = &self.tree.text.as_str()[start..entry.block_end as usize];
        // Only a block that is never closed does not end with its brace.
        let closed = body.ends_with('}') as usize;
        Some(self.tree.text.span(start..start + body.len() - closed))
    }

    fn entry(self) -> Directive {
        self.tree.directives[self.index as usize]
    }

    fn words(self) -> Range<usize> {
        let behind = self.tree.directives.get(self.index as usize + 1);
        let end = behind.map_or(self.tree.words.len(), |directive| directive.first_word as usize);
        self.entry().first_word as usize..end
    }

    fn word(self, index: usize) -> Option<WordRef<'t>> {
        let words = self.words();
        (index < words.len()).then(|| WordRef { tree: self.tree, index: (words.start + index) as u32 })
    }

    fn start(self) -> usize {
        match self.word(0) {
            Some(word) => word.range().start,
            None => self.entry().end as usize - 1,
        }
    }
}

/// One word of a directive.
#[derive(Clone, Copy, Debug)]
pub struct WordRef<'t> {
    tree: &'t Tree,
    index: u32,
}

impl<'t> WordRef<'t> {
    /// What nginx sees: without the quotes around it, and with its escapes replaced.
    pub fn value(self) -> Cow<'t, str> {
        let word = self.tree.words[self.index as usize];
        let written = self.tree.text.part(word.range());
        if word.is_plain() {
            return Cow::Borrowed(written);
        }
        unescape(&written[inside_quotes(written)])
    }

    /// With its quotes.
    pub fn span(self) -> Span {
        self.tree.text.span(self.range())
    }

    /// The value as a text of which every part knows where it stands.
    pub fn text(self) -> Text {
        let word = self.tree.words[self.index as usize];
        if word.is_plain() {
            return self.tree.text.slice(word.range());
        }
        let inside = self.inside();
        let source = self.tree.text.part(inside.clone());
        if memchr(b'\\', source.as_bytes()).is_none() {
            return self.tree.text.slice(inside);
        }
        let mut builder = TextBuilder::default();
        for piece in pieces(source) {
            let at = inside.start + piece.range.start..inside.start + piece.range.end;
            match piece.replacement {
                Some(replacement) => builder.push_fixed(replacement, self.tree.text.span(at)),
                None => builder.push(&self.tree.text, at),
            }
        }
        builder.finish(self.tree.text.span(inside))
    }

    /// Whether it begins with a quote.
    pub fn is_quoted(self) -> bool {
        matches!(self.written().as_bytes().first(), Some(b'"' | b'\''))
    }

    fn range(self) -> Range<usize> {
        self.tree.words[self.index as usize].range()
    }

    fn written(self) -> &'t str {
        self.tree.text.part(self.range())
    }

    fn inside(self) -> Range<usize> {
        let (start, inside) = (self.range().start, inside_quotes(self.written()));
        start + inside.start..start + inside.end
    }
}

/// The part of a word between its quotes; a quote that is never closed has none at the end.
fn inside_quotes(written: &str) -> Range<usize> {
    match written.as_bytes() {
        [first @ (b'"' | b'\''), .., last] if first == last => 1..written.len() - 1,
        [b'"' | b'\'', ..] => 1..written.len(),
        _ => 0..written.len(),
    }
}

/// The word as nginx would keep it: `\"`, `\'` and `\\` lose their backslash, `\t`, `\r` and `\n` become what they
/// stand for, and any other backslash stays, in quotes or not (ngx_conf_read_token).
fn unescape(inside: &str) -> Cow<'_, str> {
    if !inside.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(inside);
    }
    let value = pieces(inside).map(|piece| piece.replacement.unwrap_or(&inside[piece.range])).collect();
    Cow::Owned(value)
}

/// A stretch of a word that is kept as it stands, or an escape with what replaces it.
struct Piece {
    range: Range<usize>,
    replacement: Option<&'static str>,
}

fn pieces(inside: &str) -> impl Iterator<Item = Piece> {
    let bytes = inside.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let start = at;
        if bytes[at] == b'\\' {
            let replacement = match bytes.get(at + 1) {
                Some(b't') => Some("\t"),
                Some(b'r') => Some("\r"),
                Some(b'n') => Some("\n"),
                _ => None,
            };
            if replacement.is_some() {
                at += 2;
                return Some(Piece { range: start..at, replacement });
            }
        }
        // The byte behind a dropped backslash is kept, whatever it is.
        let drops = matches!(bytes[at..], [b'\\', b'"' | b'\'' | b'\\', ..]);
        let kept = if drops { at + 1 } else { at };
        at = memchr(b'\\', &bytes[kept + 1..]).map_or(bytes.len(), |found| kept + 1 + found);
        Some(Piece { range: kept..at, replacement: None })
    })
}
