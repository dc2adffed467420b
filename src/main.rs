//! The `edgehold` program: arguments in, exit code out.

use std::process::ExitCode;

use edgehold::cli;

fn main() -> ExitCode {
    let args = match cli::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return code,
    };
    cli::run(args)
}
