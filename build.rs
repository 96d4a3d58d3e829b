//! Turns the knowledge of the data files, which people write as YAML, into what a run reads fastest: JSON in constants,
//! with the names of entries sorted, so that nothing has to be parsed or looked through that is not asked for.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde_yaml::Value;

/// Mappings from headings to entries, as `read::catalogue` describes them, and the type of the entries there.
const CATALOGUES: &[(&str, &str)] = &[
    ("src/read/catalogue/images.yaml", "ImageFacts"),
    ("src/read/catalogue/packages.yaml", "Package"),
    ("src/read/catalogue/programs.yaml", "Program"),
    ("src/read/catalogue/systems.yaml", "System"),
    ("src/read/catalogue/trees.yaml", "Tree"),
    ("src/read/catalogue/wrappers.yaml", "Wrapper"),
];

/// Lists that are read whole or not at all.
const LISTS: &[&str] =
    &["src/read/catalogue/slow.yaml", "src/read/host/quiet_units.yaml", "src/read/nginx/modules.yaml"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    for (path, type_of_entry) in CATALOGUES {
        translate(path, |value| entries(value, type_of_entry))?;
    }
    for path in LISTS {
        translate(path, json)?;
    }
    Ok(())
}

/// Writes a Rust expression for a data file: for `images.yaml`, to `images.rs` in Cargo's folder for what is made.
fn translate(path: &str, rust: impl Fn(&Value) -> Result<String, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={path}");
    let value = serde_yaml::from_str(&fs::read_to_string(path)?);
    let rust = value.map_err(Into::into).and_then(|value| rust(&value)).map_err(|error| format!("{path}: {error}"))?;
    let name = Path::new(path).file_name().unwrap_or_default();
    fs::write(Path::new(&env::var("OUT_DIR")?).join(name).with_extension("rs"), rust)?;
    Ok(())
}

/// A Rust literal that holds the value as JSON.
fn json(value: &Value) -> Result<String, Box<dyn Error>> {
    Ok(format!("{:?}", serde_json::to_string(value)?))
}

/// A `read::catalogue::entries::Entries` with the entries of a mapping.
fn entries(value: &Value, type_of_entry: &str) -> Result<String, Box<dyn Error>> {
    let mut entries = String::new();
    // First words of names, each with the number of its entry and of the name in it.
    let (mut plain, mut patterns) = (Vec::new(), Vec::new());
    let mapping = value.as_mapping().ok_or("no mapping")?;
    for (number, (heading, value)) in mapping.iter().enumerate() {
        let heading = heading.as_str().ok_or_else(|| format!("a heading is no text: {heading:?}"))?;
        let names: Vec<&str> = heading.split(',').map(str::trim).collect();
        for (place, name) in names.iter().enumerate() {
            let first = name.split(' ').next().unwrap_or(name);
            let list = if first.contains('*') { &mut patterns } else { &mut plain };
            list.push((first, number, place));
        }
        writeln!(entries, "Entry::new(&{names:?}, {}),", json(value)?)?;
    }
    plain.sort_by_key(|(first, ..)| *first);
    let count = mapping.len();
    Ok(format!(
        "{{ static ENTRIES: [Entry<{type_of_entry}>; {count}] = [\n{entries}];
Entries {{ entries: &ENTRIES, plain: &{plain:?}, patterns: &{patterns:?} }} }}"
    ))
}
