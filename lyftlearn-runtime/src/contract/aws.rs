//! The variables by which AWS SDKs find an identity (SDKs and Tools reference guide).

pub(crate) const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
pub(crate) const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
#[cfg(feature = "cli")]
pub(crate) const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
#[cfg(feature = "cli")]
pub(crate) const CREDENTIAL_EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
pub(crate) const ROLE_ARN: &str = "AWS_ROLE_ARN";
pub(crate) const WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
pub(crate) const ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
/// What chooses a profile: all SDKs read the one, botocore the other before it.
pub(crate) const PROFILES: &[&str] = &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// Other names for keys that older SDKs read (Go's and Java's first, boto's).
#[cfg(feature = "cli")]
pub(crate) const OTHER_KEYS: &[&str] = &["AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SECURITY_TOKEN"];
/// The file of keys of the first EC2 tools; botocore reads it before the endpoint.
#[cfg(feature = "cli")]
pub(crate) const CREDENTIAL_FILE: &str = "AWS_CREDENTIAL_FILE";
/// Other names for a role, which Java's second SDK reads.
#[cfg(feature = "cli")]
pub(crate) const OTHER_ROLES: &[&str] = &["AWS_IAM_ROLE_ARN", "AWS_IAM_ROLE_SESSION_NAME"];
/// What boto is configured by, which may hold keys: botocore reads it before the endpoint.
#[cfg(feature = "cli")]
pub(crate) const BOTO_CONFIG: &str = "BOTO_CONFIG";
#[cfg(feature = "cli")]
pub(crate) const BOTO_CONFIG_OF_ALL: &str = "/etc/boto.cfg";
/// Below `HOME`.
#[cfg(feature = "cli")]
pub(crate) const USUAL_BOTO_CONFIG: &str = ".boto";
/// Where Java's first SDK reads profiles.
#[cfg(feature = "cli")]
pub(crate) const OTHER_PROFILES_FILE: &str = "AWS_CREDENTIAL_PROFILES_FILE";
pub(crate) const SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
pub(crate) const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub(crate) const AUTHORIZATION_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
pub(crate) const AUTHORIZATION_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
/// `true` keeps the SDKs from asking the node for its role.
#[cfg(feature = "cli")]
pub(crate) const METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";
/// Where the relative URI's endpoint is (ECS developer guide, "Task IAM role").
pub(crate) const CONTAINER_HOST: &str = "http://169.254.170.2";
/// STS somewhere else than where its region says.
pub(crate) const ENDPOINT_URL_STS: &str = "AWS_ENDPOINT_URL_STS";
/// Where all services are called instead of at their own addresses, and where one of them is
/// (SDKs and Tools reference guide, "Service-specific endpoints").
pub(crate) const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const SECRETS_MANAGER_ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const SSM_ENDPOINT: &str = "AWS_ENDPOINT_URL_SSM";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const KMS_ENDPOINT: &str = "AWS_ENDPOINT_URL_KMS";
/// What services that speak JSON are sent, by the version of the protocol.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const JSON_1_0: &str = "application/x-amz-json-1.0";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const JSON_1_1: &str = "application/x-amz-json-1.1";
/// The variables of all of AWS begin so.
#[cfg(feature = "cli")]
pub(crate) const PREFIX: &str = "AWS_";
/// The task role's credentials: SageMaker's containers and ECS tasks both have it.
pub(crate) const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// `AWS_ECS_EC2` in SageMaker's containers and in ECS tasks.
pub(crate) const EXECUTION_ENV: &str = "AWS_EXECUTION_ENV";
/// Where services are called: most SDKs read the one, boto3 reads the other.
pub(crate) const REGION: &str = "AWS_REGION";
pub(crate) const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
/// Read by AWS's own writers of the Embedded Metric Format: CloudWatch's agent, and where it
/// files what it is sent.
pub(crate) const EMF_AGENT_ENDPOINT: &str = "AWS_EMF_AGENT_ENDPOINT";
pub(crate) const EMF_LOG_GROUP: &str = "AWS_EMF_LOG_GROUP_NAME";
pub(crate) const HOME: &str = "HOME";
/// What every SDK reads as a profile file without profiles.
#[cfg(feature = "cli")]
pub(crate) const NO_FILE: &str = "/dev/null";
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
/// Variables that send HTTP requests through a proxy.
#[cfg(feature = "cli")]
pub(crate) const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];
/// Hosts that no proxy reaches, and the variables that say so.
#[cfg(feature = "cli")]
pub(crate) const NO_PROXY: &[&str] = &["NO_PROXY", "no_proxy"];
/// Loopback, and the link-local addresses at which AWS gives credentials.
#[cfg(feature = "cli")]
pub(crate) const NEVER_BY_PROXY: &[&str] = &[
    "127.0.0.1",
    "localhost",
    "::1",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.169.254",
    "fd00:ec2::23",
];
/// The roots of trust, as AWS's SDKs and CLI have them named; instead of the machine's own.
pub(crate) const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// The same as OpenSSL has it, for everybody, and as what this runtime speaks TLS by reads it.
pub(crate) const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// The first line of a profile that this runtime wrote. It leads back to this runtime, so it is not
/// a source of credentials.
pub(crate) const OWN_PROFILE: &str = "# lyftlearn-runtime";
