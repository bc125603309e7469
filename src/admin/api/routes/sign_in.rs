//! The rows of signing in by a provider of identities.

use super::table::route;
use super::{Access, Answer, Route};
use crate::admin::api::sign_in;
use crate::control::Permission as P;

pub(super) static SIGN_IN: [Route; 4] = [
    route(
        "GET",
        "/sign-in",
        "sign-in.list",
        "Ways to sign in besides a password.",
        Access::Open,
        sign_in::list,
    ),
    route(
        "GET",
        "/sign-in/{id}",
        "sign-in.start",
        "Sends a browser to a provider of identities, and from there to the path `then`.",
        Access::Open,
        sign_in::start,
    )
    .asked(&["then"])
    .gives(Answer::Html),
    route(
        "GET",
        "/sign-in/{id}/callback",
        "sign-in.finish",
        "Where a provider of identities sends a browser back; sets the cookie of a session.",
        Access::Open,
        sign_in::finish,
    )
    .asked(&["code", "state", "iss", "error"])
    .gives(Answer::Html),
    route(
        "DELETE",
        "/users/{id}/identities",
        "user.unlink",
        "Forgets who somebody is at providers of identities, and ends their sessions.",
        Access::Any(&[P::UsersWrite]),
        sign_in::unlink,
    )
    .gives(Answer::Nothing),
];
