use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::cli::Args;

/// Compares a generated file with what the command line's grammar gives now; writes it anew where
/// `EDGEHOLD_WRITE_GENERATED` is set.
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/generated").join(name);
    if std::env::var_os("EDGEHOLD_WRITE_GENERATED").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "{name} is not what the grammar gives: run EDGEHOLD_WRITE_GENERATED=1 cargo test --lib cli"
    );
}

#[test]
fn the_grammar_holds() {
    Args::command().debug_assert();
}

/// The grammar without what is hidden: completions would offer it.
fn shown() -> clap::Command {
    let all = Args::command();
    let about = all.get_about().cloned().unwrap_or_default();
    let commands: Vec<_> = all.get_subcommands().filter(is_shown).cloned().collect();
    let shown = clap::Command::new("edgehold").version(env!("CARGO_PKG_VERSION")).about(about);
    shown.subcommand_required(true).arg_required_else_help(true).subcommands(commands)
}

#[test]
fn completions_are_those_of_the_grammar() {
    for (shell, name) in
        [(Shell::Bash, "edgehold.bash"), (Shell::Fish, "edgehold.fish"), (Shell::Zsh, "_edgehold")]
    {
        let mut text = Vec::new();
        generate(shell, &mut shown(), "edgehold", &mut text);
        check(name, &String::from_utf8(text).unwrap());
    }
}

#[test]
fn the_manual_page_is_that_of_the_grammar() {
    let mut command = Args::command();
    command.build();
    let man = Man::new(command.clone()).date("");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_subcommands_section(&mut page).unwrap();
    let mut page = String::from_utf8(page).unwrap();
    page.push_str(".SH COMMANDS\n");
    for sub in command.get_subcommands().filter(is_shown) {
        page.push_str(&section(sub));
    }
    page.push_str(REST);
    check("edgehold.1", &page);
}

fn is_shown(sub: &&clap::Command) -> bool {
    sub.get_name() != "help" && !sub.is_hide_set()
}

/// One command with its arguments, as a list entry each.
fn section(sub: &clap::Command) -> String {
    let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!(".SS {}\n{about}.\n", sub.get_name());
    for argument in sub.get_arguments().filter(|it| it.get_id() != "help") {
        let name = match argument.get_long() {
            Some(long) => format!("\\-\\-{long}"),
            None => argument.get_id().as_str().to_uppercase(),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!(".TP\n\\fB{name}\\fR\n{help}.\n"));
    }
    text
}

const REST: &str = "\
.SH EXIT STATUS
0 done; 64 wrong usage or no such model; 66 the configuration file cannot be read; 69 a listener is
taken, the service does not answer, or no provider does; 75 stopped while it was held
back; 77 no permission to listen; 78 the configuration is bad (file, line, key and what is allowed are
printed), or a socket of systemd's is not in it.
.SH FILES
.TP
/etc/edgehold/edgehold.toml
The configuration, where neither \\-\\-config nor EDGEHOLD_CONFIG names another.
.SH ENVIRONMENT
.TP
EDGEHOLD_CONFIG
The configuration file.
.TP
HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY
The way to cloud providers. Local providers are never reached through a proxy.
.TP
CREDENTIALS_DIRECTORY
Where systemd puts credentials, for keys given as { credential = \"NAME\" }: the file NAME, else
keys_NAME, which is NAME in the directory that a unit loads as keys.
.TP
LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES
Sockets that systemd opened. Each takes the place of the address of server.listen that it has.
.TP
NOTIFY_SOCKET, WATCHDOG_USEC
Where systemd is told that the service is ready, how it stands, and that it lives.
.TP
RUNTIME_DIRECTORY
Where starts that failed are counted, for check \\-\\-hold\\-back.
.TP
JOURNAL_STREAM
Where it is standard error, each line of the log bears its priority in place of the time.
.SH SIGNALS
SIGTERM or SIGINT: stop taking requests, finish those that run, at most for the grace; a second one
stops at once. SIGHUP: read the configuration again; a bad one is refused and the old one stays.
";
