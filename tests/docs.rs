//! The examples on the pages of the rules are run: `Bad` gives this rule and no other, `Good` gives nothing.

mod common;

use common::report;
use no502::finding::{Finding, Level};
use no502::rules::{ALL, Rule};
use no502::source::Sources;
use no502::{Outcome, lint};

#[test]
fn the_examples_of_each_page() {
    let mut wrong = String::new();
    for rule in ALL {
        let (Some(bad), Some(good)) = (example(rule.doc, "Bad"), example(rule.doc, "Good")) else {
            wrong += &format!("\n== {}: no `## Bad` and `## Good` with files in them\n", rule.id);
            continue;
        };
        let outcome = lint(&bad);
        let loud = loud(rule, &outcome);
        if loud.is_empty() || loud.iter().any(|id| *id != rule.id) {
            wrong += &format!("\n== {}: Bad gives\n{}", rule.id, report(bad, outcome));
        }
        let outcome = lint(&good);
        if !outcome.findings.iter().all(|finding| finding.level == Level::Advice && finding.rule != rule.id) {
            wrong += &format!("\n== {}: Good gives\n{}", rule.id, report(good, outcome));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The rules that say something. A page whose rule only advises says so, and then its advice counts.
fn loud(rule: &Rule, outcome: &Outcome) -> Vec<&'static str> {
    let advises = rule.doc.contains("\nLevel: advice\n");
    let counts = |finding: &&Finding| finding.level >= Level::Warning || (advises && finding.rule == rule.id);
    outcome.findings.iter().filter(counts).map(|finding| finding.rule).collect()
}

/// The files of one section. A fence names its file: "```nginx site.conf".
fn example(doc: &str, section: &str) -> Option<Sources> {
    let (_, rest) = doc.split_once(&format!("\n## {section}\n"))?;
    let body = rest.split("\n## ").next()?;
    let mut sources = Sources::default();
    let mut fences = body.split("\n```").skip(1).step_by(2).peekable();
    fences.peek()?;
    for fence in fences {
        let (information, text) = fence.split_once('\n')?;
        let (_, path) = information.split_once(' ')?;
        sources.add(path, format!("{text}\n"));
    }
    Some(sources)
}
