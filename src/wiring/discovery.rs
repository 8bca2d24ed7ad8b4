//! The discovery service behind its listener. It remembers nothing, so there is no store and no step.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use op_bridge::discovery::{self, Discovery};

use crate::runtime::chance::Chance;
use crate::runtime::clock::Clock;
use crate::sockets::http_server::{Arrived, HttpParty, Replies};

/// The discovery service with the time and the chance it goes by.
pub struct DiscoveryListener {
    service: Arc<Discovery>,
    replies: Replies,
    clock: Clock,
    chance: Chance,
}

impl DiscoveryListener {
    /// Behind the listener whose answers go through `replies`.
    pub fn new(service: Arc<Discovery>, replies: Replies, clock: Clock, chance: Chance) -> Self {
        Self {
            service,
            replies,
            clock,
            chance,
        }
    }
}

impl HttpParty for DiscoveryListener {
    async fn handle(&self, arrived: Arrived) {
        let now = self.clock.now();
        let mut rng = self.chance.generator();
        let response = self.service.answer(&arrived.request, now, &mut rng);
        self.replies.reply(arrived.id, response);
    }

    fn too_large(&self, _head: &Parts) -> Response<Bytes> {
        discovery::too_large()
    }
}
