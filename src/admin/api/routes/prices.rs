//! Rows of prices.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::{crud, prices};
use crate::control::{Permission as P, Price};

const WRITE: Access = Access::Any(&[P::PricesWrite]);

pub(super) static PRICES: [Route; 2] = reads!("prices", Price, "price", Access::Any(&[P::PricesRead]));
pub(super) static PRICES_W: [Route; 4] = [
    route(
        "POST",
        "/prices",
        "price.create",
        "Makes a row. Where a price file has one for the same model from the same moment, the file's holds.",
        WRITE,
        crud::create::<Price>,
    )
    .takes::<Price>(&[])
    .gives(Answer::Made(schema::<Price>)),
    route(
        "POST",
        "/prices/preview",
        "price.preview",
        "Says what a row would change, and writes nothing.",
        Access::Any(&[P::PricesRead]),
        prices::preview,
    )
    .takes::<Price>(&[]),
    route(
        "GET",
        "/prices/drift",
        "price.drift",
        "Rows in force for which the built-in list says otherwise; `before` is the list's rate.",
        Access::Any(&[P::PricesRead]),
        prices::drift,
    ),
    route(
        "DELETE",
        "/prices/{id}",
        "price.delete",
        "Deletes a row that does not hold yet.",
        WRITE,
        prices::remove,
    )
    .gives(Answer::Nothing),
];
