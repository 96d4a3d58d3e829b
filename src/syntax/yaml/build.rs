//! Builds the tree from the events of the parser.

use std::borrow::Cow;
use std::collections::HashSet;

use granit_parser::{Event, Parser, ScalarStyle, Span as EventSpan};
use rustc_hash::FxHashMap;

use crate::source::Text;
use crate::syntax::Problem;
use crate::syntax::yaml::message;
use crate::syntax::yaml::{
    Collection, DEPTH, Document, Entry, Item, Kind, LARGE, Node, Number, Part, Place, Style, at,
};

/// How many entries `<<` may copy in one text; people stay below a thousand.
const MERGED: usize = 200_000;

/// Reads every document of a text.
pub fn parse(text: &Text) -> Document {
    let size = text.as_str().len();
    let document = Document {
        text: text.clone(),
        nodes: Vec::with_capacity(size / 12),
        collections: Vec::with_capacity(size / 64),
        items: Vec::with_capacity(size / 128),
        entries: Vec::with_capacity(size / 32),
        sorted: Vec::new(),
        decoded: Vec::new(),
        vias: Vec::new(),
        roots: Vec::new(),
        tags: FxHashMap::default(),
        problems: Vec::new(),
        broken: false,
    };
    let mut builder = Builder {
        document,
        open: Vec::new(),
        items: Vec::new(),
        entries: Vec::new(),
        anchors: FxHashMap::default(),
        merged: 0,
    };
    builder.read(text.as_str());
    builder.document
}

struct Builder {
    document: Document,
    open: Vec<Open>,
    /// What was read of the sequences that are open, the outermost first, and of the maps. The part of a collection moves
    /// to the document when it is complete.
    items: Vec<Item>,
    entries: Vec<Entry>,
    anchors: FxHashMap<usize, u32>,
    /// Entries copied by `<<` so far.
    merged: usize,
}

/// A collection whose end was not reached yet.
struct Open {
    node: u32,
    /// Where its last child ends.
    end: u32,
    height: u16,
    content: Content,
}

/// `from`: where its part of what was read begins.
enum Content {
    Items { from: usize },
    Entries { from: usize, key: Option<(u32, Option<Number>)> },
}

impl Builder {
    fn read(&mut self, source: &str) {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            flow_nesting_limit: DEPTH / 3,
            block_nesting_limit: DEPTH / 3,
        };
        let mut parser = Parser::new_from_str_with_options(source, options);
        while let Some(next) = parser.next_event() {
            match next {
                Ok((event, span)) => self.event(event, &span, source),
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or(source.len());
                    self.fail(at, &message::of(&error), source);
                    // The parser may have read further documents by then; what it cannot find is left out.
                    if !matches!(parser.proceed_next_document(), Ok(true)) {
                        break;
                    }
                }
            }
        }
        self.close_all(source.len() as u32);
    }

    fn event(&mut self, event: Event<'_>, span: &EventSpan, source: &str) {
        let place = place(span);
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let style = style_of(style);
                let decoded = self.decoded(value, place, style, source);
                let node = self.node(place, tag.map(|tag| tag.original()), Kind::Scalar { decoded, style });
                self.anchor(anchor, node);
                self.attach(node, None);
            }
            Event::SequenceStart(_, anchor, tag) => {
                let number = self.collection();
                let node = self.node(place, tag.map(|tag| tag.original()), Kind::Sequence(number));
                self.anchor(anchor, node);
                self.start(node, Content::Items { from: self.items.len() });
            }
            Event::MappingStart(_, anchor, tag) => {
                let number = self.collection();
                let node = self.node(place, tag.map(|tag| tag.original()), Kind::Map(number));
                self.anchor(anchor, node);
                self.start(node, Content::Entries { from: self.entries.len(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place.end, source),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::UnresolvedAlias(name) => {
                self.document.broken = true;
                self.problem(place, format!("no anchor `&{name}` stands before this alias"), None);
                let node = self.node(place, None, Kind::Nothing);
                self.attach(node, None);
            }
            _ => {}
        }
    }

    fn node(&mut self, place: Place, tag: Option<String>, kind: Kind) -> u32 {
        let number = self.document.nodes.len() as u32;
        self.document.nodes.push(Node { place, kind });
        if let Some(tag) = tag {
            self.document.tags.insert(number, tag);
        }
        number
    }

    fn collection(&mut self) -> u32 {
        self.document.collections.push(Collection::default());
        self.document.collections.len() as u32 - 1
    }

    /// How many levels are below a node.
    fn height(&self, node: u32) -> u16 {
        match self.document.nodes[node as usize].kind {
            Kind::Sequence(number) | Kind::Map(number) => self.document.collections[number as usize].height,
            Kind::Scalar { .. } | Kind::Nothing => 0,
        }
    }

    fn via(&mut self, place: Place) -> Number {
        let number = next(&self.document.vias);
        self.document.vias.push(place);
        number
    }

    fn anchor(&mut self, anchor: usize, node: u32) {
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
    }

    fn alias(&mut self, anchor: usize, place: Place) {
        let target = self.anchors.get(&anchor).copied();
        let trouble = match target {
            None => Some("no anchor stands before this alias"),
            Some(node) if self.open.iter().any(|open| open.node == node) => {
                Some("this alias stands inside of what it stands for")
            }
            Some(node) if self.height(node) as usize + self.open.len() > DEPTH => {
                Some("aliases are nested too deep here")
            }
            Some(_) => None,
        };
        match (target, trouble) {
            (Some(node), None) => {
                let via = self.via(place);
                self.attach(node, Some(via));
            }
            (_, trouble) => {
                self.document.broken = true;
                self.problem(place, trouble.unwrap_or_default().to_owned(), None);
                let node = self.node(place, None, Kind::Nothing);
                self.attach(node, None);
            }
        }
    }

    fn start(&mut self, node: u32, content: Content) {
        let end = self.document.nodes[node as usize].place.end;
        self.open.push(Open { node, end, height: 0, content });
    }

    /// Where a node is written, or what pulls it in.
    fn reached_at(&self, node: u32, via: Option<Number>) -> Place {
        via.map_or(self.document.nodes[node as usize].place, |via| self.document.vias[at(via)])
    }

    fn attach(&mut self, node: u32, via: Option<Number>) {
        let height = self.height(node);
        let place = self.reached_at(node, via);
        let Some(open) = self.open.last_mut() else {
            self.document.roots.push(node);
            return;
        };
        open.end = open.end.max(place.end);
        open.height = open.height.max(height + 1);
        match &mut open.content {
            Content::Items { .. } => self.items.push(Item { node, via }),
            Content::Entries { key, .. } => match key.take() {
                None => *key = Some((node, via)),
                Some((key, _)) => self.entries.push(Entry { key, value: node, via }),
            },
        }
    }

    fn close(&mut self, end: u32, source: &str) {
        let Some(open) = self.open.pop() else { return };
        // The parser ends a block collection at the next token, behind blank lines and comments; the brackets of a flow
        // collection end it themselves.
        let flow = matches!(source.as_bytes().get((end as usize).wrapping_sub(1)), Some(b']' | b'}')) && end > open.end;
        let end = if flow { end } else { open.end };
        let Collection { part, sorted, .. } = match open.content {
            Content::Items { from } => {
                let part = Part { from: self.document.items.len() as u32, count: (self.items.len() - from) as u32 };
                self.document.items.extend(self.items.drain(from..));
                Collection { part, ..Collection::default() }
            }
            Content::Entries { from, key } => {
                if let Some((key, via)) = key {
                    let value = self.node(self.reached_at(key, via), None, Kind::Nothing);
                    self.entries.push(Entry { key, value, via });
                }
                self.map(from)
            }
        };
        let node = &mut self.document.nodes[open.node as usize];
        node.place.end = end.max(node.place.start);
        if let Kind::Sequence(number) | Kind::Map(number) = node.kind {
            self.document.collections[number as usize] = Collection { part, sorted, height: open.height };
        }
        self.attach(open.node, None);
    }

    /// Closes what is open where the text cannot be read further.
    fn close_all(&mut self, end: u32) {
        while !self.open.is_empty() {
            self.close(end, "");
        }
    }

    fn fail(&mut self, at: usize, message: &str, source: &str) {
        let mut start = at.min(source.len());
        while !source.is_char_boundary(start) {
            start -= 1;
        }
        let end = start + source[start..].chars().next().map_or(0, char::len_utf8);
        self.problem(Place { start: start as u32, end: end as u32 }, message.to_owned(), None);
        self.document.broken = true;
        self.close_all(start as u32);
    }

    /// The entries from this one on as a map: duplicates reported and left out, merge keys resolved.
    fn map(&mut self, from: usize) -> Collection {
        let equal = self.duplicates(&self.entries[from..]);
        let has_merges = self.entries[from..].iter().any(|entry| self.is_merge(entry));
        if !equal.is_empty() || has_merges {
            let entries = self.entries.drain(from..).collect();
            let entries = self.without_duplicates(entries, equal);
            let entries = self.with_merges(entries);
            self.entries.extend(entries);
        }
        let document = &mut self.document;
        let part = Part { from: document.entries.len() as u32, count: (self.entries.len() - from) as u32 };
        document.entries.extend(self.entries.drain(from..));
        let first = document.sorted.len();
        if part.count as usize >= LARGE {
            let mut sorted: Vec<u32> = (0..part.count).collect();
            let own = &document.entries[part.range()];
            sorted.sort_by_key(|number| document.key(&own[*number as usize]));
            document.sorted.extend(sorted);
        }
        Collection { part, sorted: first as u32, height: 0 }
    }

    /// The entries that have the key of an earlier one: its number, and their own.
    fn duplicates(&self, entries: &[Entry]) -> Vec<(usize, usize)> {
        let document = &self.document;
        let mut equal: Vec<(usize, usize)> = Vec::new();
        if entries.len() < LARGE {
            let mut keys = [None; LARGE];
            // One bit for each kind of key that was there; most keys are the first of their kind.
            let mut seen = 0u64;
            for (number, entry) in entries.iter().enumerate() {
                let Some(key) = document.scalar(entry.key) else { continue };
                keys[number] = Some(key);
                let kind = 1 << (key.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(5).wrapping_add(byte)) % 64);
                if seen & kind != 0 {
                    let first = keys[..number].iter().position(|other| *other == Some(key));
                    equal.extend(first.map(|first| (first, number)));
                }
                seen |= kind;
            }
        } else {
            let mut seen: FxHashMap<&str, usize> = FxHashMap::default();
            seen.reserve(entries.len());
            for (number, entry) in entries.iter().enumerate() {
                let Some(key) = document.scalar(entry.key) else { continue };
                equal.extend(seen.insert(key, number).map(|first| (first, number)));
            }
        }
        equal
    }

    /// Of equal keys the last one stays, as in every reader that takes them at all.
    fn without_duplicates(&mut self, mut entries: Vec<Entry>, equal: Vec<(usize, usize)>) -> Vec<Entry> {
        let mut dropped: HashSet<usize> = HashSet::new();
        for (first, second) in equal {
            let key = self.document.key(&entries[first]).to_owned();
            let [first_place, second_place] =
                [first, second].map(|number| self.document.nodes[entries[number].key as usize].place);
            self.problem(second_place, format!("the key `{key}` stands here twice"), Some((first_place, "first here")));
            // Several `<<` are all merged: what is refused anyway should hide as little as possible.
            if key != "<<" {
                dropped.insert(first);
            }
        }
        let mut number = 0;
        entries.retain(|_| {
            number += 1;
            !dropped.contains(&(number - 1))
        });
        entries
    }

    fn is_merge(&self, entry: &Entry) -> bool {
        let node = &self.document.nodes[entry.key as usize];
        let is_plain = matches!(node.kind, Kind::Scalar { style: Style::Plain, .. });
        is_plain && node.place.end - node.place.start == 2 && self.document.scalar(entry.key) == Some("<<")
    }

    fn with_merges(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let (merges, mut entries): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| self.is_merge(entry));
        let mut present: HashSet<String> =
            entries.iter().filter_map(|entry| self.document.scalar(entry.key).map(str::to_owned)).collect();
        for merge in merges {
            let via = merge.via.unwrap_or_else(|| self.via(self.document.nodes[merge.value as usize].place));
            let sources = match self.document.nodes[merge.value as usize].kind {
                Kind::Sequence(_) => self.document.items(merge.value).to_vec(),
                _ => vec![Item { node: merge.value, via: None }],
            };
            for source in sources {
                let via = source.via.unwrap_or(via);
                let place = self.document.vias[at(via)];
                let Kind::Map(_) = self.document.nodes[source.node as usize].kind else {
                    let known = !matches!(self.document.nodes[source.node as usize].kind, Kind::Nothing);
                    if known {
                        self.problem(place, "`<<` takes a mapping, or a list of mappings".to_owned(), None);
                    }
                    continue;
                };
                let count = self.document.entries(source.node).len();
                if self.merged + count > MERGED {
                    self.document.broken = true;
                    self.problem(place, "too many merged keys in one file".to_owned(), None);
                    return entries;
                }
                self.merged += count;
                for entry in self.document.entries(source.node) {
                    let Some(key) = self.document.scalar(entry.key) else { continue };
                    if present.insert(key.to_owned()) {
                        entries.push(Entry { via: Some(via), ..*entry });
                    }
                }
            }
        }
        entries
    }

    /// Most scalars stand in the text as they are, behind a quote at most.
    fn decoded(&mut self, value: Cow<'_, str>, place: Place, style: Style, source: &str) -> Option<Number> {
        if !matches!(style, Style::Literal | Style::Folded) {
            let quote = usize::from(style.is_quoted());
            let start = place.start as usize + quote;
            let end = start + value.len();
            if end + quote == place.end as usize && source.get(start..end) == Some(&*value) {
                return None;
            }
        }
        let number = next(&self.document.decoded);
        self.document.decoded.push(value.into());
        Some(number)
    }

    fn problem(&mut self, place: Place, message: String, related: Option<(Place, &str)>) {
        let related = related.map(|(place, note)| (self.document.span(place), note.to_owned()));
        let span = self.document.span(place);
        self.document.problems.push(Problem { span, message, related });
    }
}

/// The number of what is pushed next.
fn next<T>(vector: &[T]) -> Number {
    Number::MIN.saturating_add(vector.len() as u32)
}

fn place(span: &EventSpan) -> Place {
    let range = span.byte_range().unwrap_or(0..0);
    Place { start: range.start as u32, end: range.end as u32 }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
        _ => Style::Plain,
    }
}
