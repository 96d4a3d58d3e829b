//! Compares what is read from compose files with what `docker compose config` 2.40 made of the same files. They are no
//! part of the repository: where they are missing, the tests say so and pass.

use std::collections::BTreeMap;
use std::fs::{read, read_dir, read_to_string};
use std::path::{Path, PathBuf};

use no502::read::compose::model::{
    CommandForm, Condition, HealthTest, Healthcheck, Mount, MountKind, NetworkMode, Port, Project, Published, Service,
};
use no502::read::compose::project;
use no502::source::{Entry, FileId, FileState, Lookup, Sources, Span, Text};
use no502::syntax::compose_values::interpolation::interpolate;
use no502::syntax::compose_values::ports::{Protocol, ShortPort, short_port};
use no502::syntax::compose_values::volumes::{Source, short_volume};
use no502::syntax::compose_values::words::words;
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

#[test]
fn projects_are_resolved_as_compose_resolves_them() {
    let Some(corpus) = shared("corpus") else { return };
    let sources = whole_corpus(&corpus);
    let table = read_to_string(corpus.join("_oracle/compose.tsv")).expect("the table of verdicts");
    let (mut accepted, mut compared, mut refused_too, mut refused) = (0, 0, 0, 0);
    let mut differences = Vec::new();
    for row in table.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [path, _, template, verdict, ..] = columns[..] else { continue };
        let Some(Entry::File(FileState::Read(file))) = sources.entry(path) else {
            continue;
        };
        let project = project(&sources, &[*file]);
        if verdict != "ok" {
            refused += usize::from(template.is_empty());
            refused_too += usize::from(!project.problems.is_empty() && template.is_empty());
            continue;
        }
        accepted += 1;
        for problem in &project.problems {
            differences.push(format!("{path}: problem {:?} at {:?}", problem.message, sources.quote(problem.span)));
        }
        let config = corpus.join("_oracle/compose_config").join(format!("{path}.config.json"));
        let Ok(config) = read_to_string(config) else { continue };
        let config: Value = serde_json::from_str(&config.replace("$$", "$")).expect("a resolved model");
        compared += 1;
        differences.extend(config_differences(&project, &config).into_iter().map(|what| format!("{path}: {what}")));
    }
    println!(
        "{accepted} accepted files, {compared} models compared; of {refused} refused files {refused_too} have a problem here"
    );
    assert!(compared > 400, "only {compared} models were there");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn odd_files_that_compose_takes_are_no_problem() {
    let Some(corpus) = shared("corpus") else { return };
    let folder = corpus.join("_synthetic/compose");
    let rows = read_to_string(folder.join("misc.tsv")).expect("the table of odd files");
    let mut files: Vec<String> = read_dir(&folder)
        .expect("the folder of odd files")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("misc_"))
        .collect();
    files.sort();
    let mut compared = 0;
    let mut differences = Vec::new();
    for (row, name) in rows.lines().skip(1).zip(&files) {
        let columns: Vec<&str> = row.split('\t').collect();
        let source = read_to_string(folder.join(name)).expect("an odd file");
        let mut sources = Sources::default();
        let file = sources.add("x/compose.yaml", source);
        let project = project(&sources, &[file]);
        if columns[1] != "ok" {
            continue;
        }
        compared += 1;
        differences.extend(project.problems.iter().map(|problem| format!("{name}: {}", problem.message)));
        let config = format!("{{\"services\": {}}}", columns[2].replace("$$", "$"));
        let config: Value = serde_json::from_str(&config).expect("the services of an odd file");
        differences.extend(config_differences(&project, &config).into_iter().map(|what| format!("{name}: {what}")));
    }
    println!("{compared} odd files compared");
    assert!(compared > 15, "only {compared} odd files were there");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

fn config_differences(project: &Project, config: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    let empty = serde_json::Map::new();
    let wanted = config["services"].as_object().unwrap_or(&empty);
    for name in wanted.keys() {
        if !project.services.iter().any(|service| service.name.value == *name) {
            differences.push(format!("service {name} is missing"));
        }
    }
    for service in &project.services {
        let Some(wanted) = wanted.get(&service.name.value) else {
            differences.push(format!("there is no service {}", service.name));
            continue;
        };
        let name = project.name.clone().unwrap_or_default();
        for (field, found, wanted) in fields(service, wanted) {
            // The models were recorded under the project name `x`.
            let (shown, wanted_text) = (found.to_string().replace(&name, "x"), wanted.to_string());
            if found != wanted && shown != wanted_text {
                differences.push(format!("{}.{field}: {found}, wanted {wanted}", service.name));
            }
        }
    }
    let names: BTreeMap<String, Value> = project
        .networks
        .iter()
        .filter_map(|network| Some((network.key.value.clone(), Value::from(network.real_name.clone()?))))
        .collect();
    for (key, wanted) in config["networks"].as_object().unwrap_or(&empty) {
        let wanted = wanted["name"].as_str().unwrap_or_default();
        let wanted = match wanted.strip_prefix("x_") {
            Some(rest) => format!("{}_{rest}", project.name.clone().unwrap_or_default()),
            None => wanted.to_owned(),
        };
        if names.get(key) != Some(&Value::from(wanted.as_str())) {
            differences.push(format!("network {key}: {:?}, wanted {wanted}", names.get(key)));
        }
    }
    differences
}

/// Each compared field as it is read and as it is wanted, both in the same form.
fn fields(service: &Service, wanted: &Value) -> Vec<(&'static str, Value, Value)> {
    let text = |text: &Option<Text>| text.as_ref().map_or(Value::Null, |text| Value::from(text.as_str()));
    let texts = |texts: &[Text]| texts.iter().map(Text::as_str).collect::<Value>();
    let list = |key: &str| wanted.get(key).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    let map =
        |key: &str| wanted.get(key).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| serde_json::json!({}));
    let environment: Value = service
        .environment
        .iter()
        .map(|(name, value)| {
            (name.value.clone(), value.as_ref().map_or(Value::Null, |value| Value::from(value.as_str())))
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let labels: Value = service
        .labels
        .iter()
        .map(|(name, value)| (name.value.clone(), Value::from(value.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let expose: Value = service.expose.iter().map(|expose| expose.text.as_str()).collect();
    let hosts: Value = service.extra_hosts.iter().map(|(name, address)| format!("{name}={address}")).collect();
    let links = |links: &[no502::read::compose::model::Link]| {
        let shown = links.iter().map(|link| match link.alias.as_str() == link.target.as_str() {
            true => link.target.to_string(),
            false => format!("{}:{}", link.target, link.alias),
        });
        shown.collect::<Value>()
    };
    let mode = service.network_mode.as_ref().map(|mode| match &mode.value {
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Bridge => "bridge".to_owned(),
        NetworkMode::Service(name) => format!("service:{name}"),
        NetworkMode::Container(name) => format!("container:{name}"),
        NetworkMode::Other(name) => name.clone(),
    });
    let ports: Value = service.ports.iter().map(shown_port).collect();
    vec![
        ("image", text(&service.image), wanted["image"].clone()),
        ("command", shown_command(&service.command), wanted["command"].clone()),
        ("entrypoint", shown_command(&service.entrypoint), wanted["entrypoint"].clone()),
        ("environment", environment, map("environment")),
        ("ports", ports, list("ports").as_array().into_iter().flatten().map(wanted_port).collect()),
        ("expose", expose, list("expose")),
        ("volumes", service.mounts.iter().filter_map(shown_mount).collect(), wanted_mounts(wanted)),
        ("networks", shown_networks(service), wanted_networks(wanted)),
        ("network_mode", Value::from(mode), wanted["network_mode"].clone()),
        ("depends_on", shown_dependencies(service), wanted_dependencies(service, wanted)),
        ("extra_hosts", hosts, list("extra_hosts")),
        ("healthcheck", shown_healthcheck(&service.healthcheck), wanted_healthcheck(wanted)),
        ("restart", text(&service.restart), wanted["restart"].clone()),
        ("profiles", texts(&service.profiles), list("profiles")),
        ("links", links(&service.links), list("links")),
        ("external_links", links(&service.external_links), list("external_links")),
        ("container_name", text(&service.container_name), wanted["container_name"].clone()),
        ("hostname", text(&service.hostname), wanted["hostname"].clone()),
        ("user", text(&service.user), wanted["user"].clone()),
        ("working_dir", text(&service.working_dir), wanted["working_dir"].clone()),
        ("labels", labels, map("labels")),
        ("configs", shown_files(&service.configs), wanted_files(wanted, "configs")),
        ("secrets", shown_files(&service.secrets), wanted_files(wanted, "secrets")),
        ("build", shown_build(service), wanted_build(wanted)),
    ]
}

fn shown_command(command: &Option<CommandForm>) -> Value {
    match command {
        None => Value::Null,
        Some(CommandForm::List(words)) => words.iter().map(Text::as_str).collect(),
        Some(CommandForm::Shell(text)) => {
            words(text).map_or(Value::Null, |words| words.iter().map(Text::as_str).collect())
        }
    }
}

fn shown_port(port: &Port) -> Value {
    let published = match port.published {
        Published::Random | Published::Unknown => String::new(),
        Published::One(port) => port.to_string(),
        Published::Range(first, last) => format!("{first}-{last}"),
    };
    let protocol = format!("{:?}", port.protocol).to_lowercase();
    let host = port.host_ip.as_ref().map_or("", Text::as_str);
    Value::from(format!("{host}:{published}:{}/{protocol}", port.target.map_or(0, |target| target.value)))
}

fn wanted_port(port: &Value) -> Value {
    let text = |key: &str| port[key].as_str().unwrap_or_default().to_owned();
    let published = if text("published") == "0" { String::new() } else { text("published") };
    Value::from(format!("{}:{published}:{}/{}", text("host_ip"), port["target"], text("protocol")))
}

fn shown_mount(mount: &Mount) -> Option<Value> {
    let (kind, source) = match &mount.kind {
        MountKind::Bind(path) => ("bind", path.text.as_str()),
        MountKind::Volume { name, .. } => ("volume", name.value.as_str()),
        MountKind::Anonymous => ("volume", ""),
        MountKind::Tmpfs => ("tmpfs", ""),
        MountKind::Other => return None,
    };
    Some(Value::from(format!("{kind} {source} {} {}", mount.target, mount.read_only)))
}

fn wanted_mounts(wanted: &Value) -> Value {
    let volumes = wanted["volumes"].as_array().into_iter().flatten();
    let volumes =
        volumes.filter(|volume| ["bind", "volume", "tmpfs"].contains(&volume["type"].as_str().unwrap_or_default()));
    let volumes = volumes.map(|volume| {
        let text = |key: &str| volume[key].as_str().unwrap_or_default();
        Value::from(format!("{} {} {} {}", text("type"), text("source"), text("target"), volume["read_only"] == true))
    });
    let tmpfs = wanted["tmpfs"].as_array().into_iter().flatten();
    let tmpfs = tmpfs.map(|path| {
        let path = path.as_str().unwrap_or_default();
        Value::from(format!("tmpfs  {} false", path.split(':').next().unwrap_or_default()))
    });
    volumes.chain(tmpfs).collect()
}

fn shown_networks(service: &Service) -> Value {
    let shown = service.networks.iter().flatten().map(|attachment| {
        let aliases: Vec<&str> = attachment.aliases.iter().map(Text::as_str).collect();
        let mut addresses = attachment.addresses.iter().map(Text::as_str);
        let ipv4 = addresses.find(|address| !address.contains(':')).unwrap_or("");
        format!("{} {aliases:?} {ipv4}", attachment.network)
    });
    let mut shown: Vec<String> = shown.collect();
    if shown.is_empty() && service.network_mode.is_none() && !service.is_provider {
        shown.push("default [] ".to_owned());
    }
    shown.sort();
    Value::from(shown)
}

fn wanted_networks(wanted: &Value) -> Value {
    let shown = wanted["networks"].as_object().into_iter().flatten().map(|(name, network)| {
        let aliases = network["aliases"].as_array().into_iter().flatten();
        let aliases: Vec<&str> = aliases.filter_map(Value::as_str).collect();
        format!("{name} {aliases:?} {}", network["ipv4_address"].as_str().unwrap_or_default())
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    Value::from(shown)
}

fn shown_dependencies(service: &Service) -> Value {
    let shown = service.depends_on.iter().map(|dependency| {
        let condition = match dependency.condition {
            Condition::Started => "service_started",
            Condition::Healthy => "service_healthy",
            Condition::CompletedSuccessfully => "service_completed_successfully",
            Condition::Other => "other",
        };
        (dependency.service.value.clone(), Value::from(format!("{condition} {}", dependency.required)))
    });
    shown.collect::<serde_json::Map<_, _>>().into()
}

/// Compose adds those that follow from links, shared networks and `volumes_from`.
fn wanted_dependencies(service: &Service, wanted: &Value) -> Value {
    let written = |name: &str| service.depends_on.iter().any(|dependency| dependency.service.value == name);
    let shown = wanted["depends_on"].as_object().into_iter().flatten();
    let follows = |name: &str| service.volumes_from.iter().any(|other| other == name);
    let shown = shown.filter(|(name, dependency)| written(name) || dependency["restart"] != true && !follows(name));
    let shown = shown.map(|(name, dependency)| {
        let condition = dependency["condition"].as_str().unwrap_or_default();
        (name.clone(), Value::from(format!("{condition} {}", dependency["required"])))
    });
    shown.collect::<serde_json::Map<_, _>>().into()
}

fn shown_healthcheck(healthcheck: &Option<Box<Healthcheck>>) -> Value {
    let Some(healthcheck) = healthcheck else { return Value::Null };
    let mut shown = serde_json::Map::new();
    match &healthcheck.test {
        Some(HealthTest::Shell(text)) => {
            shown.insert("test".to_owned(), serde_json::json!(["CMD-SHELL", text.as_str()]));
        }
        Some(HealthTest::Exec(words)) => {
            let words = std::iter::once("CMD").chain(words.iter().map(Text::as_str));
            shown.insert("test".to_owned(), words.collect());
        }
        Some(HealthTest::None) => {
            shown.insert("test".to_owned(), serde_json::json!(["NONE"]));
        }
        None => {}
    }
    if healthcheck.disable && !matches!(healthcheck.test, Some(HealthTest::None)) {
        shown.insert("disable".to_owned(), Value::from(true));
    }
    if let Some(retries) = healthcheck.retries {
        shown.insert("retries".to_owned(), Value::from(retries.value));
    }
    for (key, time) in [
        ("interval", healthcheck.interval),
        ("timeout", healthcheck.timeout),
        ("start_period", healthcheck.start_period),
        ("start_interval", healthcheck.start_interval),
    ] {
        if let Some(time) = time {
            shown.insert(key.to_owned(), Value::from((time.value * 1e9).round()));
        }
    }
    shown.into()
}

fn wanted_healthcheck(wanted: &Value) -> Value {
    let Some(healthcheck) = wanted.get("healthcheck").and_then(Value::as_object) else { return Value::Null };
    let shown = healthcheck.iter().map(|(key, value)| match key.as_str() {
        "test" | "retries" | "disable" => (key.clone(), value.clone()),
        _ => (key.clone(), seconds(value.as_str().unwrap_or_default())),
    });
    shown.collect::<serde_json::Map<_, _>>().into()
}

fn shown_files(mounts: &[no502::read::compose::model::FileMount]) -> Value {
    mounts.iter().map(|mount| format!("{} {}", mount.source, mount.target)).collect()
}

fn wanted_files(wanted: &Value, section: &str) -> Value {
    let folder = if section == "configs" { "" } else { "/run/secrets" };
    let mounts = wanted[section].as_array().into_iter().flatten().map(|mount| {
        let source = mount["source"].as_str().unwrap_or_default();
        let target = mount["target"].as_str().unwrap_or(source);
        match target.starts_with('/') {
            true => format!("{source} {target}"),
            false => format!("{source} {folder}/{target}"),
        }
    });
    mounts.collect()
}

fn shown_build(service: &Service) -> Value {
    use no502::read::compose::model::Dockerfile;
    let Some(build) = &service.build else { return Value::Null };
    let (dockerfile, inline) = match &build.dockerfile {
        Dockerfile::Path(path) if path.text.as_str().is_empty() => (Value::Null, Value::Null),
        Dockerfile::Path(path) => (Value::from(path.text.as_str()), Value::Null),
        Dockerfile::Inline(text) => (Value::Null, Value::from(text.as_str())),
    };
    let args = build.args.iter().map(|(name, value)| {
        (name.value.clone(), value.as_ref().map_or(Value::Null, |value| Value::from(value.as_str())))
    });
    serde_json::json!({
        "context": build.context.text.as_str(),
        "dockerfile": dockerfile,
        "inline": inline,
        "target": build.target.as_ref().map(Text::as_str),
        "args": args.collect::<serde_json::Map<_, _>>(),
    })
}

fn wanted_build(wanted: &Value) -> Value {
    let Some(build) = wanted.get("build").filter(|build| !build.is_null()) else { return Value::Null };
    serde_json::json!({
        "context": build["context"],
        "dockerfile": build["dockerfile"],
        "inline": build["dockerfile_inline"],
        "target": build["target"],
        "args": build.get("args").cloned().unwrap_or_else(|| serde_json::json!({})),
    })
}

/// Every YAML and `.env` file of the corpus, and the names of the others.
fn whole_corpus(corpus: &Path) -> Sources {
    let mut sources = Sources::default();
    let mut folders = vec![corpus.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in read_dir(&folder).expect("a folder of the corpus").flatten() {
            let path = entry.path();
            let relative = path.strip_prefix(corpus).unwrap_or(&path).to_string_lossy().into_owned();
            if relative == "_oracle" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if [".yml", ".yaml", ".env"].iter().any(|part| relative.contains(part)) {
                let bytes = read(&path).unwrap_or_default();
                sources.add(&relative, String::from_utf8_lossy(&bytes).into_owned());
            } else {
                sources.add_entry(&relative, Entry::File(FileState::NotRead));
            }
        }
    }
    sources
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
