//! What a person sees, for findings made by hand.

use super::{Style, write};
use crate::Picture;
use crate::coverage::{FileCoverage, Read, RouteCoverage, Understood};
use crate::finding::{Finding, Findings};
use crate::report::Checked;
use crate::report::tests::{span, two_files};
use crate::source::{FileId, Sources, Span};

const PLAIN: Style = Style { width: 80, colour: false, unicode: true, strict: false };

fn text(checked: &[Checked], style: Style) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes, checked, style).expect("memory takes everything");
    String::from_utf8(bytes).expect("reports are UTF-8")
}

fn checked(sources: Sources, findings: Vec<Finding>) -> Checked {
    let mut checked = Checked { sources, ..Checked::default() };
    checked.outcome.findings = findings;
    checked
}

#[test]
fn both_files_are_shown() {
    let expected = "\
error[target/port-mismatch]

  × `api` does not listen on port 3000
   ╭─[deploy/web.conf:2:21]
 1 │ location / {
 2 │   proxy_pass http://api:3000;
   ·                     ────┬───
   ·                         ╰── the proxy connects here
 3 │ }
   ╰────
   ╭─[deploy/compose.yaml:4:21]
 3 │     build: .
 4 │     command: serve :8000
   ·                     ──┬─
   ·                       ╰── `api` listens on 8000
   ╰────
  help: use `api:8000`

1 error in 1 file
read 0 files
";
    assert_eq!(text(&[two_files()], PLAIN), expected);
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let plain = text(&[two_files()], Style { unicode: false, ..PLAIN });
    assert!(plain.is_ascii(), "{plain}");
    assert!(plain.contains("  x `api` does not listen"), "{plain}");
    let coloured = text(&[two_files()], Style { colour: true, ..PLAIN });
    assert!(coloured.contains("\u{1b}[31m") && coloured.contains("\u{1b}[1;31m1 error\u{1b}[0m"), "{coloured}");
}

#[test]
fn many_of_a_kind_are_listed_below_the_first() {
    let mut sources = Sources::default();
    let mut findings = Findings::of("timeout/too-low");
    for name in ["a.conf", "b.conf"] {
        let file = sources.add(name, "wait 1s;\nwait 1s;\nwait 1s;\n");
        for start in [0, 9, 18] {
            findings.warning(Span { file, start: start + 5, end: start + 7 }, "1 second is too short");
        }
    }
    findings.error(span(&sources, FileId(0), "wait"), "something else");
    let expected = "\
warning[timeout/too-low]

  ⚠ 1 second is too short
   ╭─[a.conf:1:6]
 1 │ wait 1s;
   ·      ──
 2 │ wait 1s;
   ╰────
  and in 5 other places:
    a.conf:2:6, 3:6
    b.conf:1:6, 2:6, 3:6

error[timeout/too-low]

  × something else
   ╭─[a.conf:1:1]
 1 │ wait 1s;
   · ────
 2 │ wait 1s;
   ╰────

1 error, 6 warnings in 2 files
read 0 files
";
    assert_eq!(text(&[checked(sources, findings.into_vec())], PLAIN), expected);
}

#[test]
fn findings_with_one_cause_are_listed_with_their_messages() {
    let mut sources = Sources::default();
    let file = sources.add("a.conf", "a\nb\nc\nd\n");
    let cause = sources.add("compose.yaml", "serve\n");
    let mut findings = Findings::of("target/loopback-bind");
    for (index, name) in ["a", "b", "c", "d"].iter().enumerate() {
        let place = Span { file, start: index as u32 * 2, end: index as u32 * 2 + 1 };
        findings.error(place, format!("route {name} fails")).note(span(&sources, cause, "serve"), "bound to 127.0.0.1");
    }
    let shown = text(&[checked(sources, findings.into_vec())], PLAIN);
    let listed = "  and in 3 other places:\n    a.conf:2:1  route b fails\n    a.conf:3:1  route c fails\n";
    assert!(shown.contains(listed), "{shown}");
    assert_eq!(shown.matches("bound to 127.0.0.1").count(), 1, "{shown}");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let mut sources = Sources::default();
    let file = sources.add("a.conf", format!("{}BAD{}\n", "x".repeat(5000), "y".repeat(5000)));
    let mut findings = Findings::of("target/unknown-host");
    findings.error(span(&sources, file, "BAD"), "bad").label("here");
    let shown = text(&[checked(sources, findings.into_vec())], PLAIN);
    assert!(shown.contains("[a.conf:1:5001]"), "{shown}");
    assert!(shown.contains("│ …xxxxxxxxxxxxxxxxxxBADyyyy"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() < 80), "{shown}");
    let marked = shown.lines().find(|line| line.contains("─┬─")).expect("the place is marked");
    let line = shown.lines().find(|line| line.contains("BAD")).expect("the line is shown");
    let column = |line: &str, what: &str| line.find(what).map(|at| line[..at].chars().count());
    assert_eq!(column(marked, "─┬─"), column(line, "BAD"), "{shown}");
}

#[test]
fn marks_that_overlap_stand_apart() {
    let mut sources = Sources::default();
    let file = sources.add("a.conf", "proxy_pass http://api/$1;\n");
    let mut findings = Findings::of("target/no-resolver");
    let whole = span(&sources, file, "http://api/$1");
    let finding = findings.error(whole, "looked up late").label("the whole");
    finding.note(span(&sources, file, "api"), "the name").note(whole, "again").note(whole, "again");
    let expected = "\
error[target/no-resolver]

  × looked up late
   ╭─[a.conf:1:12]
 1 │ proxy_pass http://api/$1;
   ·            ──────┬──────
   ·                  ╰─┤ the whole
   ·                    │ again
   ╰────
   ╭─[a.conf:1:19]
 1 │ proxy_pass http://api/$1;
   ·                   ─┬─
   ·                    ╰── the name
   ╰────
";
    let shown = text(&[checked(sources, findings.into_vec())], PLAIN);
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn a_file_cannot_command_the_terminal() {
    let mut sources = Sources::default();
    let file = sources.add("a\u{1b}[2J.conf", "a\u{1b}[31mBAD\0\u{7}\u{202e}\r\nnext\rline\r\n");
    let mut findings = Findings::of("target/unknown-host");
    findings.error(span(&sources, file, "BAD"), "a\u{1b}[1m is bad").label("\u{1b}c").help("a\n\u{1b}b");
    let shown = text(&[checked(sources, findings.into_vec())], PLAIN);
    assert!(!shown.contains(['\u{1b}', '\0', '\u{7}', '\u{202e}', '\r']), "{shown:?}");
}

#[test]
fn every_place_of_an_awkward_text_can_be_shown() {
    let awkward = [
        "",
        "\n",
        "a",
        "\r\n",
        "é\n\tü\n",
        "\u{feff}a\n\nb",
        "a\r\nb\r\n\r\n",
        "日本\n語",
        "a\rb",
        "\u{1F980}\n\n\n\n\n\n\nx",
    ];
    for text_of_file in awkward {
        let length = text_of_file.len() as u32;
        for (start, end) in (0..=length).flat_map(|start| (start..=length).map(move |end| (start, end))) {
            let mut findings = Findings::of("syntax/nginx");
            let place = |start, end| Span { file: FileId(0), start, end };
            let finding = findings.error(place(start, end), "x").label("one");
            finding.note(place(0, start), "two").note(place(end, length), "three");
            let shown = text(&[checked(sources_with(text_of_file), findings.into_vec())], PLAIN);
            assert!(shown.contains("one") && !shown.contains("Failed"), "{text_of_file:?} {start}..{end}\n{shown}");
        }
    }
}

fn sources_with(text: &str) -> Sources {
    let mut sources = Sources::default();
    sources.add("a", text);
    sources
}

#[test]
fn nothing_is_claimed_about_what_was_not_read() {
    let file = |path: &str, read| FileCoverage { path: path.to_owned(), format: "nginx", read };
    let place = Span { file: FileId(0), start: 0, end: 3 };
    let route = |outcome| RouteCoverage {
        proxy: 0,
        matches: "/".to_owned(),
        place,
        target: "http://api".to_owned(),
        outcome,
        why: Some("image `x` is not known".to_owned()),
        listener: None,
        site: None,
    };
    let mut checked = checked(sources_with("api"), Vec::new());
    assert_eq!(text(&[], PLAIN), "found no file that says what a proxy does\n");
    checked.outcome.files = vec![file("a.conf", Read::Whole)];
    let quiet = "nothing to report on the 1 file read; no route to a backend is in it\n";
    assert_eq!(text(std::slice::from_ref(&checked), PLAIN), quiet);
    checked.outcome.files.push(file("b.conf", Read::No("permission denied".to_owned())));
    checked.outcome.files.push(file("c.conf", Read::Partly("line 3".to_owned())));
    let routes = vec![route("delivered"), route("undecided"), route("leaves")];
    checked.outcome.picture = Picture::Described(Understood { routes, ..Understood::default() });
    checked.hidden = (2, 0);
    let expected = "\
nothing to report on the 2 files read; 3 routes: 1 delivered, 1 leaving these files, 1 undecided; --pedantic shows 2 pieces of advice
partly read: c.conf (line 3)
not read: b.conf (permission denied)
undecided:
  a:1:1  http://api (image `x` is not known)
";
    assert_eq!(text(&[checked], Style { strict: true, ..PLAIN }), expected);
}
