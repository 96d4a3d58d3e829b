//! Everything in one JSON document. Its names are a promise to editors and scripts; new fields may be added.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::{Checked, count, in_order};
use crate::coverage::Read;
use crate::finding::{Finding, Fix, Words};
use crate::source::{Sources, Span};

#[derive(Serialize)]
struct Document {
    version: u32,
    findings: Vec<FindingJson>,
    routes: Vec<RouteJson>,
    listeners: Vec<ListenerJson>,
    files: Vec<FileJson>,
    /// Folders of a server that were not looked into.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutJson>,
    summary: Summary,
}

#[derive(Serialize)]
struct LeftOutJson {
    path: String,
    /// How many folders in it; 0: the folder itself.
    folders: usize,
}

#[derive(Serialize)]
struct FindingJson {
    rule: &'static str,
    level: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<Words>,
    file: String,
    start: Position,
    end: Position,
    notes: Vec<NoteJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Words>,
    fixes: Vec<FixJson>,
    fingerprint: String,
}

#[derive(Serialize)]
struct Position {
    line: usize,
    column: usize,
    offset: u32,
}

#[derive(Serialize)]
struct NoteJson {
    file: String,
    start: Position,
    end: Position,
    message: Words,
}

#[derive(Serialize)]
struct FixJson {
    title: String,
    safe: bool,
    edits: Vec<EditJson>,
}

#[derive(Serialize)]
struct EditJson {
    file: String,
    start: Position,
    end: Position,
    text: String,
}

#[derive(Serialize)]
struct RouteJson {
    proxy: String,
    #[serde(rename = "match")]
    matches: String,
    file: String,
    line: usize,
    column: usize,
    target: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize)]
struct ListenerJson {
    machine: String,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    evidence: String,
    file: String,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct FileJson {
    path: String,
    format: &'static str,
    read: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    errors: usize,
    warnings: usize,
    advice: usize,
    files: usize,
    routes: usize,
    undecided: usize,
}

pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    let mut seen = HashMap::new();
    let findings = in_order(checked).into_iter();
    let findings = findings.map(|place| finding_json(place.checked, place.finding, &mut seen)).collect();
    let described: Vec<_> = checked.iter().map(|checked| (checked, checked.outcome.picture.described())).collect();
    let routes = described.iter().flat_map(|(checked, understood)| {
        understood.routes.iter().map(|route| {
            let (file, line, column) = checked.start(route.place);
            RouteJson {
                proxy: understood.proxies[route.proxy].name.clone(),
                matches: route.matches.clone(),
                file,
                line,
                column,
                target: route.target.clone(),
                outcome: route.outcome,
                why: route.why.clone(),
            }
        })
    });
    let listeners = described.iter().flat_map(|(checked, understood)| {
        understood.listeners.iter().map(|listener| {
            let (file, line, column) = checked.start(listener.place);
            ListenerJson {
                machine: listener.machine.clone(),
                address: listener.address.clone(),
                protocol: listener.protocol.clone(),
                evidence: listener.evidence.clone(),
                file,
                line,
                column,
            }
        })
    });
    let files = checked.iter().flat_map(|checked| {
        checked.outcome.files.iter().map(|file| {
            let (read, reason) = match &file.read {
                Read::Whole => ("whole", None),
                Read::Partly(reason) => ("partly", Some(reason.clone())),
                Read::No(reason) => ("no", Some(reason.clone())),
            };
            FileJson { path: checked.shown(&file.path), format: file.format, read, reason }
        })
    });
    let left_out = checked.iter().flat_map(|checked| {
        let left_out = checked.outcome.left_out.iter();
        left_out.map(|it| LeftOutJson { path: checked.shown(&it.folder), folders: it.folders })
    });
    let counts = count(checked);
    let document = Document {
        version: 1,
        findings,
        routes: routes.collect(),
        listeners: listeners.collect(),
        files: files.collect(),
        left_out: left_out.collect(),
        summary: Summary {
            errors: counts.errors,
            warnings: counts.warnings,
            advice: counts.advice,
            files: counts.files,
            routes: counts.routes,
            undecided: counts.undecided,
        },
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn finding_json(checked: &Checked, finding: &Finding, seen: &mut HashMap<u64, u64>) -> FindingJson {
    let (start, end) = positions(&checked.sources, finding.span);
    let notes = finding.notes.iter().map(|note| {
        let (start, end) = positions(&checked.sources, note.span);
        NoteJson { file: checked.path(note.span.file), start, end, message: note.message.clone() }
    });
    let identity = fingerprint(&checked.sources, finding);
    let earlier = seen.entry(identity).or_insert(0);
    let unique = fnv(identity, &earlier.to_le_bytes());
    *earlier += 1;
    FindingJson {
        rule: finding.rule,
        level: finding.level.name(),
        message: finding.message.clone(),
        label: finding.label.clone(),
        file: checked.path(finding.span.file),
        start,
        end,
        notes: notes.collect(),
        help: finding.help.clone(),
        fixes: finding.fixes.iter().map(|fix| fix_json(checked, fix)).collect(),
        fingerprint: format!("{unique:016x}"),
    }
}

fn fix_json(checked: &Checked, fix: &Fix) -> FixJson {
    let edits = fix.edits.iter().map(|edit| {
        let (start, end) = positions(&checked.sources, edit.span);
        EditJson { file: checked.path(edit.span.file), start, end, text: edit.text.clone() }
    });
    FixJson { title: fix.title.clone(), safe: fix.safe, edits: edits.collect() }
}

fn positions(sources: &Sources, span: Span) -> (Position, Position) {
    let position = |offset: u32| {
        let (line, column) = sources.position(span.file, offset);
        Position { line, column, offset }
    };
    (position(span.start), position(span.end))
}

/// The enclosing lines of a finding are looked for this far above it.
const FAR: usize = 400;

/// What stays the same while lines are added elsewhere: the rule, the file, the quoted text and the lines that enclose
/// it by their indentation (a service, a location).
pub fn fingerprint(sources: &Sources, finding: &Finding) -> u64 {
    let span = finding.span;
    let source = sources.get(span.file);
    let mut hash = fnv(START, finding.rule.as_bytes());
    hash = fnv(hash, source.path.as_bytes());
    hash = fnv(hash, sources.quote(span).as_bytes());
    let lines = source.line_starts();
    let (line, _) = sources.position(span.file, span.start);
    let text = |index: usize| {
        let end = lines.get(index + 1).map_or(source.text.len(), |next| *next as usize);
        source.text.get(lines[index] as usize..end).unwrap_or("")
    };
    let indentation = |text: &str| text.len() - text.trim_start().len();
    let mut inner = indentation(text(line - 1));
    for index in (0..line - 1).rev().take(FAR) {
        if inner == 0 {
            break;
        }
        let above = text(index);
        let words = above.trim();
        if words.is_empty() || words.starts_with('#') || indentation(above) >= inner {
            continue;
        }
        inner = indentation(above);
        // A name stands at the front of its line.
        hash = fnv(hash, &words.as_bytes()[..words.len().min(200)]);
    }
    hash
}

const START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a of 64 bits, with a separator at the end. It is written down here because the hash of the standard library may change.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().chain(&[0xFF]).fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{fingerprint, write};
    use crate::Picture;
    use crate::coverage::{FileCoverage, ListenerCoverage, ProxyCoverage, Read, RouteCoverage, Understood};
    use crate::finding::Findings;
    use crate::report::tests::{span, two_files};
    use crate::source::Sources;

    #[test]
    fn the_document_is_as_promised() {
        let mut checked = two_files();
        let place = checked.outcome.findings[0].span;
        checked.outcome.picture = Picture::Described(Understood {
            proxies: vec![ProxyCoverage {
                name: "nginx in service `web`".to_owned(),
                version: None,
                place,
                runs: true,
                complete: true,
            }],
            routes: vec![RouteCoverage {
                proxy: 0,
                matches: "/".to_owned(),
                place,
                target: "http://api:3000".to_owned(),
                outcome: "refused",
                why: None,
                listener: None,
                site: None,
            }],
            listeners: vec![ListenerCoverage {
                machine: "service `api`".to_owned(),
                address: "*:8000".to_owned(),
                protocol: Some("HTTP".to_owned()),
                evidence: "`serve` is told to".to_owned(),
                place,
            }],
            ..Understood::default()
        });
        let unread = Read::No("a Jinja template".to_owned());
        checked.outcome.files.push(FileCoverage { path: "site.conf.j2".to_owned(), format: "nginx", read: unread });
        let mut bytes = Vec::new();
        write(&mut bytes, &[checked]).expect("memory takes everything");
        let mut document: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        let hash = document["findings"][0]["fingerprint"].take();
        assert_eq!(hash.as_str().map(str::len), Some(16));
        let expected = json!({
            "version": 1,
            "findings": [{
                "rule": "target/port-mismatch",
                "level": "error",
                "message": "`api` does not listen on port 3000",
                "label": "the proxy connects here",
                "file": "deploy/web.conf",
                "start": { "line": 2, "column": 21, "offset": 33 },
                "end": { "line": 2, "column": 29, "offset": 41 },
                "notes": [{
                    "file": "deploy/compose.yaml",
                    "start": { "line": 4, "column": 21, "offset": 50 },
                    "end": { "line": 4, "column": 25, "offset": 54 },
                    "message": "`api` listens on 8000",
                }],
                "help": "use `api:8000`",
                "fixes": [{
                    "title": "use port 8000",
                    "safe": true,
                    "edits": [{
                        "file": "deploy/web.conf",
                        "start": { "line": 2, "column": 25, "offset": 37 },
                        "end": { "line": 2, "column": 29, "offset": 41 },
                        "text": "8000",
                    }],
                }],
                "fingerprint": null,
            }],
            "routes": [{
                "proxy": "nginx in service `web`", "match": "/", "file": "deploy/web.conf", "line": 2, "column": 21,
                "target": "http://api:3000", "outcome": "refused",
            }],
            "listeners": [{
                "machine": "service `api`", "address": "*:8000", "protocol": "HTTP", "evidence": "`serve` is told to",
                "file": "deploy/web.conf", "line": 2, "column": 21,
            }],
            "files": [{
                "path": "deploy/site.conf.j2", "format": "nginx", "read": "no", "reason": "a Jinja template",
            }],
            "summary": { "errors": 1, "warnings": 0, "advice": 0, "files": 1, "routes": 1, "undecided": 0 },
        });
        assert_eq!(document, expected);
    }

    /// The fingerprint of a finding at the first `BAD` of a text.
    fn print(text: &str) -> u64 {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", text);
        let mut findings = Findings::of("target/port-mismatch");
        findings.error(span(&sources, file, "BAD"), "bad");
        fingerprint(&sources, &findings.into_vec()[0])
    }

    #[test]
    fn a_fingerprint_outlives_edits_elsewhere() {
        let before = print("services:\n  api:\n    port: BAD\n");
        assert_eq!(
            before,
            print("# new\n\nservices:\n  web:\n    port: 1\n  api:\n    image: x\n    port: BAD # why\n")
        );
        assert_ne!(before, print("services:\n  web:\n    port: BAD\n"));
    }

    #[test]
    fn equal_findings_have_different_fingerprints() {
        let mut checked = two_files();
        let mut again = checked.outcome.findings[0].clone();
        again.message = "the same place again".to_owned();
        checked.outcome.findings.push(again);
        let mut bytes = Vec::new();
        write(&mut bytes, &[checked]).expect("memory takes everything");
        let document: Value = serde_json::from_slice(&bytes).expect("it is JSON");
        assert_ne!(document["findings"][0]["fingerprint"], document["findings"][1]["fingerprint"]);
    }
}
