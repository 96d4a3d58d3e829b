//! Compose files become projects, as docker compose 2.40 resolves them: which files belong together, what they merge
//! to, and what every service is told.

mod check;
mod environment;
mod find;
mod latest;
mod load;
mod merge;
pub mod model;
mod ports;
mod reader;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::HashSet;

use crate::read::compose::check::Dangling;
use crate::read::compose::environment::Environment;
use crate::read::compose::find::{Certainty, Group};
use crate::read::compose::load::{Documents, Loader, Named, Services, parent};
use crate::read::compose::model::{CommandForm, Project, Service};
use crate::read::compose::reader::Reader;
use crate::read::compose::tree::{Folder, Kind, Mark, Node};
use crate::side_by_side::side_by_side;
use crate::source::{FileId, Sources, Span, Spanned, Text};
use crate::syntax::compose_values::interpolation::{Missing, interpolate};
use crate::syntax::yaml::{Document, NodeRef};

/// So many projects, or files, are read before a second thread would have started.
const FEW: usize = 4;

/// Every project of the snapshot, in the order of its files.
pub fn projects(sources: &Sources) -> Vec<Project> {
    let documents = Documents::new(sources);
    let groups = find::groups(&documents);
    let mut projects: Vec<Project> = side_by_side(&groups, FEW, |group| resolve(&documents, group));
    find::drop_unfinished(&mut projects);
    projects
}

/// The project of these files, each laid on top of the ones before it: `docker compose -f … -f …`.
pub fn project(sources: &Sources, files: &[FileId]) -> Project {
    resolve(&Documents::new(sources), &Group { files: files.to_vec(), certainty: Certainty::Known })
}

fn resolve(documents: &Documents<'_>, group: &Group) -> Project {
    let mut loader = Loader::new(documents);
    let folder_path = group.files.first().map_or("", |file| parent(documents.sources.path(*file))).to_owned();
    let folder = loader.folder(&folder_path);
    let mut environment = Environment::default();
    if let (_, Named::File(_, text)) = loader.find(folder, ".env") {
        let problems = environment.add(&text);
        loader.problems.extend(problems);
    }
    environment.project_name = name(documents, &group.files, &folder_path, &environment);
    let name = environment.project_name.clone();
    let loaded = loader.load_project(&group.files, folder, &environment);
    let active_profiles = environment.values.get("COMPOSE_PROFILES").map_or("", |profiles| profiles.as_str());
    let active_profiles: Vec<String> =
        active_profiles.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();

    let (mut services, mut networks, mut volumes) = (Vec::new(), Vec::new(), Vec::new());
    if let Some((top, written)) = loaded {
        let mut reader =
            Reader { loader: &mut loader, environment: &environment, top: &top, project_name: name.as_deref() };
        networks = reader.networks();
        volumes = reader.volumes();
        if let Some(written) = written {
            let mut keep = |service| services.push(Box::new(service));
            read_services(&mut reader, written, folder, &active_profiles, &mut keep);
        }
        let on_default = services.iter().find(|service| service.is_on_default());
        if let Some(service) = on_default.filter(|_| networks.iter().all(|network| network.key.value != "default")) {
            networks.push(reader.default_network(service.name.span));
        }
    }
    let mut project = Project {
        name,
        folder: folder_path,
        files: loader.files,
        meant_inside: meant_inside(documents.sources, &services, &loader.missing),
        services,
        kept: Vec::new(),
        networks,
        volumes,
        active_profiles,
        missing_variables: loader.missing,
        problems: loader.problems,
        unreadable: loader.unreadable,
        incomplete: loader.incomplete,
        fragment: group.certainty == Certainty::Fragment,
        not_judged: None,
        uncertain: loader.uncertain,
        templates: Vec::new(),
    };
    set_templates_apart(&mut project, documents);
    let dangling = check::dangling(&project);
    match group.certainty {
        // Names that another file declares show that the two are used together, in a way that no file tells.
        Certainty::Known
            if dangling
                .iter()
                .any(|it| find::is_declared_elsewhere(documents, &project.files, it.section, &it.name)) =>
        {
            set_aside(&mut project, &dangling);
        }
        Certainty::Known => project.problems.extend(dangling.into_iter().map(|it| it.problem)),
        _ if dangling.is_empty() => {}
        Certainty::Alone(Some(base)) => {
            let files = [&[base], &group.files[..]].concat();
            return resolve(documents, &Group { files, certainty: Certainty::Overlay });
        }
        Certainty::Fragment => {}
        // Names that lead nowhere prove only that another file belongs to these; nothing is judged without it.
        Certainty::Alone(None) | Certainty::Overlay => set_aside(&mut project, &dangling),
    }
    tidy(&mut project);
    project
}

/// Leaves the services out of a project that is a part of another one.
fn set_aside(project: &mut Project, dangling: &[Dangling]) {
    let lacks = dangling.first().map_or("", |first| first.problem.message.as_str());
    project.not_judged = Some(format!("{lacks}: it is used with another file, and nothing says which"));
    project.fragment = true;
    project.services.clear();
}

/// Takes the tree of each service apart and lets go of it.
fn read_services(
    reader: &mut Reader<'_, '_>,
    services: Services<'_>,
    folder: Folder,
    active_profiles: &[String],
    keep: &mut dyn FnMut(Service),
) {
    match services {
        Services::Written(node) => {
            for (name, node) in node.entries() {
                let Some(name) = name.text() else { continue };
                let node = reader.loader.convert(node, folder, reader.environment);
                service(reader, name, node, active_profiles).into_iter().for_each(&mut *keep);
            }
        }
        Services::Merged(Node { kind: Kind::Map(map), .. }) => {
            for (name, node) in map {
                service(reader, name, node, active_profiles).into_iter().for_each(&mut *keep);
            }
        }
        Services::Merged(node) => {
            if !reader.loader.unreadable {
                reader.loader.problem(node.span, "`services` is a mapping of names to services".to_owned());
            }
            reader.loader.unreadable = true;
        }
    }
}

fn service(reader: &mut Reader<'_, '_>, name: Text, node: Node, active_profiles: &[String]) -> Option<Service> {
    match (node.mark, &node.kind) {
        (Mark::Reset, _) => None,
        (_, Kind::Map(_)) => Some(reader.service(name.spanned(), node, active_profiles)),
        // Behind an error of the notation nothing may have been read.
        _ if reader.loader.unreadable => None,
        _ => {
            let message = format!("service `{name}` is a mapping: write at least an `image`");
            reader.loader.problem(name.whole(), message);
            None
        }
    }
}

/// The last `name:` of the files, `COMPOSE_PROJECT_NAME`, or the folder's name.
fn name(documents: &Documents<'_>, files: &[FileId], folder: &str, environment: &Environment) -> Option<String> {
    let written = files.iter().rev().find_map(|file| {
        let document = documents.get(*file);
        document.root()?.get("name")?.text().filter(|text| !text.as_str().is_empty())
    });
    if let Some(text) = written {
        let result = interpolate(&text, &|name| environment.look_up(name));
        return (!result.incomplete).then(|| result.text.to_string());
    }
    if let Some(name) = environment.values.get("COMPOSE_PROJECT_NAME") {
        return Some(name.to_string());
    }
    let name = folder.rsplit('/').next().unwrap_or("").to_lowercase();
    let kept = |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-');
    let name: String = name.chars().filter(kept).collect();
    Some(name.trim_start_matches(['_', '-']).to_owned()).filter(|name| !name.is_empty())
}

/// Variables without a value that a service names in its command and sets for its container: the shell of the container
/// is meant to replace them.
fn meant_inside(sources: &Sources, services: &[Box<Service>], missing: &[Missing]) -> Vec<(Span, Span)> {
    // `ZONE: ${ZONE:-utc}` takes it over from compose, which then is to have a value for it.
    let takes_over = |name: &Spanned<String>| {
        let behind = sources.get(name.span.file).text.get(name.span.range().end..).unwrap_or_default();
        let line = behind.lines().next().unwrap_or_default();
        line.contains(&format!("${{{}", name.value)) || line.contains(&format!("${}", name.value))
    };
    let mut found = Vec::new();
    for service in services.iter().filter(|_| !missing.is_empty()) {
        let forms = [&service.command, &service.entrypoint].into_iter().flatten();
        let places: Vec<Span> = forms
            .filter_map(|form| match form {
                CommandForm::Shell(text) => Some(text.whole()),
                CommandForm::List(words) => Some(words.first()?.whole().to(words.last()?.whole())),
            })
            .collect();
        for variable in missing {
            let is_inside = |place: &Span| {
                let (whole, part) = (place.range(), variable.span.range());
                place.file == variable.span.file && whole.start <= part.start && part.end <= whole.end
            };
            let own = service.environment.iter().find(|(name, _)| name.value == variable.name.value);
            if let Some((name, _)) = own.filter(|(name, _)| places.iter().any(is_inside) && !takes_over(name)) {
                found.push((variable.span, name.span));
            }
        }
    }
    found
}

/// A file that another program fills in first is no YAML yet, and nobody's mistake.
fn set_templates_apart(project: &mut Project, documents: &Documents<'_>) {
    for file in &project.files {
        if find::is_template(documents.sources, *file, documents.get(*file)) {
            project.templates.push(*file);
        }
    }
    let templates = &project.templates;
    project.problems.retain(|problem| !templates.contains(&problem.span.file));
}

/// What several ways through the files found is said once.
fn tidy(project: &mut Project) {
    let mut seen = HashSet::new();
    project.missing_variables.retain(|missing| seen.insert(missing.span));
    let mut seen = HashSet::new();
    project.problems.retain(|problem| seen.insert((problem.span, problem.message.clone())));
    project.problems.sort_by_key(|problem| problem.span);
    project.uncertain.sort_unstable();
    project.uncertain.dedup();
}

/// The services of a file before anything is merged, for those who only want to know what kind of file it is.
fn services_of(document: &Document) -> impl Iterator<Item = (Spanned<&str>, NodeRef<'_>)> {
    let services = document.root().and_then(|root| root.get("services"));
    services
        .into_iter()
        .flat_map(|services| services.entries())
        .filter_map(|(key, value)| Some((Spanned::new(key.as_str()?, key.span()), value)))
}
