//! A container before it is a machine: its image, files, variables, and the processes that its start leaves running.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::read::built;
use crate::read::catalogue;
use crate::read::catalogue::image::ImageFacts;
use crate::read::catalogue::tree::KnownTree;
use crate::read::image::files::join;
use crate::read::image::{Base, Change, CopySource, Image, StartForm, build};
use crate::read::machine_files::{MachineFiles, MountedFiles};
use crate::read::process::access::{self, Identity};
use crate::read::process::follow::base;
use crate::read::process::listening::listening_of_all;
use crate::read::process::{self, Process, Start, Started};
use crate::read::snapshot::Tree as Snapshot;
use crate::read::starting;
use crate::read::surroundings::{Found, Surroundings};
use crate::site::listener::Listening;
use crate::source::{FileId, Lookup, Sources, Span, Text};
use crate::syntax::command_line::Script;

/// What a service says of its container.
pub struct Blueprint {
    /// Where it is declared; blamed for what no other text decides.
    pub place: Span,
    pub image: Option<Text>,
    pub build: Option<Build>,
    pub entrypoint: Option<Start>,
    pub command: Option<Start>,
    /// Later ones win.
    pub environment: Vec<(String, Lookup)>,
    /// A file of variables is not visible, so any variable may be set.
    pub environment_is_open: bool,
    pub directory: Option<Text>,
    pub user: Option<Text>,
    /// What reads from a terminal finds one.
    pub terminal: bool,
    pub mounts: Vec<MountedFiles>,
}

/// How its image is built from files of the snapshot.
pub struct Build {
    /// A folder of the snapshot; `None`: it lies elsewhere.
    pub context: Option<String>,
    /// `None`: it is not in the snapshot.
    pub dockerfile: Option<Text>,
    pub target: Option<String>,
    pub arguments: Vec<(String, Lookup)>,
    pub place: Span,
}

pub struct Container<'s> {
    pub files: MachineFiles<'s>,
    /// As whom its first process runs; `None`: not visible.
    pub identity: Option<Identity>,
    /// What is known of the image, or of the image that its own is built from.
    pub facts: Option<Arc<ImageFacts>>,
    /// In the order of their names, each of them once.
    pub variables: Vec<(String, Lookup)>,
    /// Variables may be set that are not listed.
    pub variables_are_open: bool,
    pub directory: String,
    pub start: Option<Start>,
    pub terminal: bool,
    /// The script that it consists of, for [`starting::script`].
    pub script: OnceCell<Option<Script>>,
    pub started: Started,
    /// Files of the snapshot that its processes were seen to read.
    pub opened: RefCell<BTreeSet<FileId>>,
    /// Where the image is named.
    pub image_place: Span,
    /// The image, or the one that its own is built from.
    pub image: Option<Text>,
}

/// Start commands that read what people type, and end where nobody does.
const READ_FROM_A_TERMINAL: [&str; 10] =
    ["sh", "bash", "ash", "node", "python", "python3", "irb", "php -a", "php", "jshell"];

impl<'s> Container<'s> {
    pub fn of(sources: &'s Sources, blueprint: Blueprint) -> Container<'s> {
        let mut image = blueprint.build.as_ref().and_then(|build| read_image(sources, build));
        let base = match (&blueprint.build, &image) {
            (None, _) => blueprint.image.clone(),
            (Some(_), Some(image)) => match &image.base {
                Base::Image(reference) => Some(reference.clone()),
                Base::Scratch | Base::Unknown(_) => None,
            },
            (Some(_), None) => None,
        };
        let from_scratch = image.as_ref().is_some_and(|image| matches!(image.base, Base::Scratch));
        let facts = base.as_ref().and_then(|reference| catalogue::image(reference.as_str()));
        if let Some(image) = &mut image {
            place_changes(image, facts.as_ref().and_then(|facts| facts.directory.as_deref()).unwrap_or("/"));
        }
        let image_place = base.as_ref().map_or(blueprint.place, Text::whole);
        let variables_are_open = blueprint.environment_is_open || (facts.is_none() && !from_scratch);
        let variables = variables(facts.as_deref(), image_place, image.as_ref(), blueprint.environment);
        let known = known_trees(facts.as_deref(), image.as_ref());
        let directory = directory(&blueprint.directory, image.as_ref(), facts.as_deref());
        let identity = identity(blueprint.user.as_ref(), image.as_ref(), facts.as_deref(), from_scratch);
        let start = start(&blueprint.entrypoint, &blueprint.command, image.as_ref(), facts.as_deref(), image_place);
        let files = MachineFiles {
            snapshot: Snapshot { sources, root: None },
            root: None,
            known,
            place: image_place,
            empty: from_scratch,
            image: image.map(Arc::new),
            mounts: blueprint.mounts,
            started: None,
        };
        let mut container = Container {
            files,
            identity,
            facts,
            variables,
            variables_are_open,
            directory,
            start,
            terminal: blueprint.terminal,
            script: OnceCell::new(),
            started: Started::default(),
            opened: RefCell::default(),
            image_place,
            image: base,
        };
        container.files.started = starting::changes(&container).map(Arc::new);
        if container.files.started.is_some() {
            // What it writes may be the script.
            container.script = OnceCell::new();
        }
        container.started = container.follow();
        container
    }

    /// The start command, when it is a program that reads from a terminal, has none, and so ends as soon as it starts.
    pub fn ends_at_once(&self) -> Option<(Span, String)> {
        let Some(Start::Exec(words)) = self.start.as_ref().filter(|_| !self.terminal) else { return None };
        let is_script = |word: &Text| matches!(base(word.as_str()), "docker-entrypoint.sh" | "docker-php-entrypoint");
        let start = words.iter().position(|word| !is_script(word))?;
        let command = match &words[start..] {
            [only] => base(only.as_str()).to_owned(),
            [first, option] => [base(first.as_str()), " ", option.as_str()].concat(),
            _ => return None,
        };
        READ_FROM_A_TERMINAL.contains(&command.as_str()).then(|| (words[start].whole(), command))
    }

    fn follow(&self) -> Started {
        let Some(start) = &self.start else {
            return Started {
                processes: Vec::new(),
                open: Some("what its image starts is not known".to_owned()),
                slow: None,
                names_hosts: None,
            };
        };
        let mut started = self.with_surroundings(|surroundings| process::start(start, surroundings));
        for script in starting::earlier_scripts(self) {
            let earlier = self.with_surroundings(|surroundings| process::left_by_script(&script, surroundings));
            started.processes.extend(earlier.processes);
            started.open = started.open.or(earlier.open);
        }
        if started.processes.is_empty() {
            started.open.get_or_insert_with(|| "what its start leaves running is not visible".to_owned());
        }
        let all = |names: &[&str]| started.processes.iter().all(|process| names.contains(&process.name.as_str()));
        // Kept alive so that people can work in it; or switched off for as long as something else is done.
        if all(&["sleep", "tail"]) {
            started.open.get_or_insert_with(|| "it waits for somebody to start a program in it".to_owned());
        } else if all(&["echo", "printf", "true", ":"]) {
            started.open.get_or_insert_with(|| "it is meant to end at once".to_owned());
        }
        started.processes.shrink_to_fit();
        started
    }

    pub fn with_surroundings<T>(&self, run: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let variable = |name: &str| self.variable(name);
        let file = |path: &str| {
            let found = self.files.find(path);
            if let Found::File(text) = &found {
                self.opened.borrow_mut().extend(text.file());
            }
            found
        };
        let list = |path: &str| self.files.list(path);
        run(&Surroundings {
            directory: &self.directory,
            variable: &variable,
            file: &file,
            list: &list,
            has_texts: self.files.has_texts(),
            partial: false,
        })
    }

    pub fn variable(&self, name: &str) -> Lookup {
        match self.variables.binary_search_by(|(own, _)| own.as_str().cmp(name)) {
            Ok(number) => self.variables[number].1.clone(),
            Err(_) if self.variables_are_open => Lookup::Unknown,
            Err(_) => Lookup::Unset,
        }
    }

    /// What everything that was started listens on; `read` answers for programs with a configuration of their own.
    pub fn listening(&self, read: &dyn Fn(&Process) -> Option<Listening>) -> (Listening, Vec<usize>) {
        let matters = self.started.processes.iter().any(access::has_known_access);
        let identity = self.identity.as_ref().filter(|_| matters && !self.changes_user());
        self.with_surroundings(|surroundings| {
            let completed = |process: &Process| {
                read(process).or_else(|| built::listeners(self, process)).or_else(|| {
                    let mut listening = process::listening::listening(process, surroundings);
                    if let Some(identity) = identity {
                        listening.listeners.iter_mut().for_each(|it| access::complete(it, process, identity));
                    }
                    Some(listening)
                })
            };
            listening_of_all(&self.started, surroundings, &completed)
        })
    }

    /// Something on the way to its processes gives up the rights of root, or changes those of files.
    fn changes_user(&self) -> bool {
        let of_start = match &self.start {
            Some(Start::Exec(words)) => words.iter().map(Text::as_str).collect::<Vec<&str>>().join(" "),
            Some(Start::Shell(text)) => text.as_str().to_owned(),
            None => String::new(),
        };
        let sources = self.files.snapshot.sources;
        let opened = self.opened.borrow();
        let mut texts = opened.iter().map(|file| sources.get(*file).text.as_str()).chain([of_start.as_str()]);
        texts.any(|text| access::may_change(text) || CHANGES_USER.iter().any(|word| text.contains(word)))
    }

    /// Whether a program is on the machine, where that is known.
    pub fn has_tool(&self, tool: &str) -> Option<bool> {
        let installed = self.files.image.iter().flat_map(|image| &image.installed);
        for package in installed {
            if catalogue::package(package.manager, &package.name.value).has.iter().any(|name| name == tool) {
                return Some(true);
            }
        }
        let known = self.facts.as_ref().and_then(|facts| catalogue::has_tool(facts, tool));
        if known == Some(true) {
            return known;
        }
        let in_path = |folder: &&str| {
            let found = self.files.find(&[folder, "/", tool].concat());
            !matches!(found, Found::Absent | Found::Unknown)
        };
        if ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].iter().any(in_path) {
            return Some(true);
        }
        let known = if self.files.empty { Some(false) } else { known };
        known.filter(|_| !self.may_bring_programs())
    }

    /// Something that is not visible is laid over the whole system: `COPY --from=tools /out /`.
    fn may_bring_programs(&self) -> bool {
        let mut changes = self.files.image.iter().flat_map(|image| &image.changes);
        changes.any(|change| match change {
            Change::Copy { source: CopySource::Image { .. }, target: path, .. }
            | Change::Unknown { path: Some(path), .. } => {
                matches!(path.trim_end_matches('/'), "" | "/usr" | "/usr/local")
            }
            _ => false,
        })
    }
}

/// Commands that start others as another user, and what supervisord's programs may do.
const CHANGES_USER: &[&str] =
    &["gosu", "su-exec", "setpriv", "runuser", "sudo", "setuidgid", "chpst", "su -", "[program:"];

/// What compose says, else the Dockerfile, else what is known of the image; an image that is not known may name anyone.
fn identity(
    own: Option<&Text>,
    image: Option<&Image>,
    facts: Option<&ImageFacts>,
    from_scratch: bool,
) -> Option<Identity> {
    let written = own.or(image.and_then(|image| image.user.as_ref())).map(Text::as_str);
    let known = facts.map(|facts| facts.user.as_deref().unwrap_or("root"));
    let named = written.or(known).or(from_scratch.then_some("root"))?;
    if named.contains('$') {
        return None;
    }
    let (user, group) = named.split_once(':').map_or((named, None), |(user, group)| (user, Some(group)));
    let group = group.or(access::is_root(user).then_some("root"));
    Some(Identity { user: user.to_owned(), group: group.map(str::to_owned), umask: 0o022 })
}

fn read_image(sources: &Sources, plan: &Build) -> Option<Image> {
    let lookup = |name: &str| {
        let found = plan.arguments.iter().rev().find(|(argument, _)| argument == name);
        found.map_or(Lookup::Unset, |(_, value)| value.clone())
    };
    let context = plan.context.as_deref()?;
    Some(build(sources, context, plan.dockerfile.as_ref()?, plan.target.as_deref(), &lookup))
}

/// Paths that a Dockerfile without `WORKDIR` names start in the working directory of the base image.
fn place_changes(image: &mut Image, base: &str) {
    let place = |path: &mut String| {
        if !path.starts_with('/') {
            *path = join(base, path);
        }
    };
    for change in &mut image.changes {
        match change {
            Change::Copy { target, inside, .. } => {
                place(target);
                inside.iter_mut().for_each(place);
            }
            Change::Remove { path, .. }
            | Change::Link { path, .. }
            | Change::Write { path, .. }
            | Change::Edit { path, .. }
            | Change::MakeDirectory { path, .. }
            | Change::Mode { path, .. } => place(path),
            Change::Unknown { path, .. } => path.iter_mut().for_each(place),
        }
    }
    image.brought.iter_mut().for_each(|brought| place(&mut brought.target));
}

fn variables(
    facts: Option<&ImageFacts>,
    place: Span,
    image: Option<&Image>,
    own: Vec<(String, Lookup)>,
) -> Vec<(String, Lookup)> {
    let mut variables: BTreeMap<String, Lookup> = BTreeMap::new();
    for (name, value) in facts.iter().flat_map(|facts| &facts.environment) {
        variables.insert(name.clone(), Lookup::Value(Text::fixed(value, place)));
    }
    for (name, value) in image.iter().flat_map(|image| &image.environment) {
        variables.insert(name.value.clone(), value.clone().map_or(Lookup::Unknown, Lookup::Value));
    }
    variables.extend(own);
    variables.into_iter().collect()
}

fn known_trees(facts: Option<&ImageFacts>, image: Option<&Image>) -> Vec<KnownTree> {
    let of_image = facts.iter().flat_map(|facts| &facts.trees).filter_map(|name| catalogue::tree(name));
    let packages = image.iter().flat_map(|image| &image.installed);
    let of_packages = packages.flat_map(|package| catalogue::package(package.manager, &package.name.value).trees);
    of_image.map(KnownTree::Catalogue).chain(of_packages.map(|tree| KnownTree::Made(Box::new(tree)))).collect()
}

fn directory(own: &Option<Text>, image: Option<&Image>, facts: Option<&ImageFacts>) -> String {
    let base = facts.and_then(|facts| facts.directory.as_deref()).unwrap_or("/");
    let built = image.and_then(|image| image.working_directory.as_ref());
    let directory = match (own, built) {
        (Some(own), _) => own.as_str(),
        (None, Some(built)) => built.as_str(),
        (None, None) => base,
    };
    join(base, directory)
}

fn start(
    entrypoint: &Option<Start>,
    command: &Option<Start>,
    image: Option<&Image>,
    facts: Option<&ImageFacts>,
    place: Span,
) -> Option<Start> {
    let of_image = |start: &crate::read::image::Start| match &start.form {
        StartForm::Exec(words) => Start::Exec(words.clone()),
        StartForm::Shell { text, .. } => Start::Shell(text.clone()),
    };
    let built_entrypoint = image.and_then(|image| image.entrypoint.as_ref()).map(of_image);
    let built_command = image.and_then(|image| image.command.as_ref()).map(of_image);
    // As Docker has it, an entrypoint of the service takes the command of the image away.
    let command = command.clone().or(if entrypoint.is_some() { None } else { built_command });
    let entrypoint = entrypoint.clone().or(built_entrypoint);
    process::container_start(facts, place, entrypoint.as_ref(), command.as_ref())
}
