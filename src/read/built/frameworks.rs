//! Programs whose framework decides where they listen, by settings and variables: archives of Java, Rocket, the servers
//! that JavaScript frameworks build.

use crate::read::app::tokens::Language;
use crate::read::built::{places, source};
use crate::read::catalogue;
use crate::read::catalogue::program::Program;
use crate::read::container::Container;
use crate::read::image::files::{join, parent};
use crate::read::machine_files::MachineFiles;
use crate::read::process::Process;
use crate::read::process::listening::listening;
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::Listening;
use crate::source::Lookup;

/// What an archive is built on: the entry of the catalogue, and what of it the build file names.
const FRAMEWORKS: &[(&str, &[&str])] = &[
    (
        "<spring-boot>",
        &[
            "spring-boot-starter-web",
            "spring-boot-starter-jersey",
            "spring-boot-starter-thymeleaf",
            "spring-cloud-starter-gateway",
        ],
    ),
    ("<micronaut>", &["io.micronaut"]),
    ("<quarkus>", &["io.quarkus"]),
];

/// `java -jar app.jar` of a project that is built on a framework with a web server: its settings lie in the archive.
pub fn archive(container: &Container<'_>, process: &Process) -> Option<Listening> {
    let named = process.arguments.iter().find(|word| word.as_str().ends_with(".jar")).map(|word| word.text.clone());
    let archive =
        named.or_else(|| match container.with_surroundings(|machine| process.variable("JAVA_APP_JAR", machine)) {
            Lookup::Value(path) => Some(path),
            Lookup::Unset | Lookup::Unknown => None,
        })?;
    for place in places(container, &join(&process.directory, archive.as_str())) {
        let built =
            ["/target/", "/build/libs/", "/build/quarkus-app/"].iter().find_map(|folder| place.path.find(folder));
        let Some(module) = built.map(|at| &place.path[..at]) else { continue };
        let builds = ["pom.xml", "build.gradle", "build.gradle.kts"];
        let build = builds.iter().find_map(|name| match place.files.find(&join(module, name)) {
            Found::File(text) => Some(text),
            _ => None,
        });
        let Some(build) = build else { continue };
        let uses = |signs: &[&str]| signs.iter().any(|sign| build.as_str().contains(sign));
        let Some((name, _)) = FRAMEWORKS.iter().find(|(_, signs)| uses(signs)) else { continue };
        let program = catalogue::framework(name)?;
        let resources = join(module, "src/main/resources");
        let profile = profile(container, process, &place.files, &resources)?;
        let in_archive = |path: &str| {
            let (folder, name) = parent(path);
            let found = container.files.find(path);
            if matches!(found, Found::File(_)) || !name.starts_with("application") {
                return found;
            }
            // The settings of a profile are stronger than the others, as those of a folder `config` are.
            let name = match &profile {
                _ if folder == process.directory => name.to_owned(),
                Some(profile) if parent(folder).1 == "config" => {
                    name.replacen("application", &format!("application-{profile}"), 1)
                }
                _ => return Found::Absent,
            };
            // What the base of that stage may hold is no part of the project.
            let is_there = place.files.list(&resources).names.contains(&name);
            if is_there { place.files.find(&join(&resources, &name)) } else { Found::Absent }
        };
        let process = Process { program: Some(program), ..process.clone() };
        let found =
            container.with_surroundings(|machine| listening(&process, &Surroundings { file: &in_archive, ..*machine }));
        return Some(found);
    }
    None
}

/// A program on Rocket has no call that names an address: Rocket.toml and variables do.
pub fn rocket(container: &Container<'_>, process: &Process) -> Option<Listening> {
    let source = source(container, process).filter(|source| source.language == Language::Rust)?;
    let code = source.text.as_str();
    let name = ["rocket::ignite()", "rocket::build()"].into_iter().find(|call| code.contains(call))?;
    if ["figment", "Config", "custom("].iter().any(|sign| code.contains(sign)) {
        return None;
    }
    let program = catalogue::framework(&format!("<{name}>"))?;
    let process = Process { program: Some(program), ..process.clone() };
    Some(container.with_surroundings(|machine| listening(&process, machine)))
}

/// Where the builds of frameworks put the file that starts their server, what of it package.json names, and the entry
/// of the catalogue.
const BUNDLES: &[(&str, &[&str], &str)] = &[
    ("/.next/standalone/", &["\"next\""], "<next-standalone>"),
    ("/.output/server/index.mjs", &["\"nuxt\"", "\"nitropack\"", "\"nitro\"", "\"vinxi\""], "<nitro>"),
    ("/dist/server/entry.mjs", &["\"@astrojs/node\""], "<astro-standalone>"),
    ("/build", &["\"@sveltejs/adapter-node\""], "<sveltekit>"),
];

/// `node server.js` of a server that a framework builds: it is told by variables where to listen.
pub fn bundle(container: &Container<'_>, process: &Process) -> Option<Listening> {
    let entry = process.entry.as_ref().filter(|entry| entry.language == "js")?;
    if matches!(container.files.find(&entry.path), Found::File(_)) {
        return None;
    }
    for place in places(container, &entry.path) {
        let found = BUNDLES.iter().find_map(|bundle| Some((place.path.find(bundle.0)?, bundle)));
        let Some((at, (_, packages, name))) = found else { continue };
        let Found::File(package) = place.files.find(&join(&place.path[..at], "package.json")) else { continue };
        let package = package.as_str();
        if !packages.iter().any(|wanted| package.contains(wanted)) {
            continue;
        }
        // Before version 14, Next.js did not always bind what HOSTNAME says.
        if *name == "<next-standalone>" && major_version(package, "\"next\"").is_none_or(|version| version < 14) {
            return None;
        }
        let program = catalogue::framework(name)?;
        // What the project's settings say becomes a part of the server when it is built.
        let mut settings = program.config.iter().flat_map(|config| &config.paths).filter_map(|path| {
            match place.files.find(&join(&place.path[..at], path)) {
                Found::File(text) => Some(text),
                _ => None,
            }
        });
        if settings.any(|text| moves(program, text.as_str())) {
            return None;
        }
        let process = Process { program: Some(program), entry: None, ..process.clone() };
        return Some(container.with_surroundings(|machine| listening(&process, machine)));
    }
    None
}

/// The profile that is active; `None`: there are files for profiles, and which of them counts is not known.
fn profile(
    container: &Container<'_>,
    process: &Process,
    files: &MachineFiles<'_>,
    resources: &str,
) -> Option<Option<String>> {
    let names = files.list(resources).names;
    if !names.iter().any(|name| name.starts_with("application-")) {
        return Some(None);
    }
    let flags = ["--spring.profiles.active=", "-Dspring.profiles.active="];
    let mut given = process.arguments.iter().filter_map(|word| {
        let flag = flags.iter().find(|flag| word.as_str().starts_with(**flag))?;
        Some(word.as_str()[flag.len()..].to_owned())
    });
    let variable = || match container.with_surroundings(|machine| process.variable("SPRING_PROFILES_ACTIVE", machine)) {
        Lookup::Value(text) => Some(Some(text.to_string())),
        Lookup::Unset => Some(None),
        Lookup::Unknown => None,
    };
    let value = match given.next() {
        Some(value) => Some(value),
        None => variable()?,
    };
    match value {
        Some(value) if value.contains(',') => None,
        Some(value) => Some(Some(value)),
        // The settings themselves may name one.
        None => {
            let settings =
                names.iter().filter(|name| name.starts_with("application.") || name.starts_with("bootstrap."));
            let may_name = |name: &String| match files.find(&join(resources, name)) {
                Found::File(text) => ["active", "on-profile", "include"].iter().any(|key| text.as_str().contains(key)),
                _ => true,
            };
            (!settings.into_iter().any(may_name)).then_some(None)
        }
    }
}

/// `server: {port: 3000}`: the settings name a section that says where the program listens.
fn moves(program: &Program, settings: &str) -> bool {
    let keys = program.movers.iter().filter_map(|mover| mover.key.as_deref()).flat_map(|keys| keys.split(' '));
    let mut sections = keys.filter_map(|key| key.split('.').next());
    sections.any(|section| settings.contains(&format!("{section}:")))
}

/// The first number of a version in package.json: 14 of `"next": "^14.2.3"`.
fn major_version(package: &str, name: &str) -> Option<u32> {
    let (_, behind) = package.split_once(name)?;
    let version = behind.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let (version, _) = version.split_once('"')?;
    if version == "latest" {
        return Some(u32::MAX);
    }
    let digits = version.trim_start_matches(['^', '~', '=', '>', 'v', ' ']);
    digits[..digits.find(|it: char| !it.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
}
