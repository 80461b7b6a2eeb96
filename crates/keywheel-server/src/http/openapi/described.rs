//! From readers to schemas, and from one route to another that means the same.

use serde_json::Value;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::{ObjectBuilder, RefOr, Required, Schema};
use utoipa_axum::router::UtoipaMethodRouter;

/// Names the schema of what a reader takes from a body.
macro_rules! body_of {
    ($(#[$doc:meta])* $name:ident = $read:expr) => {
        $(#[$doc])*
        pub(in crate::http) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::http::openapi::schema($crate::http::fields::Sketch::json().of($read))
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

/// Names the parameters that a reader takes from a query.
macro_rules! query_of {
    ($(#[$doc:meta])* $name:ident = $read:expr) => {
        $(#[$doc])*
        pub(in crate::http) struct $name;

        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                $crate::http::openapi::query(&$crate::http::fields::Sketch::texts().of($read))
            }
        }
    };
}

pub(in crate::http) use {body_of, query_of};

/// Where a schema waits to take the place of the object that it is in: `utoipa` has no words for all of JSON Schema.
pub(super) const WAITING: &str = "x-schema";

/// Marks a parameter that may be empty, until it has the word of OpenAPI, which `utoipa` does not have.
pub(super) const EMPTY: &str = "x-empty";

/// A schema as `utoipa` holds it.
pub(in crate::http) fn schema(schema: Value) -> RefOr<Schema> {
    let waiting = Extensions::builder().add(WAITING, schema).build();
    ObjectBuilder::new().extensions(Some(waiting)).build().into()
}

/// The properties of a schema as parameters of a query.
pub(in crate::http) fn query(object: &Value) -> Vec<Parameter> {
    let required = |name: &str| {
        let named = object["required"].as_array();
        named.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let properties = object["properties"].as_object();
    let parameter = |(name, shape): (&String, &Value)| {
        let required = required(name);
        let parameter = ParameterBuilder::new()
            .name(name.clone())
            .parameter_in(ParameterIn::Query)
            .required(if required { Required::True } else { Required::False })
            .schema(Some(schema(shape.clone())));
        // An empty value counts as absent (rule R6).
        let empty = (!required).then(|| Extensions::builder().add(EMPTY, true).build());
        parameter.extensions(empty).build()
    };
    properties.into_iter().flatten().map(parameter).collect()
}

/// The same handlers at an older or a newer path. Their operations are named with `suffix`.
pub(in crate::http) fn at<S>(
    path: &str,
    suffix: &str,
    (schemas, paths, handlers): UtoipaMethodRouter<S>,
) -> UtoipaMethodRouter<S> {
    let mut moved = Paths::new();
    for (_, mut item) in paths.paths {
        for operation in operations(&mut item) {
            if let Some(id) = &mut operation.operation_id {
                id.push_str(suffix);
            }
        }
        moved.paths.insert(path.to_owned(), item);
    }
    (schemas, moved, handlers)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut utoipa::openapi::path::Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .flatten()
}
