//! The API document in other forms: a page for people, and OpenAPI 3.0 for older generators.

mod fields;
mod older;
mod page;
mod prose;
mod schema;

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::page::Page;
use super::answer::{Answer, Reply, Written};
use super::errors::ApiError;
use super::openapi;
use crate::app::App;

/// The document does not change while the process runs; what is made from it is made once.
static PAGE: LazyLock<Result<Rendered, String>> =
    LazyLock::new(|| Rendered::new(openapi::document()).map_err(|fault| fault.to_string()));
static OLDER: LazyLock<Value> = LazyLock::new(|| older::to_3_0(openapi::document().clone()));

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(page)).routes(routes!(older))
}

/// The API document as a page
///
/// For people; without a script, and without anything from elsewhere.
#[utoipa::path(
    get,
    path = "/api/docs",
    operation_id = "getApiPage",
    tag = "instance",
    responses((status = 200, body = String, content_type = "text/html")),
    security(())
)]
async fn page() -> Result<Response, ApiError> {
    let page = PAGE.as_ref().map_err(ApiError::internal)?;
    let headers: [(HeaderName, HeaderValue); 2] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, page.policy.clone()),
    ];
    let mut response = (headers, Body::from(page.html.clone())).into_response();
    response.extensions_mut().insert(Written(page.html.clone()));
    Ok(response)
}

/// The API document in OpenAPI 3.0
///
/// For generators that do not read 3.1 yet. What 3.0 has no words for is left out.
#[utoipa::path(
    get,
    path = "/api/docs/openapi-3.0.json",
    operation_id = "getOlderApiDocument",
    tag = "instance",
    responses((status = 200, body = Object)),
    security(())
)]
async fn older() -> Reply<&'static Value> {
    Ok(Answer(&OLDER))
}

/// The page, and what it may load: nothing but the style it brings, which is named by its digest.
struct Rendered {
    html: Bytes,
    policy: HeaderValue,
}

impl Rendered {
    fn new(document: &Value) -> Result<Self, Box<dyn std::error::Error>> {
        let html = Page::new(document).render()?;
        let style = html
            .split_once("<style>")
            .and_then(|(_, rest)| rest.split_once("</style>"))
            .map(|(style, _)| style)
            .unwrap_or_default();
        let digest = STANDARD.encode(digest::digest(&digest::SHA256, style.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        );
        Ok(Self {
            policy: HeaderValue::try_from(policy)?,
            html: html.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn html(document: &Value) -> String {
        let rendered = Rendered::new(document).unwrap();
        String::from_utf8(rendered.html.to_vec()).unwrap()
    }

    /// The values of an attribute.
    fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        let start = format!(" {attribute}=\"");
        let rest = html.split(start.as_str()).skip(1);
        rest.map(|rest| rest.split_once('"').unwrap().0).collect()
    }

    #[test]
    fn every_operation_is_on_the_page_and_in_its_contents() {
        let document = openapi::document();
        let html = html(document);
        let (ids, links) = (values(&html, "id"), values(&html, "href"));
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
        let named: Vec<_> = operations
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        assert!(!named.is_empty());
        for id in named {
            assert_eq!(ids.iter().filter(|seen| **seen == id).count(), 1, "{id}");
            assert!(links.contains(&format!("#{id}").as_str()), "{id}");
        }
    }

    #[test]
    fn links_lead_to_places_of_the_page_or_to_the_documents() {
        let html = html(openapi::document());
        let ids = values(&html, "id");
        for link in values(&html, "href") {
            let known = link.strip_prefix('#').is_some_and(|id| ids.contains(&id));
            assert!(known || link.starts_with("/api/docs/"), "{link}");
        }
    }

    #[test]
    fn nothing_runs_and_nothing_is_loaded() {
        let html = html(openapi::document()).to_lowercase();
        for word in [
            "<script", "<link", "<img", "<iframe", "<object", " src=", " style=", "url(", "@import",
        ] {
            assert!(!html.contains(word), "{word}");
        }
        assert!(values(&html, "onclick").is_empty());
    }

    #[test]
    fn what_the_document_says_is_text_and_never_markup() {
        let evil = "</style><script>alert('x')</script>\"><img src=x onerror=y>`<b>`";
        let schema = json!({
            "type": "object", "description": evil, "required": [evil],
            "properties": {evil: {
                "type": "string", "description": evil, "pattern": evil, "enum": [evil, "b"], "default": evil,
                "example": evil, "format": evil,
            }},
        });
        let content = json!({"application/json": {"schema": schema, "example": {evil: evil}}});
        let mut operation = json!({
            "operationId": evil, "summary": evil, "description": format!("{evil}\nPermission: {evil}"), "tags": [evil],
            "parameters": [{"name": evil, "in": evil, "description": evil, "schema": schema}],
            "requestBody": {"description": evil, "content": content},
            "responses": {"200": {"description": evil, "content": content}},
        });
        operation["responses"][evil] = operation["responses"]["200"].clone();
        let document = json!({
            "info": {"title": evil, "version": evil, "description": evil},
            "tags": [{"name": evil, "description": evil}],
            "paths": {evil: {"get": operation}},
        });
        let harmless =
            html(&serde_json::from_str(&document.to_string().replace(['<', '>', '\''], "")).unwrap());
        let html = html(&document);
        assert!(html.matches("&#60;script&#62;").count() > 20);
        // The same elements as without a single sign that could make one.
        assert_eq!(html.matches('<').count(), harmless.matches('<').count());
        assert!(!html.contains("<img"));
    }

    #[test]
    fn the_policy_allows_the_style_of_the_page_alone() {
        let rendered = Rendered::new(&json!({})).unwrap();
        let style = include_bytes!("../../templates/docs.css").trim_ascii_end();
        let digest = STANDARD.encode(digest::digest(&digest::SHA256, style));
        let policy = rendered.policy.to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(policy.contains(&digest), "{policy}");
    }

    #[test]
    fn headings_come_in_order() {
        let html = html(openapi::document());
        let levels: Vec<u32> = html
            .match_indices("<h")
            .filter_map(|(at, _)| html[at + 2..].chars().next()?.to_digit(10))
            .collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        assert_eq!(levels[0], 1);
        assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    }
}
