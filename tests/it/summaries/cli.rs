//! `edgehold summarize`: the same through a running service and without one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::cli::{Ran, ran};
use crate::summaries::SMALL;
use crate::support::reader::{cloud_reader, paragraphs, prompt, reader};
use crate::support::setup::{edgehold, free_port};
use crate::support::{
    Folder, Gateway, NO_RETRY, Ollama, OpenAi, Setup, alias, ollama, openai, reply, run_long,
};

/// A configuration, and perhaps a service that runs with it.
struct World {
    local: Ollama,
    cloud: OpenAi,
    folder: Folder,
    config: PathBuf,
    _gateway: Option<Gateway>,
}

impl World {
    async fn new(runs: bool) -> Self {
        let (local, cloud) = (reader(4), cloud_reader());
        let tables = local.table("local", SMALL)
            + &cloud.cloud("cloud")
            + &alias("default", &["local/tiny", "cloud/x"])
            + NO_RETRY;
        let folder = Folder::new();
        let (config, gateway) = match runs {
            true => {
                let gateway = Gateway::with(&tables).await;
                (gateway.config.clone(), Some(gateway))
            }
            false => {
                let listen = format!("[server]\nlisten = [\"127.0.0.1:{}\"]\n", free_port());
                (folder.write("edgehold.toml", &(listen + &tables)), None)
            }
        };
        Self { local, cloud, folder, config, _gateway: gateway }
    }

    /// One with a service and one without.
    async fn both() -> [Self; 2] {
        [Self::new(true).await, Self::new(false).await]
    }

    fn write(&self, name: &str, text: &str) -> String {
        self.folder.write(name, text).display().to_string()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = edgehold();
        command.arg("summarize").args(args).arg("--config").arg(&self.config);
        // Under an emulator its own child needs the emulator too.
        command.envs(std::env::var_os("EDGEHOLD_RUNNER").map(|it| ("EDGEHOLD_RUNNER", it)));
        command.env("TMPDIR", &self.folder.0);
        command
    }

    async fn summarize(&self, args: &[&str]) -> Ran {
        ran(self.command(args)).await
    }

    /// Names of what is in its folder beside what was put there.
    fn left(&self) -> Vec<String> {
        let all = std::fs::read_dir(&self.folder.0).unwrap();
        let names = all.map(|it| it.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("edgehold-")).collect()
    }
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).expect(line)
}

#[test]
fn a_summary_is_printed_as_text_or_json() {
    run_long(async {
        for world in World::both().await {
            let file = world.write("report.txt", &paragraphs(3));
            let said = world.summarize(&[&file]).await.expect(0);
            assert_eq!((said.out.as_str(), world.cloud.chats()), ("FACT-1 FACT-2 FACT-3\n", 0));
            let said = world.summarize(&[&file, "--json", "--length", "words=44"]).await.expect(0);
            let summary = json(&said.out);
            assert_eq!((&summary["file"], &summary["method"]), (&file.into(), &"single".into()));
            assert_eq!(summary["target"], "local/tiny");
            assert!(prompt(world.local.chats().last().unwrap()).contains("about 44 words"));
            assert_eq!(said.out.lines().count(), 1);
            assert_eq!(world.left(), [""; 0]);
        }
    });
}

#[test]
fn a_long_document_tells_how_far_it_is() {
    run_long(async {
        for world in World::both().await {
            let file = world.write("long.txt", &paragraphs(60));
            let focus = ["--focus", "What of the pumps?", "--style", "bullets", "--json"];
            let said = world.summarize(&[&[file.as_str()][..], &focus].concat()).await.expect(0);
            let summary = json(&said.out);
            assert_eq!(summary["method"], "map_reduce");
            assert_eq!(summary["coverage"]["bytes"], summary["coverage"]["bytes_summarised"]);
            // No terminal, so that there are lines and no bar.
            assert!(said.err.contains("map: ") && said.err.contains("chunks"), "{}", said.err);
            assert!(!said.err.contains(['\r', '\u{1b}']), "{:?}", said.err);
            assert!(prompt(&world.local.chats()[0]).contains("What of the pumps?"));
        }
    });
}

#[test]
fn several_files_and_standard_input_are_read() {
    run_long(async {
        for world in World::both().await {
            let one = world.write("one.txt", "It says FACT-1.");
            let two = world.write("two.md", "# It says FACT-2.");
            let said = world.summarize(&[&one, &two]).await.expect(0);
            let want = format!("==> {one} <==\nFACT-1\n==> {two} <==\nFACT-2\n");
            assert_eq!(said.out, want);
            let lines = world.summarize(&[&one, &two, "--json"]).await.expect(0).out;
            let files: Vec<Value> = lines.lines().map(|line| json(line)["file"].clone()).collect();
            assert_eq!(files, [one.as_str(), two.as_str()]);
            let mut command = world.command(&["-"]);
            command.stdin(File::open(&one).unwrap());
            assert_eq!(ran(command).await.expect(0).out, "FACT-1\n");
            // One that cannot be read does not stop the next one, and is told by the code.
            let said = world.summarize(&["/nowhere/x", &two]).await.expect(66);
            assert!(said.out.contains("FACT-2") && said.err.contains("/nowhere/x"), "{}", said.err);
            assert_eq!(world.left(), [""; 0]);
        }
    });
}

#[test]
fn what_cannot_be_is_told_by_the_exit_code() {
    run_long(async {
        for world in World::both().await {
            let text = world.write("a.txt", "It says FACT-1.");
            let empty = world.write("empty.txt", "");
            let image = world.write("a.png", "\u{89}PNG\r\n\u{1a}\n");
            let folder = world.folder.0.display().to_string();
            let table: [(&[&str], i32, &str); 10] = [
                (&[], 64, "FILE"),
                (&[&text, "--length", "tiny"], 64, "words=N"),
                (&[&text, "--style", "song"], 64, "bullets"),
                (&[&text, "--bogus"], 64, "bogus"),
                (&["/nowhere/x.txt"], 66, "/nowhere/x.txt"),
                (&[&folder], 66, &folder),
                (&[&empty], 65, "empty"),
                (&[&text, "--model", "nobody/x"], 65, "nobody"),
                (&[&image, "--type", "image/png"], 65, "image/png"),
                (&["-"], 65, "empty"),
            ];
            for (args, code, word) in table {
                let said = world.summarize(args).await;
                let why = format!("{args:?}: {}{}", said.out, said.err);
                assert_eq!(said.code, Some(code), "{why}");
                assert!(said.out.is_empty() && said.err.contains(word), "{why}");
                assert!(!said.err.contains("panicked"), "{why}");
            }
            assert_eq!((world.local.chats().len(), world.cloud.chats()), (0, 0));
            // With nobody to ask, a named model is not stood in for.
            world.local.down().await;
            let args = [&text, "--model", "local/tiny"];
            world.summarize(&args).await.expect(69);
        }
    });
}

#[test]
fn what_is_to_stay_on_the_device_never_leaves_it() {
    run_long(async {
        for world in World::both().await {
            let file = world.write("a.txt", &paragraphs(40));
            world.local.down().await;
            let said = world.summarize(&[&file, "--local-only", "--json"]).await.expect(0);
            assert_eq!(json(&said.out)["method"], "extractive");
            world.summarize(&[&file, "--local-only", "--model", "default"]).await.expect(69);
            assert_eq!(world.cloud.chats(), 0);
            let said = world.summarize(&[&file, "--json"]).await.expect(0);
            assert_eq!(json(&said.out)["target"], "cloud/x");
        }
    });
}

#[test]
fn what_a_model_says_is_not_obeyed_by_a_terminal() {
    run_long(async {
        for world in World::both().await {
            let evil = "\u{1b}]0;pwned\u{7}\u{1b}[2JFine.\u{9b}31m\r\u{8}";
            world.local.chat_acts(ollama::stream_of(evil, 300));
            let file = world.write("a.txt", "It says FACT-1.");
            let said = world.summarize(&[&file]).await.expect(0);
            assert!(said.out.contains("Fine."), "{:?}", said.out);
            let plain = |text: &str| text.chars().all(|c| !c.is_control() || c == '\n');
            assert!(plain(&said.out), "{:?}", said.out);
            let error = openai::error(evil, "server_error", None);
            world.cloud.on(openai::CHAT, reply::json(400, &error));
            let said = world.summarize(&[&file, "--model", "cloud/x"]).await.expect(65);
            assert!(plain(&said.err), "{:?}", said.err);
        }
    });
}

#[test]
fn a_service_that_wants_a_token_is_shown_one() {
    run_long(async {
        let fake = reader(4);
        let setup = Setup::new(&crate::summaries::small(&fake));
        let token = setup.folder().write("token", "token-number-one-is-long");
        let client = format!("[[clients]]\nname = \"one\"\ntoken = {{ file = {token:?} }}\n");
        let gateway = setup.tables(&client).start().await;
        let file = gateway.folder().join("a.txt");
        std::fs::write(&file, "It says FACT-1.").unwrap();
        let said = summarize(&gateway.config, &file).await.expect(0);
        assert_eq!(said.out, "FACT-1\n");
        // Another token in the configuration than the service has.
        std::fs::write(&token, "token-number-two-is-long").unwrap();
        let said = summarize(&gateway.config, &file).await;
        assert_ne!(said.code, Some(65), "it is no fault of the document: {}", said.err);
    });
}

async fn summarize(config: &Path, file: &Path) -> Ran {
    let mut command = edgehold();
    command.arg("summarize").arg(file).arg("--config").arg(config);
    ran(command).await
}
