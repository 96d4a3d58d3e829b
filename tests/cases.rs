//! `fixtures/<family>/<rule>/<case>/`: a project that breaks, and the same project mended.
//!
//! `bad/` must give exactly the lines of `expected.txt`, with all rules on; `good/` must give nothing, and so must each
//! working stack in `fixtures/clean/`. `UPDATE=1 cargo test --test cases` writes what is expected: read it afterwards.
//! `CASES=target/port-mismatch` looks only at paths that contain it.

mod common;

use std::path::{Path, PathBuf};
use std::{env, fs};

use common::{cases, check, clean_stacks, report_with};
use no502::rules::ALL;

#[test]
fn a_broken_project_gives_what_is_expected() {
    let update = env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    for case in cases().iter().filter(|case| is_asked_for(case)) {
        let have = judge(&case.join("bad"), advising(case));
        let file = case.join("expected.txt");
        if update {
            fs::write(&file, &have).expect("fixtures can be written");
        }
        let want = fs::read_to_string(&file).unwrap_or_default();
        let rule =
            case.parent().and_then(|rule| rule.strip_prefix("fixtures").ok()).expect("a case lies below its rule");
        let first = format!("[{}]", rule.display());
        if have != want {
            wrong += &format!("\n== {}\nexpected:\n{want}\nis:\n{have}", case.display());
        } else if !have.lines().any(|line| line.ends_with(&first)) {
            wrong += &format!("\n== {}\nsays nothing of {first}:\n{have}", case.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_mended_project_is_silent() {
    all_silent(cases().iter().map(|case| (case.join("good"), advising(case))));
}

#[test]
fn a_working_stack_is_silent() {
    all_silent(clean_stacks().into_iter().map(|stack| (stack, None)));
}

fn all_silent(folders: impl Iterator<Item = (PathBuf, Option<&'static str>)>) {
    let mut wrong = String::new();
    for (folder, advice) in folders.filter(|(folder, _)| is_asked_for(folder)) {
        assert!(folder.is_dir(), "{} is there", folder.display());
        let have = judge(&folder, advice);
        if !have.is_empty() {
            wrong += &format!("\n== {}\n{have}", folder.display());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn is_asked_for(path: &Path) -> bool {
    env::var("CASES").map_or(true, |part| path.to_string_lossy().contains(&part))
}

/// The rule of a case, when advice is all that it gives: then its advice counts.
fn advising(case: &Path) -> Option<&'static str> {
    let rule = case.parent()?.strip_prefix("fixtures").ok()?.to_str()?;
    let rule = ALL.iter().find(|known| known.id == rule)?;
    rule.doc.contains("\nLevel: advice\n").then_some(rule.id)
}

fn judge(folder: &Path, advice: Option<&str>) -> String {
    let (sources, outcome) = check(folder);
    report_with(sources, outcome, advice)
}
