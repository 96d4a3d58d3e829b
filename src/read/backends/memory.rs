//! What the programs of a machine may take of its memory.

use crate::read::app::php_fpm::Pool;
use crate::read::backends::{bytes, number_behind, php};
use crate::read::container::Container;
use crate::read::process::{Process, Start};
use crate::read::surroundings::Surroundings;
use crate::site::backend::{Demand, Memory};
use crate::site::machine::MachineId;
use crate::source::{Lookup, Spanned, Text};

/// Java needs memory beside its heap, for classes, threads and buffers; above this share of the limit, in percent,
/// too little of it is left (docs.oracle.com, "The java Command", `-XX:MaxRAMPercentage`).
const JAVA: u64 = 90;
/// The same for Node.js (nodejs.org/api/cli.html, `--max-old-space-size`).
const NODE: u64 = 95;

/// Variables that hold options of Java or Node.js by convention.
const OPTIONS: &[&str] =
    &["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_OPTS", "CATALINA_OPTS", "NODE_OPTIONS"];

/// The memory of a machine with this limit.
pub fn memory(machine: MachineId, limit: Spanned<u64>, container: &Container<'_>) -> Memory {
    let mut demands = heaps(&texts(container), limit.value);
    container.with_surroundings(|surroundings| {
        demands.extend(container.started.processes.iter().flat_map(|process| pools(process, surroundings)));
    });
    Memory { machine, service: None, limit, demands }
}

/// What one process may take where no more than `limit` bytes are allowed.
pub fn of_process(process: &Process, limit: u64, surroundings: &Surroundings<'_>) -> Vec<Demand> {
    let mut texts: Vec<Text> = process.arguments.iter().map(|argument| argument.text.clone()).collect();
    let is_java_or_node =
        ["java", "catalina.sh", "node"].contains(&process.called.rsplit('/').next().unwrap_or_default());
    if is_java_or_node {
        texts.extend(OPTIONS.iter().filter_map(|name| match process.variable(name, surroundings) {
            Lookup::Value(text) => Some(text),
            Lookup::Unset | Lookup::Unknown => None,
        }));
    }
    let mut demands = heaps(&texts, limit);
    demands.extend(pools(process, surroundings));
    demands
}

/// The limit of a unit: bytes, or with one of the letters K, M, G, T (systemd.resource-control(5), `MemoryMax=`).
pub fn limit(text: &Text) -> Option<Spanned<u64>> {
    let value = text.as_str().trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let bytes = bytes(value[..digits].parse().ok()?, &value[digits..].to_ascii_lowercase())?;
    Some(Spanned::new(bytes, text.whole()))
}

fn heaps(texts: &[Text], limit: u64) -> Vec<Demand> {
    let mut demands = Vec::new();
    let heap = texts.iter().find_map(|text| {
        let (number, unit, range) = number_behind(text.as_str(), "-Xmx")?;
        Some((bytes(number, &unit)?, text.span(range)))
    });
    // Without a size it is a share of the limit, in percent.
    let share = || {
        texts.iter().find_map(|text| {
            let (percent, _, range) = number_behind(text.as_str(), "-XX:MaxRAMPercentage=")?;
            Some((limit / 100 * percent.min(100), text.span(range)))
        })
    };
    let heap = heap.or_else(share);
    if let Some((bytes, place)) = heap {
        demands.push(Demand { bytes, what: "the heap of Java".to_owned(), place, factor: None, share: JAVA });
    }
    let heap = texts.iter().find_map(|text| {
        let (number, _, range) = ["--max-old-space-size=", "--max_old_space_size="]
            .iter()
            .find_map(|name| number_behind(text.as_str(), name))?;
        Some((number.checked_mul(1 << 20)?, text.span(range)))
    });
    if let Some((bytes, place)) = heap {
        demands.push(Demand { bytes, what: "the heap of Node.js".to_owned(), place, factor: None, share: NODE });
    }
    demands
}

/// Texts that may hold options, the strongest first: the start command, then variables.
fn texts(container: &Container<'_>) -> Vec<Text> {
    let mut texts: Vec<Text> = match &container.start {
        Some(Start::Exec(words)) => words.clone(),
        Some(Start::Shell(line)) => vec![line.clone()],
        None => Vec::new(),
    };
    let processes = container.started.processes.iter();
    texts.extend(processes.flat_map(|process| process.arguments.iter().map(|argument| argument.text.clone())));
    texts.extend(container.variables.iter().filter_map(|(_, value)| match value {
        Lookup::Value(text) => Some(text.clone()),
        Lookup::Unset | Lookup::Unknown => None,
    }));
    texts
}

/// Every pool whose number of processes and whose memory for each of them are written.
fn pools(process: &Process, surroundings: &Surroundings<'_>) -> Vec<Demand> {
    let Some((pools, settings)) = php::read(process, surroundings) else { return Vec::new() };
    pools.pools.iter().filter_map(|pool| demand(pool, &settings)).collect()
}

fn demand(pool: &Pool, settings: &php::Settings) -> Option<Demand> {
    let children = pool.get("pm.max_children")?;
    let count: u64 = children.as_str().trim().parse().ok()?;
    let each = settings.get(pool, "memory_limit")?;
    let text = each.as_str().trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let size = bytes(text[..digits].parse().ok()?, &text[digits..].to_ascii_lowercase())?;
    Some(Demand {
        bytes: count.checked_mul(size)?,
        what: format!("{count} processes of pool `{}` with {text} each", pool.name),
        place: children.whole(),
        factor: Some((each.whole(), format!("each of them may take {text}"))),
        share: 100,
    })
}
