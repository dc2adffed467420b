//! Changes of this device's network, as the kernel tells them (rtnetlink): an interface comes or
//! goes, an address, a route. What the messages say is not read: that something changed is enough
//! to ask again whether the providers are there.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use tokio::net::UnixDatagram;
use tokio::time::Instant;

/// The groups that are listened to, by the bits of `linux/rtnetlink.h`: `RTMGRP_LINK`,
/// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// A cable that is plugged in brings an interface, addresses and routes, one after the other: they
/// are one change.
const SETTLES: Duration = Duration::from_millis(200);

/// Least time between two changes. An interface that flaps must not become a storm of probes.
const PAUSE: Duration = Duration::from_secs(1);

/// Most messages that are taken as one change; more are the next.
const MOST_MESSAGES: usize = 1024;

/// Tells when the network has changed.
#[derive(Debug)]
pub struct NetworkChanges {
    /// Of another family than its type says, which is nothing to one that only receives.
    socket: UnixDatagram,
    next: Instant,
}

impl NetworkChanges {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where the system gives no such socket: a sandbox may forbid it.
    pub fn listen() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // NETLINK_ROUTE is 0, the protocol that is meant where none is named.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Self::on(socket)
    }

    fn on(socket: OwnedFd) -> io::Result<Self> {
        let socket = UnixDatagram::from_std(StdDatagram::from(socket))?;
        Ok(Self { socket, next: Instant::now() })
    }

    /// Waits for a change, and until it has settled.
    ///
    /// # Errors
    /// Where the socket is of no more use.
    pub async fn next(&mut self) -> io::Result<()> {
        tokio::time::sleep_until(self.next).await;
        loop {
            self.socket.readable().await?;
            if self.take()? {
                break;
            }
        }
        tokio::time::sleep(SETTLES).await;
        for _ in 0..MOST_MESSAGES {
            if !self.take()? {
                break;
            }
        }
        self.next = Instant::now() + PAUSE;
        Ok(())
    }

    /// Takes one message. False: there is none.
    fn take(&self) -> io::Result<bool> {
        // What does not fit is cut off: nobody reads it.
        match self.socket.try_recv(&mut [0; 64]) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            // Messages were lost, so something changed.
            Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many changes are told within a time.
    async fn told(changes: &mut NetworkChanges, within: Duration) -> usize {
        let end = Instant::now() + within;
        let mut count = 0;
        while tokio::time::timeout_at(end, changes.next()).await.is_ok() {
            count += 1;
        }
        count
    }

    #[tokio::test(start_paused = true)]
    async fn messages_that_come_together_are_one_change() {
        let (kernel, socket) = StdDatagram::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut changes = NetworkChanges::on(socket.into()).unwrap();
        assert_eq!(told(&mut changes, Duration::from_secs(60)).await, 0, "nothing changed");
        for _ in 0..9 {
            kernel.send(&[1; 500]).unwrap();
        }
        let began = Instant::now();
        changes.next().await.unwrap();
        assert_eq!(began.elapsed(), SETTLES);
        assert_eq!(told(&mut changes, Duration::from_secs(60)).await, 0, "that was all");
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_that_flaps_is_told_of_once_a_second() {
        let (kernel, socket) = StdDatagram::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut changes = NetworkChanges::on(socket.into()).unwrap();
        let flaps = async {
            for _ in 0..500 {
                kernel.send(b"change").unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        };
        // Ten seconds of it, and one more for the last change.
        tokio::select! {
            () = flaps => {}
            count = told(&mut changes, Duration::from_secs(20)) => {
                assert!((8..=10).contains(&count), "{count}");
            }
        }
    }

    #[tokio::test]
    async fn the_kernel_lets_anybody_listen() {
        NetworkChanges::listen().unwrap();
    }
}
