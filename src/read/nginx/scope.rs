//! Blocks inside blocks: which setting holds, and which values a variable may have.

use rustc_hash::FxHashMap;

use crate::read::address::UNKNOWN;
use crate::read::nginx::load::{Item, Loaded};
use crate::site::proxy::Setting;
use crate::source::{Text, TextBuilder};
use crate::syntax::nginx::{DirectiveRef, WordRef};

/// More values than this are not told apart.
const VALUES: usize = 24;

/// The statements of one block, and the block around it.
pub struct Scope<'l, 'p> {
    pub parent: Option<&'p Scope<'l, 'p>>,
    pub items: Vec<Item<'l>>,
    /// The marks of the names of settings.
    here: Marks,
    /// The same with the blocks around it. Each pass asks for some twenty settings, of which most are nowhere.
    anywhere: Marks,
    /// For a `server`: the families of the statements anywhere in it that pass requests on, by their prefixes; `None`: not
    /// a `server`, or not all of it was seen, or nobody asks.
    pub passes: Option<Vec<&'static str>>,
}

impl<'l, 'p> Scope<'l, 'p> {
    pub fn of(items: Vec<Item<'l>>, parent: Option<&'p Scope<'l, 'p>>) -> Scope<'l, 'p> {
        let settings = items.iter().filter(|item| is_simple(item));
        let here = Marks(settings.fold(0, |marks, item| marks | Marks::of(&item.name).0));
        let anywhere = Marks(parent.map_or(0, |parent| parent.anywhere.0) | here.0);
        Scope { parent, items, here, anywhere, passes: None }
    }

    pub fn chain(&self) -> impl Iterator<Item = &Scope<'l, 'p>> {
        std::iter::successors(Some(self), |scope| scope.parent)
    }

    /// The statements that are no blocks of others, with their names.
    pub fn simple(&self) -> impl DoubleEndedIterator<Item = &Item<'l>> {
        self.items.iter().filter(|item| is_simple(item))
    }

    /// `if` blocks right below: what is set there holds sometimes.
    fn branches(&self) -> impl Iterator<Item = &Item<'l>> {
        self.items.iter().filter(|item| item.is_block() && item.name == "if")
    }

    /// The setting of the nearest block that has one.
    pub fn find(&self, name: &str) -> Option<DirectiveRef<'l>> {
        self.nearest(Marks::of(name), |own| own == name)
    }

    /// The same for a setting that several families have.
    pub fn find_setting(&self, setting: Setting) -> Option<DirectiveRef<'l>> {
        let Setting { family, rest } = setting;
        self.nearest(Marks::of_rest(rest), |own| own.strip_suffix(rest) == Some(family))
    }

    fn nearest(&self, marks: Marks, is_it: impl Fn(&str) -> bool) -> Option<DirectiveRef<'l>> {
        if !self.anywhere.has(marks) {
            return None;
        }
        let items = if self.here.has(marks) { &self.items[..] } else { &[] };
        let own = items.iter().rev().find(|item| is_it(&item.name) && is_simple(item));
        own.map_or_else(|| self.parent?.nearest(marks, is_it), |item| Some(**item))
    }

    /// Every setting of the nearest block that has one: lists are not continued from block to block.
    pub fn find_all(&self, name: &'static str) -> impl Iterator<Item = DirectiveRef<'l>> {
        let marks = Marks::of(name);
        let is_it = move |item: &&Item<'l>| item.name == name && is_simple(item);
        let mut blocks = self.chain().take_while(|scope| scope.anywhere.has(marks));
        let nearest = blocks.find(|scope| scope.here.has(marks) && scope.items.iter().any(|item| is_it(&item)));
        nearest.map_or(&[][..], |scope| &scope.items).iter().filter(is_it).map(|item| **item)
    }

    /// Every setting of that name, here and in the blocks around.
    pub fn all(&self, name: &'static str) -> impl Iterator<Item = DirectiveRef<'l>> {
        let marks = Marks::of(name);
        let blocks = self.chain().take_while(move |scope| scope.anywhere.has(marks));
        let items = blocks.filter(move |scope| scope.here.has(marks)).flat_map(|scope| &scope.items);
        items.filter(move |item| item.name == name && is_simple(item)).map(|item| **item)
    }

    /// No family has such a setting here or around.
    pub fn lacks(&self, rest: &str) -> bool {
        !self.anywhere.has(Marks::of_rest(rest))
    }
}

fn is_simple(item: &Item<'_>) -> bool {
    !item.is_block() || item.lua().is_some()
}

/// A set of names, of which it is quickly told that one is not among them: a bit for what a name looks like behind its
/// family's prefix.
#[derive(Clone, Copy)]
struct Marks(u64);

impl Marks {
    fn of(name: &str) -> Marks {
        let prefix = name.bytes().position(|byte| byte == b'_').map_or(0, |at| at + 1);
        Marks::of_rest(&name[prefix..])
    }

    fn of_rest(rest: &str) -> Marks {
        let [first, .., last] = *rest.as_bytes() else { return Marks(1) };
        Marks(1 << ((rest.len() * 3 + usize::from(first) * 5 + usize::from(last) * 7) % 64))
    }

    fn has(self, mark: Marks) -> bool {
        self.0 & mark.0 != 0
    }
}

/// Variables that are made for the whole config: `map`, `geo`, `split_clients`. `None`: their values are not visible.
pub type Tables<'l> = FxHashMap<String, Option<Vec<WordRef<'l>>>>;

/// Reads the tables among the statements of an `http` or `stream` block.
pub fn tables<'l>(loaded: &'l Loaded, items: &[Item<'l>], tables: &mut Tables<'l>) {
    for item in items.iter().filter(|item| item.is_block()) {
        let (first_value, name) = match &*item.name {
            "map" => (0, item.argument(1)),
            "split_clients" => (0, item.argument(1)),
            "geo" => (0, item.argument(item.argument_count().saturating_sub(1))),
            "perl_set" | "js_set" | "set_by_lua_block" => (1, item.argument(0)),
            _ => continue,
        };
        let Some(name) = name.and_then(|name| name.value().strip_prefix('$').map(str::to_owned)) else { continue };
        if first_value == 1 {
            tables.insert(name, None);
            continue;
        }
        let entries = loaded.items(item.children());
        let values = entries.iter().filter(|entry| entry.argument_count() == 1 && entry.name != "include");
        tables.insert(name, Some(values.filter_map(|entry| entry.argument(0)).collect()));
    }
}

/// The values of a word once its variables are put in; an unknown part stands as [`UNKNOWN`].
pub struct Values {
    pub texts: Vec<Text>,
    /// A variable occurs in it.
    pub has_variable: bool,
    /// A name in capitals that nothing sets: another program puts its value in before nginx reads the file.
    pub from_template: bool,
}

/// Evaluates a word where it stands.
pub fn evaluate<'l>(word: WordRef<'l>, scope: &Scope<'l, '_>, tables: &Tables<'l>) -> Values {
    let text = word.text();
    let has_variable = variables(text.as_str()).next().is_some();
    if !has_variable {
        return Values { texts: vec![text], has_variable, from_template: false };
    }
    let mut texts = expand(&text, scope, tables, 6);
    texts.truncate(VALUES);
    let from_template = variables(text.as_str()).any(|(_, name)| {
        !name.bytes().any(|byte| byte.is_ascii_lowercase())
            && name.bytes().any(|byte| byte.is_ascii_uppercase())
            && values_of(name, scope, tables, 1).is_none()
    });
    Values { texts, has_variable, from_template }
}

fn expand<'l>(text: &Text, scope: &Scope<'l, '_>, tables: &Tables<'l>, depth: usize) -> Vec<Text> {
    let mut results: Vec<TextBuilder> = vec![TextBuilder::default()];
    let mut done = 0;
    let whole = text.as_str();
    for (range, name) in variables(whole) {
        let values = if depth == 0 { None } else { values_of(name, scope, tables, depth) };
        let place = text.span(range.clone());
        for result in &mut results {
            result.push(text, done..range.start);
        }
        done = range.end;
        match values {
            Some(values) if results.len() * values.len() <= VALUES => {
                let mut next = Vec::new();
                for result in results {
                    let so_far = result.finish(place);
                    for value in &values {
                        let mut longer = TextBuilder::default();
                        longer.push(&so_far, 0..so_far.as_str().len());
                        longer.push(value, 0..value.as_str().len());
                        next.push(longer);
                    }
                }
                results = next;
            }
            _ => {
                let stands_for = if begins_with_slash(name) { format!("/{UNKNOWN}") } else { UNKNOWN.to_string() };
                for result in &mut results {
                    result.push_fixed(&stands_for, place);
                }
            }
        }
    }
    for result in &mut results {
        result.push(text, done..whole.len());
    }
    results.into_iter().map(|result| result.finish(text.whole())).collect()
}

/// Variables of nginx whose value is a path or is put behind one.
fn begins_with_slash(name: &str) -> bool {
    matches!(name, "request_uri" | "uri" | "document_uri" | "fastcgi_script_name" | "request_filename")
}

fn values_of<'l>(name: &str, scope: &Scope<'l, '_>, tables: &Tables<'l>, depth: usize) -> Option<Vec<Text>> {
    let mut found: Vec<Text> = Vec::new();
    for level in scope.chain() {
        if level.simple().any(|item| sets_elsewhere(item, name)) {
            return None;
        }
        let mut certain = false;
        let mut add = |item: DirectiveRef<'l>| -> Option<bool> {
            if item.name() != "set" || !item.argument(0).is_some_and(|it| is_variable(&it.value(), name)) {
                return Some(false);
            }
            let value = item.argument(1)?.text();
            // A value made from the old one: `set $a "${a}b"`.
            if variables(value.as_str()).any(|(_, used)| used == name) {
                return None;
            }
            found.extend(expand(&value, scope, tables, depth - 1));
            Some(true)
        };
        for branch in level.branches() {
            for item in branch.children() {
                add(item)?;
            }
        }
        // The last one of a block holds.
        for item in level.simple().rev() {
            if add(**item)? {
                certain = true;
                break;
            }
        }
        if certain {
            return Some(found);
        }
    }
    if let Some(entry) = tables.get(name) {
        let words = entry.as_ref()?;
        for word in words {
            found.extend(expand(&word.text(), scope, tables, depth - 1));
            if found.len() > VALUES {
                return None;
            }
        }
        return Some(found);
    }
    // Set in some branch only: in the other ones it comes from somewhere else.
    None
}

/// The statement gives the variable a value that is not visible: scripts, sub-requests.
fn sets_elsewhere(item: &Item<'_>, name: &str) -> bool {
    let directive = &*item.name;
    if directive.ends_with("_by_lua_block") || directive.ends_with("_by_lua_file") || directive.ends_with("_by_lua") {
        return !matches!(directive, "log_by_lua_block" | "header_filter_by_lua_block" | "body_filter_by_lua_block");
    }
    matches!(directive, "auth_request_set" | "perl_set" | "js_set" | "js_var" | "set_random" | "set_unescape_uri")
        && item.argument(0).is_some_and(|it| is_variable(&it.value(), name))
}

fn is_variable(word: &str, name: &str) -> bool {
    let Some(own) = word.strip_prefix('$') else { return false };
    own.strip_prefix('{').and_then(|own| own.strip_suffix('}')).unwrap_or(own) == name
}

/// The variables of a word, `$name` or `${name}`, with the range that they take.
fn variables(text: &str) -> impl Iterator<Item = (std::ops::Range<usize>, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at + memchr::memchr(b'$', &bytes[at..])?;
            let braced = bytes.get(start + 1) == Some(&b'{');
            let name_start = start + 1 + usize::from(braced);
            let length =
                bytes[name_start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let name_end = name_start + length;
            at = (name_end + usize::from(braced)).max(start + 1);
            if length == 0 || (braced && bytes.get(name_end) != Some(&b'}')) {
                at = start + 1;
                continue;
            }
            return Some((start..at, &text[name_start..name_end]));
        }
        None
    })
}
