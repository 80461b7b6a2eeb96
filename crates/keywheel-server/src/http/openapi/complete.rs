//! What every operation has, whatever its handler does: the token, refusals, headers, the parameters of its path.

use serde_json::{Map, Value, json};

use super::described::{EMPTY, WAITING};
use super::{examples, glossary};
use crate::auth::browser;
use crate::http::paging;

/// Refusals by status: the name in `components.responses`, what it means, whether it may have `details`, an example of
/// `error` and one of `message`.
const REFUSALS: [(&str, &str, &str, bool, &str, &str); 11] = [
    (
        "400",
        "BadRequest",
        "A rule of the system forbids it; the message says which",
        true,
        "BadRequest",
        "A Secret Rotation with the name \"billing\" already exists at the secret path \"/\"",
    ),
    (
        "401",
        "Unauthorized",
        "Who is calling is not known",
        false,
        "UnauthorizedError",
        "Token missing",
    ),
    (
        "403",
        "Forbidden",
        "The caller may not; or the token is expired or none of ours (`TokenError`)",
        true,
        "PermissionDenied",
        "You are not allowed to create on secret-rotation",
    ),
    (
        "404",
        "NotFound",
        "No such thing",
        false,
        "NotFound",
        "Could not find AWS IAM User Secret Rotation with ID \"3c90c3cc-0d44-4b50-8888-8dd25736052a\"",
    ),
    (
        "408",
        "BodyTooSlow",
        "The body did not come in time",
        false,
        "RequestTimeout",
        "The body took longer than 30000 ms",
    ),
    (
        "413",
        "TooLarge",
        "The body is larger than the server takes",
        false,
        "PayloadTooLarge",
        "The body is larger than the limit of 1048576 bytes",
    ),
    (
        "422",
        "Invalid",
        "The request is not of the right form: all issues at once",
        false,
        "ValidationFailure",
        "",
    ),
    (
        "429",
        "TooMany",
        "Too often: too many failed logins from this address, or too many tests of the same webhook; `Retry-After` says \
         when it may be tried again",
        false,
        "RateLimitExceeded",
        "Too many failed logins from this address. Please try again later",
    ),
    (
        "500",
        "Failed",
        "AWS refused or failed, which the message tells; or the server is at fault",
        false,
        "InternalServerError",
        "Infisical encountered an issue while generating credentials with the configured inputs: AWS is throttling",
    ),
    (
        "503",
        "Unavailable",
        "Not now: the database cannot be reached or written, or the server is shutting down",
        false,
        "ServiceUnavailable",
        "The database cannot be reached at the moment. Try again shortly; if it lasts, see the log of the server.",
    ),
    (
        "504",
        "TooSlow",
        "It took too long; look at its outcome before you repeat it",
        false,
        "GatewayTimeoutError",
        "The request took longer than 300 s; look at its outcome before you repeat it",
    ),
];
/// The operations that are limited, most of them in their failures.
const LIMITED: [&str; 9] = [
    "bootstrap",
    "logIn",
    "signIn",
    "setUpAccount",
    "joinAccount",
    "changePassword",
    "startTotp",
    "stopTotp",
    "testWebhook",
];
/// The methods that operations have.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Completes the document.
pub(super) fn complete(document: &mut Value) {
    put_waiting_schemas(document);
    document["components"]["securitySchemes"] = json!({
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The access token of a machine identity",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": browser::COOKIE,
            "description": "The session of a person; a sign-in sets it",
        },
        "csrf": {
            "type": "apiKey", "in": "header", "name": "X-Keywheel-CSRF",
            "description": "The csrfToken of the session, beside its cookie, unless the method is GET or HEAD",
        },
    });
    document["components"]["responses"] = REFUSALS.map(refusal).into_iter().collect();
    document["components"]["headers"] = json!({
        "RequestId": {"description": "Names the request in the log", "schema": {"type": "string", "example": "req-5f0c1d2e3b4a6978"}},
        "ETag": {"description": "Changes with the body. Send it as If-None-Match", "schema": {"type": "string"}},
        "Link": {
            "description": "The next page, relative to this one (RFC 8288, `rel=\"next\"`); absent on the last page",
            "schema": {"type": "string", "example": "<?pageSize=100&pageCursor=3q2-7wAAAAAiREVNTyI>; rel=\"next\""}
        },
    });
    let schemas = document["components"]["schemas"].clone();
    for (path, method, operation) in operations(document) {
        complete_operation(path, method, operation);
        if operation.get("requestBody").is_some() {
            say_who_needs_a_body(&schemas, operation);
        }
    }
    glossary::explain(document);
    examples::give(document);
}

/// Every operation with its path and its method.
pub(super) fn operations(document: &mut Value) -> impl Iterator<Item = (&str, &str, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object_mut().into_iter().flatten();
        methods
            .filter(|(method, _)| METHODS.contains(&method.as_str()))
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// Puts each schema that waits in an extension into the place of the object around it.
fn put_waiting_schemas(value: &mut Value) {
    if let Some(schema) = value.get_mut(WAITING) {
        *value = schema.take();
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(put_waiting_schemas),
        Value::Array(items) => items.iter_mut().for_each(put_waiting_schemas),
        _ => {}
    }
}

fn complete_operation(path: &str, method: &str, operation: &mut Value) {
    let operation_id = operation["operationId"].clone();
    let is_public = operation["security"] == json!([{}]);
    if !is_public {
        operation["security"] = match method {
            "get" => json!([{"token": []}, {"session": []}]),
            _ => json!([{"token": []}, {"session": [], "csrf": []}]),
        };
    }
    add_path_parameters(path, operation);
    let has_body = operation.get("requestBody").is_some();
    let has_input = has_body
        || operation["parameters"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
    if method == "get" {
        add_entity_tag(operation);
    }
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    if parameters.into_iter().any(|one| one["name"] == paging::SIZE) {
        operation["responses"]["200"]["headers"]["Link"] = json!({"$ref": "#/components/headers/Link"});
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for (status, response) in responses.iter_mut() {
            if response["description"].as_str().is_none_or(str::is_empty) {
                response["description"] = success(status).into();
            }
            response["headers"]["x-request-id"] = json!({"$ref": "#/components/headers/RequestId"});
        }
        for (status, name, ..) in REFUSALS {
            let applies = match status {
                "401" | "403" => !is_public || has_body,
                "400" | "404" => !is_public || has_input,
                "408" | "413" => has_body,
                "429" => LIMITED.iter().any(|limited| operation_id == *limited),
                "422" => has_input,
                _ => true,
            };
            if applies {
                responses.insert(
                    status.to_owned(),
                    json!({"$ref": format!("#/components/responses/{name}")}),
                );
            }
        }
    }
}

/// What an answer without a refusal means.
fn success(status: &str) -> &'static str {
    match status {
        "204" => "Done; there is nothing to tell",
        _ => "Done",
    }
}

/// A body without a field that has to be there may be left out.
fn say_who_needs_a_body(schemas: &Value, operation: &mut Value) {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let schema = name.map_or(schema, |name| &schemas[name]);
    let required = schema["required"]
        .as_array()
        .is_some_and(|names| !names.is_empty());
    operation["requestBody"]["required"] = required.into();
}

fn add_path_parameters(path: &str, operation: &mut Value) {
    let known = operation["parameters"].take();
    let mut parameters = known.as_array().cloned().unwrap_or_default();
    for name in path.split(['{', '}']).skip(1).step_by(2) {
        if !parameters
            .iter()
            .any(|known| known["in"] == "path" && known["name"] == name)
        {
            let schema = glossary::path_shape(name);
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
    }
    for parameter in parameters.iter_mut().filter_map(Value::as_object_mut) {
        if parameter.remove(EMPTY).is_some() {
            parameter.insert("allowEmptyValue".to_owned(), true.into());
        }
    }
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    } else if let Some(operation) = operation.as_object_mut() {
        operation.remove("parameters");
    }
}

fn add_entity_tag(operation: &mut Value) {
    operation["responses"]["200"]["headers"]["ETag"] = json!({"$ref": "#/components/headers/ETag"});
    operation["responses"]["304"] =
        json!({"description": "The body is still the one with the entity tag in If-None-Match"});
}

fn refusal(
    (status, name, description, has_details, error, message): (&str, &str, &str, bool, &str, &str),
) -> (String, Value) {
    let status: u16 = status.parse().unwrap_or_default();
    let invalid = status == 422;
    let mut properties = Map::new();
    properties.insert("reqId".to_owned(), json!({"type": "string"}));
    properties.insert(
        "statusCode".to_owned(),
        json!({"type": "integer", "const": status}),
    );
    properties.insert(
        "error".to_owned(),
        json!({"type": "string", "description": "A name for programs"}),
    );
    let text = json!({"type": "string", "description": "A text for people"});
    properties.insert("message".to_owned(), if invalid { issues() } else { text });
    if has_details {
        properties.insert("details".to_owned(), json!({"description": "More for programs"}));
    }
    if status == 404 {
        let docs = json!({"type": "string", "description": "Only where the route is unknown: where this document is"});
        properties.insert("docs".to_owned(), docs);
    }
    let message = if invalid {
        example_of_issues()
    } else {
        message.into()
    };
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": ["reqId", "statusCode", "message", "error"],
        "additionalProperties": false,
    });
    let example =
        json!({"reqId": "req-5f0c1d2e3b4a6978", "statusCode": status, "message": message, "error": error});
    let response = json!({
        "description": description,
        "headers": {"x-request-id": {"$ref": "#/components/headers/RequestId"}},
        "content": {"application/json": {"schema": schema, "example": example}},
    });
    (name.to_owned(), response)
}

/// The message of a 422: what is wrong, and where.
fn issues() -> Value {
    json!({
        "type": "array",
        "description": "All issues at once",
        "items": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "The kind of fault"},
                "path": {"type": "array", "items": {"type": ["string", "integer"]},
                    "description": "Where: keys and indexes from the outside inwards"},
                "message": {"type": "string", "description": "A text for people"},
            },
            "required": ["code", "path", "message"],
        },
    })
}

fn example_of_issues() -> Value {
    json!([{
        "code": "too_small", "minimum": 1, "type": "number", "inclusive": true, "exact": false,
        "path": ["rotationInterval"], "message": "Number must be greater than or equal to 1",
    }])
}
