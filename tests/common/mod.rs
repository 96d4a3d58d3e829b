//! What several test programs do with a folder of `fixtures/`.

use std::path::{Path, PathBuf};

use no502::discover::Snapshot;
use no502::finding::Level;
use no502::report::{Checked, line};
use no502::source::Sources;
use no502::{Outcome, lint};
use walkdir::WalkDir;

/// The folders below `fixtures/` that hold a project to be judged: each `bad`, each `good`, each folder of `clean`.
#[allow(dead_code, reason = "each test program takes what it needs of this file")]
pub fn cases() -> Vec<PathBuf> {
    let folders = WalkDir::new("fixtures").sort_by_file_name().into_iter().filter_map(Result::ok);
    folders.map(|entry| entry.into_path()).filter(|path| path.join("bad").is_dir()).collect()
}

#[allow(dead_code, reason = "each test program takes what it needs of this file")]
pub fn clean_stacks() -> Vec<PathBuf> {
    let folders = WalkDir::new("fixtures/clean").min_depth(1).max_depth(1).sort_by_file_name().into_iter();
    folders.filter_map(Result::ok).map(|entry| entry.into_path()).collect()
}

/// The folder as the command sees it, and what is to be said about it.
#[allow(dead_code, reason = "each test program takes what it needs of this file")]
pub fn check(folder: &Path) -> (Sources, Outcome) {
    let mut snapshot = Snapshot::of(folder, None).expect("fixtures are readable");
    loop {
        let outcome = lint(&snapshot.sources);
        if !snapshot.read_wanted(folder) {
            return (snapshot.sources, outcome);
        }
    }
}

/// Errors and warnings, one a line, as `--format line` prints them. Advice is left out: it is about taste, and most
/// stacks could be given some.
#[allow(dead_code, reason = "each test program takes what it needs of this file")]
pub fn report(sources: Sources, outcome: Outcome) -> String {
    report_with(sources, outcome, None)
}

/// As [`report`], with the advice of one rule.
#[allow(dead_code, reason = "each test program takes what it needs of this file")]
pub fn report_with(sources: Sources, mut outcome: Outcome, advice: Option<&str>) -> String {
    outcome.findings.retain(|finding| finding.level >= Level::Warning || Some(finding.rule) == advice);
    line::text(&[Checked { sources, outcome, ..Checked::default() }])
}
