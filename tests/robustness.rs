//! Nothing that is cut off or torn makes us panic: every file of every fixture, up to each of its lines and without each
//! of them, and the syntaxes on every byte of small files.

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{cases, check, clean_stacks};
use no502::lint;
use no502::source::{Sources, Text};
use no502::syntax::command_line;
use no502::syntax::{dockerfile, env_file, ini, nginx, yaml};
use walkdir::WalkDir;

/// Up to this many bytes a file is tried at each of them.
const SMALL: usize = 1500;

#[test]
fn torn_projects() {
    let folders: Vec<_> = cases().iter().map(|case| case.join("bad")).chain(clean_stacks()).collect();
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                    tear(folder);
                }
            });
        }
    });
}

fn tear(folder: &Path) {
    let (sources, _) = check(folder);
    let paths: Vec<String> = sources.files().map(|(_, source)| source.path.clone()).collect();
    let texts: Vec<String> = sources.files().map(|(_, source)| source.text.to_string()).collect();
    for (torn, text) in texts.iter().enumerate() {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let prefixes = (0..lines.len()).map(|count| lines[..count].concat());
        let without = (0..lines.len()).map(|gone| [&lines[..gone], &lines[gone + 1..]].concat().concat());
        for (number, text) in prefixes.chain(without).enumerate() {
            let mut project = Sources::default();
            for (index, path) in paths.iter().enumerate() {
                project.add(path, if index == torn { text.clone() } else { texts[index].clone() });
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| lint(&project)));
            let Ok(outcome) = outcome else {
                panic!("{}: {} torn in way {number}:\n{text}", folder.display(), paths[torn]);
            };
            for finding in outcome.findings {
                let source = project.get(finding.span.file);
                let quoted = source.text.get(finding.span.range());
                assert!(quoted.is_some(), "{}: {} marks no text: {text}", folder.display(), finding.message);
            }
        }
    }
}

#[test]
fn every_byte_of_small_files() {
    for entry in WalkDir::new("fixtures").sort_by_file_name().into_iter().filter_map(Result::ok) {
        if !entry.file_type().is_file() || entry.file_name() == "expected.txt" {
            continue;
        }
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        if text.len() > SMALL {
            continue;
        }
        let name = entry.file_name().to_string_lossy();
        let parse: fn(&Text) = match name.rsplit_once('.').map_or(&*name, |(_, end)| end) {
            "yaml" | "yml" => |text| drop(yaml::parse(text)),
            "conf" | "template" => |text| drop(nginx::parse(text)),
            "ini" | "service" => |text| {
                for style in [ini::Style::PHP, ini::Style::SYSTEMD, ini::Style::UWSGI, ini::Style::SUPERVISOR] {
                    drop(ini::parse(text, style));
                }
            },
            "env" => |text| drop(env_file::parse(text)),
            "sh" => |text| drop(command_line::shell(text)),
            _ if name.contains("Dockerfile") => |text| drop(dockerfile::parse(text)),
            _ => continue,
        };
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            let mut sources = Sources::default();
            let file = sources.add("torn", &text[..end]);
            let fine = catch_unwind(AssertUnwindSafe(|| parse(&sources.text(file))));
            assert!(fine.is_ok(), "{} cut at byte {end}", entry.path().display());
        }
    }
}
