//! The command line's grammar.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// One local address for language models: the on-device model first, the cloud when it can be
/// reached.
#[derive(Debug, Parser)]
#[command(name = "edgehold", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigPath {
    /// Configuration file; else `$EDGEHOLD_CONFIG`, /etc/edgehold/edgehold.toml, or the built-in
    /// default (the Ollama on this device)
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve until a signal ends it (SIGHUP reloads the configuration)
    Serve {
        #[command(flatten)]
        config: ConfigPath,
    },
    /// Check the configuration and print it with all defaults, secrets masked
    Check {
        #[command(flatten)]
        config: ConfigPath,
        /// Ask each provider whether it is there, at no cost
        #[arg(long)]
        probe: bool,
        /// In a unit's `ExecStartPre=`: wait first, the longer the more starts in a row have failed
        /// (counted in `$RUNTIME_DIRECTORY`)
        #[arg(long)]
        hold_back: bool,
    },
    /// Show how the running service stands
    Status {
        #[command(flatten)]
        config: ConfigPath,
        /// Print the JSON as it comes
        #[arg(long)]
        json: bool,
    },
    /// Show which target would answer for a model now, and why the others would not
    Explain {
        /// An alias, PROVIDER/MODEL, or a model that a local provider lists
        model: String,
        /// As the request header X-Edgehold-Locality
        #[arg(long, value_name = "WHERE")]
        locality: Option<Where>,
        #[command(flatten)]
        config: ConfigPath,
    },
    /// Look after the jobs of the queue
    Jobs {
        /// What to do with them
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Summarise documents, by the running service or without one
    Summarize(SummarizeArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, in roff
    Man,
    /// Read standard input as a document: what the service starts itself
    #[command(hide = true)]
    ExtractDocument {
        /// Words of the form name=value
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// List the jobs of all clients, in the order in which they were accepted
    List {
        /// Only those in this state: queued, running, succeeded, failed, expired, cancelled, corrupt
        #[arg(long)]
        state: Option<String>,
        /// Print each as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigPath,
    },
    /// Show how a job stands
    Show {
        #[command(flatten)]
        job: OneJob,
    },
    /// Print a job's answer as the client would get it
    Result {
        #[command(flatten)]
        job: OneJob,
    },
    /// Take a job back that has not ended, or let one go that has
    Cancel {
        #[command(flatten)]
        job: OneJob,
    },
    /// Try a job again that failed, expired or was cancelled
    Retry {
        #[command(flatten)]
        job: OneJob,
    },
    /// Print every job with its request and answer, each as a line of JSON
    Export {
        /// A database that no running service uses, in place of the configured one
        #[arg(long, value_name = "FILE")]
        database: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigPath,
    },
}

/// What is to be summarised, and how.
#[derive(Debug, clap::Args)]
pub(super) struct SummarizeArgs {
    /// Documents: text, Markdown, HTML, PDF, DOCX, EPUB, e-mail, CSV, JSON lines; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<String>,
    /// An alias, PROVIDER/MODEL, or builtin/extractive for sentences of the document itself
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// short, medium, long, or words=N
    #[arg(long, value_name = "LENGTH")]
    pub(super) length: Option<String>,
    /// paragraph, bullets or headline
    #[arg(long, value_name = "STYLE")]
    pub(super) style: Option<String>,
    /// The summary's language; else the document's
    #[arg(long, value_name = "LANGUAGE")]
    pub(super) language: Option<String>,
    /// A question or a topic that it is to be about
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// Never leave the device and its LAN
    #[arg(long)]
    pub(super) local_only: bool,
    /// The documents' media type, where their names and bytes do not tell it
    #[arg(long = "type", value_name = "MEDIA")]
    pub(super) media: Option<String>,
    /// Print all that is known of each summary, as a line of JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) config: ConfigPath,
}

/// A job by its id.
#[derive(Debug, clap::Args)]
pub(super) struct OneJob {
    /// The job's id
    pub(super) id: String,
    #[command(flatten)]
    pub(super) config: ConfigPath,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Where {
    Any,
    Cloud,
    Local,
}

impl Where {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Cloud => "cloud",
            Self::Local => "local",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Fish,
    Zsh,
}
