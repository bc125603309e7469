//! The listening sockets: addresses settled before Pingora starts, TLS with a
//! certificate that can be changed while running.

use super::tls::CertificateResolver;
use crate::config::Snapshot;
use pingora::listeners::tls::TlsSettings;
use pingora::listeners::{L4BufferSettings, ListenerConfig, TcpSocketOptions};
use pingora::services::listening::Service;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// Plain connections are read straight into the place where the bytes are wanted; a buffer in
/// between would only cost memory. TLS reads record by record and wants one.
const READ_BUFFER_PLAIN: usize = 0;
const READ_BUFFER_TLS: usize = 4 * 1024;
/// Header and a small answer leave in one write.
const WRITE_BUFFER: usize = 2 * 1024;
const BACKLOG: i32 = 1024;

/// Where the hub really listens, port 0 resolved.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub public: Vec<SocketAddr>,
    pub tls: Vec<SocketAddr>,
    pub admin: SocketAddr,
    /// Holds the ports that were chosen until Pingora has bound them too.
    _held: Arc<Vec<Socket>>,
}

impl Addresses {
    /// Settles every address; a port 0 becomes a free port that stays ours.
    ///
    /// # Errors
    /// Names the address that is taken.
    pub(super) fn reserve(snapshot: &Snapshot, upgrade: bool) -> Result<Self, String> {
        let mut held = Vec::new();
        let mut settle = |address: &SocketAddr| settle(*address, upgrade, &mut held);
        let public = snapshot.public.listen.iter().map(&mut settle).collect::<Result<_, _>>()?;
        let tls = match &snapshot.public.tls {
            Some(tls) => tls.listen.iter().map(&mut settle).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let admin = settle(&snapshot.admin.listen)?;
        Ok(Self { public, tls, admin, _held: Arc::new(held) })
    }
}

/// Binds without listening, to learn the port or that the address is taken.
fn settle(address: SocketAddr, upgrade: bool, held: &mut Vec<Socket>) -> Result<SocketAddr, String> {
    let taken = |error: std::io::Error| format!("cannot listen on {address}: {error}");
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(taken)?;
    socket.set_reuse_address(true).map_err(taken)?;
    if address.port() == 0 {
        // Shared with Pingora's own bind, so that nobody else gets the port in between.
        socket.set_reuse_port(true).map_err(taken)?;
    }
    let in_use = |error: &std::io::Error| upgrade && error.kind() == std::io::ErrorKind::AddrInUse;
    match socket.bind(&address.into()) {
        // By the old process, whose socket will be ours.
        Err(error) if in_use(&error) => return Ok(address),
        result => result.map_err(taken)?,
    }
    let bound = socket.local_addr().map_err(taken)?.as_socket().unwrap_or(address);
    if address.port() == 0 {
        held.push(socket);
    } else {
        // SO_REUSEADDR lets a bind succeed beside a listener; only listening tells.
        match socket.listen(1) {
            Err(error) if in_use(&error) => {}
            result => result.map_err(taken)?,
        }
    }
    Ok(bound)
}

/// Adds the public listeners to the service.
pub(super) fn add<A: Send + Sync + 'static>(
    service: &mut Service<A>,
    snapshot: &Snapshot,
    addresses: &Addresses,
) -> Result<Option<Arc<CertificateResolver>>, String> {
    for (wanted, bound) in snapshot.public.listen.iter().zip(&addresses.public) {
        service.add_listener(listener(*bound, wanted.port() == 0, READ_BUFFER_PLAIN));
    }
    let Some(tls) = &snapshot.public.tls else { return Ok(None) };
    let resolver = CertificateResolver::load(&tls.certificate, &tls.key)?;
    for (wanted, bound) in tls.listen.iter().zip(&addresses.tls) {
        let mut settings = TlsSettings::intermediate("", "").map_err(|e| e.to_string())?;
        settings.set_cert_resolver(Arc::clone(&resolver) as Arc<dyn rustls::server::ResolvesServerCert>);
        settings.enable_h2();
        service.add_listener(listener(*bound, wanted.port() == 0, READ_BUFFER_TLS).tls(settings));
    }
    Ok(Some(resolver))
}

fn listener(address: SocketAddr, shared: bool, read_buffer: usize) -> ListenerConfig {
    let mut options = TcpSocketOptions::default();
    options.so_reuseport = shared.then_some(true);
    ListenerConfig::tcp(address.to_string())
        .tcp_socket_options(options)
        .l4_buffer(L4BufferSettings::new(read_buffer, WRITE_BUFFER))
}

/// The admin socket. It is not handed over, so an old and a new process share its address.
/// It does not listen yet: until this process answers, nobody must be sent to it.
pub(super) fn admin(address: SocketAddr) -> Result<Socket, String> {
    let failed = |error: std::io::Error| format!("cannot listen on {address}: {error}");
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).map_err(failed)?;
    socket.set_reuse_address(true).map_err(failed)?;
    socket.set_reuse_port(true).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    socket.bind(&address.into()).map_err(failed)?;
    Ok(socket)
}

/// Lets the admin socket take connections.
pub(super) fn listen(socket: Socket) -> std::io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
