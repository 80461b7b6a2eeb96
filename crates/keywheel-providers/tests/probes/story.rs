//! The life of a key from end to end, through the provider, on each wire that is right about the steps.

use keywheel_core::aws::{AccessKeyId, CallerIdentity, FailureKind, IamUserName, KeyStatus};
use keywheel_providers::{AwsIam, IamUsers, IssuedKey, Target as Whom};

use crate::targets::{Kind, SESSION, Target};

/// The parts of the story that not every target can play.
struct Cast {
    /// It knows the quota of two keys.
    quota: bool,
    /// It refuses keys that are inactive or deleted.
    signatures: bool,
}

#[tokio::test]
async fn a_key_lives_its_life_in_the_sandbox() {
    let cast = Cast {
        quota: true,
        signatures: true,
    };
    play(Kind::Sandbox, &cast).await;
}

#[tokio::test]
async fn a_key_lives_its_life_in_moto() {
    let cast = Cast {
        quota: true,
        signatures: false,
    };
    play(Kind::Moto, &cast).await;
}

#[tokio::test]
async fn a_key_lives_its_life_in_ministack() {
    let cast = Cast {
        quota: false,
        signatures: true,
    };
    play(Kind::Ministack, &cast).await;
}

async fn play(kind: Kind, cast: &Cast) {
    let Some(target) = Target::start(kind).await else {
        return;
    };
    let provider = target.provider();
    let user = target.user().await;
    let connection = target.connection();
    let whom = Whom {
        connection: &connection,
        region: &target.region,
        user_name: &user,
        session: SESSION,
    };
    let stage = Stage {
        provider,
        target: &target,
    };

    let known = stage.is_found(whom, &user).await;
    let first = stage.issues(whom, 1).await;
    assert_eq!(stage.accepts(&first).await, known);
    let second = stage.issues(whom, 2).await;
    assert_eq!(stage.accepts(&second).await, known);
    if cast.quota {
        stage.refuses_a_third(whom).await;
    }
    stage.switches(whom, &first, cast).await;
    stage.deletes(whom, &first, cast).await;
    assert_eq!(stage.accepts(&second).await, known, "the other key works on");
}

struct Stage<'a> {
    provider: AwsIam,
    target: &'a Target,
}

impl Stage<'_> {
    /// The user is in the list of users, has no key, and tells whom its keys should sign as.
    async fn is_found(&self, whom: Whom<'_>, user: &IamUserName) -> CallerIdentity {
        let users = self
            .provider
            .users(whom.connection, whom.region, SESSION)
            .await
            .unwrap()
            .value;
        assert!(users.iter().any(|found| found.user_name == *user));
        assert_eq!(self.statuses(whom).await, []);
        let identified = self.provider.identify(whom).await.unwrap().value;
        assert_eq!(identified.user_name, *user);
        CallerIdentity {
            account: identified.arn.account().unwrap(),
            user_id: identified.user_id,
            arn: identified.arn,
        }
    }

    async fn issues(&self, whom: Whom<'_>, listed: usize) -> IssuedKey {
        let made = self.provider.issue(whom).await.unwrap();
        assert!(made.aws_date.is_some(), "every answer brings AWS's clock");
        let statuses = self.statuses(whom).await;
        assert_eq!(statuses.len(), listed);
        assert!(statuses.contains(&(made.value.id.clone(), KeyStatus::Active)));
        made.value
    }

    async fn statuses(&self, whom: Whom<'_>) -> Vec<(AccessKeyId, KeyStatus)> {
        let keys = self.provider.list(whom).await.unwrap().value;
        keys.into_iter().map(|key| (key.id, key.status)).collect()
    }

    async fn accepts(&self, key: &IssuedKey) -> CallerIdentity {
        let verified = self
            .provider
            .verify(&self.target.region, &key.id, &key.secret)
            .await;
        verified.unwrap().value
    }

    async fn refuses(&self, key: &IssuedKey) {
        let verified = self
            .provider
            .verify(&self.target.region, &key.id, &key.secret)
            .await;
        let failure = verified.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.is("InvalidClientTokenId"), "{failure}");
    }

    async fn refuses_a_third(&self, whom: Whom<'_>) {
        let failure = self.provider.issue(whom).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.is("LimitExceeded"), "{failure}");
        assert_eq!(failure.message, "Cannot exceed quota for AccessKeysPerUser: 2");
    }

    async fn switches(&self, whom: Whom<'_>, key: &IssuedKey, cast: &Cast) {
        for (status, works) in [(KeyStatus::Inactive, false), (KeyStatus::Active, true)] {
            self.provider.set_status(whom, &key.id, status).await.unwrap();
            assert!(self.statuses(whom).await.contains(&(key.id.clone(), status)));
            if works {
                self.accepts(key).await;
            } else if cast.signatures {
                self.refuses(key).await;
            }
        }
    }

    async fn deletes(&self, whom: Whom<'_>, key: &IssuedKey, cast: &Cast) {
        self.provider
            .set_status(whom, &key.id, KeyStatus::Inactive)
            .await
            .unwrap();
        self.provider.delete(whom, &key.id).await.unwrap();
        assert!(self.statuses(whom).await.iter().all(|(id, _)| *id != key.id));
        if cast.signatures {
            self.refuses(key).await;
        }
        let again = self.provider.delete(whom, &key.id).await.unwrap_err();
        assert_eq!(again.kind, FailureKind::Refused);
        assert!(again.is("NoSuchEntity"), "{again}");
    }
}
