//! Goes through the stages that the wanted one is built on, instruction by instruction.

use crate::read::image::files::join;
use crate::read::image::ignore::Ignored;
use crate::read::image::{Base, Change, Healthcheck, Image, Start, StartForm, copy, run};
use crate::source::{Lookup, Sources, Span, Spanned, Text};
use crate::syntax::Problem;
use crate::syntax::command_line::Word;
use crate::syntax::dockerfile::{Dockerfile, Form, Instruction, Kind, parse};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// More stages than anybody writes; every one may hold a copy of the one before.
const MOST_STAGES: usize = 300;
/// More changes than anybody makes. A copy of a folder repeats those below it.
pub const MOST_CHANGES: usize = 2_000;
/// In bytes. Values that hold each other several times grow without an end.
const LONGEST_VALUE: usize = 8 * 1024;

/// What stays the same for all stages.
pub struct Build<'b> {
    pub sources: &'b Sources,
    pub context: &'b str,
    arguments: &'b dyn Fn(&str) -> Lookup,
    /// `ARG` before the first `FROM`.
    globals: HashMap<String, Lookup>,
}

/// A stage on its way to an image.
#[derive(Clone)]
pub struct Stage {
    pub image: Image,
    variables: HashMap<String, Lookup>,
    arguments: HashMap<String, Lookup>,
    pub shell: Vec<String>,
    /// "" is the directory that the base image sets; `None` when it is not known.
    pub directory: Option<String>,
    /// This stage set `CMD`, so a later `ENTRYPOINT` leaves it.
    own_command: bool,
    triggers: Vec<Instruction>,
    /// Commands ran that may have made any file.
    pub opaque: bool,
    /// Bytes of text that its commands wrote.
    pub written: usize,
    /// The image for those stages that copy from it, made when the first one does.
    shared: OnceLock<Arc<Image>>,
}

/// A stage as it is written.
struct Written<'d> {
    image: &'d Word,
    name: Option<&'d str>,
    place: Span,
    instructions: &'d [Instruction],
}

pub fn build(
    sources: &Sources,
    context: &str,
    dockerfile: &Text,
    target: Option<&str>,
    arguments: &dyn Fn(&str) -> Lookup,
) -> Image {
    let context = join("", context.trim_start_matches('/'));
    let mut file = parse(dockerfile);
    let problems = std::mem::take(&mut file.problems);
    let place = dockerfile.span(0..0);
    let ignored = Arc::new(Ignored::read(sources, &context, sources.path(place.file)));
    let nothing = |why: String, place: Span, mut problems: Vec<Problem>, said: bool| {
        if said {
            problems.push(Problem { span: place, message: why.clone(), related: None });
        }
        Image { problems, ..Image::untouched(Base::Unknown(why), place, ignored.clone()) }
    };
    if let Some(place) = file.template {
        return nothing("the Dockerfile is a template".to_owned(), place, problems, false);
    }
    let mut build = Build { sources, context: &context, arguments, globals: HashMap::new() };
    let stages = stages(&file, &mut build);
    if stages.len() > MOST_STAGES {
        return nothing("the Dockerfile has too many stages".to_owned(), place, problems, true);
    }
    let wanted = match target {
        Some(target) => stage_index(&stages, target),
        None => stages.len().checked_sub(1),
    };
    let Some(wanted) = wanted else {
        let why = match target {
            Some(target) => format!("the Dockerfile has no stage `{target}`"),
            None => "the Dockerfile has no `FROM`".to_owned(),
        };
        return nothing(why, place, problems, true);
    };
    let mut built: Vec<Option<Stage>> = stages.iter().map(|_| None).collect();
    for index in needed(&stages, wanted, &build) {
        let stage = build.stage(&stages[index], &stages[..index], &built, ignored.clone());
        built[index] = Some(stage);
    }
    let Some(stage) = built.swap_remove(wanted) else {
        return nothing("the stage cannot be built".to_owned(), place, problems, false);
    };
    let mut image = stage.image;
    image.problems.splice(0..0, problems);
    keep_last(&mut image.environment);
    image
}

fn keep_last(environment: &mut Vec<(Spanned<String>, Option<Text>)>) {
    let mut seen = std::collections::HashSet::new();
    environment.reverse();
    environment.retain(|(name, _)| seen.insert(name.value.clone()));
    environment.reverse();
}

/// Splits the file into stages; what stands before them are arguments.
fn stages<'d>(file: &'d Dockerfile, build: &mut Build) -> Vec<Written<'d>> {
    let mut stages: Vec<Written> = Vec::new();
    for (index, instruction) in file.instructions.iter().enumerate() {
        match &instruction.kind {
            Kind::From { image, name } => stages.push(Written {
                image,
                name: name.as_ref().map(|name| name.value.as_str()),
                place: instruction.span,
                instructions: &file.instructions[index + 1..index + 1],
            }),
            Kind::Argument(list) if stages.is_empty() => {
                for (name, default) in list {
                    let value = build.argument(&name.value, default.as_ref(), &|name| build.global(name));
                    build.globals.insert(name.value.clone(), value);
                }
            }
            _ => {
                if let Some(stage) = stages.last_mut() {
                    let start = index - stage.instructions.len();
                    stage.instructions = &file.instructions[start..=index];
                }
            }
        }
    }
    stages
}

/// A stage by its name, or by its number.
fn stage_index(stages: &[Written], name: &str) -> Option<usize> {
    let named = |stage: &Written| stage.name.is_some_and(|known| known.eq_ignore_ascii_case(name));
    let number = || name.parse().ok().filter(|index| *index < stages.len());
    stages.iter().rposition(named).or_else(number)
}

/// The stages that `wanted` needs, in the order of the file, itself the last one.
fn needed(stages: &[Written], wanted: usize, build: &Build) -> Vec<usize> {
    let mut needed = vec![false; wanted + 1];
    needed[wanted] = true;
    for index in (0..=wanted).rev() {
        if !needed[index] {
            continue;
        }
        let base = stages[index].image.expand(&|name| build.global(name));
        let base = base.and_then(|base| named_stage(&stages[..index], base.as_str()));
        let copied = stages[index].instructions.iter().filter_map(|instruction| {
            let instruction = match &instruction.kind {
                Kind::OnBuild(inner) => inner.as_ref(),
                _ => instruction,
            };
            let from = instruction.flag("from")?.expand(&|name| build.global(name))?;
            stage_index(&stages[..index], from.as_str())
        });
        for other in base.into_iter().chain(copied) {
            needed[other] = true;
        }
    }
    (0..=wanted).filter(|index| needed[*index]).collect()
}

/// `FROM` knows stages by their names only.
fn named_stage(stages: &[Written], name: &str) -> Option<usize> {
    stages.iter().rposition(|stage| stage.name.is_some_and(|known| known.eq_ignore_ascii_case(name)))
}

impl Build<'_> {
    fn global(&self, name: &str) -> Lookup {
        match self.globals.get(name) {
            Some(value) => value.clone(),
            None if is_platform(name) => Lookup::Unknown,
            None => Lookup::Unset,
        }
    }

    /// The value of `ARG name=default`.
    fn argument(&self, name: &str, default: Option<&Word>, lookup: &dyn Fn(&str) -> Lookup) -> Lookup {
        match ((self.arguments)(name), default) {
            (Lookup::Unset, Some(default)) => limited(default.expand(lookup)),
            (Lookup::Unset, None) => self.global(name),
            (passed, _) => passed,
        }
    }

    /// Builds a stage on those before it.
    fn stage(&self, this: &Written, before: &[Written], built: &[Option<Stage>], ignored: Arc<Ignored>) -> Stage {
        let mut triggers = Vec::new();
        let base = this.image.expand(&|name| self.global(name)).filter(|base| !base.as_str().is_empty());
        let local = base.as_ref().and_then(|base| named_stage(before, base.as_str()));
        let mut stage = match (local.and_then(|index| built[index].as_ref()), base) {
            (Some(parent), _) => {
                let mut stage = parent.clone();
                triggers = std::mem::take(&mut stage.triggers);
                stage.shared = OnceLock::new();
                stage
            }
            (None, Some(base)) if base == "scratch" => {
                Stage::new(Image::untouched(Base::Scratch, this.place, ignored), "/")
            }
            (None, Some(base)) => Stage::new(Image::untouched(Base::Image(base), this.place, ignored), ""),
            (None, None) => {
                let why = "the image of `FROM` holds a variable that is not known".to_owned();
                Stage::new(Image::untouched(Base::Unknown(why), this.place, ignored), "")
            }
        };
        stage.image.stage_place = this.place;
        stage.own_command = false;
        let find = |name: &str| stage_index(before, name).and_then(|index| built[index].as_ref());
        for instruction in triggers.iter().chain(this.instructions) {
            stage.apply(instruction, self, &find);
            if stage.image.changes.len() > MOST_CHANGES {
                stage.image.changes.truncate(MOST_CHANGES);
                stage.unknown(None, instruction.span, "there are too many changes to follow");
                break;
            }
        }
        stage
    }
}

/// Arguments that BuildKit sets by itself.
fn is_platform(name: &str) -> bool {
    ["TARGET", "BUILD"]
        .iter()
        .any(|side| name.strip_prefix(side).is_some_and(|rest| matches!(rest, "PLATFORM" | "OS" | "ARCH" | "VARIANT")))
}

pub fn limited(value: Option<Text>) -> Lookup {
    value.filter(|value| value.as_str().len() <= LONGEST_VALUE).map_or(Lookup::Unknown, Lookup::Value)
}

impl Stage {
    fn new(image: Image, directory: &str) -> Stage {
        Stage {
            image,
            variables: HashMap::new(),
            arguments: HashMap::new(),
            shell: vec!["/bin/sh".to_owned(), "-c".to_owned()],
            directory: Some(directory.to_owned()),
            own_command: false,
            triggers: Vec::new(),
            opaque: false,
            written: 0,
            shared: OnceLock::new(),
        }
    }

    pub fn shared(&self) -> Arc<Image> {
        self.shared.get_or_init(|| Arc::new(self.image.clone())).clone()
    }

    /// A variable of the Dockerfile. What nobody declares may come from the base image.
    pub fn lookup(&self, name: &str) -> Lookup {
        match (self.variables.get(name).or_else(|| self.arguments.get(name)), &self.image.base) {
            (Some(value), _) => value.clone(),
            (None, Base::Scratch) => Lookup::Unset,
            (None, _) => Lookup::Unknown,
        }
    }

    pub fn expand(&self, word: &Word) -> Option<Text> {
        word.expand(&|name| self.lookup(name))
    }

    /// A path as the stage sees it.
    pub fn path(&self, path: &str) -> Option<String> {
        match &self.directory {
            _ if path.starts_with('/') => Some(join("/", path)),
            Some(directory) => Some(join(directory, path)),
            None => None,
        }
    }

    pub fn unknown(&mut self, path: Option<String>, place: Span, why: &'static str) {
        self.image.changes.push(Change::Unknown { path, place, why });
    }

    fn unresolved(&mut self, instruction: &Instruction) {
        self.image.unresolved.push(Spanned::new(instruction.name.value.clone(), instruction.span));
    }

    fn start(&self, form: &Form, place: Span) -> Start {
        let form = match form {
            Form::Exec(words) => StartForm::Exec(words.clone()),
            Form::Shell(text) => StartForm::Shell { text: text.clone(), shell: self.shell.clone() },
        };
        Start { form, place }
    }

    fn apply<'f>(&mut self, instruction: &Instruction, build: &Build, find: &dyn Fn(&str) -> Option<&'f Stage>) {
        let place = instruction.span;
        match &instruction.kind {
            Kind::Argument(list) => {
                for (name, default) in list {
                    let value = build.argument(&name.value, default.as_ref(), &|name| self.lookup(name));
                    self.arguments.insert(name.value.clone(), value);
                }
            }
            Kind::Environment(list) => self.environment(list, instruction),
            Kind::Expose(list) => self.expose(list, instruction),
            Kind::Entrypoint(form) => {
                if !self.own_command {
                    self.image.command = None;
                }
                self.image.entrypoint = Some(self.start(form, place));
            }
            Kind::Command(form) => {
                self.own_command = true;
                self.image.command = Some(self.start(form, place));
            }
            Kind::Shell(words) => self.shell = words.iter().map(Text::to_string).collect(),
            Kind::User(word) => {
                self.image.user = self.expand(word);
                if self.image.user.is_none() {
                    self.unresolved(instruction);
                }
            }
            Kind::Directory(word) => self.enter(word, instruction),
            Kind::Healthcheck(form) => {
                let options = instruction.flags.iter().filter_map(|flag| {
                    let value = flag.value.as_ref().and_then(|value| self.expand(value))?;
                    Some((flag.name.clone(), value))
                });
                let options = options.collect();
                let test = form.as_ref().map(|form| self.start(form, place));
                self.image.healthcheck = Some(Healthcheck { test, options, place });
            }
            Kind::Copy { sources, target } => copy::copy(self, instruction, sources, target, build, find),
            Kind::Run(form) => run::run(self, form, build),
            Kind::OnBuild(inner) => self.triggers.push(inner.as_ref().clone()),
            Kind::From { .. } | Kind::Label(_) | Kind::Volume(_) | Kind::Other(_) => {}
        }
    }

    /// All values of one instruction see the variables before it.
    fn environment(&mut self, list: &[(Spanned<String>, Word)], instruction: &Instruction) {
        let values: Vec<Lookup> = list.iter().map(|(_, value)| limited(self.expand(value))).collect();
        for ((name, _), value) in list.iter().zip(values) {
            let known = match &value {
                Lookup::Value(text) => Some(text.clone()),
                _ => None,
            };
            if known.is_none() {
                self.unresolved(instruction);
            }
            self.image.environment.push((name.clone(), known));
            self.variables.insert(name.value.clone(), value);
        }
    }

    fn enter(&mut self, word: &Word, instruction: &Instruction) {
        let path = self.expand(word).filter(|path| !path.as_str().is_empty());
        self.directory = path.as_ref().and_then(|path| self.path(path.as_str()));
        self.image.working_directory = self.directory.as_ref().map(|directory| Text::fixed(directory, word.span));
        match self.directory.clone() {
            Some(path) => self.image.changes.push(Change::MakeDirectory { path, place: instruction.span }),
            None => self.unresolved(instruction),
        }
    }

    /// Ports that are not TCP are left out: no proxy asks for them. Of `host:container` only the latter counts, and the
    /// build says that it will refuse it one day (docs.docker.com/reference/build-checks/expose-invalid-format).
    fn expose(&mut self, list: &[Word], instruction: &Instruction) {
        for word in list {
            let Some(text) = self.expand(word) else {
                self.unresolved(instruction);
                continue;
            };
            for item in text.as_str().split_whitespace() {
                let (ports, protocol) = item.split_once('/').unwrap_or((item, "tcp"));
                let ports = ports.rsplit_once(':').map_or(ports, |(_, inside)| inside);
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                match (first.parse::<u16>(), last.parse::<u16>()) {
                    (Ok(first), Ok(last)) if first <= last => {
                        if protocol.eq_ignore_ascii_case("tcp") {
                            self.image.exposed.push(Spanned::new((first, last), word.span));
                        }
                    }
                    _ => {
                        let message = format!("`{item}` is no port");
                        self.image.problems.push(Problem { span: word.span, message, related: None });
                    }
                }
            }
        }
    }
}
