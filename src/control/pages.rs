//! The page and the documentation, from the binary: nothing is loaded from elsewhere.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::markdown::{self, escape};
use crate::docs;
use crate::suite::Handle;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router<Arc<Handle>> {
    Router::new()
        .route(
            "/",
            get(|| async { page("text/html; charset=utf-8", include_str!("../ui/index.html")) }),
        )
        .route(
            "/app.js",
            get(|| async {
                page(
                    "text/javascript; charset=utf-8",
                    include_str!("../ui/app.js"),
                )
            }),
        )
        .route(
            "/app.css",
            get(|| async { page("text/css; charset=utf-8", include_str!("../ui/app.css")) }),
        )
        .route(
            "/docs/",
            get(|| async { page("text/html; charset=utf-8", &contents()) }),
        )
        .route("/docs/{topic}", get(topic))
}

async fn topic(Path(name): Path<String>) -> Response {
    match docs::find(&name) {
        Some(topic) => page(
            "text/html; charset=utf-8",
            &document(topic.title(), &markdown::render(&topic)),
        ),
        None => super::problem(
            StatusCode::NOT_FOUND,
            &format!("no documentation on {name}; /docs/ lists what there is"),
        ),
    }
}

fn contents() -> String {
    let mut list = String::from("<ul>");
    for topic in docs::TOPICS {
        // Writing to a String cannot fail.
        let _ = write!(
            list,
            "<li><a href=\"/docs/{}\">{}</a></li>",
            topic.name,
            escape(topic.title())
        );
    }
    list.push_str("</ul>");
    document("Documentation", &list)
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title} – midsim</title><link rel=\"stylesheet\" \
         href=\"/app.css\"></head><body><header><h1>{title}</h1><nav aria-label=\"Pages\"><a href=\"/\">midsim</a> \
         <a href=\"/docs/\">Documentation</a></nav></header><main class=\"doc\">{body}</main></body></html>",
        title = escape(title),
    )
}

fn page(kind: &'static str, body: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, body.to_owned()).into_response()
}
