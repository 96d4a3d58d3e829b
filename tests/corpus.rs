//! Public files and projects that are known to be right, and files that nginx refuses: no error on the former, one on
//! the latter. They are no part of the repository: where they are missing, the tests say so and pass.

use std::fs::{read, read_to_string};
use std::path::{Path, PathBuf};

use no502::discover::Snapshot;
use no502::finding::{Finding, Level};
use no502::source::{Entry, FileState, Sources};
use no502::syntax::nginx::is_foreign_template;
use no502::{Outcome, lint};

#[test]
fn an_nginx_file_gives_a_syntax_error_where_nginx_refuses_it() {
    let Some(corpus) = corpus() else { return };
    let mut wrong = Vec::new();
    let (mut read_files, mut refused) = (0, 0);
    for row in table(&corpus.join("_oracle/nginx.tsv")) {
        let [file, _, verdict, ..] = row.as_slice() else { continue };
        // Some files of the table were left out of this copy.
        let Some(text) = text_of(&corpus.join(file)) else { continue };
        if is_foreign_template(&text).is_some() {
            continue;
        }
        let mut sources = Sources::default();
        sources.add("nginx.conf", text);
        let outcome = lint(&sources);
        let is_read = !outcome.files.is_empty();
        read_files += usize::from(is_read);
        refused += usize::from(verdict == "err");
        let errors = describe(&sources, outcome.findings.iter().filter(|finding| is_syntax_error(finding)));
        match verdict.as_str() {
            "ok" if !errors.is_empty() => wrong.push(format!("{file}: accepted by nginx\n{errors}")),
            // What holds nothing by which a config is recognised is not read, so nothing is said about it.
            "err" if errors.is_empty() && is_read => wrong.push(format!("{file}: refused by nginx")),
            _ => {}
        }
    }
    println!("{read_files} nginx files read, {refused} of all are refused by nginx");
    assert!(read_files > 650 && refused > 5, "only {read_files} files were read, {refused} to be refused");
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_compose_file_that_compose_accepts_gives_no_syntax_error() {
    let Some(corpus) = corpus() else { return };
    let mut wrong = Vec::new();
    let mut read_files = 0;
    for row in table(&corpus.join("_oracle/compose.tsv")) {
        let [file, _, template, verdict, ..] = row.as_slice() else { continue };
        if verdict != "ok" || !template.is_empty() {
            continue;
        }
        let Some(text) = text_of(&corpus.join(file)) else { continue };
        let mut sources = Sources::default();
        sources.add("compose.yaml", text);
        add_left_out(&mut sources, &corpus, file.rsplit_once('/').map_or("", |(folder, _)| folder));
        let outcome = lint(&sources);
        read_files += usize::from(outcome.files.iter().any(|file| file.format == "compose"));
        let errors = describe(&sources, outcome.findings.iter().filter(|finding| is_syntax_error(finding)));
        if !errors.is_empty() {
            wrong.push(format!("{file}\n{errors}"));
        }
    }
    println!("{read_files} compose files read");
    assert!(read_files > 350, "only {read_files} files were read");
    assert!(wrong.is_empty(), "{} files:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_working_project_gives_no_error() {
    let Some(corpus) = corpus() else { return };
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in table(&corpus.join("setups.tsv")) {
        let [_, folder, _, _, _, _, correct, prepare, ..] = row.as_slice() else { continue };
        if correct != "yes" {
            continue;
        }
        let (sources, outcome) = lint_folder(&corpus, folder, prepare);
        assert!(sources.files().next().is_some(), "{folder}: nothing was read");
        judged += 1;
        let is_error = |finding: &&Finding| finding.level == Level::Error;
        let errors = describe(&sources, outcome.findings.iter().filter(is_error));
        if !errors.is_empty() {
            wrong.push(format!("{folder}\n{errors}"));
        }
    }
    println!("{judged} projects judged");
    assert!(judged > 20, "only {judged} projects were there");
    assert!(wrong.is_empty(), "{} projects:\n{}", wrong.len(), wrong.join("\n"));
}

/// Judges a folder after the preparation of its table, `cp SAMPLE WANTED; …`, which happens in memory. So do the files
/// that the repository has and this copy has not.
fn lint_folder(corpus: &Path, name: &str, prepare: &str) -> (Sources, Outcome) {
    let folder = &corpus.join(name);
    let mut snapshot = Snapshot::of(folder, None).expect("the folder can be read");
    add_left_out(&mut snapshot.sources, corpus, name);
    for step in prepare.split(';').map(str::trim) {
        let words: Vec<&str> = step.split_whitespace().collect();
        if let ["cp", sample, wanted] = words[..] {
            let text = text_of(&folder.join(sample)).unwrap_or_else(|| panic!("{}: no {sample}", folder.display()));
            snapshot.sources.add(wanted, text);
        }
    }
    loop {
        let outcome = lint(&snapshot.sources);
        if !snapshot.read_wanted(folder) {
            return (snapshot.sources, outcome);
        }
    }
}

/// Says of the files that the repository has in this folder, and that are not in the snapshot, that they exist.
fn add_left_out(sources: &mut Sources, corpus: &Path, folder: &str) {
    let (repository, below) = folder.split_once('/').unwrap_or((folder, ""));
    let tree = text_of(&corpus.join(repository).join("_TREE.txt")).unwrap_or_default();
    // A line is the mode, the size and the path.
    for path in tree.lines().filter_map(|line| line.splitn(3, ' ').nth(2)) {
        let path = if below.is_empty() { path } else { path.strip_prefix(below).unwrap_or("").trim_start_matches('/') };
        if !path.is_empty() && sources.entry(path).is_none() {
            sources.add_entry(path, Entry::File(FileState::Unreadable("left out of this copy".to_owned())));
        }
    }
}

fn is_syntax_error(finding: &Finding) -> bool {
    finding.level == Level::Error && finding.rule.starts_with("syntax/")
}

fn describe<'f>(sources: &Sources, findings: impl Iterator<Item = &'f Finding>) -> String {
    let lines = findings.map(|finding| {
        let (line, column) = sources.position(finding.span.file, finding.span.start);
        let path = sources.path(finding.span.file);
        format!("  {path}:{line}:{column}: {} [{}]", finding.message, finding.rule)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The rows of a table without its head, as columns.
fn table(path: &Path) -> Vec<Vec<String>> {
    let text = read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().skip(1).map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}

/// The text, with a `?` for every byte that is no UTF-8; none when the file is not there.
fn text_of(file: &Path) -> Option<String> {
    let bytes = read(file).ok()?;
    let chunks = bytes.utf8_chunks();
    Some(chunks.map(|chunk| format!("{}{}", chunk.valid(), "?".repeat(chunk.invalid().len()))).collect())
}

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}
