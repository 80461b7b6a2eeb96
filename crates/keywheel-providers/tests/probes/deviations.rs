//! Where a target is known to differ from AWS. A difference that is not listed here fails the suite, and so
//! does one that is listed and has gone.
//!
//! moto writes its refusals of signatures and policies one element deeper than AWS does. The Rust SDK finds no
//! code there ("unread by the SDK"), other SDKs do.

use crate::targets::Kind;

/// A probe, and what the target answers in place of AWS's answer.
type Deviation = (&'static str, &'static str);

/// The differences of a target.
pub(crate) const fn known(kind: Kind) -> &'static [Deviation] {
    match kind {
        Kind::Sandbox => SANDBOX,
        Kind::Moto => MOTO,
        Kind::MotoWithAuth => MOTO_WITH_AUTH,
        Kind::Ministack => MINISTACK,
    }
}

/// To be mended there, not to be lengthened here.
const SANDBOX: &[Deviation] = &[("partitions", "one")];

const MOTO: &[Deviation] = &[
    ("status_of_no_meaning", "ok"),
    ("user_deleted_with_its_keys", "ok"),
    ("user_name_with_a_space", "ok"),
    ("user_name_of_65_characters", "ok"),
    ("user_name_in_other_case", "ok"),
    ("creation_time", "finer"),
    ("wrong_secret", "ok"),
    ("unknown_key", "ok"),
    ("unknown_key_at_iam", "ok"),
    ("deleted_key", "ok"),
    ("inactive_key", "ok"),
    ("form_of_a_user_id", "other"),
    ("wrong_external_id", "ok"),
    ("absent_external_id", "ok"),
    ("absent_external_id_where_the_user_is_named", "ok"),
    ("role_that_does_not_exist", "ok"),
    ("demand_for_the_external_id", "NotDemanded"),
    ("user_without_a_policy", "ok"),
    ("policy_on_another_user", "ok"),
];

const MOTO_WITH_AUTH: &[Deviation] = &[
    ("status_of_no_meaning", "ok"),
    ("user_deleted_with_its_keys", "ok"),
    (
        "user_name_with_a_space",
        "SignatureDoesNotMatch 403, unread by the SDK",
    ),
    ("user_name_of_65_characters", "ok"),
    ("user_name_in_other_case", "ok"),
    ("creation_time", "finer"),
    ("wrong_secret", "SignatureDoesNotMatch 403, unread by the SDK"),
    ("unknown_key", "InvalidClientTokenId 403, unread by the SDK"),
    (
        "unknown_key_at_iam",
        "InvalidClientTokenId 403, unread by the SDK",
    ),
    ("deleted_key", "InvalidClientTokenId 403, unread by the SDK"),
    ("inactive_key", "ok"),
    ("form_of_a_user_id", "other"),
    ("right_external_id", "AccessDenied 403, unread by the SDK"),
    ("wrong_external_id", "AccessDenied 403, unread by the SDK"),
    ("absent_external_id", "AccessDenied 403, unread by the SDK"),
    ("absent_external_id_where_the_user_is_named", "ok"),
    ("role_that_does_not_exist", "ok"),
    ("demand_for_the_external_id", "NotDemanded"),
    ("user_without_a_policy", "AccessDenied 403, unread by the SDK"),
    ("policy_on_its_own_user", "AccessDenied 403, unread by the SDK"),
    ("policy_on_another_user", "AccessDenied 403, unread by the SDK"),
];

const MINISTACK: &[Deviation] = &[
    ("third_key", "ok"),
    ("text_of_the_quota", "created"),
    ("third_key_beside_an_inactive_one", "ok"),
    ("list_of_an_absent_user", "ok"),
    ("key_deleted_under_another_user", "ok"),
    ("user_name_with_a_space", "ok"),
    ("user_name_of_65_characters", "ok"),
    ("user_name_in_other_case", "ok"),
    ("used_key", "never used"),
    ("partitions", "one"),
];
