//! YAML documents as values.

use crate::read::app::value::Value;
use crate::source::Text;
use crate::syntax::yaml::{self, NodeRef};

/// Deeper levels are unclear.
const DEEPEST: u32 = 30;
/// Aliases let a small file stand for a large one: so many nodes are visited.
const LARGEST: u32 = 20_000;

/// The first document of a text.
pub fn document(text: &Text) -> Value {
    let document = yaml::parse(text);
    let mut left = LARGEST;
    document.root().map_or(Value::Nothing(text.whole()), |root| value(root, 0, &mut left))
}

/// All documents of a text.
pub fn documents(text: &Text) -> Vec<Value> {
    let document = yaml::parse(text);
    let mut left = LARGEST;
    document.roots().map(|root| value(root, 0, &mut left)).collect()
}

/// Something in the text is no YAML, so that what is missing may stand there.
pub fn is_damaged(text: &Text) -> bool {
    !yaml::parse(text).problems().is_empty()
}

fn value(node: NodeRef, depth: u32, left: &mut u32) -> Value {
    let span = node.span();
    if depth > DEEPEST || *left == 0 {
        return Value::Unclear(span);
    }
    *left -= 1;
    if node.is_map() {
        let mut entries = Vec::new();
        for (key, of_key) in node.entries() {
            if let Some(key) = key.as_str() {
                entries.push((key.to_owned(), value(of_key, depth + 1, left)));
            }
        }
        return Value::Object(entries, true, span);
    }
    if node.is_sequence() {
        let items = node.items().map(|item| value(item, depth + 1, left)).collect();
        return Value::List(items, span);
    }
    if node.is_null() {
        return Value::Nothing(span);
    }
    match node.text() {
        Some(text) if node.as_u64().is_some_and(|number| number.to_string() == text.as_str()) => Value::Number(text),
        Some(text) => Value::Text(text),
        None => Value::Unclear(span),
    }
}
