use std::process::ExitCode;

fn main() -> ExitCode {
    no502::cli::run(std::env::args_os())
}
