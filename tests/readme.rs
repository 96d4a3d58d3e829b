//! README.md shows what the command prints on the example, and the rules as the command lists them.
//! `UPDATE=1 cargo test --test readme` writes both: read them afterwards.

use std::process::Command;
use std::{env, fs};

#[test]
fn it_shows_what_the_command_prints() {
    let readme = fs::read_to_string("README.md").expect("README.md is there");
    let (status, report) = run(&["check", "fixtures/example"]);
    assert_eq!(status, Some(1), "the example is broken on purpose");
    let report: String = report.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let rows: String = run(&["rules"]).1.lines().map(row).collect();
    let fresh = replace(&readme, "```text\n", "```", &report);
    let fresh = replace(&fresh, "| rule | level | finds |\n| --- | --- | --- |\n", "\n", &rows);
    if env::var_os("UPDATE").is_some() {
        fs::write("README.md", &fresh).expect("README.md can be written");
    } else {
        assert!(readme == fresh, "README.md is behind; UPDATE=1 writes:\n{fresh}");
    }
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_no502"));
    for name in ["CLICOLOR_FORCE", "FORCE_COLOR", "LC_ALL", "LC_CTYPE", "TERM"] {
        command.env_remove(name);
    }
    let output = command.args(arguments).env("NO_COLOR", "1").env("LANG", "C.UTF-8").output();
    let output = output.expect("the command starts");
    (output.status.code(), String::from_utf8(output.stdout).expect("reports are UTF-8"))
}

/// A line of `no502 rules` as a row; its columns stand two spaces apart or more.
fn row(line: &str) -> String {
    let columns: Vec<&str> = line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
    format!("| {} |\n", columns.join(" | "))
}

/// Puts `inside` between `before` and the line that begins with `end`.
fn replace(text: &str, before: &str, end: &str, inside: &str) -> String {
    let (head, rest) = text.split_once(before).expect("README.md has this part");
    let old = rest.split_inclusive('\n').take_while(|line| !line.starts_with(end)).map(str::len).sum();
    format!("{head}{before}{inside}{}", &rest[old..])
}
