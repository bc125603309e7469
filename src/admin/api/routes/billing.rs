//! The rows of buying, giving and accounting for credits.

use super::row::{route, schema};
use super::{Access, Answer, Route};
use crate::admin::api::billing::{codes, grants, purchases, reports, statements, webhooks};
use crate::admin::api::crud;
use crate::billing::{Account, Allowance, Code, Payment};
use crate::control::Permission as P;

const READ: Access = Access::Any(&[P::BillingRead]);
const BUY: Access = Access::Any(&[P::BillingBuy]);
const MANAGE: Access = Access::Any(&[P::BillingManage]);

pub(super) static BILLING: &[Route] = &[
    route(
        "GET",
        "/wallets",
        "wallet.list",
        "Lists wallets, and what the hub has issued and earned.",
        READ,
        grants::list,
    ),
    route("GET", "/wallets/{id}", "wallet.read", "Shows the wallet of a tenant.", READ, grants::read),
    route(
        "POST",
        "/wallets/{id}/grants",
        "wallet.grant",
        "Gives credits to a tenant, once for each id.",
        MANAGE,
        grants::grant,
    )
    .takes::<grants::NewGrant>(&[]),
    route(
        "POST",
        "/wallets/{id}/adjustments",
        "wallet.adjust",
        "Corrects a wallet; below zero, credits are taken back, as far as there are any.",
        MANAGE,
        grants::adjust,
    )
    .takes::<grants::NewAdjustment>(&[]),
    route("GET", "/payments", "payment.list", "Lists payments.", READ, crud::list::<Payment>)
        .asked(crud::LIST_QUERY)
        .gives(Answer::Page(schema::<Payment>)),
    route("GET", "/payments/{id}", "payment.read", "Shows a payment.", READ, crud::read::<Payment>)
        .gives(Answer::One(schema::<Payment>)),
    route(
        "POST",
        "/payments",
        "payment.create",
        "Begins a purchase; `url` in the answer is where to pay.",
        BUY,
        purchases::create,
    )
    .takes::<purchases::NewPayment>(&[])
    .gives(Answer::Made(schema::<Payment>)),
    route(
        "POST",
        "/payments/{id}/refund",
        "payment.refund",
        "Gives money back; the credits that it bought go, as far as they are there.",
        MANAGE,
        purchases::refund,
    )
    .takes::<purchases::NewRefund>(&[])
    .gives(Answer::One(schema::<Payment>)),
    route("GET", "/packs", "pack.list", "What can be bought.", BUY, purchases::packs),
    route(
        "GET",
        "/billing-accounts",
        "billing-account.list",
        "Lists how tenants pay.",
        READ,
        crud::list::<Account>,
    )
    .asked(crud::LIST_QUERY)
    .gives(Answer::Page(schema::<Account>)),
    route(
        "GET",
        "/billing-accounts/{id}",
        "billing-account.read",
        "Shows how a tenant pays.",
        READ,
        crud::read::<Account>,
    )
    .gives(Answer::One(schema::<Account>)),
    route(
        "PATCH",
        "/billing-accounts/{id}",
        "billing-account.update",
        "Changes how a tenant pays, by a JSON merge patch (RFC 7396); there need not be anything before.",
        BUY,
        purchases::update_account,
    )
    .takes::<Account>(&["patch"])
    .gives(Answer::One(schema::<Account>)),
    route(
        "POST",
        "/billing-accounts/{id}/card",
        "billing-account.save-card",
        "Begins to save a card; `url` in the answer is where.",
        BUY,
        purchases::save_card,
    ),
    route(
        "DELETE",
        "/billing-accounts/{id}/card",
        "billing-account.forget-card",
        "Forgets the saved card; nothing is bought automatically any more.",
        BUY,
        purchases::forget_card,
    )
    .gives(Answer::Nothing),
    route(
        "GET",
        "/codes",
        "code.list",
        "Lists redemption codes, without their texts.",
        MANAGE,
        crud::list::<Code>,
    )
    .asked(crud::LIST_QUERY)
    .gives(Answer::Page(schema::<Code>)),
    route(
        "GET",
        "/codes/{id}",
        "code.read",
        "Shows a redemption code, without its text.",
        MANAGE,
        crud::read::<Code>,
    )
    .gives(Answer::One(schema::<Code>)),
    route(
        "POST",
        "/codes",
        "code.create",
        "Makes redemption codes, `count` of them; their texts are shown this once.",
        MANAGE,
        codes::create,
    )
    .takes::<Code>(&["count"])
    .gives(Answer::Made(schema::<Code>)),
    route("PATCH", "/codes/{id}", "code.update", "Changes a redemption code.", MANAGE, crud::update::<Code>)
        .takes::<Code>(&["patch"])
        .gives(Answer::One(schema::<Code>)),
    route(
        "POST",
        "/redeem",
        "code.redeem",
        "Redeems a code, once for each tenant.",
        Access::Any(&[P::BillingRedeem]),
        codes::redeem,
    )
    .takes::<codes::Redemption>(&[]),
    route(
        "GET",
        "/allowances",
        "allowance.list",
        "Lists credits that come again and again.",
        READ,
        crud::list::<Allowance>,
    )
    .asked(crud::LIST_QUERY)
    .gives(Answer::Page(schema::<Allowance>)),
    route(
        "GET",
        "/allowances/{id}",
        "allowance.read",
        "Shows one of the allowances.",
        READ,
        crud::read::<Allowance>,
    )
    .gives(Answer::One(schema::<Allowance>)),
    route(
        "POST",
        "/allowances",
        "allowance.create",
        "Makes an allowance.",
        MANAGE,
        crud::create::<Allowance>,
    )
    .takes::<Allowance>(&["tenant"])
    .gives(Answer::Made(schema::<Allowance>)),
    route(
        "PATCH",
        "/allowances/{id}",
        "allowance.update",
        "Changes an allowance.",
        MANAGE,
        crud::update::<Allowance>,
    )
    .takes::<Allowance>(&["patch"])
    .gives(Answer::One(schema::<Allowance>)),
    route(
        "DELETE",
        "/allowances/{id}",
        "allowance.delete",
        "Deletes an allowance.",
        MANAGE,
        crud::remove::<Allowance>,
    )
    .gives(Answer::Nothing),
    route("GET", "/statements", "statement.list", "Lists statements.", READ, statements::list)
        .asked(statements::LIST_QUERY),
    route(
        "GET",
        "/statements/verify",
        "statement.verify",
        "Makes all statements again from the ledger and compares their bytes.",
        MANAGE,
        statements::verify,
    ),
    route(
        "GET",
        "/statements/{id}",
        "statement.read",
        "Shows a statement as JSON, CSV, HTML or PDF.",
        READ,
        statements::read,
    )
    .asked(&["format"])
    .gives(Answer::Either(&["text/csv", "text/html", "application/pdf"])),
    route(
        "POST",
        "/statements/close",
        "statement.close",
        "Closes a month, for good; the hub does so by itself an hour after its end.",
        MANAGE,
        statements::close,
    )
    .takes::<statements::Closing>(&[]),
    route(
        "GET",
        "/reports/margin",
        "report.margin",
        "What was earned, what it cost, and what is left; by model, provider, tenant or app.",
        MANAGE,
        reports::margin,
    )
    .asked(reports::QUERY)
    .gives(Answer::Either(&["text/csv"])),
    route(
        "POST",
        "/reports/what-if",
        "report.what-if",
        "What other prices would have made of what was used.",
        MANAGE,
        reports::what_if,
    )
    .takes::<reports::Trial>(&[]),
    route(
        "POST",
        "/reports/reconcile",
        "report.reconcile",
        "Compares a vendor's own export of usage with the books.",
        MANAGE,
        reports::reconcile,
    )
    .takes::<reports::Reconciliation>(&[]),
    route(
        "POST",
        "/webhooks/stripe",
        "webhook.stripe",
        "Takes Stripe's events; their signature is what permits them.",
        Access::Open,
        webhooks::stripe,
    ),
    route(
        "POST",
        "/webhooks/credits",
        "webhook.credits",
        "Credits a wallet by a signed message, once for each id.",
        Access::Open,
        webhooks::credits,
    ),
    route(
        "POST",
        "/webhooks/payment-kit",
        "webhook.payment-kit",
        "Takes Payment Kit's events; their signature is what permits them.",
        Access::Open,
        webhooks::payment_kit,
    ),
];
