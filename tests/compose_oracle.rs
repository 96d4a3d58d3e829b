//! Compares what is read from compose files with what `docker compose config` 2.40 made of the same files. They are no
//! part of the repository: where they are missing, the tests say so and pass.

use std::fs::{read, read_to_string};
use std::path::{Path, PathBuf};

use no502::source::{FileId, Lookup, Sources, Span, Text};
use no502::syntax::compose_values::interpolation::interpolate;
use no502::syntax::compose_values::ports::{Protocol, ShortPort, short_port};
use no502::syntax::compose_values::volumes::{Source, short_volume};
use no502::syntax::compose_values::{duration, extra_host};
use no502::syntax::yaml::{self, NodeRef};
use serde_json::Value;

#[test]
fn yaml_values_are_those_of_another_reader() {
    let Some(corpus) = shared("corpus") else { return };
    let mut compared = 0;
    let mut differences = Vec::new();
    for path in compose_files(&corpus) {
        let Ok(bytes) = read(corpus.join(&path)) else { continue };
        let source = String::from_utf8_lossy(&bytes).into_owned();
        let wanted: Result<serde_yaml::Value, _> = serde_yaml::from_str(&source);
        let (_, text) = snapshot(&path, &source);
        let document = yaml::parse(&text);
        match (wanted, document.root()) {
            (Ok(mut wanted), Some(root)) => {
                compared += 1;
                // A merged mapping may bring a `<<` of its own.
                let merged = (0..5).all(|_| wanted.apply_merge().is_ok());
                if merged && !equal(root, &wanted) {
                    differences.push(format!("{path}: another value"));
                }
            }
            (Ok(wanted), None) if !wanted.is_null() => differences.push(format!("{path}: nothing was read")),
            (Err(error), _) if document.problems().is_empty() => {
                differences.push(format!("{path}: accepted, but {error}"))
            }
            _ => {}
        }
    }
    println!("{compared} files compared");
    assert!(compared > 300, "only {compared} files were there");
    assert!(differences.is_empty(), "{} files differ:\n{}", differences.len(), differences.join("\n"));
}

fn equal(node: NodeRef<'_>, wanted: &serde_yaml::Value) -> bool {
    match wanted {
        serde_yaml::Value::Null => node.is_null(),
        serde_yaml::Value::Bool(wanted) => node.as_bool() == Some(*wanted),
        serde_yaml::Value::Number(_) => node.is_plain(),
        serde_yaml::Value::String(wanted) => {
            node.as_str() == Some(wanted) && node.text().is_some_and(|text| text.as_str() == wanted)
        }
        serde_yaml::Value::Sequence(wanted) => {
            node.items().count() == wanted.len() && node.items().zip(wanted).all(|(node, wanted)| equal(node, wanted))
        }
        serde_yaml::Value::Mapping(wanted) => {
            let same = |key: &serde_yaml::Value, wanted: &serde_yaml::Value| {
                let key = key.as_str().map_or_else(|| serde_yaml::to_string(key).unwrap_or_default(), str::to_owned);
                node.get(key.trim_end()).is_some_and(|node| equal(node, wanted))
            };
            node.entries().count() == wanted.len() && wanted.iter().all(|(key, wanted)| same(key, wanted))
        }
        serde_yaml::Value::Tagged(wanted) => node.tag().is_some() && equal(node, &wanted.value),
    }
}

#[test]
fn short_values_are_read_as_compose_reads_them() {
    let Some(corpus) = shared("corpus") else { return };
    let folder = corpus.join("_synthetic/compose");
    let mut differences = Vec::new();
    let mut compared = 0;
    for (table, read) in [
        ("ports", shown_ports as fn(&Text) -> Option<Value>),
        ("volumes", shown_volume),
        ("extra_hosts", shown_host),
        ("duration_healthcheck_interval", shown_duration),
        ("duration_stop_grace_period", shown_duration),
        ("interpolation", |text| Some(Value::from(text.as_str()))),
    ] {
        let rows = read_to_string(folder.join(format!("{table}.tsv"))).expect("a table of values");
        for row in rows.lines().skip(1) {
            let columns: Vec<&str> = row.split('\t').collect();
            let [written, verdict, wanted, error, ..] = columns[..] else { continue };
            let (_, text) = snapshot("value", written);
            let document = yaml::parse(&text);
            let Some(value) = document.root().filter(|root| root.is_scalar()) else { continue };
            // The schema refuses these by their type, or the project because of another part of it.
            if error.starts_with("validating") || error.contains("refers to undefined") || error.contains("float64") {
                continue;
            }
            compared += 1;
            let read = value.text().and_then(|text| {
                let result = interpolate(&text, &variables);
                let stopped = result.missing.iter().any(|missing| missing.required.is_some());
                if stopped || !result.problems.is_empty() { None } else { read(&result.text) }
            });
            let wanted = (verdict == "ok").then(|| normalised(table, wanted));
            if read != wanted {
                differences.push(format!("{table} {written}: {read:?}, wanted {wanted:?}"));
            }
        }
    }
    println!("{compared} values compared");
    assert!(compared > 150, "only {compared} values were there");
    assert!(differences.is_empty(), "{} values differ:\n{}", differences.len(), differences.join("\n"));
}

/// The variables that were set when the tables were recorded.
fn variables(name: &str) -> Lookup {
    let anywhere = Span { file: FileId(0), start: 0, end: 0 };
    match name {
        "SET" => Lookup::Value(Text::fixed("val", anywhere)),
        "EMPTY" => Lookup::Value(Text::fixed("", anywhere)),
        "PORT" => Lookup::Value(Text::fixed("8080", anywhere)),
        "PAIR" => Lookup::Value(Text::fixed("8080:80", anywhere)),
        _ => Lookup::Unset,
    }
}

fn normalised(table: &str, wanted: &str) -> Value {
    let wanted: Value = serde_json::from_str(wanted).expect("a normalised value");
    match table {
        "interpolation" => Value::from(wanted["K"].as_str().unwrap_or_default().replace("$$", "$")),
        "extra_hosts" => wanted[0].clone(),
        "duration_stop_grace_period" => seconds(wanted.as_str().unwrap_or_default()),
        "duration_healthcheck_interval" => seconds(wanted["interval"].as_str().unwrap_or_default()),
        "volumes" => {
            let mount = &wanted[0];
            serde_json::json!({"type": mount["type"], "source": mount["source"], "target": mount["target"],
                "read_only": mount["read_only"] == true})
        }
        _ => wanted,
    }
}

/// The normal form is a duration itself.
fn seconds(duration_text: &str) -> Value {
    let (_, text) = snapshot("value", duration_text);
    shown_duration(&text).expect("a duration")
}

fn shown_duration(text: &Text) -> Option<Value> {
    duration(text).ok().map(|seconds| Value::from((seconds * 1e9).round()))
}

fn shown_host(text: &Text) -> Option<Value> {
    extra_host(text).ok().map(|(name, address)| Value::from(format!("{name}={address}")))
}

fn shown_volume(text: &Text) -> Option<Value> {
    let volume = short_volume(text).ok()?;
    let (kind, source) = match &volume.source {
        Source::Bind(path) => ("bind", Value::from(path.as_str())),
        Source::Volume(name) => ("volume", Value::from(name.as_str())),
        Source::Anonymous => ("volume", Value::Null),
    };
    Some(
        serde_json::json!({"type": kind, "source": source, "target": volume.target.as_str(), "read_only": volume.read_only}),
    )
}

fn shown_ports(text: &Text) -> Option<Value> {
    let ShortPort { host_ip, published, target, protocol } = short_port(text).ok()?;
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    let single = target.value.len() == 1;
    let ports = target.value.clone().map(|port| {
        let mut shown = serde_json::json!({"mode": "ingress", "protocol": protocol, "target": port});
        if let Some(host_ip) = &host_ip {
            shown["host_ip"] = Value::from(host_ip.as_str());
        }
        if let Some(published) = &published {
            let (first, last) = (*published.value.start(), *published.value.end());
            shown["published"] = match single && first != last {
                true => Value::from(format!("{first}-{last}")),
                false => Value::from((first + (port - target.value.start())).to_string()),
            };
        }
        shown
    });
    Some(ports.collect())
}

fn snapshot(path: &str, source: &str) -> (Sources, Text) {
    let mut sources = Sources::default();
    let file = sources.add(path, source);
    let text = sources.text(file);
    (sources, text)
}

/// The files that compose was run on.
fn compose_files(corpus: &Path) -> Vec<String> {
    let table = read_to_string(corpus.join("_oracle/compose.tsv")).expect("the table of verdicts");
    table.lines().skip(1).filter_map(|row| row.split('\t').next()).map(str::to_owned).collect()
}

fn shared(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    if !path.is_dir() {
        println!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}
