//! A connection that is read in large pieces: rustls asks for 4 KiB at a time, which would be a system call for each in lists of
//! thousands of objects.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;

/// What is read at a time, in bytes. Each connection has one such buffer, and a watch has a connection for each kind.
const PIECE: usize = 32 << 10;

pub(super) struct Buffered(BufReader<TcpStream>);

impl Buffered {
    /// Around a connection that nothing was read from yet.
    pub fn around(connection: TokioIo<TcpStream>) -> TokioIo<Self> {
        TokioIo::new(Self(BufReader::with_capacity(PIECE, connection.into_inner())))
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut BufReader<TcpStream>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl Connection for Buffered {
    fn connected(&self) -> Connected {
        self.0.get_ref().connected()
    }
}

impl AsyncRead for Buffered {
    fn poll_read(self: Pin<&mut Self>, task: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_read(task, into)
    }
}

impl AsyncWrite for Buffered {
    fn poll_write(self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.inner().poll_write(task, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(task, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(task)
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(task)
    }
}
