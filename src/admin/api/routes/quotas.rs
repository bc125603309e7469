//! Rows of quotas, and of what of them is used.

use super::row::route;
use super::{Access, Route};
use crate::admin::api::{crud, quotas};
use crate::control::{Permission as P, Quota};

pub(super) static QUOTAS: [Route; 2] = reads!("quotas", Quota, "quota", Access::Any(&[P::QuotasRead]));
pub(super) static QUOTAS_W: [Route; 3] = writes!(
    "quotas",
    Quota,
    "quota",
    Access::Any(&[P::QuotasWrite]),
    &["tenant"],
    crud::create::<Quota>,
    crud::update::<Quota>,
    crud::remove::<Quota>
);
pub(super) static USE: [Route; 2] = [
    route(
        "GET",
        "/quotas/{id}/use",
        "quota.use",
        "Shows what of a quota is used, for each of its subjects.",
        Access::Any(&[P::QuotasRead]),
        quotas::one,
    )
    .asked(quotas::USE_QUERY),
    route(
        "GET",
        "/quota-use",
        "quota.use-all",
        "Shows what of all quotas is used.",
        Access::Any(&[P::QuotasRead]),
        quotas::all,
    )
    .asked(quotas::USE_QUERY),
];
