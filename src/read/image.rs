//! What a Dockerfile builds: the image that it starts from, the files that it changes, and what the container then runs.

use crate::read::image::ignore::Ignored;
use crate::source::{Lookup, Sources, Span, Spanned, Text};
use crate::syntax::Problem;
use crate::syntax::command_line::Command;
use std::sync::Arc;

mod copy;
pub mod files;
mod glob;
pub mod ignore;
pub mod packages;
mod print;
mod run;
pub mod sed;
mod stage;

/// An image as the Dockerfile makes it. What it does not say is as in the base image.
#[derive(Clone, Debug)]
pub struct Image {
    pub base: Base,
    /// The `FROM` of the stage that was built.
    pub stage_place: Span,
    /// `ENV`, the last one of a name; without a value where that is not known.
    pub environment: Vec<(Spanned<String>, Option<Text>)>,
    /// First and last TCP port of each `EXPOSE`.
    pub exposed: Vec<Spanned<(u16, u16)>>,
    pub entrypoint: Option<Start>,
    /// Where `entrypoint` is set and this is not, there is no command: `ENTRYPOINT` takes the base image's away.
    pub command: Option<Start>,
    /// Absolute; relative to the directory of the base image when it does not begin with `/`.
    pub working_directory: Option<Text>,
    pub user: Option<Text>,
    pub healthcheck: Option<Healthcheck>,
    /// What happens to its files, in this order, stages that it builds on included.
    pub changes: Vec<Change>,
    pub installed: Vec<Package>,
    /// Commands of `RUN` whose effects are in neither of the two: `usermod`, `a2enmod`, …
    pub commands: Vec<Command>,
    /// What was copied out of other stages, and what the context holds once something else has built it.
    pub brought: Vec<Brought>,
    /// Calls of compilers, with everything put in that is known, and the directory that they run in.
    pub compiled: Vec<(Vec<Text>, String)>,
    /// Instructions (`ENV`, `EXPOSE`, `USER`, `WORKDIR`) whose value is not known.
    pub unresolved: Vec<Spanned<String>>,
    /// What of the context no `COPY` takes.
    pub ignored: Arc<Ignored>,
    pub problems: Vec<Problem>,
}

impl Image {
    /// The base image as it is.
    pub fn untouched(base: Base, stage_place: Span, ignored: Arc<Ignored>) -> Image {
        Image {
            base,
            stage_place,
            environment: Vec::new(),
            exposed: Vec::new(),
            entrypoint: None,
            command: None,
            working_directory: None,
            user: None,
            healthcheck: None,
            changes: Vec::new(),
            installed: Vec::new(),
            commands: Vec::new(),
            brought: Vec::new(),
            compiled: Vec::new(),
            unresolved: Vec::new(),
            ignored,
            problems: Vec::new(),
        }
    }
}

/// Where a chain of stages ends.
#[derive(Clone, Debug)]
pub enum Base {
    /// The reference of an image that is built elsewhere.
    Image(Text),
    Scratch,
    /// The reason is for people.
    Unknown(String),
}

/// `ENTRYPOINT`, `CMD` or the command of `HEALTHCHECK`.
#[derive(Clone, Debug)]
pub struct Start {
    pub form: StartForm,
    pub place: Span,
}

#[derive(Clone, Debug)]
pub enum StartForm {
    /// No shell looks at it.
    Exec(Vec<Text>),
    Shell {
        text: Text,
        /// The command that gets the text as its last argument, `/bin/sh -c` unless `SHELL` says another.
        shell: Vec<String>,
    },
}

#[derive(Clone, Debug)]
pub struct Healthcheck {
    /// `None`: switched off.
    pub test: Option<Start>,
    /// `interval`, `timeout`, `start-period`, `retries`, …
    pub options: Vec<(Spanned<String>, Text)>,
    pub place: Span,
}

/// A file or a folder that was built elsewhere.
#[derive(Clone, Debug)]
pub struct Brought {
    /// Where it lies now.
    pub target: String,
    /// Where it lay; may be a pattern.
    pub source: String,
    pub origin: Origin,
}

/// Where something was built.
#[derive(Clone, Debug)]
pub enum Origin {
    /// In another stage of the same build.
    Stage(Arc<Image>),
    /// Before the build, in the folder of the snapshot that is its context: `COPY target/app.jar .`.
    Context(String),
}

/// A package that a `RUN` installs, without its version.
#[derive(Clone, Debug)]
pub struct Package {
    /// `apt`, `apk`, `dnf`, `pip`, `npm`, `gem`, …
    pub manager: &'static str,
    pub name: Spanned<String>,
}

/// Something that happens to the files of the image. Paths are absolute, without `.` and `..` and final slash;
/// one that does not begin with `/` is relative to the working directory that the base image sets.
#[derive(Clone, Debug)]
pub enum Change {
    /// A file or, with everything below it, a folder is put at `target`.
    Copy {
        source: CopySource,
        target: String,
        /// Where a file lands instead when `target` is a folder in the base image.
        inside: Option<String>,
        place: Span,
    },
    /// `path` may hold `*`, `?` and `[…]`.
    Remove {
        path: String,
        place: Span,
    },
    /// A symbolic link at `path` that says `to`.
    Link {
        path: String,
        to: String,
        place: Span,
    },
    Write {
        path: String,
        text: Text,
        append: bool,
        place: Span,
    },
    /// `sed -i`; see [`sed::edited`].
    Edit {
        path: String,
        edit: sed::Edit,
        place: Span,
    },
    MakeDirectory {
        path: String,
        place: Span,
    },
    Mode {
        path: String,
        executable: bool,
        place: Span,
    },
    /// The path, and everything below it, may have become anything. `None`: a path that is not known.
    Unknown {
        path: Option<String>,
        place: Span,
        why: &'static str,
    },
}

#[derive(Clone, Debug)]
pub enum CopySource {
    /// A path of the snapshot. What is not in the snapshot is made before the build, or the build fails.
    Context(String),
    /// A path of another image.
    Image {
        image: String,
        path: String,
    },
    Text(Text),
    /// The address of `ADD https://…`.
    Remote(String),
}

/// Reads what a Dockerfile builds. `context` is the folder of the snapshot that the build sees, `target` the stage to
/// build (the last one without), `arguments` the build arguments that are passed: `Unset` for those that are not.
pub fn build(
    sources: &Sources,
    context: &str,
    dockerfile: &Text,
    target: Option<&str>,
    arguments: &dyn Fn(&str) -> Lookup,
) -> Image {
    stage::build(sources, context, dockerfile, target, arguments)
}

#[cfg(test)]
mod tests;
