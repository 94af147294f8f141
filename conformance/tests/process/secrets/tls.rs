//! By TLS and by a proxy, as a company's own network has it.

use super::*;

const ONE: &str = "[secrets.ranking]\nfrom = \"confidant://ranking-prod\"\n";
const TOKEN: &str = "[secrets.token]\nfrom = \"aws-secretsmanager:prod/token\"\n";

fn with_root(servers: &Servers, world: &World, container: Sandbox) -> Sandbox {
    let root = world.file("root.pem", servers.text("root"));
    container.mount_read_only(root, "/etc/root.pem")
}

#[test]
fn confidant_and_aws_are_trusted_by_the_root_that_is_named() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = format!("{ONE}{TOKEN}");
    let container = servers
        .container(&world, &settings)
        .variable(
            "LYFTLEARN_RUNTIME_CONFIDANT_URL",
            servers.text("confidant-by-tls"),
        )
        .variable("AWS_ENDPOINT_URL", servers.text("aws-by-tls"));
    let container = with_root(&servers, &world, container);
    let canary = servers.canary.value();
    for (name, others) in [
        ("SSL_CERT_FILE", "/etc/none.pem"),
        // Blank is not set.
        ("AWS_CA_BUNDLE", ""),
    ] {
        let container = container
            .clone()
            .variable("AWS_CA_BUNDLE", others)
            .variable("SSL_CERT_FILE", others)
            .variable(name, "/etc/root.pem");
        let output = ended(&container, SHOW);
        check_end(&output, 0);
        check_variables(
            &output,
            &[("CREDENTIALS_PASSWORD", canary), ("TOKEN", canary)],
        );
    }
    assert_eq!(servers.seen()["wrong"], json!([]));
    assert_eq!(servers.seen()["proxied"], json!([]));
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_said() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    let settings = format!("[secrets]\ndeadline = 20\n{ONE}{TOKEN}");
    let container = servers
        .container(&world, &settings)
        .variable(
            "LYFTLEARN_RUNTIME_CONFIDANT_URL",
            servers.text("confidant-by-tls"),
        )
        .variable(
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            servers.text("aws-by-tls"),
        );
    let begun = std::time::Instant::now();
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    let report = stderr(&output);
    assert!(
        report.contains(
            "\n  ranking: Confidant shows no certificate that is trusted here: SSL_CERT_FILE names another root\n  \
             token: Secrets Manager shows no certificate that is trusted here: SSL_CERT_FILE names another root\n"
        ),
        "{report}"
    );
    // Asking again heals nothing.
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn secrets_manager_is_reached_by_a_proxy_that_sees_nothing_of_it() {
    needs_namespaces!();
    let servers = servers!();
    let world = World::new();
    // No endpoint is named: the address is the service's own.
    let container = servers
        .container(&world, TOKEN)
        .variable("AWS_ENDPOINT_URL", "")
        .variable("HTTPS_PROXY", servers.text("proxy"))
        .variable("AWS_CA_BUNDLE", "/etc/root.pem");
    let container = with_root(&servers, &world, container);
    let output = ended(&container, SHOW);
    check_end(&output, 0);
    let canary = servers.canary.value();
    check_variables(&output, &[("TOKEN", canary)]);
    let seen = servers.seen();
    let heads = seen["proxied"].as_array().unwrap();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let head = heads[0].as_str().unwrap();
    let tunnel = "CONNECT secretsmanager.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n";
    assert!(head.starts_with(tunnel), "{head}");
    assert!(!head.contains("AWS4-HMAC-SHA256"), "{head}");
}
