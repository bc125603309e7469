//! How rows are written, and the rows that most kinds have.

use super::{Access, Answer, Route};
use crate::admin::api::call::{Call, Reply};
use crate::admin::api::problem::Problem;
use schemars::{JsonSchema, Schema, SchemaGenerator};

pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Where every row starts from.
pub(super) const fn route(
    method: &'static str,
    path: &'static str,
    action: &'static str,
    summary: &'static str,
    access: Access,
    handler: fn(&Call<'_>) -> Result<Reply, Problem>,
) -> Route {
    Route {
        method,
        path,
        action,
        summary,
        access,
        body: None,
        extra: &[],
        query: &[],
        chosen: &[],
        answer: Answer::Object,
        handler,
    }
}

impl Route {
    pub(super) const fn takes<T: JsonSchema>(mut self, extra: &'static [&'static str]) -> Self {
        self.body = Some(schema::<T>);
        self.extra = extra;
        self
    }

    pub(super) const fn gives(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    pub(super) const fn asked(mut self, query: &'static [&'static str]) -> Self {
        self.query = query;
        self
    }

    pub(super) const fn chosen_by(mut self, names: &'static [&'static str]) -> Self {
        self.chosen = names;
        self
    }
}

macro_rules! reads {
    ($path:literal, $type:ty, $name:literal, $access:expr) => {
        [
            $crate::admin::api::routes::row::route(
                "GET",
                concat!("/", $path),
                concat!($name, ".list"),
                concat!("Lists ", $path, "."),
                $access,
                $crate::admin::api::crud::list::<$type>,
            )
            .asked($crate::admin::api::crud::LIST_QUERY)
            .gives($crate::admin::api::routes::Answer::Page(
                $crate::admin::api::routes::row::schema::<$type>,
            )),
            $crate::admin::api::routes::row::route(
                "GET",
                concat!("/", $path, "/{id}"),
                concat!($name, ".read"),
                concat!("Shows one of the ", $path, "."),
                $access,
                $crate::admin::api::crud::read::<$type>,
            )
            .gives($crate::admin::api::routes::Answer::One($crate::admin::api::routes::row::schema::<$type>)),
        ]
    };
}

macro_rules! writes {
    ($path:literal, $type:ty, $name:literal, $access:expr, $extra:expr, $create:expr, $update:expr, $remove:expr) => {
        [
            $crate::admin::api::routes::row::route(
                "POST",
                concat!("/", $path),
                concat!($name, ".create"),
                concat!("Makes one of the ", $path, "."),
                $access,
                $create,
            )
            .takes::<$type>($extra)
            .asked(&["force"])
            .gives($crate::admin::api::routes::Answer::Made(
                $crate::admin::api::routes::row::schema::<$type>,
            )),
            $crate::admin::api::routes::row::route(
                "PATCH",
                concat!("/", $path, "/{id}"),
                concat!($name, ".update"),
                concat!("Changes one of the ", $path, " by a JSON merge patch (RFC 7396)."),
                $access,
                $update,
            )
            .takes::<$type>(&["patch"])
            .asked(&["force"])
            .gives($crate::admin::api::routes::Answer::One($crate::admin::api::routes::row::schema::<$type>)),
            $crate::admin::api::routes::row::route(
                "DELETE",
                concat!("/", $path, "/{id}"),
                concat!($name, ".delete"),
                concat!("Deletes one of the ", $path, "."),
                $access,
                $remove,
            )
            .asked(&["force"])
            .gives($crate::admin::api::routes::Answer::Nothing),
        ]
    };
}
