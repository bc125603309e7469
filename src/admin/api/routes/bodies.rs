//! The rows of kept requests and answers.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::{bodies, crud};
use crate::control::{BodyPolicy, KeptBody, Permission as P};

pub(super) static POLICIES: [Route; 2] =
    reads!("body-policies", BodyPolicy, "body-policy", Access::Any(&[P::BodyPoliciesRead]));
pub(super) static POLICIES_W: [Route; 3] = writes!(
    "body-policies",
    BodyPolicy,
    "body-policy",
    Access::Any(&[P::BodyPoliciesWrite]),
    &["tenant"],
    bodies::create_policy,
    crud::update::<BodyPolicy>,
    crud::remove::<BodyPolicy>
);
pub(super) static BODIES: [Route; 3] = [
    route(
        "GET",
        "/bodies",
        "bodies.list",
        "Kept requests, without what was said.",
        Access::Any(&[P::BodiesRead]),
        bodies::list,
    )
    .asked(bodies::BODY_QUERY),
    route(
        "GET",
        "/bodies/{id}",
        "bodies.read",
        "What was said in a kept request; the audit log knows who has read it.",
        Access::Any(&[P::BodiesRead]),
        bodies::read,
    )
    .gives(Answer::One(schema::<KeptBody>)),
    route(
        "POST",
        "/bodies/delete",
        "bodies.delete",
        "Deletes kept bodies of a tenant, all or those of a request or for a user; the answer proves it.",
        Access::Any(&[P::BodiesDelete]),
        bodies::delete,
    )
    .takes::<bodies::Deletion>(&[]),
];
