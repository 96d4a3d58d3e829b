//! Recognises sources of configurations in template languages, which are no configurations before they are rendered.

use memchr::memmem::find;
use memchr::{memchr, memchr_iter};

use crate::source::{FileId, Text};
use crate::syntax::nginx::reader::read;
use crate::syntax::nginx::{DirectiveRef, Kind, Tree, Word};

/// The marks of a template: how it opens, how it closes, and the language. `{{` is told apart by what stands behind it.
const MARKS: [(&str, &str, Option<&str>); 3] =
    [("{%", "%}", Some("a Jinja template")), ("<%", "%>", Some("an ERB template")), ("{{", "}}", None)];

pub fn language(source: &str) -> Option<&'static str> {
    let holes = holes(source);
    if holes.is_empty() && MARKS.iter().all(|(opening, _, _)| find(source.as_bytes(), opening.as_bytes()).is_none()) {
        return None;
    }
    let tree = read(&Text::of_file(FileId(0), source));
    let mut found = None;
    for (opening, closing, language) in MARKS {
        let Some(inside) = first_mark(&tree, source, opening, closing) else { continue };
        match language {
            Some(language) => return Some(language),
            None => found = Some(if is_go(inside) { "a Go template" } else { "a Jinja template" }),
        }
    }
    let is_template = || has_statements(&tree) && holes.iter().any(|hole| !is_text(&tree, *hole));
    found.or_else(|| is_template().then_some("a template with `{NAME}` in it"))
}

/// A block has a statement in it: texts of other programs have braces, too.
fn has_statements(tree: &Tree) -> bool {
    let is_whole = |child: DirectiveRef<'_>| tree.text.part(child.start()..child.entry().end as usize).ends_with(';');
    tree.all().any(|block| block.children().any(is_whole))
}

/// Where `{NAME}` stands, which a script fills in: nginx would take it for a block with half a directive in it. So many
/// of them are enough.
fn holes(source: &str) -> Vec<usize> {
    let bytes = source.as_bytes();
    let is_hole = |at: &usize| {
        let inside = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        inside > 1
            && bytes[at + 1].is_ascii_alphabetic()
            && bytes.get(at + 1 + inside) == Some(&b'}')
            // `${NAME}` is a variable, and formats of other programs have `%{NAME}`.
            && !matches!(at.checked_sub(1).map(|at| bytes[at]), Some(b'$' | b'{' | b'%'))
    };
    memchr_iter(b'{', bytes).filter(is_hole).take(16).collect()
}

/// What stands in the first pair of marks that nginx would not keep in a quoted word, a comment or a Lua block. Both
/// marks have to be in one line: `http {{` alone is a slip.
fn first_mark<'s>(tree: &Tree, source: &'s str, opening: &str, closing: &str) -> Option<&'s str> {
    let mut at = 0;
    while let Some(length) = find(&source.as_bytes()[at..], opening.as_bytes()) {
        let start = at + length;
        at = start + opening.len();
        // `${{` is a part of a word.
        if source[..start].ends_with('$') || is_text(tree, start) {
            continue;
        }
        let line_end = memchr(b'\n', &source.as_bytes()[at..]).map_or(source.len(), |length| at + length);
        let line = &source[at..line_end];
        match line.find(closing) {
            Some(length) => return Some(&line[..length]),
            None => at = line_end,
        }
    }
    None
}

/// Whether the byte is in a quoted word, a comment or a Lua block, where any character may stand.
fn is_text(tree: &Tree, at: usize) -> bool {
    let word = covering(&tree.words, at).is_some_and(|word| {
        let written = &tree.text.as_str()[word.range()];
        // In `"{{ name("key") }}"` the word ends too early, and is not what it seems to be.
        let next = tree.problems.partition_point(|problem| problem.span.start < word.start);
        let broken = tree.problems.get(next).is_some_and(|problem| problem.span.start as usize <= word.end());
        written.starts_with(['"', '\'']) && !broken
    });
    let before = tree.directives.partition_point(|directive| directive.end as usize <= at);
    let lua = before.checked_sub(1).map(|index| tree.directives[index]);
    word || covering(&tree.comments, at).is_some()
        || lua.is_some_and(|block| block.kind == Kind::Lua && at < block.block_end as usize)
}

fn covering(ranges: &[Word], at: usize) -> Option<Word> {
    let index = ranges.partition_point(|range| range.start as usize <= at).checked_sub(1)?;
    let range = ranges[index];
    (at < range.end()).then_some(range)
}

/// Go begins with a field, a variable, a keyword or a function that is followed by what it is called with; Jinja knows
/// a name with filters and brackets.
fn is_go(inside: &str) -> bool {
    let inside = inside.trim_start_matches('-').trim_end_matches('-').trim();
    if inside.starts_with(['.', '$', '/']) {
        return true;
    }
    let name_end = inside.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(inside.len());
    let (name, behind) = inside.split_at(name_end);
    let argument = behind.trim_start();
    matches!(name, "range" | "if" | "with" | "end" | "else" | "define" | "template" | "block")
        || behind.starts_with(' ') && argument.starts_with(['"', '`', '.', '$', '('])
}
