//! Compose files as trees that can be merged: variables put in, and each value with the folder its paths start from.

use std::collections::BTreeMap;

use crate::source::{Span, Text};
use crate::syntax::compose_values::interpolation::{Interpolated, has_variables};
use crate::syntax::yaml::NodeRef;

/// Number of a folder of the snapshot in the loader's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Folder(pub u32);

#[derive(Clone, Debug)]
pub struct Node {
    pub span: Span,
    /// Where the paths in it start from.
    pub folder: Folder,
    pub mark: Mark,
    pub kind: Kind,
}

/// What a value says about the one that it is merged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Merge,
    /// `!reset`: take it away.
    Reset,
    /// `!override`: put this in its place.
    Override,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
}

#[derive(Clone, Debug)]
pub struct Scalar {
    pub text: Text,
    /// Without quotes and without variables: its text decides its type.
    pub plain: bool,
    /// A variable without value was left out.
    pub incomplete: bool,
}

/// Keys in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<(Text, Node)>,
    /// Of large maps only, which are few.
    #[expect(clippy::box_collection, reason = "every value of every file pays for the size of a map")]
    numbers: Option<Box<BTreeMap<String, usize>>>,
}

const LARGE: usize = 16;

impl Map {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.position(key).map(|number| &self.entries[number].1)
    }

    pub fn entry(&self, key: &str) -> Option<&(Text, Node)> {
        self.position(key).map(|number| &self.entries[number])
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.position(key).map(|number| &mut self.entries[number].1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Node)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Puts the value at the end, or in the place of the one that is there.
    pub fn set(&mut self, key: Text, value: Node) {
        match self.position(key.as_str()) {
            Some(number) => self.entries[number] = (key, value),
            None => self.push(key, value),
        }
    }

    pub fn take(&mut self, key: &str) -> Option<Node> {
        let number = self.position(key)?;
        let (_, value) = self.entries.remove(number);
        self.numbers = None;
        if self.entries.len() >= LARGE {
            self.index();
        }
        Some(value)
    }

    fn push(&mut self, key: Text, value: Node) {
        if let Some(numbers) = &mut self.numbers {
            numbers.insert(key.to_string(), self.entries.len());
        }
        self.entries.push((key, value));
        if self.numbers.is_none() && self.entries.len() >= LARGE {
            self.index();
        }
    }

    fn index(&mut self) {
        let numbers = self.entries.iter().enumerate().map(|(number, (key, _))| (key.to_string(), number));
        self.numbers = Some(Box::new(numbers.collect()));
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.numbers {
            Some(numbers) => numbers.get(key).copied(),
            None => self.entries.iter().position(|(other, _)| other.as_str() == key),
        }
    }
}

impl IntoIterator for Map {
    type Item = (Text, Node);
    type IntoIter = std::vec::IntoIter<(Text, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Node {
    pub fn map(&self) -> Option<&Map> {
        match &self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Takes out what [`Node::get`] would give.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let Kind::Map(map) = &mut self.kind else { return None };
        map.take(key).filter(|node| node.mark != Mark::Reset)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key).filter(|node| node.mark != Mark::Reset)
    }

    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<Text> {
        self.scalar().map(|scalar| scalar.text.clone())
    }

    /// The text, unless it is empty.
    pub fn some_text(&self) -> Option<Text> {
        self.text().filter(|text| !text.as_str().is_empty())
    }

    pub fn as_bool(&self) -> Option<bool> {
        let text = self.scalar()?.text.as_str();
        let is = |words: [&str; 5]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
        match text {
            _ if is(["true", "yes", "on", "y", "1"]) => Some(true),
            _ if is(["false", "no", "off", "n", "0"]) => Some(false),
            _ => None,
        }
    }

    /// The items of a list; a value that is no list is its only item.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            Kind::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    pub fn is_incomplete(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.incomplete)
    }
}

/// Makes a tree of a YAML node. `budget` counts the nodes that may still be made: aliases multiply them.
pub fn convert(
    node: NodeRef<'_>,
    folder: Folder,
    budget: &mut usize,
    interpolate: &mut dyn FnMut(&Text, Span) -> Interpolated,
) -> Node {
    *budget = budget.saturating_sub(1);
    let mark = match node.tag() {
        Some("!reset") => Mark::Reset,
        Some("!override") => Mark::Override,
        _ => Mark::Merge,
    };
    let span = node.span();
    let kind = if mark == Mark::Reset || *budget == 0 || node.is_null() {
        Kind::Null
    } else if node.is_sequence() {
        let mut items = Vec::with_capacity(node.items().len());
        items.extend(node.items().map(|item| convert(item, folder, budget, interpolate)));
        items.retain(|item: &Node| item.mark != Mark::Reset);
        Kind::List(items)
    } else if node.is_map() {
        let mut map = Map { entries: Vec::with_capacity(node.entries().len()), numbers: None };
        for (key, value) in node.entries() {
            let Some(name) = key.text() else { continue };
            map.push(name, convert(value, folder, budget, interpolate));
        }
        Kind::Map(map)
    } else {
        match node.text() {
            Some(text) if !has_variables(text.as_str()) => {
                Kind::Scalar(Scalar { text, plain: node.is_plain(), incomplete: false })
            }
            Some(text) => {
                let result = interpolate(&text, span);
                Kind::Scalar(Scalar { text: result.text, plain: false, incomplete: result.incomplete })
            }
            None => Kind::Null,
        }
    };
    Node { span, folder, mark, kind }
}
