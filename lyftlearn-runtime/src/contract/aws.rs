//! The variables by which AWS SDKs find an identity (SDKs and Tools reference guide).

pub(crate) const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub(crate) const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
pub(crate) const ROLE_ARN: &str = "AWS_ROLE_ARN";
pub(crate) const WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
pub(crate) const PROFILE: &str = "AWS_PROFILE";
pub(crate) const SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
pub(crate) const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub(crate) const AUTHORIZATION_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// The task role's credentials: SageMaker's containers and ECS tasks both have it.
pub(crate) const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// `AWS_ECS_EC2` in SageMaker's containers and in ECS tasks.
pub(crate) const EXECUTION_ENV: &str = "AWS_EXECUTION_ENV";
/// Where services are called: most SDKs read the one, boto3 reads the other.
pub(crate) const REGION: &str = "AWS_REGION";
pub(crate) const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
pub(crate) const HOME: &str = "HOME";
pub(crate) const CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// Below `HOME`.
pub(crate) const USUAL_CONFIG_FILE: &str = ".aws/config";
/// Keys of a profile that hold an identity or lead to one.
pub(crate) const IDENTITY_KEYS: &[&str] = &[
    "aws_access_key_id",
    "credential_process",
    "login_session",
    "role_arn",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];
/// Below `HOME`.
pub(crate) const CREDENTIALS_FILE: &str = ".aws/credentials";
