//! The yardstick: Pingora's proxy with no logic at all, one worker, defaults
//! everywhere else.

use async_trait::async_trait;
use pingora::prelude::HttpPeer;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use std::net::SocketAddr;
use std::sync::Arc;

struct Bare {
    vendor: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut Self::CTX) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.vendor, false, String::new())))
    }
}

/// Serves until the process is ended.
pub fn serve(listen: SocketAddr, vendor: SocketAddr) -> ! {
    let conf = ServerConf { threads: 1, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let conf: Arc<ServerConf> = Arc::clone(&server.configuration);
    let mut service = http_proxy_service(&conf, Bare { vendor });
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.run_forever()
}
