//! What the OpenAPI document says of every route alike: which problems it answers with.

use cardinal_store::Scope;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};

use crate::problem::MEDIA_TYPE;

/// Adds the problems of a route that it does not list itself.
pub fn document(path: &str, method: &str, operation: &mut Operation, scope: Option<Scope>) {
    let mut add = |status: &str, words: &str| {
        let known = &mut operation.responses.responses;
        known.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(status, words)));
    };
    add("400", "A parameter or header cannot be read.");
    if scope.is_some() {
        add("401", "A token is needed.");
        add("403", "The token does not reach so far.");
        add("429", "Too many requests with this token.");
        add("500", "The service failed; its log says why.");
        add("503", "The service or its database cannot answer now.");
    }
    if path.contains('{') {
        add("404", "There is no such thing.");
    }
    if method != "get" {
        add("409", "It does not fit what is there, or a request with this idempotency key is under way.");
        add("422", "What the request says is wrong, or this idempotency key was used for another one.");
    }
    if operation.request_body.is_some() {
        let known = &mut operation.responses.responses;
        for (status, words) in [("413", "The body is too large."), ("415", "The body is of a kind that is not read.")] {
            known.entry(status.to_owned()).or_insert_with(|| RefOr::T(problem(status, words)));
        }
    }
    operation.operation_id.get_or_insert_with(|| format!("{method} {path}"));
    if let (Some(scope), None) = (scope, &operation.description) {
        operation.description = Some(format!("Needs the scope `{scope}`."));
    } else if let (Some(scope), Some(words)) = (scope, &mut operation.description) {
        words.push_str(&format!("\n\nNeeds the scope `{scope}`."));
    }
}

fn problem(status: &str, words: &str) -> Response {
    let body = Content::builder().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description(words).content(MEDIA_TYPE, body);
    if status == "429" || status == "503" {
        response.header("Retry-After", seconds()).build()
    } else {
        response.build()
    }
}

fn seconds() -> Header {
    HeaderBuilder::new()
        .description(Some("Seconds to wait."))
        .schema(ObjectBuilder::new().schema_type(Type::Integer).build())
        .build()
}
