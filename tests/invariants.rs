//! What lib.rs promises: the same texts give the same outcome, findings stand in files of the snapshot, and nothing but
//! the outermost modules can touch the outside.

mod common;

use std::fs;

use common::{cases, check, clean_stacks};
use no502::lint;
use no502::source::Sources;
use walkdir::WalkDir;

#[test]
fn the_same_texts_give_the_same_outcome() {
    for folder in cases().iter().map(|case| case.join("bad")).chain(clean_stacks()) {
        let (sources, _) = check(&folder);
        let (first, second) = (lint(&sources), lint(&sources));
        assert_eq!(first.findings, second.findings, "{}", folder.display());
        assert_eq!(first.picture.described(), second.picture.described(), "{}", folder.display());
        assert_eq!(first.files, second.files, "{}", folder.display());
    }
}

#[test]
fn every_place_is_text_of_the_snapshot() {
    for folder in cases().iter().map(|case| case.join("bad")) {
        let (sources, outcome) = check(&folder);
        for finding in &outcome.findings {
            let edits = finding.fixes.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span);
            for span in std::iter::once(finding.span).chain(finding.notes.iter().map(|note| note.span)).chain(edits) {
                let text = &sources.get(span.file).text;
                assert!(text.get(span.range()).is_some(), "{}: {finding:?}", folder.display());
            }
        }
    }
}

#[test]
fn what_is_not_there_is_no_error() {
    // A lone config, and a lone stack: nothing is known of what they name.
    let lone = [
        ("site.conf", "server { listen 80; location / { proxy_pass http://somewhere:1234; } }"),
        ("compose.yaml", "services:\n  app:\n    image: registry.example/app:1\n"),
    ];
    for (path, text) in lone {
        let mut sources = Sources::default();
        sources.add(path, text);
        assert_eq!(lint(&sources).findings, [], "{path}");
    }
}

/// Modules that may do input and output.
const OUTER: &[&str] = &["src/main.rs", "src/cli", "src/discover", "src/judge"];

#[test]
fn only_the_outermost_modules_touch_the_outside() {
    let folders = ["src", "rules"].into_iter().flat_map(|folder| WalkDir::new(folder).into_iter().flatten());
    for entry in folders.filter(|entry| entry.path().extension().is_some_and(|it| it == "rs")) {
        let path = entry.path().to_string_lossy().replace('\\', "/");
        // Tests beside the code may measure and read what they like.
        if OUTER.iter().any(|outer| path.starts_with(outer)) || path.contains("tests") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).expect("the sources can be read");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for outside in
            ["std::fs", "std::net::Tcp", "std::net::Udp", "std::process", "std::time", "std::env", "println!"]
        {
            assert!(!code.contains(outside), "{path} must not use {outside}");
        }
    }
}
