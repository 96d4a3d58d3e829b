//! Where a built program comes from: its source files, in the stage of the image that compiled it.

mod frameworks;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::read::app::javascript::sources_of_build;
use crate::read::app::tokens::Language;
use crate::read::app::{self, EntryFile};
use crate::read::built::frameworks::{archive, bundle, rocket};
use crate::read::container::Container;
use crate::read::image::files::{below, in_context, join, parent};
use crate::read::image::{Image, Origin};
use crate::read::machine_files::MachineFiles;
use crate::read::process::Process;
use crate::read::process::listening::listening;
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::Listening;
use crate::source::Text;

/// Stages that copy from stages.
const DEEPEST: usize = 6;
/// Files and folders that are looked at to find the sources of a program.
const MOST_FILES: usize = 1_500;

/// A stage of the image, or the finished machine, with what stood there.
struct Place<'s> {
    files: MachineFiles<'s>,
    /// Calls of compilers and where they ran.
    compiled: Vec<(Vec<Text>, String)>,
    /// Where the program lay; the last part may be a pattern.
    path: String,
}

/// The source of a program.
struct Source<'s> {
    files: MachineFiles<'s>,
    path: String,
    text: Text,
    language: Language,
    /// The folder of the whole project.
    project: String,
}

/// What the sources of a process say of its listeners. `None`: they are not there, or they leave it to others.
pub fn listeners(container: &Container<'_>, process: &Process) -> Option<Listening> {
    if process.program.is_none() {
        if let Some(found) = bundle(container, process) {
            return Some(found);
        }
        let found = entry(container, process)?;
        return if found.silent { rocket(container, process) } else { Some(found.listening) };
    }
    match process.called.as_str() {
        "dotnet" => dotnet(container, process),
        "java" | "run-java.sh" => archive(container, process),
        _ => None,
    }
}

/// What the source of a process says, where the process itself is no file that can be read.
pub fn entry(container: &Container<'_>, process: &Process) -> Option<app::Entry> {
    let source = source(container, process)?;
    let words: Vec<Text> = process.arguments.iter().map(|argument| argument.text.clone()).collect();
    let all_known = process.arguments.iter().all(|argument| argument.complete);
    let file = EntryFile {
        path: &source.path,
        text: &source.text,
        language: source.language,
        arguments: all_known.then_some(words.as_slice()),
    };
    let mut found = with_files(container, process, &source.files, |surroundings| app::entry(&file, surroundings));
    if source.language != Language::JavaScript {
        let own = |path: &str| path == source.path || parent(path).0 == parent(&source.path).0;
        let others = source.files.texts(&source.project, &suffix(&source.path));
        let calls: &[&str] = match source.language {
            Language::Go => &["Listen(", "ListenAndServe", ".Run(", ".Start("],
            _ => &["bind(", ".listen(", ".serve("],
        };
        let listens = |text: &Text| calls.iter().any(|call| text.as_str().contains(call));
        let may = others.into_iter().find(|(path, text)| !own(path) && !path.ends_with("_test.go") && listens(text));
        if let Some((path, _)) = may {
            found.listening.open.get_or_insert_with(|| format!("`{path}` may listen, too"));
        }
    }
    Some(found)
}

fn suffix(path: &str) -> String {
    path.rfind('.').map_or(String::new(), |at| path[at..].to_owned())
}

/// Runs with the files of a stage; variables, and the files that variables come from, are those of the machine.
fn with_files<T>(
    container: &Container<'_>,
    process: &Process,
    files: &MachineFiles<'_>,
    run: impl FnOnce(&Surroundings<'_>) -> T,
) -> T {
    container.with_surroundings(|machine| {
        let variable = |name: &str| process.variable(name, machine);
        let file = |path: &str| {
            let is_environment = parent(path).1.starts_with(".env");
            if is_environment { container.files.find(path) } else { files.find(path) }
        };
        let list = |path: &str| files.list(path);
        run(&Surroundings {
            directory: &process.directory,
            variable: &variable,
            file: &file,
            list: &list,
            has_texts: true,
            partial: false,
        })
    })
}

fn source<'s>(container: &Container<'s>, process: &Process) -> Option<Source<'s>> {
    if let Some(entry) = &process.entry {
        let built = entry.language == "js" && !matches!(container.files.find(&entry.path), Found::File(_));
        return if built { typescript(container, &entry.path) } else { None };
    }
    if process.program.is_some() || process.called.is_empty() || process.called.ends_with(".sh") {
        return None;
    }
    let mut paths = vec![join(&process.directory, &process.called)];
    if !process.called.contains('/') {
        let folders = ["/usr/local/bin", "/usr/bin", "/bin", "/go/bin", "/usr/local/cargo/bin", "/usr/local/sbin"];
        paths = folders.iter().map(|folder| format!("{folder}/{}", process.called)).collect();
    }
    let places = paths.iter().flat_map(|path| places(container, path));
    places.into_iter().find_map(|place| go(&place).or_else(|| rust(&place)).map(|found| found.source(place.files)))
}

fn typescript<'s>(container: &Container<'s>, path: &str) -> Option<Source<'s>> {
    // The name of the file may be left to Node.js: `node dist/main`.
    let path = if parent(path).1.contains('.') { path.to_owned() } else { format!("{path}.js") };
    for place in places(container, &path) {
        for candidate in sources_of_build(&place.path) {
            if let Found::File(text) = place.files.find(&candidate) {
                let project = parent(&candidate).0.to_owned();
                let language = Language::JavaScript;
                return Some(Source { files: place.files, path: candidate, text, language, project });
            }
        }
    }
    None
}

/// The machine itself, then the stages from which what stands at `path` was copied.
fn places<'s>(container: &Container<'s>, path: &str) -> Vec<Place<'s>> {
    let files = &container.files;
    let mut found = Vec::new();
    let mut waiting: Vec<(&Image, String, usize)> = Vec::new();
    if let Some(image) = &files.image {
        waiting.push((image, path.to_owned(), 0));
    }
    let own = waiting.first().map(|(image, ..)| image.compiled.clone()).unwrap_or_default();
    found.push(Place { files: files.again(), compiled: own, path: path.to_owned() });
    while let Some((image, path, depth)) = waiting.pop() {
        for brought in image.brought.iter().rev() {
            let Some(rest) = below(&brought.target, &path) else { continue };
            let source = in_context(&brought.source, rest);
            if depth >= DEEPEST || found.len() >= 30 {
                continue;
            }
            match &brought.origin {
                Origin::Stage(stage) => {
                    let (files, compiled) = (files.of_stage(stage), stage.compiled.clone());
                    found.push(Place { files, compiled, path: source.clone() });
                    waiting.push((stage, source, depth + 1));
                }
                Origin::Context(folder) => {
                    found.push(Place { files: files.of_context(folder), compiled: Vec::new(), path: source });
                }
            }
        }
    }
    found
}

/// A source file before its stage is handed over.
struct Unplaced {
    path: String,
    text: Text,
    language: Language,
    project: String,
}

impl Unplaced {
    fn source(self, files: MachineFiles<'_>) -> Source<'_> {
        let Unplaced { path, text, language, project } = self;
        Source { files, path, text, language, project }
    }
}

/// `go build -o /out/api ./cmd/api`
fn go(place: &Place<'_>) -> Option<Unplaced> {
    for (words, directory) in place.compiled.iter().rev() {
        let mut words = words.iter().map(Text::as_str);
        let installs = match (words.next(), words.next()) {
            (Some("go"), Some("build")) => false,
            (Some("go"), Some("install")) => true,
            _ => continue,
        };
        let rest: Vec<&str> = words.collect();
        let output = rest.iter().position(|word| *word == "-o").and_then(|at| rest.get(at + 1)).copied();
        let package = rest.last().filter(|last| Some(**last) != output && is_package(last)).copied().unwrap_or(".");
        let file = package.ends_with(".go");
        let folder = join(directory, if file { parent(package).0 } else { package });
        let program = parent(&place.path).1;
        let is_it = match output {
            Some(output) if output.ends_with('/') => join(directory, output) == parent(&place.path).0,
            Some(output) => join(directory, output) == place.path,
            None if installs => parent(&folder).1 == program,
            None => parent(&place.path).0 == directory,
        };
        if !is_it {
            continue;
        }
        let names = place.files.list(&folder).names;
        let sources = names.iter().filter(|name| name.ends_with(".go") && !name.ends_with("_test.go"));
        for path in sources.map(|name| join(&folder, name)) {
            if let Found::File(text) = place.files.find(&path)
                && text.as_str().contains("func main(")
            {
                return Some(Unplaced { path, text, language: Language::Go, project: directory.clone() });
            }
        }
    }
    None
}

fn is_package(word: &str) -> bool {
    word.starts_with('.') || word.ends_with(".go") || (word.contains('/') && !word.starts_with('-'))
}

/// `target/release/api` and its like, by Cargo's own layout.
fn rust(place: &Place<'_>) -> Option<Unplaced> {
    let name = parent(&place.path).1;
    let mut roots: Vec<String> =
        place.path.find("/target/").map(|at| place.path[..at].to_owned()).into_iter().collect();
    for (words, directory) in &place.compiled {
        let installs = words.iter().any(|word| word == "install") && words.first().is_some_and(|word| word == "cargo");
        if installs {
            let path = words.iter().position(|word| word == "--path").and_then(|at| words.get(at + 1));
            roots.push(join(directory, path.map_or(".", Text::as_str)));
        }
    }
    for root in roots {
        for candidate in [
            format!("{root}/src/bin/{name}.rs"),
            format!("{root}/{name}/src/main.rs"),
            format!("{root}/crates/{name}/src/main.rs"),
            format!("{root}/src/main.rs"),
        ] {
            if let Found::File(text) = place.files.find(&candidate) {
                return Some(Unplaced { path: candidate, text, language: Language::Rust, project: root });
            }
        }
    }
    None
}

/// What makes an ASP.NET program listen elsewhere than its settings say.
const KESTREL: &[&str] = &[
    "UseUrls",
    "Urls.Add",
    ".Run(\"",
    ".Run($",
    "RunAsync(\"",
    "ConfigureKestrel",
    "UseKestrel",
    "ListenAnyIP",
    "ListenLocalhost",
    "KestrelServerOptions",
    "UseHttpSys",
    "UseUnixSocket",
    "UseConfiguration",
    "AddJsonFile",
    "UseSetting",
];

/// `dotnet Api.dll`: the code of the project and its appsettings.json.
fn dotnet(container: &Container<'_>, process: &Process) -> Option<Listening> {
    let library = process.arguments.iter().find(|word| word.as_str().ends_with(".dll"))?;
    let path = join(&process.directory, library.as_str());
    let stem = parent(&path).1.trim_end_matches(".dll").to_owned();
    for place in places(container, &path) {
        let projects = place.files.paths("/", ".csproj");
        let named = projects.iter().find(|project| parent(project).1.trim_end_matches(".csproj") == stem);
        let project = named.or(projects.first().filter(|_| projects.len() == 1)).cloned();
        let Some(project) = project.or_else(|| place.files.paths("/", "Program.cs").pop()) else { continue };
        let folder = parent(&project).0;
        let code = place.files.texts(folder, ".cs");
        let moves = |text: &Text| KESTREL.iter().any(|sign| text.as_str().contains(sign));
        let mut moving = code.iter().filter(|(_, text)| moves(text));
        let settings = |path: &str| {
            let name = parent(path).1;
            match container.files.find(path) {
                Found::File(text) => Found::File(text),
                other if name.starts_with("appsettings") => match place.files.find(&join(folder, name)) {
                    Found::Unknown => other,
                    found => found,
                },
                other => other,
            }
        };
        let by_settings =
            container.with_surroundings(|machine| listening(process, &Surroundings { file: &settings, ..*machine }));
        let Some((path, text)) = moving.next() else { return Some(by_settings) };
        let file = EntryFile { path, text, language: Language::CSharp, arguments: None };
        let mut found = with_files(container, process, &place.files, |it| app::entry(&file, it)).listening;
        if moving.next().is_some() || found.listeners.is_empty() {
            found.open.get_or_insert_with(|| format!("the code of `{stem}` may say where it listens"));
        }
        return Some(found);
    }
    None
}

impl<'s> MachineFiles<'s> {
    /// The same files once more.
    fn again(&self) -> MachineFiles<'s> {
        MachineFiles {
            snapshot: self.snapshot,
            root: self.root.clone(),
            known: self.known.clone(),
            place: self.place,
            empty: self.empty,
            image: self.image.clone(),
            mounts: self.mounts.clone(),
            started: self.started.clone(),
        }
    }

    /// What a stage of the build holds.
    fn of_stage(&self, stage: &Arc<Image>) -> MachineFiles<'s> {
        MachineFiles {
            snapshot: self.snapshot,
            root: None,
            known: Vec::new(),
            place: self.place,
            empty: false,
            image: Some(stage.clone()),
            mounts: Vec::new(),
            started: None,
        }
    }

    /// What the context of the build holds.
    fn of_context(&self, folder: &str) -> MachineFiles<'s> {
        MachineFiles {
            snapshot: self.snapshot,
            root: Some(folder.to_owned()),
            known: Vec::new(),
            place: self.place,
            empty: false,
            image: None,
            mounts: Vec::new(),
            started: None,
        }
    }

    /// The files below a folder whose names end so, sorted; folders of tools and builds are left out.
    fn paths(&self, folder: &str, ending: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![(folder.to_owned(), 0)];
        let mut seen = 0;
        while let Some((folder, depth)) = waiting.pop() {
            for name in self.list(&folder).names {
                seen += 1;
                let is_left_out =
                    matches!(name.as_str(), "node_modules" | "vendor" | "target" | "bin" | "obj" | "tests" | "test");
                if seen > MOST_FILES || is_left_out || name.starts_with('.') {
                    continue;
                }
                let path = join(&folder, &name);
                if name.ends_with(ending) {
                    found.insert(path);
                } else if depth < 8 && matches!(self.find(&path), Found::Directory) {
                    waiting.push((path, depth + 1));
                }
            }
        }
        found.into_iter().collect()
    }

    /// Those files with their texts.
    fn texts(&self, folder: &str, ending: &str) -> Vec<(String, Text)> {
        let read = |path: String| match self.find(&path) {
            Found::File(text) => Some((path, text)),
            _ => None,
        };
        self.paths(folder, ending).into_iter().filter_map(read).collect()
    }
}
