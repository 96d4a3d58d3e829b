//! Compares the reader of nginx configurations with what nginx's own tokenizer made of several hundred public files.
//! They are no part of the repository: where they are missing, the tests say so and pass.

use std::fs::{read, read_dir, read_to_string};
use std::path::{Path, PathBuf};

use no502::source::{FileId, Text};
use no502::syntax::nginx::{DirectiveRef, Directives, Tree, is_foreign_template, parse};
use serde_json::Value;

/// A directive as the recorded streams give it: line of its name, depth, `;` or `{`, words; or the body of a Lua block.
#[derive(Debug, PartialEq)]
enum Item {
    Directive { line: u64, depth: u64, ends_with: String, words: Vec<String> },
    Lua(String),
}

#[test]
fn public_files_are_read_as_nginx_reads_them() {
    let Some(corpus) = shared("corpus") else { return };
    let table = read_to_string(corpus.join("_oracle/nginx.tsv")).expect("the table of verdicts");
    let mut differences = Vec::new();
    let mut compared = 0;
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let path = columns[0];
        let stream = corpus.join("_oracle/nginx_tokens").join(format!("{path}.tokens.jsonl"));
        if !stream.exists() || !corpus.join(path).exists() {
            continue;
        }
        compared += 1;
        differences.extend(difference(&corpus.join(path), &stream, columns[2] == "ok"));
    }
    println!("{compared} files compared");
    assert!(compared > 800, "only {compared} files were there");
    assert!(differences.is_empty(), "{} files differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn edge_cases_are_read_as_nginx_reads_them() {
    let Some(corpus) = shared("corpus") else { return };
    let table = read_to_string(corpus.join("_synthetic/nginx.tsv")).expect("the table of edge cases");
    let folder = corpus.join("_synthetic/nginx");
    let mut differences = Vec::new();
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [case, verdict, ..] = columns[..] else { continue };
        let file = folder.join(format!("{case}.conf"));
        // The last row ends within a line break of its own.
        if !file.exists() {
            continue;
        }
        differences.extend(difference(&file, &folder.join(format!("{case}.tokens.jsonl")), verdict == "ok"));
    }
    assert!(differences.is_empty(), "{} cases differ:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn working_configurations_are_no_templates() {
    let Some(corpus) = shared("corpus") else { return };
    let table = read_to_string(corpus.join("_oracle/nginx.tsv")).expect("the table of verdicts");
    let accepted = table.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    for columns in accepted.filter(|columns| columns[4] == "ok" && corpus.join(columns[0]).exists()) {
        let text = text_of(&corpus.join(columns[0]));
        assert_eq!(is_foreign_template(&text), None, "{}", columns[0]);
    }
}

#[test]
fn configurations_that_other_tools_misread() {
    let Some(folder) = shared("torture/nginx") else { return };
    let refused_while_reading = [
        "08-bom.conf",
        "20-dollar-brace.conf",
        "21-j2.conf",
        "25-long-token-4096.conf",
        "26-brace-in-unquoted-regex.conf",
    ];
    for entry in read_dir(&folder).expect("the folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".conf") {
            continue;
        }
        let tree = tree_of(&entry.path());
        assert_eq!(
            refused_while_reading.contains(&&*name),
            !tree.problems().is_empty(),
            "{name}: {:?}",
            tree.problems()
        );
    }
}

/// What differs between our reading of a file and the recorded one.
fn difference(file: &Path, stream: &Path, accepted: bool) -> Option<String> {
    let tree = tree_of(file);
    let mut expected = recorded(stream);
    if tree.text().as_str().starts_with('\u{feff}') {
        // nginx keeps the mark as a part of the first word; here it is a problem, and the rest is read without it.
        return tree.problems().is_empty().then(|| format!("{}: a byte order mark without a problem", file.display()));
    }
    if accepted != tree.problems().is_empty() {
        return Some(format!("{}: accepted by nginx: {accepted}, problems: {:?}", file.display(), tree.problems()));
    }
    let mut read = Vec::new();
    collect(&tree, tree.root(), &mut read);
    if !accepted {
        read.truncate(expected.len());
    }
    if read == expected {
        return None;
    }
    let same = read.iter().zip(&expected).take_while(|(ours, theirs)| ours == theirs).count();
    let theirs = (same < expected.len()).then(|| expected.swap_remove(same));
    Some(format!("{}: nginx {theirs:?}, ours {:?}", file.display(), read.get(same)))
}

/// The directives in the order of the text.
fn collect(tree: &Tree, directives: Directives<'_>, into: &mut Vec<Item>) {
    let source = tree.text().as_str();
    let mut levels = vec![directives];
    while let Some(level) = levels.last_mut() {
        let Some(directive) = level.next() else {
            levels.pop();
            continue;
        };
        into.push(item(source, directive, levels.len() as u64 - 1));
        if let Some(body) = directive.lua() {
            into.push(Item::Lua(source[body.range()].to_owned()));
        }
        levels.push(directive.children());
    }
}

fn item(source: &str, directive: DirectiveRef<'_>, depth: u64) -> Item {
    let mut words = vec![directive.name().into_owned()];
    words.extend(directive.arguments().map(|word| word.value().into_owned()));
    for word in directive.arguments() {
        assert_eq!(word.text().as_str(), word.value());
    }
    let start = directive.name_span().start as usize;
    Item::Directive {
        line: source.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() as u64 + 1,
        depth,
        ends_with: if directive.is_block() { "{" } else { ";" }.to_owned(),
        words,
    }
}

fn recorded(stream: &Path) -> Vec<Item> {
    let lines = read_to_string(stream).expect("the recorded stream");
    lines.lines().filter_map(|line| recorded_item(&serde_json::from_str(&without_surrogates(line)).ok()?)).collect()
}

fn recorded_item(value: &Value) -> Option<Item> {
    if let Some(body) = value.get("lua") {
        return Some(Item::Lua(body.as_str()?.to_owned()));
    }
    let words = value.get("a")?.as_array()?.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    Some(Item::Directive {
        line: value.get("l")?.as_u64()?,
        depth: value.get("d")?.as_u64()?,
        ends_with: value.get("t")?.as_str()?.to_owned(),
        words,
    })
}

/// Bytes that are no UTF-8 were recorded as lone surrogates; both sides have a `?` for them.
fn without_surrogates(line: &str) -> String {
    let mut parts = line.split("\\udc");
    let mut plain = parts.next().unwrap_or("").to_owned();
    for part in parts {
        plain.push('?');
        plain.push_str(part.get(2..).unwrap_or(""));
    }
    plain
}

fn tree_of(file: &Path) -> Tree {
    parse(&Text::of_file(FileId(0), text_of(file)))
}

/// The text, with a `?` for every byte that is no UTF-8.
fn text_of(file: &Path) -> String {
    let bytes = read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let chunks = bytes.utf8_chunks();
    chunks.map(|chunk| format!("{}{}", chunk.valid(), "?".repeat(chunk.invalid().len()))).collect()
}

fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}
