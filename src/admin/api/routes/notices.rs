//! Rows of notices: webhooks, and what was delivered to them.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::{crud, notices, webhooks};
use crate::control::{Permission as P, Webhook};

pub(super) static WEBHOOKS: [Route; 2] =
    reads!("webhooks", Webhook, "webhook", Access::Any(&[P::WebhooksRead]));
pub(super) static WEBHOOKS_W: [Route; 3] = writes!(
    "webhooks",
    Webhook,
    "webhook",
    Access::Any(&[P::WebhooksWrite]),
    &["tenant"],
    webhooks::create,
    crud::update::<Webhook>,
    crud::remove::<Webhook>
);
pub(super) static NOTICES: [Route; 6] = [
    route(
        "POST",
        "/webhooks/{id}/rotate",
        "webhook.rotate",
        "Gives a webhook a new secret; notices are signed with both for a while.",
        Access::Any(&[P::WebhooksWrite]),
        webhooks::rotate,
    )
    .takes::<webhooks::Overlap>(&[])
    .gives(Answer::One(schema::<Webhook>)),
    route(
        "POST",
        "/webhooks/{id}/test",
        "webhook.test",
        "Sends a webhook a test notice.",
        Access::Any(&[P::WebhooksWrite]),
        webhooks::test,
    ),
    route(
        "GET",
        "/notices",
        "notice.kinds",
        "Kinds of notices, and the JSON that each carries.",
        Access::Known,
        notices::kinds,
    ),
    route(
        "GET",
        "/deliveries",
        "delivery.list",
        "Lists what was and is to be delivered, the newest first.",
        Access::Any(&[P::WebhooksRead]),
        notices::list,
    )
    .asked(notices::DELIVERY_QUERY),
    route(
        "GET",
        "/deliveries/{id}",
        "delivery.read",
        "Shows one delivery.",
        Access::Any(&[P::WebhooksRead]),
        notices::read,
    ),
    route(
        "POST",
        "/deliveries/{id}/replay",
        "delivery.replay",
        "Tries a delivery again that was given up, or that arrived.",
        Access::Any(&[P::WebhooksWrite]),
        notices::replay,
    ),
];
