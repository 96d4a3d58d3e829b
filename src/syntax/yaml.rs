//! YAML as a tree of nodes that know where they are written, with anchors, merge keys and tags resolved.
//!
//! One pass over the events of granit-parser. An alias shares the node of its anchor, so a file of nested aliases costs
//! nothing here; whoever walks *down* such a tree needs a limit of its own for the number of nodes it visits.

mod build;
mod message;
mod scalar;

use std::num::NonZeroU32;
use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::source::{Span, Text};
use crate::syntax::Problem;

pub use build::parse;

/// How deep a tree can be, aliases included: walkers may recurse.
pub const DEPTH: usize = 300;

/// Every document of a text. What was read before an error stays usable.
#[derive(Debug)]
pub struct Document {
    text: Text,
    nodes: Vec<Node>,
    collections: Vec<Collection>,
    /// Those of all sequences, and the entries of all maps; each collection knows its part.
    items: Vec<Item>,
    entries: Vec<Entry>,
    /// For each large map the numbers of its entries in the order of their keys.
    sorted: Vec<u32>,
    /// Scalars that do not stand in the text as they are.
    decoded: Vec<Box<str>>,
    /// The aliases and `<<` that pull something in.
    vias: Vec<Place>,
    roots: Vec<u32>,
    /// By the number of the node.
    tags: FxHashMap<u32, String>,
    problems: Vec<Problem>,
    broken: bool,
}

/// A byte range of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    start: u32,
    end: u32,
}

impl Place {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// There are very many of them.
#[derive(Debug)]
struct Node {
    place: Place,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Scalar {
        /// The decoded text; without one it stands in the text as it is, between its quotes.
        decoded: Option<Number>,
        style: Style,
    },
    /// The number of a collection of items.
    Sequence(u32),
    /// The number of a collection of entries.
    Map(u32),
    /// An alias that leads nowhere.
    Nothing,
}

#[derive(Clone, Copy, Debug, Default)]
struct Collection {
    part: Part,
    /// Where its part of the sorted numbers begins; only large maps have one.
    sorted: u32,
    /// How many levels are below it.
    height: u16,
}

/// Which one of a vector, from 1.
type Number = NonZeroU32;

fn at(number: Number) -> usize {
    number.get() as usize - 1
}

/// Which of the document's items or entries.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    from: u32,
    count: u32,
}

impl Part {
    fn range(self) -> Range<usize> {
        self.from as usize..(self.from + self.count) as usize
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

impl Style {
    fn is_quoted(self) -> bool {
        matches!(self, Style::SingleQuoted | Style::DoubleQuoted)
    }
}

#[derive(Clone, Copy, Debug)]
struct Item {
    node: u32,
    /// The alias that pulls it in.
    via: Option<Number>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u32,
    value: u32,
    /// The alias or the `<<` that pulls it in.
    via: Option<Number>,
}

/// From this size on a map is searched by halves.
const LARGE: usize = 16;

impl Document {
    /// The top node of each document that has one.
    pub fn roots(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.roots.iter().map(|node| NodeRef { document: self, node: *node, via: None })
    }

    /// The top node of the first document.
    pub fn root(&self) -> Option<NodeRef<'_>> {
        self.roots().next()
    }

    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// A part of the text could not be read, so something may be missing in the tree.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// How many nodes are written, aliases not counted.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    fn span(&self, place: Place) -> Span {
        self.text.span(place.range())
    }

    fn scalar(&self, node: u32) -> Option<&str> {
        let node = &self.nodes[node as usize];
        match node.kind {
            Kind::Scalar { decoded: None, style } => self.text.as_str().get(node.inside(style)),
            Kind::Scalar { decoded: Some(number), .. } => Some(&self.decoded[at(number)]),
            _ => None,
        }
    }

    fn items(&self, node: u32) -> &[Item] {
        match self.nodes[node as usize].kind {
            Kind::Sequence(number) => &self.items[self.collections[number as usize].part.range()],
            _ => &[],
        }
    }

    fn entries(&self, node: u32) -> &[Entry] {
        match self.nodes[node as usize].kind {
            Kind::Map(number) => &self.entries[self.collections[number as usize].part.range()],
            _ => &[],
        }
    }

    /// The key of an entry; keys that are no scalars are never looked up.
    fn key(&self, entry: &Entry) -> &str {
        self.scalar(entry.key).unwrap_or("")
    }
}

impl Node {
    /// Its place without the quotes.
    fn inside(&self, style: Style) -> Range<usize> {
        let quote = usize::from(style.is_quoted());
        let Range { start, end } = self.place.range();
        start + quote..end - quote
    }
}

/// A node as it is reached on one way through the tree.
#[derive(Clone, Copy, Debug)]
pub struct NodeRef<'d> {
    document: &'d Document,
    node: u32,
    via: Option<Number>,
}

impl<'d> NodeRef<'d> {
    /// Where it is written.
    pub fn span(self) -> Span {
        self.document.span(self.inner().place)
    }

    /// The alias or `<<` that pulls it in from elsewhere.
    pub fn via(self) -> Option<Span> {
        self.via.map(|number| self.document.span(self.document.vias[at(number)]))
    }

    /// The tag as it is written: `!reset`, `!!str`.
    pub fn tag(self) -> Option<&'d str> {
        self.document.tags.get(&self.node).map(String::as_str)
    }

    /// The text of a scalar, whatever its type and notation.
    pub fn as_str(self) -> Option<&'d str> {
        self.document.scalar(self.node)
    }

    /// The text of a scalar; each byte knows its place, in quoted and block scalars as well.
    pub fn text(self) -> Option<Text> {
        let (document, node) = (self.document, self.inner());
        let Kind::Scalar { decoded, style } = node.kind else { return None };
        Some(match decoded {
            None => document.text.slice(node.inside(style)),
            Some(number) => scalar::text(&document.text, node.place.range(), &document.decoded[at(number)], style),
        })
    }

    /// A scalar without quotes and without `|` or `>`, whose type its text decides.
    pub fn is_plain(self) -> bool {
        matches!(&self.inner().kind, Kind::Scalar { style: Style::Plain, .. })
    }

    pub fn is_null(self) -> bool {
        self.is_plain() && matches!(self.as_str(), Some("" | "~" | "null" | "Null" | "NULL"))
    }

    /// Only what YAML 1.2 calls a boolean: `yes` and `on` are strings, as they are for compose.
    pub fn as_bool(self) -> Option<bool> {
        match self.as_str().filter(|_| self.is_plain())? {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        }
    }

    /// A plain whole number as go-yaml reads it: `0x1f`, `0o17`, `017` and `1_000`, but no base 60.
    pub fn as_u64(self) -> Option<u64> {
        let text = self.as_str().filter(|_| self.is_plain())?;
        whole_number(text)
    }

    pub fn is_map(self) -> bool {
        matches!(self.inner().kind, Kind::Map(_))
    }

    pub fn is_sequence(self) -> bool {
        matches!(self.inner().kind, Kind::Sequence(_))
    }

    pub fn is_scalar(self) -> bool {
        matches!(self.inner().kind, Kind::Scalar { .. })
    }

    /// The value of a key of a map, own keys before merged ones.
    pub fn get(self, key: &str) -> Option<NodeRef<'d>> {
        let Kind::Map(number) = self.inner().kind else { return None };
        let document = self.document;
        let Collection { part, sorted, .. } = document.collections[number as usize];
        let all = &document.entries[part.range()];
        let entry = if all.len() < LARGE {
            all.iter().find(|entry| document.scalar(entry.key) == Some(key))?
        } else {
            let sorted = &document.sorted[Part { from: sorted, ..part }.range()];
            let at = sorted.binary_search_by(|number| document.key(&all[*number as usize]).cmp(key)).ok()?;
            &all[sorted[at] as usize]
        };
        Some(self.reached(entry.value, entry.via))
    }

    /// The keys and values of a map, own ones in the order of the text, then the merged ones.
    pub fn entries(self) -> impl ExactSizeIterator<Item = (NodeRef<'d>, NodeRef<'d>)> + use<'d> {
        self.document
            .entries(self.node)
            .iter()
            .map(move |entry| (self.reached(entry.key, entry.via), self.reached(entry.value, entry.via)))
    }

    /// The items of a sequence.
    pub fn items(self) -> impl ExactSizeIterator<Item = NodeRef<'d>> + use<'d> {
        self.document.items(self.node).iter().map(move |item| self.reached(item.node, item.via))
    }

    fn inner(self) -> &'d Node {
        &self.document.nodes[self.node as usize]
    }

    fn reached(self, node: u32, via: Option<Number>) -> NodeRef<'d> {
        NodeRef { document: self.document, node, via: via.or(self.via) }
    }
}

/// Reads a number as go-yaml does.
pub fn whole_number(text: &str) -> Option<u64> {
    // Most of them are written as they are printed.
    if !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let digits = text.replace('_', "");
    if let Some(digits) = digits.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = digits.strip_prefix("0b") {
        return u64::from_str_radix(digits, 2).ok();
    }
    if let Some(digits) = digits.strip_prefix("0o").or_else(|| digits.strip_prefix('0').filter(|rest| !rest.is_empty()))
    {
        return u64::from_str_radix(digits, 8).ok();
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Document, NodeRef, parse};
    use crate::source::{FileId, Sources, Span};

    fn read(source: &str) -> (Sources, Document) {
        let mut sources = Sources::default();
        let file = sources.add("file.yml", source);
        let document = parse(&sources.text(file));
        (sources, document)
    }

    fn messages(source: &str) -> Vec<String> {
        read(source).1.problems().iter().map(|problem| problem.message.clone()).collect()
    }

    fn at<'d>(node: NodeRef<'d>, path: &[&str]) -> NodeRef<'d> {
        path.iter().fold(node, |node, key| node.get(key).unwrap_or_else(|| panic!("no {key}")))
    }

    #[test]
    fn nodes_know_their_place() {
        let (sources, document) = read("# é\nweb:\n  image: 'shop:1'  # no\n  ports: [ \"80:80\", 81 ]\n\nnext: 1\n");
        let root = document.root().unwrap();
        assert_eq!(sources.quote(at(root, &["web", "image"]).span()), "'shop:1'");
        assert_eq!(sources.quote(at(root, &["web", "ports"]).span()), "[ \"80:80\", 81 ]");
        assert_eq!(sources.quote(at(root, &["web"]).span()), "image: 'shop:1'  # no\n  ports: [ \"80:80\", 81 ]");
        let ports: Vec<_> = at(root, &["web", "ports"]).items().collect();
        assert_eq!((ports[0].as_u64(), ports[1].as_u64()), (None, Some(81)));
        assert_eq!(sources.quote(ports[0].text().unwrap().span(3..5)), "80");
    }

    #[test]
    fn anchors_and_merge_keys() {
        let (sources, document) = read(
            "base: &base {image: a, user: u}\nmore: &more {user: v, tty: true}\n\
             one:\n  <<: *base\n  image: b\ntwo:\n  <<: [*base, *more]\nclone: *base\n",
        );
        let root = document.root().unwrap();
        assert_eq!(at(root, &["one", "image"]).as_str(), Some("b"));
        assert_eq!(at(root, &["one", "user"]).as_str(), Some("u"));
        assert_eq!(at(root, &["two", "user"]).as_str(), Some("u"));
        assert_eq!(at(root, &["two", "tty"]).as_bool(), Some(true));
        assert_eq!(sources.quote(at(root, &["two", "tty"]).via().unwrap()), "*more");
        let cloned = at(root, &["clone", "image"]);
        assert_eq!((sources.quote(cloned.span()), sources.quote(cloned.via().unwrap())), ("a", "*base"));
        assert!(document.problems().is_empty());
        assert_eq!(at(root, &["one"]).entries().count(), 2);
    }

    #[test]
    fn keys_that_stand_twice() {
        let (sources, document) = read("a: 1\nb: {c: 1, c: 2}\na: 3\n");
        assert_eq!(at(document.root().unwrap(), &["a"]).as_str(), Some("3"));
        let problem = &document.problems()[1];
        assert_eq!(problem.message, "the key `a` stands here twice");
        assert_eq!(sources.position(problem.span.file, problem.span.start), (3, 1));
        assert_eq!(problem.related.as_ref().map(|(span, _)| span.start), Some(0));
        assert_eq!(messages("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n"), ["the key `<<` stands here twice"]);
        let many: String = (0..40).map(|number| format!("k{number}: {number}\n")).collect();
        let (_, document) = read(&format!("{many}k7: last\n"));
        assert_eq!(document.problems().len(), 1);
        let root = document.root().unwrap();
        assert_eq!((at(root, &["k7"]).as_str(), at(root, &["k39"]).as_str()), (Some("last"), Some("39")));
        assert!(root.get("k40").is_none());
    }

    #[test]
    fn types_of_scalars() {
        let (_, document) = read("[22:22, yes, 'true', true, 0755, 0x10, 1_000, ~, '', null, -1, 08]");
        let items: Vec<_> = document.root().unwrap().items().collect();
        assert_eq!(items[0].as_u64(), None);
        assert_eq!((items[1].as_bool(), items[2].as_bool(), items[3].as_bool()), (None, None, Some(true)));
        let numbers: Vec<_> = items[4..7].iter().map(|item| item.as_u64()).collect();
        assert_eq!(numbers, [Some(0o755), Some(16), Some(1000)]);
        assert_eq!((items[7].is_null(), items[8].is_null(), items[9].is_null()), (true, false, true));
        assert_eq!((items[10].as_u64(), items[11].as_u64()), (None, None));
    }

    #[test]
    fn tags_and_documents() {
        let (_, document) = read("a: !reset null\nb: !override [1]\n---\nc: !!str 1\n");
        let root = document.root().unwrap();
        assert_eq!((at(root, &["a"]).tag(), at(root, &["b"]).tag()), (Some("!reset"), Some("!override")));
        assert_eq!(document.roots().count(), 2);
        assert_eq!(document.roots().nth(1).unwrap().get("c").unwrap().tag(), Some("!!str"));
    }

    #[test]
    fn each_byte_of_a_scalar_has_a_place() {
        let source = "double: \"é\\ttwo\\n\\\n   three ${X}\\u00e9 end\"\nsingle: 'it''s\n  folded'\nplain: one\n  two  \n\n  three\n\
                      literal: |-\n  first\n    second\n\n  third\nfolded: >\n  one\n  two\n\n  three\n    kept\n  last\nindented: |2\n    x\n  y\n";
        let (sources, document) = read(source);
        let root = document.root().unwrap();
        for (key, decoded, part) in [
            ("double", "é\ttwo\nthree ${X}é end", "${X}"),
            ("double", "é\ttwo\nthree ${X}é end", "end"),
            ("single", "it's folded", "folded"),
            ("plain", "one two\nthree", "three"),
            ("literal", "first\n  second\n\nthird", "second"),
            ("literal", "first\n  second\n\nthird", "third"),
            ("folded", "one two\nthree\n  kept\nlast\n", "three"),
            ("folded", "one two\nthree\n  kept\nlast\n", "kept"),
            ("folded", "one two\nthree\n  kept\nlast\n", "last"),
            ("indented", "  x\ny\n", "y"),
        ] {
            let text = at(root, &[key]).text().unwrap();
            assert_eq!(text.as_str(), decoded);
            let start = decoded.find(part).unwrap();
            assert_eq!(sources.quote(text.span(start..start + part.len())), part, "{key}");
        }
        let double = at(root, &["double"]).text().unwrap();
        assert_eq!(sources.quote(double.span(2..3)), "\\t");
    }

    #[test]
    fn what_was_read_before_an_error_stays() {
        let (_, document) = read("services:\n  web:\n    image: a\n  api:\n\timage: b\n");
        assert_eq!(at(document.root().unwrap(), &["services", "web", "image"]).as_str(), Some("a"));
        assert_eq!(document.problems()[0].message, "a tab cannot indent: YAML takes blanks only");
        let (_, document) = read("a: 1\nb: [1, 2\n---\nc: 3\n");
        assert_eq!(at(document.root().unwrap(), &["a"]).as_str(), Some("1"));
        assert!(!document.problems().is_empty());
    }

    #[test]
    fn hostile_texts_are_problems() {
        assert!(!messages(&"[".repeat(100_000)).is_empty());
        assert!(!messages(&"- ".repeat(100_000)).is_empty());
        assert!(!messages(&"{a: ".repeat(100_000)).is_empty());
        assert!(!messages("a: \0b\n").is_empty());
        assert_eq!(messages("a: &x [*x]\n"), ["this alias stands inside of what it stands for"]);
        assert_eq!(messages("a: *nobody\n").len(), 1);
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..5000 {
            bomb += &format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1);
        }
        assert!(messages(&bomb)[0].contains("too deep"));
        let keys: String = (0..1000).map(|number| format!("k{number}: 1, ")).collect();
        let merges: String = (0..300).map(|number| format!("m{number}: {{<<: *all}}\n")).collect();
        let merges = format!("all: &all {{{keys}}}\n{merges}");
        assert!(messages(&merges)[0].contains("too many merged"));
    }

    #[test]
    fn every_beginning_of_a_text_is_read() {
        let source = "\u{feff}a: &a {b: \"x\\n\\\n y\", c: 'd''e'}\r\nf: |+\n  g\n\n  h\ni:\n- *a\n- <<: *a\n? k\n: - !t l\n...\n---\nm";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            let (sources, document) = read(&source[..end]);
            let inside = |span: Span| span.file == FileId(0) && span.end as usize <= end && span.start <= span.end;
            assert!(document.problems().iter().all(|problem| inside(problem.span)));
            for number in 0..document.size() as u32 {
                let node = NodeRef { document: &document, node: number, via: None };
                assert!(inside(node.span()), "{:?}", sources.quote(node.span()));
                if let Some(text) = node.text() {
                    assert!(inside(text.whole()));
                    assert_eq!(Some(text.as_str()), node.as_str());
                }
            }
        }
    }
}
