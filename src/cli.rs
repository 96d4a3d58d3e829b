//! The command line: what can be asked for, and what the exit status says.
//!
//! 0: nothing at or above `--fail-on` · 1: something · 2: the command could not do its work, said in one sentence on
//! standard error.

mod check;
mod explain;
mod selection;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::finding::Level;

/// Finds, before anything is deployed, the proxied requests that will end in a 502 or 504.
#[derive(Debug, Parser)]
#[command(name = "no502", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    check: CheckArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check folders or files; this is what happens without a command
    Check(CheckArguments),
    /// Audit a server or a project: what it is, what is wrong with each site, with advice, whatever comments allow
    Audit(CheckArguments),
    /// Explain a rule: what it finds, why it matters, what to write instead
    Explain {
        /// The id of a rule, such as target/port-mismatch, or of a family, such as target
        rule: String,
    },
    /// List all rules
    Rules,
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// Folders or files; of a file, its whole project is read and what touches the file is shown [default: .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// This folder is the `/` of a server: absolute links and paths lead into it, and nothing outside is read
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    root: Option<PathBuf>,
    /// What `ss -ltnp`, `ss -lxp` or `netstat -ltnp` printed on the server (the first one, where a folder holds several): what listens there; may be given several times
    #[arg(long, value_name = "FILE")]
    listening: Vec<PathBuf>,
    /// Ask the kernel of this machine what listens; with --root / only
    #[arg(long, requires = "root")]
    live: bool,
    /// Instead of findings, show what was found to listen, with the evidence
    #[arg(long)]
    list_listeners: bool,
    /// Instead of findings, show where each route leads and why
    #[arg(long)]
    list_routes: bool,
    /// How findings are written
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// The least level that is shown; what fails is always shown
    #[arg(long, value_enum, default_value = "warning")]
    level: Threshold,
    /// Show advice, too; short for --level advice
    #[arg(long)]
    pedantic: bool,
    /// The least level that makes the exit status 1
    #[arg(long, value_enum, default_value = "error")]
    fail_on: FailOn,
    /// Only this rule or family; may be given several times
    #[arg(long, value_name = "ID|FAMILY")]
    rule: Vec<String>,
    /// Not this rule or family; may be given several times
    #[arg(long, value_name = "ID|FAMILY")]
    allow: Vec<String>,
    /// Routes that could not be followed to their end and files that could not be read fail, too
    #[arg(long)]
    strict: bool,
    /// Characters to a line [default: the terminal's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..=1000))]
    width: Option<u16>,
    /// Whether to use colours; NO_COLOR and FORCE_COLOR are obeyed
    #[arg(long, value_enum, default_value = "auto")]
    color: Colour,
    /// Standard input holds the unsaved text of this file; only what touches it is shown
    #[arg(long, value_name = "PATH")]
    stdin_filename: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With the lines that a finding is about, for people
    Human,
    /// path:line:column: level: message [rule]
    Line,
    /// One document for programs
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Threshold {
    Error,
    Warning,
    Advice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Advice,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Persona {
    /// What is wrong and nobody has allowed.
    Checking,
    /// Everything, advice too, site by site.
    Auditing,
}

/// Why the command could not do its work. For people, one sentence.
enum Failure {
    Sentence(String),
    /// Whoever read the output has gone away. That is their right.
    ClosedPipe,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Sentence(format!("the output cannot be written: {error}")),
        }
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Failure {
        Failure::Sentence(sentence)
    }
}

/// Does what the command line says.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return bad_usage(&error),
    };
    let done = match &arguments.command {
        None => check::check(&arguments.check, Persona::Checking),
        Some(Command::Check(check)) => check::check(check, Persona::Checking),
        Some(Command::Audit(check)) => check::check(check, Persona::Auditing),
        Some(Command::Explain { rule }) => explain::explain(rule),
        Some(Command::Rules) => explain::rules(),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Sentence(sentence)) => {
            complain(&sentence);
            ExitCode::from(2)
        }
    }
}

/// One sentence on standard error.
fn complain(sentence: &str) {
    // Where standard error is closed, nobody wants to know.
    let _ = writeln!(io::stderr(), "no502: {sentence}");
}

/// clap writes several paragraphs; the first one and its tips say it all.
fn bad_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed pipe is no failure of ours.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let mut words = Vec::new();
    for line in text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:")) {
        if !line.is_empty() && !line.starts_with("For more information") {
            words.push(line.trim_start_matches("error: ").trim_start_matches("tip: "));
        }
    }
    complain(&format!("{} (see no502 --help)", words.join("; ")));
    ExitCode::from(2)
}

impl Threshold {
    fn level(self) -> Level {
        match self {
            Threshold::Error => Level::Error,
            Threshold::Warning => Level::Warning,
            Threshold::Advice => Level::Advice,
        }
    }
}

impl FailOn {
    fn level(self) -> Option<Level> {
        match self {
            FailOn::Error => Some(Level::Error),
            FailOn::Warning => Some(Level::Warning),
            FailOn::Advice => Some(Level::Advice),
            FailOn::Never => None,
        }
    }
}
