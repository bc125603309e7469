//! Rows about OAuth clients, and what they were allowed.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::{clients, consents, crud, keys};
use crate::control::Permission as P;
use crate::control::oauth::Client;

pub(super) static CLIENTS: [Route; 2] = reads!("clients", Client, "client", Access::Any(&[P::ClientsRead]));
pub(super) static CLIENTS_W: [Route; 3] = writes!(
    "clients",
    Client,
    "client",
    Access::Any(&[P::ClientsWrite]),
    &["tenant"],
    clients::create,
    crud::update::<Client>,
    crud::remove::<Client>
);

pub(super) static OTHERS: [Route; 5] = [
    route(
        "POST",
        "/clients/{id}/rotate",
        "client.rotate",
        "Gives a confidential OAuth client a new secret; the old one may go on working for a while.",
        Access::Any(&[P::ClientsWrite]),
        clients::rotate,
    )
    .takes::<keys::Rotation>(&[])
    .gives(Answer::One(schema::<Client>)),
    route(
        "GET",
        "/me/consents",
        "consent.list",
        "Programs that one allowed to act for oneself.",
        Access::Known,
        consents::own,
    ),
    route(
        "DELETE",
        "/me/consents/{id}",
        "consent.withdraw",
        "Takes back what one allowed a program, by its id; its tokens end at once.",
        Access::Known,
        consents::withdraw,
    )
    .gives(Answer::Nothing),
    route(
        "GET",
        "/grants",
        "grant.list",
        "What programs are allowed now, and for whom.",
        Access::Any(&[P::ClientsRead]),
        consents::grants,
    )
    .asked(&["limit", "after", "client", "user"]),
    route(
        "DELETE",
        "/grants/{id}",
        "grant.end",
        "Ends what a program is allowed; its tokens end at once.",
        Access::Any(&[P::ClientsWrite]),
        consents::end,
    )
    .gives(Answer::Nothing),
];
