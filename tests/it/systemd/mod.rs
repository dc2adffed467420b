//! What systemd gives to the service, and what the service tells it.

mod logs;
mod notify;
mod pace;
mod sockets;
mod watchdog;

use std::path::PathBuf;

use tokio::net::UnixDatagram;

use crate::support::{NO_RETRY, OpenAi, Setup, alias};

/// systemd's end of the socket that it is told by.
struct Systemd(UnixDatagram);

impl Systemd {
    /// A setup whose gateway tells it, and has to give a sign of life so often.
    fn watches(setup: Setup, watchdog_usec: &str) -> (Self, Setup) {
        let path: PathBuf = setup.folder().0.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let setup = setup
            .env("NOTIFY_SOCKET", &path.display().to_string())
            .env("WATCHDOG_USEC", watchdog_usec);
        (Self(socket), setup)
    }

    async fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.0.recv(&mut bytes).await.unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// Datagrams until one has a line that begins so; all that came before go by.
    async fn told(&self, wanted: &str) -> String {
        self.told_where(|text| text.lines().any(|line| line.starts_with(wanted))).await
    }

    async fn told_where(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let text = self.next().await;
            if is_wanted(&text) {
                return text;
            }
        }
    }
}

fn tables(fake: &OpenAi) -> String {
    fake.cloud("cloud") + &alias("big", &["cloud/x"]) + NO_RETRY
}
