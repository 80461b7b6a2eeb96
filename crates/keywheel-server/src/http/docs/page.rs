//! What the page shows, read from the document.

use askama::Template;
use serde_json::Value;

use super::fields::Field;
use super::prose::{self, Prose, prose};
use super::schema::{Reader, list, text};

/// Methods in the order in which people look for them.
const METHODS: &[&str] = &["get", "post", "put", "patch", "delete"];
/// Operations without a tag.
const OTHERS: &str = "Others";

/// The page.
#[derive(Template)]
#[template(path = "docs.html")]
pub(super) struct Page<'a> {
    title: &'a str,
    version: &'a str,
    description: Prose<'a>,
    groups: Vec<Group<'a>>,
    /// Answers that many operations have.
    shared: Vec<Answer<'a>>,
    /// The headers of all answers.
    headers: Vec<Field<'a>>,
}

/// The operations of a tag.
struct Group<'a> {
    name: &'a str,
    anchor: String,
    description: Prose<'a>,
    operations: Vec<Operation<'a>>,
}

struct Operation<'a> {
    id: &'a str,
    method: String,
    path: &'a str,
    summary: &'a str,
    description: Prose<'a>,
    permission: Prose<'a>,
    needs_token: bool,
    parameters: Vec<Parameter<'a>>,
    body: Option<Body<'a>>,
    answers: Vec<Answer<'a>>,
    refusals: Vec<Answer<'a>>,
}

struct Parameter<'a> {
    place: &'a str,
    field: Field<'a>,
}

struct Body<'a> {
    is_required: bool,
    description: Prose<'a>,
    content: Content<'a>,
}

struct Answer<'a> {
    /// Its status, or its name where it is described for all.
    title: &'a str,
    description: Prose<'a>,
    headers: Vec<&'a str>,
    content: Content<'a>,
    /// The name under which it is described for all.
    shared: Option<&'a str>,
}

/// A body: its fields and examples.
#[derive(Default)]
struct Content<'a> {
    media_type: &'a str,
    /// The type of a body that is no object.
    kind: Option<String>,
    fields: Vec<Field<'a>>,
    examples: Vec<Example<'a>>,
}

struct Example<'a> {
    title: &'a str,
    json: String,
}

impl<'a> Page<'a> {
    /// Reads a document of version 3.1.
    pub(super) fn new(document: &'a Value) -> Self {
        let info = &document["info"];
        let reader = Reader(document);
        let operations: Vec<_> = operations(document).collect();
        let tags = list(&document["tags"]).map(|tag| (text(&tag["name"]), text(&tag["description"])));
        let mut tags: Vec<_> = tags.collect();
        for (.., operation) in &operations {
            let tag = tag(operation);
            if !tags.iter().any(|(known, _)| *known == tag) {
                tags.push((tag, ""));
            }
        }
        let of_tag = |wanted: &str| {
            operations
                .iter()
                .filter(|(.., operation)| tag(operation) == wanted)
                .map(|(path, method, operation)| reader.operation(path, method, operation))
                .collect::<Vec<_>>()
        };
        let groups = tags.into_iter().map(|(name, description)| Group {
            name,
            anchor: anchor(name),
            description: prose(description),
            operations: of_tag(name),
        });
        let groups: Vec<_> = groups.filter(|group| !group.operations.is_empty()).collect();
        Self {
            title: text(&info["title"]),
            version: text(&info["version"]),
            description: prose(text(&info["description"])),
            shared: reader.shared(&groups),
            headers: reader.headers(&operations),
            groups,
        }
    }
}

/// Path, method and operation.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &'static str, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        METHODS
            .iter()
            .filter_map(move |method| Some((path.as_str(), *method, item.get(*method)?)))
    })
}

fn tag(operation: &Value) -> &str {
    list(&operation["tags"]).next().map_or(OTHERS, text)
}

/// An id for a heading: ids have no spaces.
fn anchor(name: &str) -> String {
    let kept = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' });
    format!("tag-{}", kept.collect::<String>())
}

/// A description without the line about the permission, and that line.
fn without_permission(description: &str) -> (Prose<'_>, Prose<'_>) {
    let Some((before, rest)) = description.split_once("Permission: ") else {
        return (prose(description), Prose::new());
    };
    let (permission, after) = rest.split_once('\n').unwrap_or((rest, ""));
    let description = prose(before).into_iter().chain(prose(after));
    (description.collect(), prose(permission))
}

impl<'a> Reader<'a> {
    fn operation(self, path: &'a str, method: &str, operation: &'a Value) -> Operation<'a> {
        let (description, permission) = without_permission(text(&operation["description"]));
        let body = self.resolve(&operation["requestBody"]);
        let (answers, refusals) = responses(operation)
            .map(|(status, response)| self.answer(status, response))
            .partition(|answer| answer.title.starts_with(['1', '2', '3']));
        Operation {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path,
            summary: text(&operation["summary"]),
            description,
            permission,
            needs_token: self.needs_token(operation),
            parameters: list(&operation["parameters"])
                .map(|parameter| self.parameter(self.resolve(parameter)))
                .collect(),
            body: body.is_object().then(|| Body {
                is_required: body["required"] == true,
                description: prose(text(&body["description"])),
                content: self.content(&body["content"]),
            }),
            answers,
            refusals,
        }
    }

    /// Without a word of its own, what holds for the whole document holds.
    fn needs_token(self, operation: &Value) -> bool {
        let schemes = operation.get("security").unwrap_or(&self.0["security"]);
        let first = list(schemes).next().and_then(Value::as_object);
        first.is_some_and(|scheme| !scheme.is_empty())
    }

    fn parameter(self, parameter: &'a Value) -> Parameter<'a> {
        let name = text(&parameter["name"]).to_owned();
        Parameter {
            place: text(&parameter["in"]),
            field: self.described(name, parameter),
        }
    }

    /// A parameter or header: a schema with a name and, often, a description of its own.
    fn described(self, name: String, outer: &'a Value) -> Field<'a> {
        let mut field = self.field(name, &outer["schema"], outer["required"] == true);
        let own = prose(text(&outer["description"]));
        if !own.is_empty() {
            field.description = own;
        }
        field
    }

    fn answer(self, status: &'a str, response: &'a Value) -> Answer<'a> {
        let name = text(&response["$ref"]).strip_prefix("#/components/responses/");
        let described = self.resolve(response);
        let shown = name.is_none();
        Answer {
            title: status,
            description: prose(text(&described["description"])),
            headers: headers(described)
                .map(|(name, _)| name)
                .filter(|_| shown)
                .collect(),
            content: self.content(if shown {
                &described["content"]
            } else {
                &Value::Null
            }),
            shared: name,
        }
    }

    /// Each header once: a name means the same wherever it comes.
    fn headers(self, operations: &[(&'a str, &str, &'a Value)]) -> Vec<Field<'a>> {
        let responses = operations.iter().flat_map(|(.., operation)| responses(operation));
        let mut found: Vec<_> = responses
            .flat_map(|(_, response)| headers(self.resolve(response)))
            .collect();
        found.sort_unstable_by_key(|(name, _)| *name);
        found.dedup_by_key(|(name, _)| *name);
        let fields = found.into_iter();
        fields
            .map(|(name, header)| self.described(name.to_owned(), self.resolve(header)))
            .collect()
    }

    fn content(self, content: &'a Value) -> Content<'a> {
        let Some((media_type, media)) = first_media_type(content) else {
            return Content::default();
        };
        let schema = &media["schema"];
        let fields = self.fields(schema);
        Content {
            media_type,
            kind: fields
                .is_empty()
                .then(|| self.field(String::new(), schema, true).kind),
            fields,
            examples: self.examples(media),
        }
    }

    /// Those of the body itself, or else those of its schema.
    fn examples(self, media: &'a Value) -> Vec<Example<'a>> {
        let named = media["examples"].as_object().into_iter().flatten();
        let named = named.map(|(name, example)| {
            let example = self.resolve(example);
            let title = example["summary"].as_str().unwrap_or(name);
            (title, &example["value"])
        });
        let schema = self.resolve(&media["schema"]);
        let single = [&media["example"], &schema["example"], &schema["examples"][0]];
        let single = single.into_iter().find(|value| !value.is_null());
        let all: Vec<_> = named.collect();
        let all = if all.is_empty() {
            single.map(|value| ("Example", value)).into_iter().collect()
        } else {
            all
        };
        all.into_iter()
            .filter_map(|(title, value)| {
                let json = serde_json::to_string_pretty(value).ok()?;
                Some(Example { title, json })
            })
            .collect()
    }

    /// Each answer that operations only name, once.
    fn shared(self, groups: &[Group<'a>]) -> Vec<Answer<'a>> {
        let operations = groups.iter().flat_map(|group| &group.operations);
        let answers = operations.flat_map(|operation| operation.answers.iter().chain(&operation.refusals));
        let mut found: Vec<_> = answers
            .filter_map(|answer| Some((answer.title, answer.shared?)))
            .collect();
        found.sort_unstable();
        found.dedup_by_key(|(_, name)| *name);
        let responses = &self.0["components"]["responses"];
        found
            .into_iter()
            .map(|(_, name)| self.answer(name, &responses[name]))
            .collect()
    }
}

/// The answers of an operation by their status.
fn responses(operation: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    responses.map(|(status, response)| (status.as_str(), response))
}

/// The headers of an answer.
fn headers(response: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let headers = response["headers"].as_object().into_iter().flatten();
    headers.map(|(name, header)| (name.as_str(), header))
}

fn first_media_type(content: &Value) -> Option<(&str, &Value)> {
    let (name, media) = content.as_object()?.iter().next()?;
    Some((name, media))
}

#[cfg(test)]
mod tests;
