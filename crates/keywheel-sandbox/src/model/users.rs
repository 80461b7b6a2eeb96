//! Users: names, paths, `UserId`.

use serde::{Deserialize, Serialize};

use super::grouped::OfUser;
use super::{Account, Answer, Code, Page, PolicyDocument, Refusal, Signer, paged};
use crate::clock::Moment;

/// Longest name of a new user (AWS: `userNameType`).
const NEW_NAME_CHARS_MAX: usize = 64;
/// Longest name that a call on an existing user may carry (AWS: `existingUserNameType`).
const NAME_CHARS_MAX: usize = 128;
/// Longest path (AWS: `pathType`).
const PATH_CHARS_MAX: usize = 512;

/// A user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// As it was written at creation.
    pub name: String,
    /// `/` or `/a/b/`.
    pub path: String,
    /// `AIDA…`; never used again.
    pub id: String,
    /// When.
    pub created_at: Moment,
    /// What the user may do; nothing without one.
    pub policy: Option<PolicyDocument>,
}

impl OfUser for User {
    fn user_id(&self) -> &str {
        &self.id
    }
}

/// A user as the API shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields of `User` in AWS's API model")]
pub struct UserView {
    pub user_name: String,
    pub path: String,
    pub user_id: String,
    pub arn: String,
    pub create_date: Moment,
}

impl Account {
    pub(super) fn user_arn(&self, user: &User) -> String {
        format!("arn:aws:iam::{}:user{}{}", self.id, user.path, user.name)
    }

    pub(super) fn view(&self, user: &User) -> UserView {
        UserView {
            user_name: user.name.clone(),
            path: user.path.clone(),
            user_id: user.id.clone(),
            arn: self.user_arn(user),
            create_date: user.created_at,
        }
    }

    /// The user of this name, whatever its case.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(&name.to_ascii_lowercase())
    }

    pub(super) fn user_by_id(&self, id: &str) -> Option<&User> {
        self.users.of_user(id).next()
    }

    /// The user as the API would show it.
    pub fn user_view(&self, name: &str) -> Option<UserView> {
        self.user(name).map(|user| self.view(user))
    }

    /// The user that a call means: the one it names, else its signer.
    pub(super) fn user_or_self(&self, name: Option<&str>, signer: &Signer) -> Result<&User, Refusal> {
        match (name, signer) {
            (Some(name), _) => {
                check_name(name, NAME_CHARS_MAX)?;
                self.user(name).ok_or_else(|| Refusal::no_such_user(name))
            }
            (None, Signer::User(id)) => self.user_by_id(id).ok_or_else(Refusal::invalid_token),
            (None, Signer::Root | Signer::Session(_)) => Err(Refusal::new(
                Code::ValidationError,
                "Must specify userName when calling with non-User credentials",
            )),
        }
    }

    /// Makes a user without any permission.
    pub fn create_user(&mut self, now: Moment, name: &str, path: Option<&str>) -> Result<Answer, Refusal> {
        check_name(name, NEW_NAME_CHARS_MAX)?;
        let path = path.unwrap_or("/");
        check_path(path)?;
        if self.user(name).is_some() {
            return Err(Refusal::new(
                Code::EntityAlreadyExists,
                format!("User with name {name} already exists."),
            ));
        }
        let user = User {
            name: name.to_owned(),
            path: path.to_owned(),
            id: self.entropy.principal_id("AIDA"),
            created_at: now,
            policy: None,
        };
        let view = self.view(&user);
        self.users.insert(name.to_ascii_lowercase(), user);
        self.revision += 1;
        Ok(Answer::User(view))
    }

    /// Sets what a user may do.
    pub fn set_user_policy(&mut self, name: &str, policy: Option<PolicyDocument>) -> Result<(), Refusal> {
        let user = self.users.get_mut(&name.to_ascii_lowercase());
        user.ok_or_else(|| Refusal::no_such_user(name))?.policy = policy;
        self.revision += 1;
        Ok(())
    }

    pub(super) fn list_users(&self, prefix: Option<&str>, page: &Page) -> Result<Answer, Refusal> {
        let wanted = |user: &&User| prefix.is_none_or(|p| user.path.starts_with(p));
        let entries = self.users.values().filter(wanted);
        paged(
            entries.map(|user| (user.name.to_ascii_lowercase(), self.view(user))),
            page,
        )
        .map(Answer::Users)
    }

    /// Deletes a user that has no keys.
    pub fn delete_user(&mut self, name: &str) -> Result<Answer, Refusal> {
        check_name(name, NAME_CHARS_MAX)?;
        let user = self.user(name).ok_or_else(|| Refusal::no_such_user(name))?;
        if self.keys_of(&user.id).next().is_some() {
            return Err(Refusal::new(
                Code::DeleteConflict,
                "Cannot delete entity, must delete access keys first.",
            ));
        }
        self.users.remove(&name.to_ascii_lowercase());
        self.revision += 1;
        Ok(Answer::Done)
    }
}

fn check_name(name: &str, chars_max: usize) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.is_empty() {
        return Err(Refusal::constraint(
            name,
            "userName",
            "have length greater than or equal to 1",
        ));
    }
    if name.chars().count() > chars_max {
        let rule = format!("have length less than or equal to {chars_max}");
        return Err(Refusal::constraint(name, "userName", &rule));
    }
    if !name.chars().all(allowed) {
        return Err(Refusal::new(
            Code::ValidationError,
            "The specified value for userName is invalid. It must contain only alphanumeric characters and/or \
             the following: +=,.@_-",
        ));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), Refusal> {
    let framed = path == "/" || (path.len() > 2 && path.starts_with('/') && path.ends_with('/'));
    if framed && path.len() <= PATH_CHARS_MAX && path.chars().all(|c| ('!'..='\u{7e}').contains(&c)) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::ValidationError,
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
         characters and/or / characters.",
    ))
}
