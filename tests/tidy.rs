//! What the compiler cannot check: who may use whom, that every rule is whole, that files stay readable.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use no502::rules::ALL;
use walkdir::WalkDir;

/// Each part of the crate, and the parts that it may name; where two rows fit a file, the longer one counts.
const LAYERS: &[(&str, &[&str])] = &[
    ("src/source", &[]),
    ("src/side_by_side", &[]),
    ("src/finding", &["source"]),
    ("src/coverage", &["source"]),
    ("src/syntax", &["source", "syntax"]),
    ("src/site", &["side_by_side", "site", "source"]),
    ("src/read", &["coverage", "read", "side_by_side", "site", "source", "syntax"]),
    ("rules", &["finding", "rules", "site", "source"]),
    ("rules/syntax/unused_allow.rs", &["allow", "finding", "rules", "site"]),
    ("src/allow", &["finding", "rules", "source"]),
    ("src/report", &["coverage", "finding", "report", "rules", "side_by_side", "source", "Outcome", "Picture"]),
];

/// Proxies and servers that neither the model nor a rule may treat differently.
const PRODUCTS: &[&str] = &["nginx", "apache", "haproxy", "caddy", "traefik", "gunicorn", "uvicorn", "puma"];

/// Longer files, each with its reason.
const LONG: &[(&str, &str)] = &[("src/site/reach.rs", "one walk, whose steps are read in one go")];
const LONGEST: usize = 600;

#[test]
fn layers() {
    let files = ["src", "rules"].iter().flat_map(|root| rust_files(Path::new(root)));
    for (path, text) in files {
        let rows = LAYERS.iter().filter(|(part, _)| {
            path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
        });
        // What stands in no row brings everything together: lib.rs and what has to do with the machine that runs us.
        let Some((_, allowed)) = rows.max_by_key(|(part, _)| part.len()) else { continue };
        for name in named_parts(without_tests(&text)) {
            assert!(allowed.contains(&name.as_str()), "{path} must not use crate::{name}");
        }
    }
}

#[test]
fn rules_and_model_know_no_product() {
    for part in ["src/site", "rules"] {
        for (path, text) in rust_files(Path::new(part)) {
            let code = without_words(without_tests(&text)).to_lowercase();
            for product in PRODUCTS {
                assert!(!code.contains(product), "{path} names {product} in its code");
            }
        }
    }
}

#[test]
fn every_rule_is_whole() {
    let listed: BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(listed.len(), ALL.len(), "each rule is listed once");
    for (path, text) in rust_files(Path::new("rules")) {
        if !text.contains("pub const RULE: Rule") {
            continue;
        }
        let id = path.trim_start_matches("rules/").trim_end_matches(".rs").replace('_', "-");
        assert!(listed.contains(id.as_str()), "rules/mod.rs lists {id}");
    }
    let readme = fs::read_to_string("README.md").ok();
    let mut missing = String::new();
    for rule in ALL {
        let id = rule.id;
        let mut needs = |is_there: bool, what: &str| {
            if !is_there {
                missing += &format!("{id}: {what}\n");
            }
        };
        let file = format!("rules/{}.rs", id.replace('-', "_"));
        needs(Path::new(&file).is_file(), "its own file");
        needs(rule.doc.starts_with(&format!("# {id}\n\n")), "a page with its title");
        needs(rule.summary().ends_with('.'), "a page that begins with a sentence");
        for section in ["## Bad", "## Good", "## Silent when", "## Sources"] {
            needs(rule.doc.contains(&format!("\n{section}\n")), section);
        }
        needs(Path::new("fixtures").join(id).is_dir(), "fixtures");
        needs(readme.as_ref().is_none_or(|readme| readme.contains(id)), "a row in README.md");
    }
    assert!(missing.is_empty(), "missing:\n{missing}");
}

#[test]
fn every_fixture_belongs_to_a_rule() {
    let listed: BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
    for entry in WalkDir::new("fixtures").into_iter().filter_map(Result::ok) {
        if entry.file_name() != "expected.txt" {
            continue;
        }
        let case = entry.path().strip_prefix("fixtures").ok().and_then(|path| path.parent()).and_then(Path::parent);
        let rule = case.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        assert!(listed.contains(rule.as_str()), "{} belongs to a rule", entry.path().display());
    }
}

#[test]
fn files_are_short() {
    for (path, text) in ["src", "rules"].iter().flat_map(|root| rust_files(Path::new(root))) {
        let is_long = LONG.iter().any(|(long, _)| *long == path);
        let lines = without_tests(&text).lines().count();
        assert!(is_long || lines <= LONGEST, "{path} has {lines} lines: split it, or say why not");
        assert!(!is_long || lines > LONGEST, "{path} has become short: take it off the list");
    }
}

fn rust_files(root: &Path) -> Vec<(String, String)> {
    let entries = WalkDir::new(root).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = entries.map(|entry| entry.into_path()).filter(|path| path.extension().is_some_and(|it| it == "rs"));
    files.map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("sources are text"))).collect()
}

fn without_tests(code: &str) -> &str {
    code.split("\n#[cfg(test)]").next().unwrap_or(code)
}

/// The parts that follow `crate::`, alone or in a list.
fn named_parts(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut add = |name: &str| {
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        if end > 0 {
            names.insert(name[..end].to_owned());
        }
    };
    for rest in code.split("crate::").skip(1) {
        let Some(list) = rest.strip_prefix('{') else {
            add(rest);
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (at, character) in list.char_indices() {
            match character {
                '{' => depth += 1,
                '}' | ',' if depth == 0 => {
                    add(list[start..at].trim());
                    start = at + 1;
                    if character == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names
}

/// The code without comments and without what stands in quotes.
fn without_words(code: &str) -> String {
    let mut out = String::new();
    for line in code.lines() {
        let mut quoted = false;
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if quoted => drop(characters.next()),
                '\'' if !quoted && characters.peek() == Some(&'"') => drop(characters.next()),
                '"' => quoted = !quoted,
                '/' if !quoted && characters.peek() == Some(&'/') => break,
                _ if quoted => {}
                _ => out.push(character),
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn lists_of_parts_are_understood() {
    let names = named_parts("use crate::{Outcome, site::{Site, reach}, source};\nuse crate::finding::Level;");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["Outcome", "finding", "site", "source"]);
    assert_eq!(without_words("let a = \"x \\\" y\"; // b").trim(), "let a = ;");
}
