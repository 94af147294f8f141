//! The kinds of sockets, as far as they differ.

use std::io;
use std::net;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net as unix;

use rustix::io::Errno;
use rustix::net::SocketFlags;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

use crate::metrics::statsd::Listener;

/// Whatever datagrams, or connections, come to.
pub(super) enum Socket {
    Udp(UdpSocket),
    Datagram(UnixDatagram),
    Tcp(TcpListener),
    Stream(UnixListener),
}

/// A connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) fn new(listener: Listener, socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(match listener {
            Listener::Udp | Listener::Udp6 | Listener::Dogstatsd => {
                Self::Udp(UdpSocket::from_std(net::UdpSocket::from(socket))?)
            }
            Listener::Tcp | Listener::Tcp6 => {
                Self::Tcp(TcpListener::from_std(net::TcpListener::from(socket))?)
            }
            Listener::Datagram => {
                Self::Datagram(UnixDatagram::from_std(unix::UnixDatagram::from(socket))?)
            }
            Listener::Stream => {
                Self::Stream(UnixListener::from_std(unix::UnixListener::from(socket))?)
            }
        })
    }

    pub(super) fn connects(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Stream(_))
    }

    /// Waits for datagrams.
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.readable().await,
            Self::Datagram(socket) => socket.readable().await,
            Self::Tcp(_) | Self::Stream(_) => std::future::pending().await,
        }
    }

    /// Lets `receive` have datagrams; where it says that there are no more, the next wait is
    /// for new ones.
    pub(super) fn received(&self, receive: impl FnOnce() -> bool) -> bool {
        let receive = || more(receive());
        let done = match self {
            Self::Udp(socket) => socket.try_io(Interest::READABLE, receive),
            Self::Datagram(socket) => socket.try_io(Interest::READABLE, receive),
            Self::Tcp(_) | Self::Stream(_) => more(false),
        };
        done.is_ok()
    }

    /// Waits for somebody to connect.
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(socket) => Ok(Stream::Tcp(socket.accept().await?.0)),
            Self::Stream(socket) => Ok(Stream::Unix(socket.accept().await?.0)),
            Self::Udp(_) | Self::Datagram(_) => std::future::pending().await,
        }
    }

    /// The next connection that is waiting; `None` without one.
    pub(super) fn accepted(&self) -> io::Result<Option<Stream>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let stream = match rustix::net::accept_with(self, flags) {
            Ok(stream) => stream,
            Err(Errno::AGAIN) => return Ok(None),
            Err(err) => return Err(err.into()),
        };
        Ok(Some(match self {
            Self::Stream(_) => Stream::Unix(UnixStream::from_std(unix::UnixStream::from(stream))?),
            _ => Stream::Tcp(TcpStream::from_std(net::TcpStream::from(stream))?),
        }))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp(socket) => socket.as_fd(),
            Self::Datagram(socket) => socket.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
            Self::Stream(socket) => socket.as_fd(),
        }
    }
}

impl Stream {
    pub(super) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            Self::Unix(stream) => stream.readable().await,
        }
    }

    /// As for datagrams.
    pub(super) fn received(&self, receive: impl FnOnce() -> bool) -> bool {
        let receive = || more(receive());
        let done = match self {
            Self::Tcp(stream) => stream.try_io(Interest::READABLE, receive),
            Self::Unix(stream) => stream.try_io(Interest::READABLE, receive),
        };
        done.is_ok()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

fn more(more: bool) -> io::Result<()> {
    if more {
        Ok(())
    } else {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
