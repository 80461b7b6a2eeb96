//! From what people call things to the ids that the API wants.

use serde_json::{Value, json};

use crate::args::{InProject, Place, RotationArg};
use crate::client::{Client, Query};
use crate::exit::{Failure, Kind, Outcome};
use crate::output::{items, text};
use crate::prompt;

/// Where secrets are.
pub(crate) struct Resolved {
    pub(crate) project: String,
    pub(crate) environment: String,
    pub(crate) path: String,
}

impl Resolved {
    /// As parameters of a query.
    pub(crate) fn query(&self) -> [(&str, &str); 3] {
        [
            ("projectId", &self.project),
            ("environment", &self.environment),
            ("secretPath", &self.path),
        ]
    }

    /// As fields of a body.
    pub(crate) fn body(&self) -> Value {
        json!({"projectId": self.project, "environment": self.environment, "secretPath": self.path})
    }
}

/// Whether a text has the form of an id: then it is none of the names.
pub(crate) fn is_id(text: &str) -> bool {
    let is_part =
        |(part, length): (&str, usize)| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    text.len() == 36 && text.split('-').count() == 5 && text.split('-').zip([8, 4, 4, 4, 12]).all(is_part)
}

/// All projects of the caller.
pub(crate) async fn projects(client: &Client) -> Outcome<Value> {
    client.list("/api/v1/projects", &[], "projects").await
}

/// The project that was named, or the only one.
pub(crate) async fn project(client: &Client, wanted: &InProject) -> Outcome<Value> {
    let wanted = wanted.project.as_deref().filter(|wanted| !wanted.is_empty());
    if let Some(id) = wanted.filter(|wanted| is_id(wanted)) {
        let answer = client.get(&format!("/api/v1/projects/{id}"), &[]).await?;
        return Ok(answer["project"].clone());
    }
    let all = projects(client).await?;
    let Some(wanted) = wanted else {
        return match all["projects"].as_array().map(Vec::as_slice) {
            Some([only]) => Ok(only.clone()),
            Some([]) | None => Err(Failure::new(
                Kind::NotFound,
                "you are in no project; see keywheel projects create",
            )),
            Some(many) => {
                let slugs: Vec<_> = many.iter().map(|project| text(project, "/slug")).collect();
                Err(Failure::usage(format!(
                    "give --project, one of: {}",
                    slugs.join(", ")
                )))
            }
        };
    };
    one_of(&all["projects"], wanted, &["/slug", "/name"], "project")
}

/// The folder that was named.
pub(crate) async fn place(client: &Client, wanted: &Place) -> Outcome<Resolved> {
    let project = project(client, &wanted.project).await?;
    let environments: Vec<_> = items(&project, "environments")
        .map(|one| text(one, "/slug"))
        .collect();
    let environment = match wanted.environment.as_deref().filter(|wanted| !wanted.is_empty()) {
        Some(wanted) => {
            let found = one_of(&project["environments"], wanted, &["/slug"], "environment")?;
            text(&found, "/slug")
        }
        None if prompt::is_interactive() && !environments.is_empty() => {
            let chosen = prompt::choose("Environment:", "--env", &environments)?;
            environments[chosen].clone()
        }
        None => {
            return Err(Failure::usage(format!(
                "give --env, one of: {}",
                environments.join(", ")
            )));
        }
    };
    Ok(Resolved {
        project: text(&project, "/id"),
        environment,
        path: wanted.path.clone(),
    })
}

/// The connection of a name or an id.
pub(crate) async fn connection(client: &Client, wanted: &str) -> Outcome<Value> {
    if is_id(wanted) {
        let answer = client
            .get(&format!("/api/v1/app-connections/aws/{wanted}"), &[])
            .await?;
        return Ok(answer["appConnection"].clone());
    }
    let all = client
        .list("/api/v1/app-connections/aws", &[], "appConnections")
        .await?;
    one_of(&all["appConnections"], wanted, &["/name"], "connection")
}

/// The id of the identity of a name or an id, and its name.
pub(crate) async fn identity(client: &Client, wanted: &str) -> Outcome<Value> {
    if is_id(wanted) {
        let answer = client.get(&format!("/api/v1/identities/{wanted}"), &[]).await?;
        return Ok(answer["identity"]["identity"].clone());
    }
    let all = crate::commands::identities::all(client).await?;
    let identities: Vec<_> = items(&all, "identities")
        .map(|one| one["identity"].clone())
        .collect();
    one_of(&Value::Array(identities), wanted, &["/name"], "identity")
}

/// The rotations that the caller may read, with how each stands.
pub(crate) async fn search(client: &Client, query: &Query<'_>) -> Outcome<Value> {
    client
        .list("/api/v2/secret-rotations/search", query, "rotations")
        .await
}

/// How a rotation stands, in the word of the server: it knows who works on it, and how long a day is.
pub(crate) async fn state(client: &Client, rotation: &Value) -> Outcome<String> {
    let (id, name, project) = (
        text(rotation, "/id"),
        text(rotation, "/name"),
        text(rotation, "/projectId"),
    );
    let found = search(client, &[("projectId", &project), ("search", &name)]).await?;
    let line = items(&found, "rotations").find(|line| text(line, "/id") == id);
    Ok(line.map(|line| text(line, "/state")).unwrap_or_default())
}

/// The rotation of a name or an id.
pub(crate) async fn rotation(client: &Client, wanted: &RotationArg) -> Outcome<Value> {
    let id = if is_id(&wanted.rotation) {
        wanted.rotation.clone()
    } else {
        named_rotation(client, wanted).await?
    };
    let answer = client.get(&format!("{ROTATIONS}/{id}"), &[]).await?;
    Ok(answer["secretRotation"].clone())
}

/// The id of the rotation of a name, which is unique in its folder only.
async fn named_rotation(client: &Client, wanted: &RotationArg) -> Outcome<String> {
    let name = wanted.rotation.as_str();
    let given = |argument: &Option<String>| argument.clone().filter(|given| !given.is_empty());
    let mut query = vec![("search", name.to_owned())];
    if given(&wanted.project.project).is_some() {
        query.push(("projectId", text(&project(client, &wanted.project).await?, "/id")));
    }
    if let Some(environment) = given(&wanted.environment) {
        query.push(("environment", environment));
    }
    let query: Vec<_> = query
        .iter()
        .map(|(field, value)| (*field, value.as_str()))
        .collect();
    let found = search(client, &query).await?;
    only_rotation(&found, name)
}

/// A search finds parts of names, too.
fn only_rotation(found: &Value, name: &str) -> Outcome<String> {
    let named: Vec<_> = items(found, "rotations")
        .filter(|line| text(line, "/name") == name)
        .collect();
    match named.as_slice() {
        [] => Err(Failure::new(
            Kind::NotFound,
            format!("there is no rotation {name:?} that you may see"),
        )),
        [only] => Ok(text(only, "/id")),
        several => {
            let place = |line: &&Value| {
                let part = |pointer| text(line, pointer);
                let (project, environment) = (part("/project/slug"), part("/environment/slug"));
                format!("{project} {environment} {}: {}", part("/secretPath"), part("/id"))
            };
            let places: Vec<_> = several.iter().map(place).collect();
            Err(Failure::usage(format!(
                "several rotations are called {name:?}; give --project and --env, or the id of one: {}",
                places.join(", ")
            )))
        }
    }
}

/// Where rotations are.
pub(crate) const ROTATIONS: &str = "/api/v2/secret-rotations/aws-iam-user-secret";

/// The only one of a list that has a name at one of these places; the first of them counts most.
fn one_of(list: &Value, wanted: &str, places: &[&str], what: &str) -> Outcome<Value> {
    for place in places {
        let named: Vec<_> = list
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| text(one, place) == wanted)
            .collect();
        match named.as_slice() {
            [] => {}
            [only] => return Ok((*only).clone()),
            several => {
                let ids: Vec<_> = several.iter().map(|one| text(one, "/id")).collect();
                return Err(Failure::usage(format!(
                    "several are called {wanted:?}; name the {what} by its id: {}",
                    ids.join(", ")
                )));
            }
        }
    }
    let names = list.as_array().into_iter().flatten();
    let names: Vec<_> = names.take(NAMES_SHOWN).map(|one| text(one, places[0])).collect();
    let mut words = format!("there is no {what} {wanted:?} that you may see");
    if !names.is_empty() {
        words = format!("{words}; there is: {}", names.join(", "));
    }
    Err(Failure::new(Kind::NotFound, words))
}

/// How many names are told in place of one that is not there: enough to see a slip of the keyboard.
const NAMES_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_name() {
        assert!(is_id("01a1fff9-5005-71ad-9495-5febe14dd777"));
        for name in [
            "demo-app",
            "01a1fff9-5005-71ad-9495-5febe14dd77g",
            "01a1fff950-05-71ad-9495-5febe14dd777",
            "",
        ] {
            assert!(!is_id(name), "{name}");
        }
    }

    #[test]
    fn a_name_of_several_is_refused_with_their_ids_and_one_of_none_with_those_there_are() {
        let list = json!([{"id": "1", "name": "a", "slug": "b"}, {"id": "2", "name": "a", "slug": "a"}]);
        assert_eq!(
            one_of(&list, "a", &["/slug", "/name"], "project").unwrap()["id"],
            "2"
        );
        let failure = one_of(&list, "a", &["/name"], "project").unwrap_err();
        assert_eq!(failure.kind, Kind::Usage);
        assert!(failure.to_string().contains("1, 2"));
        let failure = one_of(&list, "c", &["/name"], "project").unwrap_err();
        assert_eq!(failure.kind, Kind::NotFound);
        assert!(
            failure.to_string().ends_with("that you may see; there is: a, a"),
            "{failure}"
        );
    }

    #[test]
    fn a_rotation_is_found_by_its_whole_name_and_only_if_it_is_the_only_one() {
        let line = |id: &str, name: &str, project: &str| {
            json!({"id": id, "name": name, "project": {"slug": project}, "environment": {"slug": "prod"},
                   "secretPath": "/"})
        };
        let lines = [
            line("1", "shop-key", "a"),
            line("2", "key", "a"),
            line("3", "twice", "a"),
            line("4", "twice", "b"),
        ];
        let found = json!({"rotations": lines});
        assert_eq!(only_rotation(&found, "key").unwrap(), "2");
        assert_eq!(only_rotation(&found, "shop").unwrap_err().kind, Kind::NotFound);
        let failure = only_rotation(&found, "twice").unwrap_err();
        assert_eq!(failure.kind, Kind::Usage);
        let told = failure.to_string();
        assert!(
            told.contains("a prod /: 3, b prod /: 4") && told.contains("--project"),
            "{told}"
        );
    }
}
