//! The rows of signing in by a provider of identities.

use super::row::route;
use super::{Access, Answer, Route};
use crate::admin::api::{one_time, sign_in};
use crate::control::Permission as P;

pub(super) static SIGN_IN: [Route; 5] = [
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
        "POST",
        "/sign-in/{id}/code",
        "sign-in.code",
        "Takes the one-time code of somebody whom a provider has named, from the form that asks for it; sets \
         the cookie of a session.",
        Access::Open,
        one_time::finish,
    )
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
